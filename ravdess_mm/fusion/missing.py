"""Accuracy with missing modalities: each branch is removed from a share of the takes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
import pandas as pd

from ravdess_mm.config import Rule
from ravdess_mm.errors import InputError
from ravdess_mm.evaluation.intervals import LEVEL
from ravdess_mm.fusion.late_fusion import fuse
from ravdess_mm.fusion.tables import Branch
from ravdess_mm.predictions import hits, rows_for_test

SHARES: Final[tuple[float, ...]] = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5)
"""Shares of the takes from which a branch is taken away."""
DRAWS: Final = 200
"""How often, for each share, other takes are chosen."""


def fuse_missing_curve(tables: Mapping[str, Branch], *, rule: Rule | str, seed: int) -> pd.DataFrame:
    """Measure accuracy while each branch is missing from a growing share of the test takes.

    A take that lacks a branch is answered by the others, as :func:`fuse` does. What is learned stays as it is: takes
    go missing at test time only.

    Parameters
    ----------
    tables, rule, seed
        As for :func:`fuse`; two branches or more. `seed` also says which takes go missing.

    Returns
    -------
    pandas.DataFrame
        One row a branch and share (`SHARES`): ``missing`` (the branch), ``share``, ``accuracy`` (mean over `DRAWS`
        choices of takes), ``low``, ``high`` (percentiles over these choices, not over actors), ``n_takes`` (test takes
        that have all branches; the others do not count).

    Raises
    ------
    InputError
        If there are fewer than two branches, no test take has all of them, or as :func:`fuse`.
    """
    if len(tables) < 2:
        raise InputError(f"taking a branch away needs two branches or more; got {', '.join(tables) or 'none'}")
    fused = rows_for_test(fuse(tables, rule=rule, seed=seed).table)
    complete = fused[fused["sources"] == "+".join(sorted(tables))].set_index("take")
    if complete.empty:
        raise InputError(f"no test take has all of {', '.join(sorted(tables))}")
    with_all = hits(complete)
    tail = (1 - LEVEL) / 2
    rows = []
    for branch in sorted(tables):
        others = {name: table for name, table in tables.items() if name != branch}
        without_branch = rows_for_test(fuse(others, rule=rule, seed=seed).table).set_index("take")
        without = hits(without_branch.loc[complete.index])
        # one order of the takes a draw: with a growing share, takes go missing and none comes back
        orders = np.random.default_rng(seed).permuted(np.tile(np.arange(len(complete)), (DRAWS, 1)), axis=1)
        for share in SHARES:
            removed = orders < round(share * len(complete))
            accuracy = np.where(removed, without, with_all).mean(axis=1)
            low, high = np.quantile(accuracy, [tail, 1 - tail])
            rows.append((branch, share, accuracy.mean(), low, high, len(complete)))
    return pd.DataFrame(rows, columns=["missing", "share", "accuracy", "low", "high", "n_takes"])
