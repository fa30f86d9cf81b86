"""Rules that combine several models' probabilities of one take, fixed and learned.

Every rule is a frozen dataclass that is called with log-probabilities [shape=(n, m, 8)] of takes that all m models
have, and returns probabilities [shape=(n, 8)].
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from math import comb
from typing import Any, Final

import numpy as np

from ravdess_mm.arrays import Floats, Integers
from ravdess_mm.config import Rule
from ravdess_mm.corpus.identifier import EMOTIONS
from ravdess_mm.evaluation.scores import log_loss
from ravdess_mm.fusion.evidence import Evidence

LEARNED_RULES: Final[frozenset[Rule]] = frozenset({Rule.WEIGHTED, Rule.STACKING, Rule.POOL})
N_CLASSES: Final = len(EMOTIONS)
GRID_STEPS: Final[tuple[int, ...]] = (20, 10, 5, 4, 3, 2, 1)
GRID_POINTS: Final = 2000
"""Weights are looked for on the finest of these grids that has at most that many points."""
RIDGE: Final = 1000.0
"""Pull of the stacking towards the pool, set against the log-loss summed over the takes of evidence."""
LARGEST_WEIGHT: Final = 3.0
"""Of a model in the pool; the smallest is 0."""
UNKNOWN_TAKES: Final = 1.0
"""Takes of unknown emotion, like the others in all else, that the pool learns from too."""


@dataclass(frozen=True)
class WeightedMean:
    """Weighted mean of probabilities; `weights` [m] are 0 or more and sum to 1."""

    weights: tuple[float, ...]

    def __call__(self, log_probabilities: Floats) -> Floats:
        """Combine log-probabilities [shape=(n, m, 8)]."""
        return np.asarray(np.einsum("nmk,m->nk", np.exp(log_probabilities), np.array(self.weights)))

    def to_dict(self) -> dict[str, Any]:
        """Return what was learned."""
        return {"weights": list(self.weights)}


@dataclass(frozen=True)
class Product:
    """Product of probabilities, normalised: every model can veto, and agreement makes sure."""

    def __call__(self, log_probabilities: Floats) -> Floats:
        """Combine log-probabilities [shape=(n, m, 8)]."""
        return _softmax(log_probabilities.sum(axis=1))

    def to_dict(self) -> dict[str, Any]:
        """Return an empty dict: nothing is learned."""
        return {}


@dataclass(frozen=True)
class Pool:
    """Logarithmic opinion pool: the product of probabilities, each to a power of its own, normalised.

    Parameters
    ----------
    weights : tuple of float [m]
        The powers, 0 or more. Of models that err independently each is about 1; models that say the same share one.
    """

    weights: tuple[float, ...]

    def __call__(self, log_probabilities: Floats) -> Floats:
        """Combine log-probabilities [shape=(n, m, 8)]."""
        return _softmax(np.einsum("nmk,m->nk", log_probabilities, np.array(self.weights)))

    def to_dict(self) -> dict[str, Any]:
        """Return what was learned."""
        return {"weights": list(self.weights)}


@dataclass(frozen=True)
class Stacking:
    """Multinomial logistic regression on log-probabilities.

    Parameters
    ----------
    coefficients : tuple of tuples of float [shape=(8 * m, 8)]
        From the log-probabilities of the models, one after the other, to a score of each emotion.
    intercepts : tuple of float [8]
        Added to the scores.
    """

    coefficients: tuple[tuple[float, ...], ...]
    intercepts: tuple[float, ...]

    def __call__(self, log_probabilities: Floats) -> Floats:
        """Combine log-probabilities [shape=(n, m, 8)]."""
        inputs = log_probabilities.reshape(len(log_probabilities), -1)
        # not a matrix product: its last digits depend on how many takes are in the batch, on some processors
        scores = np.einsum("nf,fk->nk", inputs, np.array(self.coefficients))
        return _softmax(scores + np.array(self.intercepts))

    def to_dict(self) -> dict[str, Any]:
        """Return what was learned."""
        return {"coefficients": [list(row) for row in self.coefficients], "intercepts": list(self.intercepts)}


Combiner = WeightedMean | Product | Pool | Stacking


def learn_rule(rule: Rule, evidence: Evidence) -> Combiner:
    """Return a rule for the models of `evidence`, learned from it where the rule is a learned one.

    Without evidence every model counts alike, in a mean, a product or, for the pool, a geometric mean.
    """
    n_models = len(evidence.names)
    equal = (1 / n_models,) * n_models
    if rule is Rule.PRODUCT:
        return Product()
    if rule is Rule.POOL:
        return learn_pool(evidence) if len(evidence) else Pool(equal)
    if rule is Rule.STACKING:
        return learn_stacking(evidence) if len(evidence) else Product()
    return learn_weights(evidence) if rule is Rule.WEIGHTED and len(evidence) else WeightedMean(equal)


def learn_weights(evidence: Evidence) -> WeightedMean:
    """Choose the weights of a mean with the highest UAR; of equal ones those with the lowest log-loss.

    The log-loss alone is a poor guide here: a mean of calibrated probabilities is not sure enough, which the log-loss
    answers by giving all weight to the best model.

    Parameters
    ----------
    evidence : Evidence
        At least one take.
    """
    labels = evidence.labels
    values = np.exp(evidence.log_probabilities)
    share = 1 / np.bincount(labels, minlength=N_CLASSES)[labels]

    def mixed(weights: Floats) -> Floats:
        return np.asarray(np.einsum("nmk,m->nk", values, weights))

    grid = _simplex_grid(len(evidence.names))
    uar = np.round([share[mixed(weights).argmax(axis=1) == labels].sum() for weights in grid], 9)
    chosen = min(grid[uar == uar.max()], key=lambda weights: log_loss(mixed(weights), labels))
    return WeightedMean(tuple(float(weight) for weight in chosen))


def learn_pool(evidence: Evidence) -> Pool:
    """Choose the weights of a logarithmic opinion pool with the lowest log-loss.

    The problem is convex, and a model given twice is worth what it is worth once. `UNKNOWN_TAKES` bound how sure a pool
    can be that was right about few takes; what they ask is the same for any number of copies of a model.

    Parameters
    ----------
    evidence : Evidence
        At least one take.

    References
    ----------
    Genest C, Zidek JV (1986), Combining probability distributions: a critique and an annotated bibliography,
    Statistical Science 1(1): 114-148; weights by log-loss: Heskes T (1998), Selecting weighting factors in logarithmic
    opinion pools, NIPS 10: 266-272; labels that leave room for doubt: Platt JC (1999), Probabilistic outputs for
    support vector machines, Advances in Large Margin Classifiers: 61-74.
    """
    from scipy.optimize import minimize

    n_models = len(evidence.names)
    targets = np.eye(N_CLASSES)[evidence.labels] + UNKNOWN_TAKES / (len(evidence) * N_CLASSES)
    optimum = minimize(
        _pool_loss,
        np.full(n_models, 1 / n_models),
        args=(evidence.log_probabilities, targets / targets.sum(axis=1, keepdims=True)),
        jac=True,
        method="L-BFGS-B",
        bounds=[(0.0, LARGEST_WEIGHT)] * n_models,
        options={"maxiter": 1000, "ftol": 1e-13, "gtol": 1e-8},
    )
    # the last digits of an optimum depend on how many threads added up: they are not part of the answer
    return Pool(tuple(float(weight) for weight in np.round(optimum.x, 4)))


def _pool_loss(weights: Floats, log_probabilities: Floats, targets: Floats) -> tuple[float, Floats]:
    """Mean cross-entropy of a pool to `targets` [shape=(n, 8)], and its gradient [m]."""
    answers = _softmax(np.einsum("nmk,m->nk", log_probabilities, weights))
    loss = -(targets * np.log(np.maximum(answers, np.finfo(np.float64).tiny))).sum(axis=1).mean()
    return float(loss), np.einsum("nmk,nk->m", log_probabilities, answers - targets) / len(targets)


def learn_stacking(evidence: Evidence) -> Stacking:
    """Fit a multinomial logistic regression on the log-probabilities of the models.

    The ridge does not pull the coefficients to zero but to the pool of :func:`learn_pool`. So little evidence gives
    that pool, models that say the same count once, emotions without takes are harmless, and much evidence corrects what
    the models confuse alike.

    Parameters
    ----------
    evidence : Evidence
        At least one take.

    References
    ----------
    Wolpert DH (1992), Stacked generalization, Neural Networks 5(2): 241-259.
    """
    from scipy.optimize import minimize

    pool = [weight * np.eye(N_CLASSES) for weight in learn_pool(evidence).weights]
    start = np.vstack([*pool, np.zeros((1, N_CLASSES))])
    inputs = np.hstack([evidence.log_probabilities.reshape(len(evidence), -1), np.ones((len(evidence), 1))])
    optimum = minimize(
        _penalised_loss,
        start.ravel(),
        args=(inputs, evidence.labels, start),
        jac=True,
        method="L-BFGS-B",
        options={"maxiter": 1000},
    )
    fitted = np.round(optimum.x, 6).reshape(start.shape)
    return Stacking(
        coefficients=tuple(tuple(float(value) for value in row) for row in fitted[:-1]),
        intercepts=tuple(float(value) for value in fitted[-1]),
    )


def _penalised_loss(flat: Floats, inputs: Floats, labels: Integers, start: Floats) -> tuple[float, Floats]:
    """Mean log-loss plus ridge around `start`, and its gradient."""
    n_takes = len(labels)
    shift = flat.reshape(start.shape) - start
    answers = _softmax(inputs @ (start + shift))
    true = answers[np.arange(n_takes), labels]
    loss = -np.log(np.maximum(true, np.finfo(np.float64).tiny)).mean() + RIDGE / n_takes * (shift**2).sum()
    errors = (answers - np.eye(N_CLASSES)[labels]) / n_takes
    return float(loss), (inputs.T @ errors + 2 * RIDGE / n_takes * shift).ravel()


def _softmax(scores: Floats) -> Floats:
    shares = np.exp(scores - scores.max(axis=1, keepdims=True))
    return np.asarray(shares / shares.sum(axis=1, keepdims=True))


def _simplex_grid(n_models: int) -> Floats:
    """Return weights [shape=(points, n_models)] of two models or more: multiples of one step that sum to 1."""
    steps = next((s for s in GRID_STEPS if comb(s + n_models - 1, n_models - 1) <= GRID_POINTS), 1)
    # stars and bars: where the n_models - 1 bars stand among the steps says how many each model gets
    bars = np.array(list(combinations(range(steps + n_models - 1), n_models - 1)), dtype=np.int64)
    ends = np.full((len(bars), 1), steps + n_models - 1)
    return (np.diff(np.hstack([np.full_like(ends, -1), bars, ends]), axis=1) - 1) / steps
