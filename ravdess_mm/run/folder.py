"""The folder of one run: where its files are, what is up to date, and what happened.

A stage names its inputs (settings, input files, library versions) and its outputs; the source code that it runs is
found. It is skipped when the fingerprint of all that is the one it last finished with and its outputs, files and
folders of models, are as it left them. The record of a stage is written after its outputs, so a stage killed half-way
runs again.
"""

from __future__ import annotations

import logging
import shlex
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pandas as pd

from ravdess_mm.config import Settings
from ravdess_mm.corpus.splits import Fold
from ravdess_mm.errors import InputError
from ravdess_mm.run.settings import MAKE_VARIABLES
from ravdess_mm.source_code import code_fingerprint
from ravdess_mm.store import fingerprint, hash_file, plain, read_json, write_json, write_table
from ravdess_mm.versions import library_versions

logger = logging.getLogger(__name__)

RECORD_NAME: Final = "run.json"
REJECTED_SCHEMA: Final = "rejected/1"
REJECTED_COLUMNS: Final[tuple[str, ...]] = ("path", "reason", "stage")


def is_synthetic(run_dir: Path) -> bool:
    """Tell whether a run says that it learned from the embedded synthetic sample."""
    facts = _read_facts(run_dir / RECORD_NAME)
    return facts is not None and facts.get("synthetic") is True


class RunFolder:
    """The files of one run under ``artifacts/<run>/``.

    Parameters
    ----------
    settings : Settings
        The run's settings; its folder is made when the first file is written.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.root = settings.run_dir
        self.catalog_path = self.root / "catalog.parquet"
        self.rejected_path = self.root / "rejected.parquet"
        self.features_path = self.root / "audio" / "features.parquet"
        self.frames_dir = self.root / "video" / "frames"
        # written last and holds the fingerprint of all frames, so it stands for the gigabytes beside it
        self.frames_card_path = self.frames_dir / "store.json"
        self.units_rejected_path = self.root / "video" / "action_units_rejected.parquet"
        self.models_dir = self.root / "models"
        self.predictions_dir = self.root / "predictions"
        self.metrics_path = self.root / "metrics.json"
        self.record_path = self.root / RECORD_NAME
        self.stages_dir = self.root / "stages"

    def predictions_path(self, name: str) -> Path:
        """Return the path of one model's prediction table."""
        return self.predictions_dir / f"{name}.parquet"

    def need(self, path: Path, *, stage: str) -> None:
        """Check that an earlier stage has left a file.

        Raises
        ------
        InputError
            Says which stage to run first.
        """
        if not path.is_file():
            raise InputError(f"{path}: no such file; run `make {stage}` with the same variables first")

    def refresh(
        self,
        name: str,
        *,
        work: Callable[[], None],
        inputs: Mapping[str, Any],
        files: Iterable[Path] = (),
        outputs: Iterable[Path] = (),
        libraries: Sequence[str] = (),
        always: bool = False,
    ) -> bool:
        """Run one stage unless it is up to date.

        Parameters
        ----------
        name : str
            Name of the stage; its record is ``stages/<name>.json``.
        work : callable
            Does the stage and writes its outputs, which depend on all code that it runs: see `source_code`.
        inputs : mapping
            Everything the outputs depend on that is not a file: settings, fingerprints.
        files : iterable of Path
            Input files, taken by content. A missing one counts as absent.
        outputs : iterable of Path
            Files, and folders of files, that are there when the stage is done: checked by content. What is added to
            a folder later does not count.
        libraries : sequence of str
            Distributions whose version the outputs depend on.
        always : bool
            Run even when up to date: for work that finds out itself what is new.

        Returns
        -------
        bool
            Whether the stage ran.

        Raises
        ------
        InputError
            If another process is running this stage of this run.
        """
        outputs = list(outputs)
        key = fingerprint(
            inputs,
            {path.name: _content(path) for path in files},
            code_fingerprint(work, apart_from=__name__),  # whoever keeps the books changes no output
            library_versions(libraries),
        )
        record_path = self.stages_dir / f"{name}.json"
        with self._only_one(name):
            if not always and self._is_current(record_path, key, outputs):
                logger.info("%s: up to date", name)
                return False
            self._drop_altered(record_path, outputs)
            record_path.unlink(missing_ok=True)
            started = time.perf_counter()
            with _kept_warnings() as warnings:
                work()
            seconds = time.perf_counter() - started
            record = {
                "key": key,
                "outputs": {self._name(path): _content(path) for path in outputs},
                "seconds": round(seconds, 3),
                "messages": warnings,
            }
            write_json(record_path, record)
            logger.info("%s: done in %.1f s", name, seconds)
        return True

    def _name(self, path: Path) -> str:
        return path.relative_to(self.root).as_posix() if path.is_relative_to(self.root) else path.as_posix()

    def _is_current(self, record_path: Path, key: str, outputs: Sequence[Path]) -> bool:
        record = _read_record(record_path)
        if record is None or record["key"] != key:
            return False
        left = record["outputs"]
        return all(_is_as_left(path, left.get(self._name(path))) for path in outputs)

    def _drop_altered(self, record_path: Path, outputs: Sequence[Path]) -> None:
        """Remove files of folders that were altered since, so that no work goes on from them."""
        record = _read_record(record_path)
        for folder in outputs:
            left = None if record is None else record["outputs"].get(self._name(folder))
            for name, content in left.items() if isinstance(left, dict) else ():
                if _content(folder / name) not in (content, None):
                    logger.warning("%s: was altered; it is made again", folder / name)
                    (folder / name).unlink()

    @contextmanager
    def _only_one(self, name: str) -> Iterator[None]:
        from filelock import FileLock, Timeout

        lock_path = self.stages_dir / f"{name}.lock"
        lock_path.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(lock_path, timeout=0)
        try:
            lock.acquire()
        except Timeout as error:
            raise InputError(
                f"another process is running stage {name!r} of run {self.settings.run!r}; "
                "wait for it, or choose another RUN"
            ) from error
        try:
            yield
        finally:
            lock.release()

    def skip(self, name: str, reason: str, *outputs: Path) -> None:
        """Record why a stage has nothing to do, and drop outputs that an earlier run of other data left."""
        logger.warning("%s: left out; %s", name, reason)
        for path in outputs:
            path.unlink(missing_ok=True)
        record: dict[str, Any] = {
            "key": None,
            "outputs": {},
            "seconds": 0.0,
            "messages": [f"{name} was left out: {reason}"],
        }
        write_json(self.stages_dir / f"{name}.json", record)

    def forget(self, name: str, *outputs: Path) -> None:
        """Drop the record and the outputs of a stage that this run was not asked for."""
        for path in (self.stages_dir / f"{name}.json", *outputs):
            path.unlink(missing_ok=True)

    def update_record(self, **facts: Any) -> None:
        """Merge facts into ``run.json``: what ran, with which versions, seed, settings and seconds a stage."""
        from filelock import FileLock

        self.root.mkdir(parents=True, exist_ok=True)
        with FileLock(self.root / "run.lock"):
            known = _read_facts(self.record_path) or {}
            known.update(plain(facts))
            known.update(
                run=self.settings.run,
                command=command_of(self.settings),
                settings=plain(self.settings.model_dump()),
                seed=self.settings.seed,
                synthetic=self.settings.is_sample,
                versions=library_versions(),
                stages=self._stage_seconds(),
                messages=self.messages(),
            )
            write_json(self.record_path, known)

    def record_folds(self, folds: Iterable[Fold], *, validation: Mapping[int, Sequence[int]] | None = None) -> None:
        """Keep in ``run.json`` which actors are where; `validation` are those of the video network, by fold."""
        known = validation or {}
        self.update_record(
            folds=[
                {
                    "number": fold.number,
                    "train": fold.train,
                    "validation": list(known.get(fold.number, ())),
                    "test": fold.test,
                }
                for fold in folds
            ]
        )

    def _stage_records(self) -> dict[str, dict[str, Any]]:
        found = {path.stem: _read_record(path) for path in sorted(self.stages_dir.glob("*.json"))}
        return {name: record for name, record in found.items() if record is not None}

    def _stage_seconds(self) -> dict[str, float]:
        return {name: record["seconds"] for name, record in self._stage_records().items()}

    def messages(self) -> list[str]:
        """Return the warnings of all stages that are done: what was left out, and why."""
        said = [message for record in self._stage_records().values() for message in record["messages"]]
        return list(dict.fromkeys(said))

    def write_rejected(self, parts: Sequence[pd.DataFrame]) -> pd.DataFrame:
        """Write ``rejected.parquet`` from the parts that catalog, audio and video branch rejected."""
        columns = list(REJECTED_COLUMNS)
        full = [part[columns] for part in parts if not part.empty]
        table = pd.concat(full) if full else pd.DataFrame({name: pd.Series(dtype=str) for name in columns})
        table = table.drop_duplicates().sort_values(columns).reset_index(drop=True)
        write_table(self.rejected_path, table, schema=REJECTED_SCHEMA)
        return table


def _read_facts(path: Path) -> dict[str, Any] | None:
    """Read a JSON object; None where there is none or the file is damaged: the work behind it writes it anew."""
    if not path.is_file():
        return None
    try:
        facts = read_json(path)
    except InputError as error:
        logger.warning("%s; taken for missing", error)
        return None
    return facts if isinstance(facts, dict) else None


def _read_record(path: Path) -> dict[str, Any] | None:
    """Read the record of a stage; None where it says too little to rely on."""
    record = _read_facts(path)
    kinds = {"key": str | None, "outputs": dict, "seconds": int | float, "messages": list}
    is_sound = record is not None and all(isinstance(record.get(name, ...), kind) for name, kind in kinds.items())
    return record if record is not None and is_sound and all(isinstance(m, str) for m in record["messages"]) else None


def _content(path: Path) -> str | dict[str, str] | None:
    """Return the hash of a file, those of all files in a folder by their names, or None where there is neither."""
    if path.is_dir():
        return {
            file.relative_to(path).as_posix(): hash_file(file) for file in sorted(path.rglob("*")) if file.is_file()
        }
    return hash_file(path) if path.is_file() else None


def _is_as_left(path: Path, left: Any) -> bool:
    """Tell whether a file, or every file of a folder that a stage left in it, still has its content."""
    if isinstance(left, dict):
        return bool(left) and all(_content(path / name) == content for name, content in left.items())
    return left is not None and _content(path) == left


class _WarningKeeper(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.kept: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        message = record.getMessage()
        if message not in self.kept:
            self.kept.append(message)


@contextmanager
def _kept_warnings() -> Iterator[list[str]]:
    keeper = _WarningKeeper()
    package_logger = logging.getLogger("ravdess_mm")
    package_logger.addHandler(keeper)
    try:
        yield keeper.kept
    finally:
        package_logger.removeHandler(keeper)


def command_of(settings: Settings) -> str:
    """Return the command that repeats a run, with the variables that differ from the defaults."""
    plain_settings = Settings()
    parts = ["make", "report"]
    for variable, field in MAKE_VARIABLES.items():
        value = getattr(settings, field)
        if field == "run" and settings.is_sample and value == "sample":
            continue
        if value == getattr(plain_settings, field) or (field == "test_actors" and settings.is_sample):
            continue
        if field == "data":
            text = shlex.join(path.as_posix() for path in value)
        elif field == "corpora":
            text = shlex.join(value)
        elif field == "test_actors":
            text = ",".join(str(actor) for actor in value)
        else:
            text = str(plain(value))
        parts.append(f"{variable}={shlex.quote(text)}")
    return " ".join(parts)
