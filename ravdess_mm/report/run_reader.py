"""Read the folder of a run; a file that is missing or broken is noted, never fatal."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import pandas as pd

from ravdess_mm.bundles.bundle import CARD_NAME
from ravdess_mm.config import Settings
from ravdess_mm.errors import InputError
from ravdess_mm.evaluation import evaluate_many
from ravdess_mm.experiments.measured_models import read_measured
from ravdess_mm.predictions import PROBABILITIES, read_predictions, rows_for_test
from ravdess_mm.report.formatting import branch_of
from ravdess_mm.report.run_files import FoldActors, RunFiles
from ravdess_mm.schemas import (
    CROSS_CORPUS_SCHEMA,
    FUSION_SCHEMA,
    IMPORTANCE_SCHEMA,
    LEAK_DEMO_SCHEMA,
    METRICS_SCHEMA,
    NOISE_SCHEMA,
)
from ravdess_mm.store import hash_file, read_json, read_table

if TYPE_CHECKING:
    from ravdess_mm.video.frame_store.store import FrameStore

Part = TypeVar("Part")

_CATALOG_COLUMNS: Final = ("take", "modality", "channel", "emotion", "actor", "sex", "voice", "face")
_REJECTED_COLUMNS: Final = ("path", "reason", "stage")
_FRAME_COLUMNS: Final = ("take", "frame_number", "role", "top1", "top2", *PROBABILITIES)
_NOISE_COLUMNS: Final = (
    *("condition", "snr_db", "n_takes", "n_actors"),
    *("accuracy", "accuracy_low", "accuracy_high", "uar", "uar_low", "uar_high"),
)
_IMPORTANCE_COLUMNS: Final = (
    *("family", "n_columns", "accuracy", "drop", "drop_low", "drop_high", "repeats", "n_takes", "n_actors"),
)
_BRANCH_ORDER: Final = ("both", "voice", "face", "other")


@dataclass
class _Reader:
    """Reads parts of a run and keeps a note of each that cannot be read."""

    root: Path
    left_out: list[str] = field(default_factory=list)

    def read(self, path: str, without: str, reader: Callable[[Path], Part]) -> Part | None:
        """Return what `reader` makes of a file, or None and a note that ends with `without`."""
        full = self.root / path
        if not full.exists():
            self.left_out.append(f"There is no {path}: {without}.")
            return None
        try:
            return reader(full)
        except (InputError, OSError) as error:
            reason = str(error).replace(str(full), path).replace(str(self.root), "")
            self.left_out.append(f"{path} cannot be read ({reason}): {without}.")
            return None

    def table(self, path: str, without: str, columns: tuple[str, ...]) -> pd.DataFrame | None:
        """Return a table that has at least these columns."""

        def reader(full: Path) -> pd.DataFrame:
            table = read_table(full)
            missing = [column for column in columns if column not in table.columns]
            if missing:
                raise InputError(f"no column {', '.join(missing)}")
            return table

        return self.read(path, without, reader)


def read_run(run_dir: str | Path) -> RunFiles:
    """Read the folder of a run.

    Parameters
    ----------
    run_dir : str or Path
        ``artifacts/<run>``. Any file in it may be missing; `RunFiles.left_out` then says what the report lacks.

    Raises
    ------
    InputError
        If the folder itself is missing.
    """
    root = Path(run_dir)
    if not root.is_dir():
        raise InputError(f"{root}: no such folder; the folder of a run is artifacts/<run>, made by `make`")
    reader = _Reader(root)
    record = reader.read("run.json", "settings, versions and the command are left out", _read_object) or {}
    catalog = reader.table("catalog.parquet", "the overview of the data is left out", _CATALOG_COLUMNS)
    rejected = reader.table("rejected.parquet", "the list of rejected files is left out", _REJECTED_COLUMNS)
    features = reader.table(
        "audio/features.parquet", "the map of the voice features is left out", ("take", "actor", "emotion")
    )
    tables = _read_predictions(reader)
    metrics = _metrics_of(reader, tables, record)
    frames = reader.read("video/frames", "pictures are left out", _open_frames)
    frame_predictions = None
    if frames is not None:
        frame_predictions = reader.table(
            "models/video-cnn/frames.parquet", "what the network saw in single frames is left out", _FRAME_COLUMNS
        )
    return RunFiles(
        name=str(record.get("run", root.name)),
        record=record,
        catalog=catalog,
        rejected=rejected,
        features=features,
        tables=tables,
        metrics=metrics.get("models", {}),
        human=metrics.get("human", {}),
        searches=_by_model_and_fold(reader, "search.parquet"),
        histories=_by_model_and_fold(reader, "history.parquet"),
        frame_predictions=frame_predictions,
        frames=frames,
        recipe=_read_recipe(reader),
        splits=_splits_of(record, tables),
        noise=_read_measured(reader, "noise", schema=NOISE_SCHEMA, columns=_NOISE_COLUMNS),
        importance=_read_measured(reader, "importance", schema=IMPORTANCE_SCHEMA, columns=_IMPORTANCE_COLUMNS),
        temperatures=_read_temperatures(reader),
        digests={name: hash_file(root / "predictions" / f"{name}.parquet") for name in tables},
        leak_demo=_read_figures(
            reader,
            "leak-demo/leak-demo.json",
            schema=LEAK_DEMO_SCHEMA,
            without="what careless splits claim is left out",
        ),
        cross_corpus=_read_figures(
            reader, "cross-corpus/metrics.json", schema=CROSS_CORPUS_SCHEMA, without="its section is left out"
        ),
        left_out=tuple(reader.left_out),
        cache_dir=root / "cache",
        networks=_networks(root),
    )


def _read_object(path: Path) -> dict[str, Any]:
    value = read_json(path)
    if not isinstance(value, dict):
        raise InputError(f"{path}: holds {type(value).__name__}; expected an object")
    return value


def _networks(root: Path) -> dict[int, Path]:
    """Return fold to folder of the video networks that were written whole."""
    folders = sorted(path.parent for path in (root / "models" / "video-cnn").glob("*/bundle.json"))
    numbers = {folder: folder.name.removeprefix("fold-") for folder in folders}
    return {
        -1 if name == "holdout" else int(name): folder
        for folder, name in numbers.items()
        if name == "holdout" or name.isdigit()
    }


def _open_frames(path: Path) -> FrameStore | None:
    from ravdess_mm.video.frame_store.store import FrameStore

    store = FrameStore.open(path)
    return store if len(store.index) else None


def _read_predictions(reader: _Reader) -> dict[str, pd.DataFrame]:
    tables: dict[str, pd.DataFrame] = {}
    for path in sorted((reader.root / "predictions").glob("*.parquet")):
        name = f"predictions/{path.name}"
        table = reader.read(name, "this model is left out", read_predictions)
        if table is None:
            continue
        tested = rows_for_test(table)
        if tested.empty or tested["take"].duplicated().any():
            why = "has no test rows" if tested.empty else "scores a take twice"
            reader.left_out.append(f"{name} {why}: this model is left out.")
            continue
        tables[path.stem] = table
    if not tables:
        reader.left_out.append("There are no predictions: accuracy, confusion and everything about models is left out.")
    return dict(sorted(tables.items(), key=lambda item: (_BRANCH_ORDER.index(branch_of(item[0])), item[0])))


def _metrics_of(reader: _Reader, tables: Mapping[str, pd.DataFrame], record: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return ``metrics.json``, or the same recomputed where it is missing or speaks of other models."""
    if not tables:
        return {}
    path = reader.root / "metrics.json"
    stored: Mapping[str, Any] = {}
    if path.is_file():
        stored = reader.read("metrics.json", "metrics were recomputed from the predictions", _read_object) or {}
    if stored.get("schema") == METRICS_SCHEMA and set(stored.get("models", {})) >= set(tables):
        return stored
    settings = record.get("settings") or {}
    return evaluate_many(
        {name: rows_for_test(table) for name, table in tables.items()},
        seed=int(record.get("seed", Settings().seed)),
        draws=int(settings.get("bootstrap_draws", Settings().bootstrap_draws)),
    )


def _read_recipe(reader: _Reader) -> Mapping[str, Any]:
    path = "models/fused/recipe.json"
    if not (reader.root / path).is_file():
        return {}
    recipe = reader.read(path, "what fusion learned is left out", _read_object) or {}
    return recipe if recipe.get("schema") == FUSION_SCHEMA else {}


def _read_figures(reader: _Reader, path: str, *, schema: str, without: str) -> Mapping[str, Any]:
    """Return the figures of an experiment that a run may have or not."""
    if not (reader.root / path).is_file():
        return {}
    content = reader.read(path, without, _read_object) or {}
    return content if content.get("schema") == schema else {}


def _read_temperatures(reader: _Reader) -> dict[str, dict[int, float]]:
    """Return the temperatures that the bundles of models name; a model of another layout simply has none."""
    temperatures: dict[str, dict[int, float]] = {}
    for path in sorted((reader.root / "models").glob(f"*/*/{CARD_NAME}")):
        relative = path.relative_to(reader.root).as_posix()
        card = (reader.read(relative, "its temperature is not known", _read_object) or {}).get("card") or {}
        fold, temperature = card.get("fold"), card.get("temperature")
        number = fold.get("number") if isinstance(fold, dict) else fold
        if isinstance(number, int) and isinstance(temperature, (int, float)):
            temperatures.setdefault(path.parts[-3], {})[number] = float(temperature)
    return temperatures


def _read_measured(reader: _Reader, stage: str, *, schema: str, columns: tuple[str, ...]) -> pd.DataFrame | None:
    """Return the table of a stage that a run may have or not, such as ``noise.parquet``."""
    path = f"{stage}.parquet"
    if not (reader.root / path).is_file():
        return None
    read = partial(read_measured, schema=schema, columns=columns, models_dir=reader.root / "models", stage=stage)
    return reader.read(path, "its section is left out", read)


def _by_model_and_fold(reader: _Reader, name: str) -> dict[str, dict[str, pd.DataFrame]]:
    tables: dict[str, dict[str, pd.DataFrame]] = {}
    for path in sorted((reader.root / "models").glob(f"*/*/{name}")):
        relative = path.relative_to(reader.root).as_posix()
        table = reader.read(relative, "this table is left out", read_table)
        if table is not None and len(table):
            tables.setdefault(path.parts[-3], {})[path.parts[-2]] = table
    return tables


def _splits_of(record: Mapping[str, Any], tables: Mapping[str, pd.DataFrame]) -> tuple[FoldActors, ...]:
    """Return the split as ``run.json`` has it, else as far as the prediction tables show it."""
    folds = record.get("folds")
    if folds:
        splits = [
            FoldActors(int(fold["number"]), *(tuple(fold.get(side) or ()) for side in ("train", "validation", "test")))
            for fold in folds
        ]
        return tuple(sorted(splits, key=lambda split: split.number))
    rows = pd.concat([table[["actor", "fold", "role"]] for table in tables.values()]) if tables else None
    if rows is None:
        return ()
    splits = []
    for number, rows_of_fold in rows.groupby("fold", sort=True):
        test = {int(actor) for actor in rows_of_fold.loc[rows_of_fold["role"] == "test", "actor"]}
        others = {int(actor) for actor in rows["actor"]} - test
        splits.append(FoldActors(int(str(number)), tuple(sorted(others)), (), tuple(sorted(test))))
    return tuple(splits)
