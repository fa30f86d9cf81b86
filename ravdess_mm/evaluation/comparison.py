"""Tests of models against each other, paired by actor, and against chance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from ravdess_mm.errors import InputError
from ravdess_mm.evaluation.intervals import DRAWS, Estimate, check_draws, few_actors_note, mean_estimate
from ravdess_mm.evaluation.metrics import scored_rows
from ravdess_mm.predictions import hits, labels_of, probabilities_of

ALL_FLIPS: Final = 2**14
"""Up to so many flips of signs, all are taken."""


@dataclass(frozen=True)
class Comparison:
    """Two models on the takes that both have scored.

    Attributes
    ----------
    first, second : str
        Names of the models.
    n_takes, n_actors : int
        Common takes, and whose they are.
    accuracy_first, accuracy_second : float
        On the common takes, 0-1.
    difference : Estimate
        First minus second, with an interval over actors.
    wilcoxon_p : float
        Two-sided signed-rank test over per-actor accuracies: the primary test.
    holm_p : float or None
        `wilcoxon_p` corrected for the family of comparisons (Holm); None outside of a family.
    permutation_p : float
        Two-sided paired permutation test of the difference, actors the unit: see `sign_flip_p`.
    only_first_right, only_second_right : int
        Takes that one model has right and the other wrong.
    mcnemar_p : float
        Exact McNemar test on these two counts: secondary, since it takes the takes of an actor for independent.
    notes : tuple of str
        What a reader must know to read the figures.
    """

    first: str
    second: str
    n_takes: int
    n_actors: int
    accuracy_first: float
    accuracy_second: float
    difference: Estimate
    wilcoxon_p: float
    holm_p: float | None
    permutation_p: float
    only_first_right: int
    only_second_right: int
    mcnemar_p: float
    notes: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as what JSON knows."""
        return {**asdict(self), "notes": list(self.notes)}


def compare(
    first: pd.DataFrame,
    second: pd.DataFrame,
    *,
    seed: int,
    draws: int = DRAWS,
    names: tuple[str, str] = ("first", "second"),
) -> Comparison:
    """Compare two models on the test takes that both have scored, paired by actor.

    Parameters
    ----------
    first, second : pandas.DataFrame
        Prediction tables, of one run or of two.
    seed, draws : int
        Of the bootstrap over actors.
    names : tuple of str
        What to call the models.

    Raises
    ------
    InputError
        If a table is unsound or no take is in both.

    References
    ----------
    Wilcoxon F (1945), Biometrics Bulletin 1(6): 80-83, zeros after Pratt (1959); McNemar Q (1947), Psychometrika
    12(2): 153-157.
    """
    check_draws(draws)
    one, two = _right_by_take(first, names[0]), _right_by_take(second, names[1])
    pair = pd.concat([one["actor"], one["right"].rename("first"), two["right"].rename("second")], axis=1, join="inner")
    if pair.empty:
        raise InputError(f"{names[0]} and {names[1]} have no test take in common; there is nothing to compare")
    pair["difference"] = pair["first"].astype(np.int64) - pair["second"]
    by_actor = pair.groupby("actor")["difference"].agg(["sum", "size"])
    differences, counts = by_actor["sum"].to_numpy(np.float64), by_actor["size"].to_numpy(np.int64)
    only_first = int((pair["difference"] == 1).sum())
    only_second = int((pair["difference"] == -1).sum())
    return Comparison(
        first=names[0],
        second=names[1],
        n_takes=len(pair),
        n_actors=len(counts),
        accuracy_first=float(pair["first"].mean()),
        accuracy_second=float(pair["second"].mean()),
        difference=mean_estimate(differences, counts, draws=draws, seed=seed),
        wilcoxon_p=_wilcoxon(differences / counts),
        holm_p=None,
        permutation_p=sign_flip_p(differences, draws=draws, seed=seed),
        only_first_right=only_first,
        only_second_right=only_second,
        mcnemar_p=_mcnemar(only_first, only_second),
        notes=_notes(len(counts)),
    )


def compare_all(
    tables: Mapping[str, pd.DataFrame], *, against: str, seed: int, draws: int = DRAWS
) -> tuple[Comparison, ...]:
    """Compare each model with one of them; p-values corrected for the family.

    Parameters
    ----------
    tables : mapping of str to pandas.DataFrame
        Model name to prediction table.
    against : str
        The model that stands second in every comparison.

    Returns
    -------
    tuple of Comparison
        In the order of `tables`, each with `holm_p`.

    Raises
    ------
    InputError
        If `against` is not among the tables, or as :func:`compare`.

    References
    ----------
    Holm S (1979), Scandinavian Journal of Statistics 6(2): 65-70.
    """
    if against not in tables:
        raise InputError(f"no model {against!r} to compare with; allowed: {', '.join(tables)}")
    family = [
        compare(table, tables[against], seed=seed, draws=draws, names=(name, against))
        for name, table in tables.items()
        if name != against
    ]
    return correct_family(family)


def correct_family(family: Sequence[Comparison]) -> tuple[Comparison, ...]:
    """Return comparisons with `holm_p`: their Wilcoxon p-values corrected for how many there are (Holm 1979)."""
    if not family:
        return ()
    p_values = np.array([comparison.wilcoxon_p for comparison in family])
    order = np.argsort(p_values)
    steps = p_values[order] * np.arange(len(p_values), 0, -1)
    corrected = np.empty(len(p_values))
    corrected[order] = np.minimum(np.maximum.accumulate(steps), 1.0)
    return tuple(replace(comparison, holm_p=float(p)) for comparison, p in zip(family, corrected, strict=True))


def sign_flip_p(differences: npt.NDArray[np.float64], *, draws: int, seed: int) -> float:
    """Test paired differences by flipping their signs: if two models are equally good, either order is as likely.

    Parameters
    ----------
    differences : ndarray [shape=(n_actors,)]
        First minus second, summed over the takes of each actor.
    draws : int
        Random flips, at least `ALL_FLIPS`; all ``2 ** n_actors`` are taken instead where they are no more than these.
    seed : int
        Of the flips.

    Returns
    -------
    float
        Two-sided share of flips whose sum is as far from zero as the one observed; the observation counted in.

    References
    ----------
    Pitman EJG (1937), Supplement to the Journal of the Royal Statistical Society 4(1): 119-130.
    """
    if len(differences) < 2:
        return 1.0  # one difference is as far from zero with either sign
    from scipy import stats

    tested = stats.permutation_test(
        (differences,),
        np.sum,
        permutation_type="samples",
        vectorized=True,
        n_resamples=max(draws, ALL_FLIPS),
        rng=np.random.default_rng(seed),
    )
    return float(tested.pvalue)


@dataclass(frozen=True)
class PermutationTest:
    """A permutation test of accuracy against chance.

    Attributes
    ----------
    accuracy : float
        As observed, 0-1.
    chance : float
        Mean accuracy over the permutations.
    chance_high : float
        The accuracy that 95 % of the permutations do not exceed.
    p_value : float
        Share of permutations at least as accurate as observed, the observation counted in; at least 1/(draws + 1).
    draws, seed : int
        Permutations and their seed.
    """

    accuracy: float
    chance: float
    chance_high: float
    p_value: float
    draws: int
    seed: int

    def to_dict(self) -> dict[str, float]:
        """Return the fields as what JSON knows."""
        return asdict(self)


def permutation_test(table: pd.DataFrame, *, seed: int, draws: int = DRAWS) -> PermutationTest:
    """Test accuracy against chance by permuting the true labels within each actor.

    A permutation within the actor keeps what an actor's takes have in common, so that a model which only recognises
    who speaks does not pass for one that hears emotions.

    Parameters
    ----------
    table : pandas.DataFrame
        A prediction table; its test rows count.
    seed, draws : int
        Of the permutations.

    Raises
    ------
    InputError
        If the table is unsound or `draws` is below 1.

    References
    ----------
    Ojala M, Garriga GC (2010), Permutation tests for studying classifier performance, JMLR 11: 1833-1863.
    """
    check_draws(draws)
    rows = scored_rows(table)
    labels, answers = labels_of(rows), probabilities_of(rows).argmax(axis=1)
    actors = rows["actor"].to_numpy(np.int64)
    generator = np.random.default_rng(seed)
    n_right = np.zeros(draws, dtype=np.int64)
    for actor in np.unique(actors):
        is_actor = actors == actor
        shuffled = generator.permuted(np.tile(labels[is_actor], (draws, 1)), axis=1)
        n_right += (shuffled == answers[is_actor]).sum(axis=1)
    observed = int((labels == answers).sum())
    return PermutationTest(
        accuracy=observed / len(rows),
        chance=float(n_right.mean() / len(rows)),
        chance_high=float(np.quantile(n_right, 0.95, method="inverted_cdf") / len(rows)),
        p_value=float((1 + (n_right >= observed).sum()) / (1 + draws)),
        draws=draws,
        seed=seed,
    )


def _right_by_take(table: pd.DataFrame, name: str) -> pd.DataFrame:
    rows = scored_rows(table, source=name)
    return pd.DataFrame({"actor": rows["actor"].to_numpy(), "right": hits(rows)}, index=rows["take"])


def _wilcoxon(differences: npt.NDArray[np.float64]) -> float:
    if not differences.any():
        return 1.0
    from scipy.stats import wilcoxon

    # equal differences of accuracies are ties, whatever their last bits say
    return float(wilcoxon(np.round(differences, 12), zero_method="pratt").pvalue)


def _mcnemar(only_first: int, only_second: int) -> float:
    from scipy.stats import binomtest

    n_discordant = only_first + only_second
    return float(binomtest(only_first, n_discordant).pvalue) if n_discordant else 1.0


def _notes(n_actors: int) -> tuple[str, ...]:
    caution = few_actors_note(n_actors)
    if caution is None:
        return ()
    smallest = min(1.0, 2 / 2**n_actors)
    return (
        caution,
        f"with {n_actors} actor{'s' * (n_actors > 1)} the signed-rank test cannot go below p = {smallest:.2g}",
    )
