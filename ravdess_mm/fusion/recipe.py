"""A run's fusion recipe, read from disk and applied to new clips."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from ravdess_mm.arrays import Floats
from ravdess_mm.bundles.bundle import PLAIN_NAME
from ravdess_mm.calibration import ANSWER_TOLERANCE, FLOOR, TEMPERATURE_LIMITS, check_answer
from ravdess_mm.config import Rule
from ravdess_mm.corpus.identifier import EMOTIONS
from ravdess_mm.corpus.splits import fold_folder
from ravdess_mm.errors import BundleError, printable
from ravdess_mm.fusion.evidence import at_temperatures
from ravdess_mm.fusion.rules import Combiner, Pool, Product, Stacking, WeightedMean
from ravdess_mm.schemas import FUSION_SCHEMA
from ravdess_mm.store import read_json

LARGEST_WEIGHT: Final = 100.0
"""Of a branch in a fusion."""
LARGEST_NUMBER: Final = 1e6
"""In a recipe."""


@dataclass(frozen=True)
class FusionRecipe:
    """How one fold of a run fuses its branches.

    Attributes
    ----------
    fold : int
        -1 for a holdout.
    models : dict of str to str
        Branch to the model that speaks for it.
    temperatures : dict of str to float
        Branch to the temperature of its probabilities.
    combiners : dict of tuple of str to Combiner
        How the probabilities of those branches become one.
    unchecked : tuple of str
        Branches that are heard only where no other answers, since no out-of-fold row speaks for them.
    """

    fold: int
    models: dict[str, str]
    temperatures: dict[str, float]
    combiners: dict[tuple[str, ...], Combiner]
    unchecked: tuple[str, ...] = ()

    @property
    def fold_name(self) -> str:
        """The folder of a model that was trained in this fold."""
        return fold_folder(self.fold)

    def apply(self, answers: Mapping[str, Floats]) -> Floats:
        """Fuse the probabilities of one clip.

        Parameters
        ----------
        answers : mapping of str to ndarray [shape=(8,)]
            Branch to probabilities; any of the recipe's branches, at least one.

        Returns
        -------
        ndarray [shape=(8,)]
            Eight finite probabilities that sum to 1. Of one branch alone, its calibrated probabilities; of branches
            that the run never saw together, their mean.

        Raises
        ------
        BundleError
            If a branch, or the recipe, makes anything else of it.
        """
        present = tuple(branch for branch in self.models if branch in answers)
        names = tuple(branch for branch in present if branch not in self.unchecked) or present
        logs = np.log(np.maximum(np.stack([check_answer(answers[branch]) for branch in names]), FLOOR))[np.newaxis]
        logs = at_temperatures(logs, [self.temperatures[branch] for branch in names])
        if len(names) == 1:
            return check_answer(np.exp(logs[0, 0]))
        combiner = self.combiners.get(names, WeightedMean((1 / len(names),) * len(names)))
        return check_answer(combiner(logs)[0])


def read_recipe(path: str | Path, *, fold: int | None = None) -> FusionRecipe:
    """Read one fold of a ``recipe.json``.

    Parameters
    ----------
    path : str or Path
        Where it is.
    fold : int, optional
        Number of the fold; None for the first, which is the only one of a holdout.

    Raises
    ------
    BundleError
        If the file is no recipe of this schema, or has no such fold.
    InputError
        If there is no such file.
    """
    content = read_json(path)
    if not isinstance(content, dict) or content.get("schema") != FUSION_SCHEMA or not content.get("folds"):
        raise BundleError(f"{path}: not a fusion recipe of schema {FUSION_SCHEMA!r}")
    if content.get("rule") not in tuple(Rule):
        raise BundleError(f"{path}: rule {printable(content.get('rule'))[:40]!r}; allowed: {', '.join(Rule)}")
    try:
        found = next((one for one in content["folds"] if fold is None or one["fold"] == fold), None)
        if found is None:
            known = ", ".join(str(one["fold"]) for one in content["folds"])
            raise BundleError(f"{path}: no fold {fold}; it has {known}")
        return _fold_of(found, Rule(content["rule"]), path)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise BundleError(f"{path}: a damaged fusion recipe ({error!r:.80})") from error


def _fold_of(found: Mapping[str, Any], rule: Rule, path: str | Path) -> FusionRecipe:
    models = dict(found["models"])
    for name in models.values():
        if not isinstance(name, str) or not PLAIN_NAME.fullmatch(name):
            raise BundleError(f"{path}: {printable(name)[:40]!r} is not the name of a model of this run")
    if not models or found["temperatures"].keys() != models.keys():
        raise BundleError(f"{path}: temperatures are not of the models {', '.join(map(printable, models))}")
    temperatures = _numbers([*found["temperatures"].values()], "temperatures", path)
    low, high = TEMPERATURE_LIMITS
    for temperature in temperatures:
        if not low <= temperature <= high:
            raise BundleError(f"{path}: a temperature is {temperature:g}; allowed: {low:g} to {high:g}")
    unchecked = tuple(found.get("unchecked", ()))
    for sources in (unchecked, *(lesson["sources"] for lesson in found["lessons"])):
        if not set(sources) <= models.keys() or len(set(sources)) < len(sources):
            raise BundleError(f"{path}: {printable(sources)[:40]} are not its branches {', '.join(models)}")
    return FusionRecipe(
        fold=int(found["fold"]),
        models=models,
        temperatures=dict(zip(found["temperatures"], temperatures.tolist(), strict=True)),
        combiners={tuple(lesson["sources"]): _combiner(rule, lesson, path) for lesson in found["lessons"]},
        unchecked=unchecked,
    )


def _combiner(rule: Rule, fitted: Mapping[str, Any], path: str | Path) -> Combiner:
    n_models = len(fitted["sources"])
    if "weights" in fitted:
        weights = _numbers(fitted["weights"], "weights", path)
        if weights.shape != (n_models,):
            raise BundleError(f"{path}: {weights.size} weights for {n_models} branches")
        if weights.min() < 0 or weights.max() > LARGEST_WEIGHT:
            raise BundleError(f"{path}: a weight is {weights.min():g}; allowed: 0 or more, up to {LARGEST_WEIGHT:g}")
        if rule is not Rule.POOL and abs(weights.sum() - 1) > ANSWER_TOLERANCE:
            raise BundleError(f"{path}: weights sum to {weights.sum():g}, not to 1")
        learned = tuple(float(weight) for weight in weights)
        return Pool(learned) if rule is Rule.POOL else WeightedMean(learned)
    if "coefficients" in fitted:
        coefficients = _numbers(fitted["coefficients"], "coefficients", path)
        expected = (n_models * len(EMOTIONS), len(EMOTIONS))
        if coefficients.shape != expected:
            raise BundleError(f"{path}: coefficients of shape {coefficients.shape}; expected {expected}")
        intercepts = _numbers(fitted["intercepts"], "intercepts", path)
        if intercepts.shape != (len(EMOTIONS),):
            raise BundleError(f"{path}: intercepts of shape {intercepts.shape}; expected {(len(EMOTIONS),)}")
        return Stacking(
            tuple(tuple(float(value) for value in row) for row in coefficients),
            tuple(float(value) for value in intercepts),
        )
    if rule in (Rule.PRODUCT, Rule.STACKING):
        return Product()
    raise BundleError(f"{path}: rule {rule.value!r} without weights")


def _numbers(value: object, what: str, path: str | Path) -> Floats:
    """Return numbers from JSON as an array, all finite."""
    try:
        numbers = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise BundleError(f"{path}: {what}: not numbers") from error
    if not np.isfinite(numbers).all():
        raise BundleError(f"{path}: {what}: not finite")
    if np.abs(numbers).max(initial=0) > LARGEST_NUMBER:
        raise BundleError(f"{path}: {what}: beyond {LARGEST_NUMBER:g}")
    return numbers
