from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from ravdess_mm.corpus.splits import Fold, make_folds
from ravdess_mm.errors import InputError
from ravdess_mm.evaluation import evaluate
from ravdess_mm.experiments.leak_demonstration import SplitKind, demonstrate_split_leakage, other_modality_clips

ACTORS = range(1, 7)


def voices(*, seed: int, twin_noise: float = 0.0) -> pd.DataFrame:
    """Features that show the actor loudly, and the emotion in a way that is the actor's own."""
    generator = np.random.default_rng(7)
    who = generator.normal(size=(25, 12)) * 4
    how = generator.normal(size=(25, 9, 12)) * 1.5
    rows = []
    for actor in ACTORS:
        for emotion in range(1, 9):
            for statement in (1, 2):
                take = f"01-0{emotion}-01-0{statement}-01-0{actor}"
                rows.append((take, actor, emotion, who[actor] + how[actor, emotion] + generator.normal(size=12)))
    labels = ("", "neutral", "calm", "happy", "sad", "angry", "fearful", "disgust", "surprised")
    table = pd.DataFrame({"take": [row[0] for row in rows], "actor": [row[1] for row in rows]})
    table["emotion"] = [labels[row[2]] for row in rows]
    values = np.array([row[3] for row in rows])
    values = values + twin_noise * np.random.default_rng(seed).normal(size=values.shape)
    return pd.concat([table, pd.DataFrame(values, columns=[f"f{place}" for place in range(12)])], axis=1)


def holdout() -> tuple[Fold, ...]:
    return make_folds("holdout", list(ACTORS), test_actors=[1, 2])


def test_the_more_a_split_leaks_the_more_it_claims() -> None:
    demo = demonstrate_split_leakage(voices(seed=1), voices(seed=2, twin_noise=0.1), holdout(), seed=3, jobs=1)
    assert list(demo.tables) == [SplitKind.RANDOM, SplitKind.MIXED, SplitKind.ACTORS]
    claims = {split: evaluate(table, seed=0, draws=10).accuracy.value for split, table in demo.tables.items()}
    assert claims[SplitKind.MIXED] > claims[SplitKind.RANDOM] + 0.1 > claims[SplitKind.ACTORS] + 0.2
    assert (demo.n_folds, demo.n_twins) == (5, 96)
    # scored on the same takes, each once; only the honest split keeps an actor in one fold
    takes = [table["take"].tolist() for table in demo.tables.values()]
    assert all(sorted(one) == sorted(voices(seed=1)["take"]) for one in takes)
    folds = {split: table.groupby("actor")["fold"].nunique().max() for split, table in demo.tables.items()}
    assert folds[SplitKind.ACTORS] == 1
    assert folds[SplitKind.RANDOM] > 1
    said = demo.to_dict(seed=0, draws=100, facts={"synthetic": True})
    assert [one["first"] for one in said["comparisons"]] == ["random", "mixed"]
    assert said["comparisons"][0]["difference"]["value"] == pytest.approx(
        claims[SplitKind.RANDOM] - claims[SplitKind.ACTORS]
    )


def test_folds_of_a_protocol_are_taken_as_they_are() -> None:
    demo = demonstrate_split_leakage(voices(seed=1), None, make_folds("luna5", list(ACTORS)), seed=3, jobs=1)
    assert list(demo.tables) == [SplitKind.RANDOM, SplitKind.ACTORS]
    fold_of = demo.tables[SplitKind.ACTORS].drop_duplicates("actor").set_index("actor")["fold"]
    assert fold_of.sort_index().to_dict() == {1: 4, 2: 0, 3: 1, 4: 4, 5: 0, 6: 1}
    assert demo.n_folds == 3


def test_result_depends_on_the_seed_alone() -> None:
    table = voices(seed=1)
    first = demonstrate_split_leakage(table, None, holdout(), seed=3, jobs=1)
    again = demonstrate_split_leakage(table.sample(frac=1, random_state=0), None, holdout(), seed=3, jobs=2)
    for split in first.tables:
        pd.testing.assert_frame_equal(first.tables[split], again.tables[split], check_exact=True)
    other = demonstrate_split_leakage(table, None, holdout(), seed=4, jobs=1)
    assert not first.tables[SplitKind.RANDOM].equals(other.tables[SplitKind.RANDOM])


def test_columns_of_the_second_clips_must_be_those_of_the_first() -> None:
    with pytest.raises(InputError, match="other columns"):
        demonstrate_split_leakage(voices(seed=1), voices(seed=2).drop(columns="f3"), holdout(), seed=3)


def test_twins_are_the_other_clips_with_sound() -> None:
    def clip(take: str, modality: str, *, sound: bool = True, voice: bool = False) -> dict[str, object]:
        name = f"{modality}-{take}"
        return {"take": take, "modality": modality, "has_audio": sound, "voice": voice, "path": name, "sha256": name}

    clips = pd.DataFrame(
        [
            clip("a", "audio-only", voice=True),
            clip("a", "full-av"),
            clip("a", "video-only", sound=True),
            clip("b", "audio-only", voice=True),
            clip("b", "full-av", sound=False),
            clip("c", "full-av", voice=True),
            clip("d", "full-av", sound=True),
        ]
    )
    twins = other_modality_clips(clips)
    assert twins["path"].tolist() == ["full-av-a"]
    assert twins["voice"].tolist() == [True]
    assert other_modality_clips(clips[clips["modality"] == "audio-only"]).empty
