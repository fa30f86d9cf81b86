"""Tables of figures of trained models, valid only while those models are unchanged."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pandas as pd

from ravdess_mm.bundles.bundle import CARD_NAME
from ravdess_mm.errors import InputError
from ravdess_mm.store import fingerprint, hash_file, read_table

RECIPE_NAME: Final = "recipe.json"


def model_fingerprint(models_dir: str | Path, name: str) -> str:
    """Return what tells whether a model is still the one that was measured: its bundles' cards, and its recipe."""
    folder = Path(models_dir) / name
    paths = [*folder.glob(f"*/{CARD_NAME}"), *folder.glob(RECIPE_NAME)]
    return fingerprint({path.relative_to(folder).as_posix(): hash_file(path) for path in paths})[:16]


def read_measured(path: Path, *, schema: str, columns: tuple[str, ...], models_dir: Path, stage: str) -> pd.DataFrame:
    """Read a table of figures with the columns ``model`` and ``trained``.

    Parameters
    ----------
    path : Path
    schema : str
    columns : tuple of str
        What the reader needs.
    models_dir : Path
        Folder of the run's models.
    stage : str
        What to run again where the table is out of date.

    Raises
    ------
    InputError
        If the table cannot be read, lacks a column, or speaks of models that have been trained anew since.
    """
    table = read_table(path, schema=schema)
    missing = [name for name in ("model", "trained", *columns) if name not in table.columns]
    if missing:
        raise InputError(f"no column {', '.join(missing)}")
    for name, trained in table[["model", "trained"]].drop_duplicates().itertuples(index=False):
        if trained != model_fingerprint(models_dir, str(name)):
            raise InputError(f"{name} has been trained anew since; run `make {stage}` again")
    return table
