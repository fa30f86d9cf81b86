from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from ravdess_mm.calibration import fit_temperature
from ravdess_mm.corpus.identifier import EMOTIONS
from ravdess_mm.errors import InputError, LeakageError
from ravdess_mm.experiments import cross_corpus
from ravdess_mm.experiments.cross_corpus import (
    COLUMNS,
    COPY_WEIGHT,
    CorpusRows,
    Variant,
    answer_left_out,
    balanced_weights,
    choose,
    fitted_scores,
    restricted,
    score,
)
from ravdess_mm.predictions import PROBABILITIES

SIX = ("neutral", "happy", "sad", "angry", "fearful", "disgust")
CORPORA: Mapping[str, tuple[str, ...]] = {"first": (*SIX, "calm"), "second": SIX[:5], "third": SIX}


def made_up(corpora: Mapping[str, tuple[str, ...]] = CORPORA, *, n_speakers: int = 4, seed: int = 0) -> CorpusRows:
    """Make clips whose emotion is where it is in every corpus, beside what is a speaker's and a corpus' own."""
    random = np.random.default_rng(seed)
    place = 2 * np.random.default_rng(7).normal(size=(len(EMOTIONS), 24))
    place[EMOTIONS.index("calm")] = place[EMOTIONS.index("neutral")]
    columns: list[tuple[str, str, str, str]] = []
    vectors = []
    for corpus, emotions in corpora.items():
        own = random.normal(size=24)
        for speaker in range(n_speakers):
            voice = 2.5 * random.normal(size=24)
            for emotion in emotions:
                for take in range(3):
                    columns.append((emotion, corpus, f"{speaker}", f"{speaker}-{emotion}-{take}"))
                    vectors.append(place[EMOTIONS.index(emotion)] + own + voice + 1.5 * random.normal(size=24))
    labels = [np.array(column) for column in zip(*columns, strict=True)]
    return CorpusRows(np.array(vectors, dtype=np.float32), *labels)


@pytest.fixture(scope="module")
def rows() -> CorpusRows:
    return made_up()


@pytest.fixture(scope="module")
def answers(rows: CorpusRows) -> pd.DataFrame:
    return answer_left_out(rows, seed=1)


def test_every_clip_is_answered_once_a_variant(rows: CorpusRows, answers: pd.DataFrame) -> None:
    assert tuple(answers.columns) == COLUMNS
    for variant in Variant:
        own = answers[answers["variant"] == variant]
        assert sorted(zip(own["corpus"], own["speaker"], own["clip"], strict=True)) == sorted(
            zip(rows.corpus, rows.speaker, rows.clip, strict=True)
        )
    keys = ["corpus", "variant", "speaker", "clip"]
    assert answers[keys].equals(answers[keys].sort_values(keys, ignore_index=True))


def test_probabilities_are_among_the_emotions_of_the_tested_corpus(answers: pd.DataFrame) -> None:
    assert "calm" not in set(answers["emotion"])
    for corpus, own in answers.groupby("corpus"):
        shown = set(CORPORA[str(corpus)]) - {"calm"}
        for emotion in EMOTIONS:
            assert (own[f"p_{emotion}"] > 0).all() == (emotion in shown)
        np.testing.assert_allclose(own[list(PROBABILITIES)].sum(axis=1), 1)


def test_emotions_are_found_across_corpora_and_better_by_speaker(answers: pd.DataFrame) -> None:
    for corpus in CORPORA:
        found = {one["variant"]: one for one in score(answers, seed=1, draws=100) if one["corpus"] == corpus}
        assert found["plain"]["uar"]["value"] > 0.5
        assert found["adapted"]["uar"]["value"] > found["plain"]["uar"]["value"]
        for one in found.values():
            assert abs(one["confidence"] - one["accuracy"]["value"]) < 0.2


def test_answers_depend_on_seed_and_rows_alone_not_on_their_order(rows: CorpusRows, answers: pd.DataFrame) -> None:
    order = np.random.default_rng(3).permutation(len(rows.X))
    columns = (rows.emotion, rows.corpus, rows.speaker, rows.clip)
    again = answer_left_out(CorpusRows(rows.X[order], *(column[order] for column in columns)), seed=1)
    pd.testing.assert_frame_equal(again, answers, rtol=1e-6)


def test_labels_of_the_tested_corpus_choose_nothing(rows: CorpusRows, answers: pd.DataFrame) -> None:
    tested = rows.corpus == "third"
    shuffled = rows.emotion.copy()
    shuffled[tested] = np.random.default_rng(0).permutation(shuffled[tested])
    other = answer_left_out(CorpusRows(rows.X, shuffled, rows.corpus, rows.speaker, rows.clip), seed=1)
    for table in (answers, other):
        table["key"] = table["clip"] + table["variant"].astype(str) + table["corpus"]
    mine, theirs = (table[table["corpus"] == "third"].set_index("key") for table in (answers, other))
    np.testing.assert_allclose(theirs.loc[mine.index, list(PROBABILITIES)], mine[list(PROBABILITIES)])


def test_corpora_and_their_emotions_count_the_same() -> None:
    corpus = np.array(["a"] * 6 + ["b"] * 2)
    y = np.array([0, 0, 0, 0, 1, 2, 0, 1])
    weights = balanced_weights(corpus, y)
    assert weights.mean() == pytest.approx(1)
    assert weights[corpus == "a"].sum() == pytest.approx(weights[corpus == "b"].sum())
    np.testing.assert_allclose([weights[(corpus == "a") & (y == label)].sum() for label in range(3)], 4 / 3)


def test_copies_count_less_and_are_no_answers(rows: CorpusRows) -> None:
    copies = replace(rows, X=rows.X + 0.5, copy=np.ones(len(rows.X), dtype=np.int64))
    both = CorpusRows(
        np.concatenate([copies.X, rows.X]),
        *(np.tile(column, 2) for column in (rows.emotion, rows.corpus, rows.speaker, rows.clip)),
        copy=np.repeat([1, 0], len(rows.X)),
    )
    weights = both.weights(both.y)
    assert weights.mean() == pytest.approx(1)
    assert weights[both.is_copy].sum() == pytest.approx(COPY_WEIGHT * weights[~both.is_copy].sum())
    np.testing.assert_array_equal(both.originals.X, rows.X)
    assert both.in_order.copy is not None
    assert both.in_order.copy[:2].tolist() == [0, 1]
    assert choose(both, Variant.PLAIN, seed=0)[0] in cross_corpus.STRENGTHS


def test_the_weakest_strength_within_chance_of_the_best_is_chosen() -> None:
    speakers = np.repeat(["a", "b", "c", "d"], 10)
    assert cross_corpus._is_no_worse(np.zeros(40), speakers)
    assert cross_corpus._is_no_worse(np.where(speakers == "a", 1.0, 0.0), speakers)
    assert not cross_corpus._is_no_worse(np.full(40, 0.01), speakers)


def test_a_corpus_that_is_all_there_is_leaves_its_speakers_out(rows: CorpusRows) -> None:
    alone = rows.rows(rows.corpus == "first")
    masks = list(cross_corpus._left_out_parts(alone, seed=0))
    assert np.sum(masks, axis=0).tolist() == [1] * len(alone.X)
    for mask in masks:
        assert not set(alone.groups[mask]) & set(alone.groups[~mask])
    strength, temperature = choose(alone, Variant.PLAIN, seed=0)
    assert strength in cross_corpus.STRENGTHS
    assert temperature > 0
    one = alone.rows(alone.speaker == "0")
    with pytest.raises(InputError, match="first has one speaker"):
        choose(one, Variant.PLAIN, seed=0)


def test_training_corpora_are_left_out_whole_to_choose(rows: CorpusRows) -> None:
    masks = list(cross_corpus._left_out_parts(rows.rows(rows.corpus != "third"), seed=0))
    assert [int(mask.sum()) for mask in masks] == [84, 60]


def test_a_speaker_on_both_sides_is_a_leak(rows: CorpusRows) -> None:
    first = rows.rows(rows.corpus == "first")
    with pytest.raises(LeakageError, match="first/0"):
        fitted_scores(first, first.rows(first.speaker == "0"), Variant.PLAIN, [1.0])


def test_the_same_recording_in_two_corpora_is_a_leak(rows: CorpusRows) -> None:
    X = rows.X.copy()
    X[rows.corpus == "second"] = X[: int((rows.corpus == "second").sum())]
    with pytest.raises(LeakageError, match=r"first/\S+ and second/\S+ are the same recording"):
        CorpusRows(X, rows.emotion, rows.corpus, rows.speaker, rows.clip)


def test_an_emotion_that_nobody_taught_is_never_the_answer() -> None:
    rows = made_up({"first": ("neutral", "happy"), "second": ("neutral", "happy", "sad")})
    answers = answer_left_out(rows, seed=1)
    own = answers[answers["corpus"] == "second"]
    assert (own["p_sad"] == 0).all()
    (found,) = [one for one in score(own[own["variant"] == "plain"], seed=1, draws=100)]
    assert found["recall"]["sad"] == 0
    assert found["emotions"] == ["neutral", "happy", "sad"]
    assert np.isfinite(found["log_loss"])


def test_corpora_without_a_common_emotion_cannot_teach_each_other() -> None:
    with pytest.raises(InputError, match="none of the emotions sad was learned"):
        restricted(np.where(np.arange(8) == 3, -np.inf, np.zeros((2, 8))), np.array([3, 3]))


def test_unusable_rows_are_named(rows: CorpusRows) -> None:
    with pytest.raises(InputError, match="needs two corpora or more; got first"):
        answer_left_out(rows.rows(rows.corpus == "first"), seed=0)
    columns = (rows.emotion, rows.corpus, rows.speaker, rows.clip)
    with pytest.raises(InputError, match="not finite"):
        CorpusRows(np.full_like(rows.X, np.nan), *columns)
    with pytest.raises(InputError, match="unknown emotion 'boredom'"):
        CorpusRows(rows.X, np.full(len(rows.X), "boredom"), *columns[1:])
    with pytest.raises(InputError, match="vectors, but columns of"):
        CorpusRows(rows.X[1:], *columns)


def test_weights_of_rows_count_in_the_temperature() -> None:
    scores = np.log(np.array([[0.9, 0.1]] * 100))
    y = np.array([0] * 90 + [1] * 10)
    plain = fit_temperature(scores, y)
    assert plain == pytest.approx(1, rel=0.05)
    assert fit_temperature(scores, y, sample_weight=np.where(y == 1, 3.0, 1.0)) > plain


def test_figures_are_those_of_the_table() -> None:
    table = pd.DataFrame(
        {"corpus": "a", "speaker": ["1", "1", "2", "2"], "clip": list("wxyz"), "variant": "plain"}
        | {"emotion": ["sad", "sad", "happy", "sad"]}
        | dict.fromkeys(PROBABILITIES, 0.0)
    )
    table["p_sad"] = [0.8, 0.6, 0.7, 0.1]
    table["p_happy"] = 1 - table["p_sad"]
    (found,) = score(table, seed=0, draws=200)
    assert (found["n_clips"], found["n_speakers"], found["emotions"]) == (4, 2, ["happy", "sad"])
    assert found["accuracy"]["value"] == 0.5
    assert found["uar"]["value"] == pytest.approx(1 / 3)
    assert found["confidence"] == pytest.approx(np.mean([0.8, 0.6, 0.7, 0.9]))
    assert found["log_loss"] == pytest.approx(-np.mean(np.log([0.8, 0.6, 0.3, 0.1])))
    assert found["uar"]["low"] == 0
    assert found["uar"]["high"] == 1
