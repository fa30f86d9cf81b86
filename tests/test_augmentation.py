"""Noisy copies of training clips: of training actors only, on the side of their clip, never scored."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile

from ravdess_mm.audio import changed
from ravdess_mm.audio.analysis import SR
from ravdess_mm.audio.changed import Change, Voice
from ravdess_mm.audio.decode import resample
from ravdess_mm.audio.features import extract_features, feature_names
from ravdess_mm.audio.noise import Noise
from ravdess_mm.augmentation import (
    GAIN_RANGE_DB,
    SNR_RANGE_DB,
    SPEED_RANGE,
    SPEEDS,
    inner_pools,
    speed_copies,
    training_copies,
)
from ravdess_mm.classifiers.crossfit import deal_inner_folds
from ravdess_mm.classifiers.rows import FeatureRows, check_features
from ravdess_mm.config import FeatureSet
from ravdess_mm.corpus.splits import Fold
from ravdess_mm.store import hash_file
from tests.audio.voices import harmonic_tone, silence

SET = FeatureSet.MFCC_DELTA_RMS
ACTORS = (1, 2, 3, 4, 5, 6)
FOLDS = (Fold(0, (3, 4, 5, 6), (1, 2)), Fold(1, (1, 2, 5, 6), (3, 4)))


@pytest.fixture(scope="module")
def voices(tmp_path_factory: pytest.TempPathFactory) -> tuple[Voice, ...]:
    folder = tmp_path_factory.mktemp("voices")
    found = []
    for actor in ACTORS:
        for code, emotion in ((3, "happy"), (4, "sad")):
            take = f"01-{code:02d}-01-01-01-{actor:02d}"
            path = folder / f"03-{take}.wav"
            tone = harmonic_tone(90 + 20 * actor + 60 * code, seconds=0.3)
            soundfile.write(path, np.concatenate([silence(0.1), tone, silence(0.1)]), SR)
            found.append(Voice(take, str(path), hash_file(path), actor, emotion))
    return tuple(sorted(found, key=lambda voice: voice.take))


@pytest.fixture(scope="module")
def rows(voices: tuple[Voice, ...]) -> FeatureRows:
    table = pd.DataFrame([(voice.take, voice.actor, voice.emotion) for voice in voices])
    table.columns = ["take", "actor", "emotion"]
    values = np.random.default_rng(1).normal(size=(len(table), len(feature_names(SET))))
    return check_features(pd.concat([table, pd.DataFrame(values, columns=feature_names(SET))], axis=1))


def test_nobody_is_heard_across_an_inner_fold_and_no_test_actor_at_all(
    voices: tuple[Voice, ...], rows: FeatureRows
) -> None:
    for fold in FOLDS:
        sample = rows.of_actors(fold.train).sample
        dealt = deal_inner_folds(sample, 2, seed=4)
        assert dealt is not None
        side = dict(zip(sample.groups.tolist(), dealt.tolist(), strict=True))
        pools = inner_pools(voices, rows, fold, inner_folds=2, seed=4)
        assert set(pools) == set(fold.train)
        for actor, pool in pools.items():
            assert {voice.actor for voice in pool} == {other for other in fold.train if side[other] == side[actor]}


def test_copies_are_of_training_takes_within_the_ranges(
    voices: tuple[Voice, ...], rows: FeatureRows, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[tuple[Voice, Change]] = []
    work = changed._work_on_clip

    def watched(item: tuple[Voice, tuple[Change, ...]], *, feature_set: FeatureSet) -> list[changed.Outcome]:
        made.extend((item[0], change) for change in item[1])
        return work(item, feature_set=feature_set)

    monkeypatch.setattr(changed, "_work_on_clip", watched)
    words = {"inner_folds": 2, "feature_set": SET, "seed": 4, "jobs": 1}
    copies = training_copies(voices, rows, FOLDS, cache_dir=tmp_path, **words)
    for fold in FOLDS:
        assert [set(table["actor"]) for table in copies[fold.number]] == [set(fold.train)] * 2
        assert [len(table) for table in copies[fold.number]] == [8, 8]
    assert {change.noise for _, change in made} == set(Noise)
    for voice, change in made:
        for value, (low, high) in (
            (change.snr_db, SNR_RANGE_DB),
            (change.gain_db, GAIN_RANGE_DB),
            (change.speed, SPEED_RANGE),
        ):
            assert low <= value <= high
        assert voice.actor not in {other.actor for other in change.others}
    assert len({change.snr_db for _, change in made}) > len(voices)
    # white copies are the same in both folds; nothing is made twice
    n_made = len(made)
    again = training_copies(voices, rows, FOLDS[:1], cache_dir=tmp_path, **words)
    assert len(made) == n_made
    for one, two in zip(again[0], copies[0], strict=True):
        pd.testing.assert_frame_equal(one, two, check_exact=True)


def test_an_actor_alone_in_an_inner_fold_is_heard_in_white_noise_twice(
    voices: tuple[Voice, ...], rows: FeatureRows, tmp_path: Path
) -> None:
    fold = Fold(-1, (1, 2), (3,))
    white, other = training_copies(
        voices, rows, [fold], inner_folds=2, feature_set=SET, cache_dir=tmp_path, seed=4, jobs=1
    )[-1]
    assert white["take"].tolist() == other["take"].tolist()
    assert not np.allclose(white.iloc[:, 3:].to_numpy(), other.iloc[:, 3:].to_numpy())


def test_speed_copies_are_those_of_the_clip_played_slower_and_faster(voices: tuple[Voice, ...], tmp_path: Path) -> None:
    copies = speed_copies(voices, FOLDS, feature_set=SET, cache_dir=tmp_path, jobs=1)
    assert {number: [sorted(set(table["actor"])) for table in tables] for number, tables in copies.items()} == {
        0: [[3, 4, 5, 6]] * len(SPEEDS),
        1: [[1, 2, 5, 6]] * len(SPEEDS),
    }
    y, sr = soundfile.read(voices[0].path, dtype="float32")
    for speed, table in zip(SPEEDS, copies[1], strict=True):
        row = table[table["take"] == voices[0].take][list(feature_names(SET))].to_numpy()[0]
        played = resample(y, round(sr * speed), sr)
        assert abs(len(played) * speed - len(y)) < 2
        np.testing.assert_allclose(row, extract_features(played, sr, feature_set=SET), rtol=2e-2, atol=0.5)
