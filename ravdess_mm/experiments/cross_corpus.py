"""Each corpus in turn, tested by what the others taught: no speaker, room or language of its own was learned from.

`calm` counts as `neutral`, since RAVDESS alone tells them apart, and an answer is given among the emotions that the
tested corpus has. Training clips are weighted so that corpora, and within each its emotions, count the same. Strength
and temperature are chosen by leaving one of the training corpora out, never by the tested one.

Cross-corpus evaluation and its pitfalls: Schuller B et al. (2010), "Cross-corpus acoustic emotion recognition", IEEE
Trans. Affective Computing 1(2): 119-131.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from ravdess_mm.arrays import Floats, Integers
from ravdess_mm.calibration import fit_temperature, probabilities
from ravdess_mm.classifiers.corpora_voice import CorporaVoice
from ravdess_mm.corpus.identifier import EMOTIONS
from ravdess_mm.corpus.splits import check_disjoint
from ravdess_mm.errors import InputError, LeakageError
from ravdess_mm.evaluation.metrics import rate_estimates
from ravdess_mm.evaluation.scores import class_recalls, confusion_by_group, expected_calibration_error
from ravdess_mm.evaluation.scores import log_loss as negative_log_likelihood
from ravdess_mm.parallel.progress import track
from ravdess_mm.predictions import PROBABILITIES, labels_of, probabilities_of

logger = logging.getLogger(__name__)

PREDICTIONS_SCHEMA: Final = "cross-corpus-predictions/1"
STRENGTHS: Final = (0.1, 0.3, 1.0, 3.0, 10.0)
"""Strengths of the ridge that are tried, weakest first."""
COPY_WEIGHT: Final = 0.25
"""How much a copy of a clip counts beside the clip."""
SPEAKER_FOLDS: Final = 5
"""Folds of speakers that choose where one corpus is all there is to learn from."""
COLUMNS: Final[tuple[str, ...]] = ("corpus", "speaker", "clip", "emotion", "variant", *PROBABILITIES)
"""Of the prediction table; ``p_calm``, and what the tested corpus does not have, are 0."""


class Variant(StrEnum):
    """How features are standardised."""

    PLAIN = "plain"
    """By the training clips."""
    ADAPTED = "adapted"
    """Each speaker by that speaker's own unlabelled clips."""


def merge_calm(emotions: npt.ArrayLike) -> npt.NDArray[np.str_]:
    """Return emotions [shape=(n,)] with ``calm`` as ``neutral``."""
    labels = np.asarray(emotions, dtype=np.str_)
    return np.where(labels == "calm", "neutral", labels)


@dataclass(frozen=True)
class CorpusRows:
    """Clips of several corpora as vectors.

    Parameters
    ----------
    X : ndarray of float32 [shape=(n, n_features)]
        Such as embeddings; finite.
    emotion, corpus, speaker, clip : ndarray of str [shape=(n,)]
        One of the eight; where from; who, unique within the corpus; the clip's name, unique within speaker and corpus.
    copy : ndarray of int [shape=(n,)], optional
        0 for a clip, or which of its copies that went through the world a row is: a copy is learned from like a clip,
        always on the side of its speaker, and standardised with the speaker's other copies of its number.

    Raises
    ------
    InputError
        If lengths differ, a value is not finite, or an emotion is unknown.
    LeakageError
        If clips of two corpora have the same values: the same recording under two names.
    """

    X: npt.NDArray[np.float32]
    emotion: npt.NDArray[np.str_]
    corpus: npt.NDArray[np.str_]
    speaker: npt.NDArray[np.str_]
    clip: npt.NDArray[np.str_]
    copy: Integers | None = None

    def __post_init__(self) -> None:
        columns = (self.emotion, self.corpus, self.speaker, self.clip)
        if any(len(column) != len(self.X) for column in columns):
            raise InputError(f"{len(self.X)} vectors, but columns of {[len(column) for column in columns]} rows")
        if not np.isfinite(self.X).all():
            raise InputError("a vector holds a number that is not finite")
        unknown = sorted(set(self.emotion.tolist()) - set(EMOTIONS))
        if unknown:
            raise InputError(f"unknown emotion {unknown[0]!r}; allowed: {', '.join(EMOTIONS)}")
        self._check_one_corpus_each()

    def _check_one_corpus_each(self) -> None:
        first: dict[bytes, int] = {}
        for row, values in enumerate(np.ascontiguousarray(self.X)):
            other = first.setdefault(values.tobytes(), row)
            if self.corpus[other] != self.corpus[row]:
                raise LeakageError(
                    f"{self.corpus[other]}/{self.clip[other]} and {self.corpus[row]}/{self.clip[row]} are the same "
                    "recording; a corpus is given twice"
                )

    @property
    def corpora(self) -> list[str]:
        """The corpora, sorted."""
        return sorted(set(self.corpus.tolist()))

    @property
    def groups(self) -> npt.NDArray[np.str_]:
        """Who speaks, unique among all corpora [shape=(n,)]: ``emodb/03``."""
        return np.char.add(np.char.add(self.corpus, "/"), self.speaker)

    @property
    def places(self) -> npt.NDArray[np.str_]:
        """Who speaks where [shape=(n,)]: a speaker's clips, and the copies of one number, stand by themselves."""
        if self.copy is None:
            return self.groups
        return np.char.add(np.char.add(self.groups, "#"), self.copy.astype(np.str_))

    @property
    def y(self) -> Integers:
        """Places in `EMOTIONS` [shape=(n,)], ``calm`` as ``neutral``."""
        return np.array([EMOTIONS.index(label) for label in merge_calm(self.emotion)], dtype=np.int64)

    @property
    def is_copy(self) -> npt.NDArray[np.bool_]:
        """Which rows are copies [shape=(n,)]."""
        return np.zeros(len(self.X), dtype=bool) if self.copy is None else np.asarray(self.copy > 0)

    @property
    def in_order(self) -> CorpusRows:
        """The rows sorted by corpus, speaker, clip and copy."""
        return self.rows(np.lexsort((self.is_copy if self.copy is None else self.copy, self.clip, self.groups)))

    def rows(self, chosen: npt.NDArray[np.bool_ | np.intp]) -> CorpusRows:
        """Return some of the rows."""
        copy = None if self.copy is None else self.copy[chosen]
        return CorpusRows(
            self.X[chosen], self.emotion[chosen], self.corpus[chosen], self.speaker[chosen], self.clip[chosen], copy
        )

    @property
    def originals(self) -> CorpusRows:
        """The rows that are no copies."""
        return self if self.copy is None else self.rows(~self.is_copy)

    def weights(self, y: Integers) -> Floats:
        """Return how much a row counts [shape=(n,)], mean 1, given labels: `balanced_weights`, copies `COPY_WEIGHT`."""
        weights = balanced_weights(self.corpus, y) * np.where(self.is_copy, COPY_WEIGHT, 1)
        return np.asarray(weights / weights.mean())


def balanced_weights(corpus: npt.ArrayLike, y: npt.ArrayLike) -> Floats:
    """Return a weight a row [shape=(n,)], mean 1: corpora count the same, and within each its emotions do."""
    corpora, labels = np.asarray(corpus), np.asarray(y)
    weights = np.empty(len(labels))
    for name in np.unique(corpora):
        own = corpora == name
        classes, places, counts = np.unique(labels[own], return_inverse=True, return_counts=True)
        weights[own] = 1 / (len(classes) * counts[places])
    return np.asarray(weights * len(weights) / weights.sum())


def answer_left_out(rows: CorpusRows, *, seed: int) -> pd.DataFrame:
    """Let the others answer for each corpus in turn, plain and speaker-adapted.

    Parameters
    ----------
    rows : CorpusRows
        Of two corpora or more.
    seed : int
        Deals speakers where one corpus is all there is to learn from.

    Returns
    -------
    pandas.DataFrame
        The columns `COLUMNS`, sorted by corpus, variant, speaker and clip.

    Raises
    ------
    InputError
        If there is one corpus only, or corpora have too few emotions or speakers to choose by.
    LeakageError
        If a speaker would be on both sides.
    """
    if len(rows.corpora) < 2:
        raise InputError(f"cross-corpus needs two corpora or more; got {', '.join(rows.corpora) or 'none'}")
    rows = rows.in_order
    tasks = [(tested, variant) for tested in rows.corpora for variant in Variant]
    tables = [
        _answer_one(rows, tested, variant, seed=seed)
        for tested, variant in track(tasks, "corpora left out", unit="model")
    ]
    table = pd.concat(tables, ignore_index=True)
    return table.sort_values(["corpus", "variant", "speaker", "clip"], kind="stable", ignore_index=True)


def _answer_one(rows: CorpusRows, tested: str, variant: Variant, *, seed: int) -> pd.DataFrame:
    train, test = rows.rows(rows.corpus != tested), rows.rows(rows.corpus == tested)
    strength, temperature = choose(train, variant, seed=seed)
    logger.info("%s, %s: strength %g, temperature %g", tested, variant, strength, temperature)
    scores = restricted(fitted_scores(train, test, variant, [strength])[0], test.y)
    shares = probabilities(scores, temperature=temperature)
    shares[np.isneginf(scores)] = 0
    shares /= shares.sum(axis=1, keepdims=True)
    labels = {"corpus": test.corpus, "speaker": test.speaker, "clip": test.clip, "emotion": merge_calm(test.emotion)}
    return pd.DataFrame({**labels, "variant": variant.value, **dict(zip(PROBABILITIES, shares.T, strict=True))})


def choose(train: CorpusRows, variant: Variant, *, seed: int) -> tuple[float, float]:
    """Choose strength and temperature by what training rows say of a corpus that was left out.

    Where they are of one corpus, folds of its speakers are left out instead. Copies teach and are not asked.

    Returns
    -------
    strength : float
        The weakest with which not more left-out clips are named wrongly than with the best one, by more than a standard
        error over speakers, since a weak ridge knows more of clips that are like those it learned from (the
        one-standard-error rule of Breiman L et al. (1984), Classification and regression trees, 3.4.3).
    temperature : float
        With the least log-loss on left-out clips. Both weigh clips so that corpora and emotions count the same.

    Raises
    ------
    InputError
        If no part can be left out: one corpus of one speaker.
    """
    asked = train.originals
    scores = np.full((len(STRENGTHS), len(asked.X), len(EMOTIONS)), np.nan)
    for left_out in _left_out_parts(train, seed=seed):
        inside, outside = train.rows(left_out).originals, train.rows(~left_out)
        fitted = fitted_scores(outside, inside, variant, STRENGTHS)
        scores[:, left_out[~train.is_copy]] = [restricted(one, inside.y) for one in fitted]
    weights = balanced_weights(asked.corpus, asked.y)
    wrong = weights * (scores.argmax(axis=2) != asked.y)
    best = wrong[int(wrong.sum(axis=1).argmin())]
    place = next(place for place, one in enumerate(wrong) if _is_no_worse(one - best, asked.groups))
    return STRENGTHS[place], fit_temperature(scores[place], asked.y, sample_weight=weights)


def _is_no_worse(excess: Floats, speakers: npt.NDArray[np.str_]) -> bool:
    """Tell whether what clips [shape=(n,)] lose is within one standard error of nothing, over speakers."""
    by_speaker = np.array([excess[speakers == speaker].sum() for speaker in np.unique(speakers)])
    return bool(by_speaker.sum() <= np.sqrt(len(by_speaker)) * by_speaker.std(ddof=1))


def _left_out_parts(train: CorpusRows, *, seed: int) -> Iterator[npt.NDArray[np.bool_]]:
    """Yield masks [shape=(n,)] of parts that cover all rows: corpora, or folds of speakers of the only corpus."""
    if len(train.corpora) > 1:
        parts: npt.NDArray[Any] = train.corpus
    else:
        speakers = np.random.default_rng(seed).permutation(np.unique(train.groups))
        if len(speakers) < 2:
            raise InputError(f"{train.corpora[0]} has one speaker: nobody is left out to choose and calibrate by")
        fold_of = {speaker: place % SPEAKER_FOLDS for place, speaker in enumerate(speakers)}
        parts = np.array([fold_of[speaker] for speaker in train.groups])
    for part in np.unique(parts):
        yield parts == part


def fitted_scores(train: CorpusRows, test: CorpusRows, variant: Variant, strengths: Iterable[float]) -> list[Floats]:
    """Fit on some rows and score others, once for each strength.

    Returns
    -------
    list of ndarray [shape=(n_test, 8)]
        Minus infinity for emotions that nobody showed in training.

    Raises
    ------
    LeakageError
        If a speaker is on both sides.
    """
    check_disjoint(train.groups, test.groups)
    voice = CorporaVoice.fit(
        train.X,
        train.y,
        train.places,
        is_copy=train.is_copy,
        sample_weight=train.weights(train.y),
        strengths=strengths,
        adapted=variant is Variant.ADAPTED,
    )
    return voice.scores(test.X, test.places)


def restricted(scores: Floats, y: Integers) -> Floats:
    """Return scores with minus infinity for the emotions that a tested corpus does not have.

    Raises
    ------
    InputError
        If none of its emotions was learned.
    """
    narrow = np.full_like(scores, -np.inf)
    present = np.unique(y)
    narrow[:, present] = scores[:, present]
    if np.isneginf(narrow).all():
        raise InputError(f"none of the emotions {', '.join(EMOTIONS[place] for place in present)} was learned")
    return narrow


def score(table: pd.DataFrame, *, seed: int, draws: int) -> list[dict[str, Any]]:
    """Score what :func:`answer_left_out` returned.

    Returns
    -------
    list of dict
        One of each corpus and variant: ``corpus``, ``variant``, ``n_clips``, ``n_speakers``, ``emotions`` (of the
        corpus), ``accuracy`` and ``uar`` (``value``, ``low``, ``high``; 95 % intervals over speakers; UAR over the
        emotions that the corpus has), ``confidence`` (mean of the largest probability), ``log_loss`` (nats), ``ece``,
        ``recall`` by emotion, ``confusion`` (in the order of `EMOTIONS`).
    """
    found = []
    for (corpus, variant), own in table.groupby(["corpus", "variant"], sort=True):
        labels, shares = labels_of(own), probabilities_of(own)
        speakers, confusions = confusion_by_group(labels, shares.argmax(axis=1), own["speaker"].to_numpy())
        accuracy, uar, _ = rate_estimates(confusions, seed=seed, draws=draws)
        confusion = confusions.sum(axis=0)
        recall = dict(zip(EMOTIONS, class_recalls(confusion), strict=True))
        found.append(
            {
                "corpus": corpus,
                "variant": variant,
                "n_clips": len(own),
                "n_speakers": len(speakers),
                "emotions": [emotion for emotion in EMOTIONS if np.isfinite(recall[emotion])],
                "accuracy": accuracy.to_dict(),
                "uar": uar.to_dict(),
                "confidence": float(shares.max(axis=1).mean()),
                "log_loss": negative_log_likelihood(shares, labels),
                "ece": expected_calibration_error(shares, labels),
                "recall": {emotion: float(value) for emotion, value in recall.items() if np.isfinite(value)},
                "confusion": confusion.tolist(),
            }
        )
    return found
