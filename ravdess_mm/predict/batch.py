"""Many clips into one table: over processes, and resumed where it was cut off.

What is done stands in a journal beside the table, a line of JSON a clip, written as soon as the clip is answered; the
table itself appears whole, at the end.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final, cast

from ravdess_mm._version import __version__
from ravdess_mm.bundles.pretrained import PRETRAINED_DIR
from ravdess_mm.config import Rows
from ravdess_mm.errors import InputError, MediaError, printable
from ravdess_mm.parallel.progress import CRASHED, map_parallel
from ravdess_mm.predict.prediction import Prediction
from ravdess_mm.predict.predictor import Predictor
from ravdess_mm.predict.rows import columns, rows_of
from ravdess_mm.store import hash_file, plain, whole_file, write_table

if TYPE_CHECKING:
    import pandas as pd

ANSWERS_SCHEMA: Final = "answers/1"
JOURNAL: Final = ".journal"
"""Ending of the journal's name, behind that of the table."""


@dataclass(frozen=True)
class Question:
    """What is asked of every clip of a batch.

    Attributes
    ----------
    run, speaker, speakers
        As for `Predictor.from_run`; None for the models that ship.
    in_segments : bool or None
        As for `Predictor.predict`.
    """

    run: Path | None = None
    speaker: Path | None = None
    speakers: int | None = None
    in_segments: bool | None = None

    def predictor(self) -> Predictor:
        """Return the models, loaded once a process."""
        changed = () if self.speaker is None else tuple(_stamp(self.speaker))
        return _loaded(self.run or PRETRAINED_DIR, self.speaker, self.speakers, changed)

    def answer(self, path: Path) -> Prediction | str:
        """Return the answer for a clip, or why there is none."""
        try:
            return self.predictor().predict(path, in_segments=self.in_segments)
        except MediaError as error:
            return str(error)


@lru_cache(maxsize=1)
def _loaded(run: Path, speaker: Path | None, speakers: int | None, _changed: tuple[int, ...]) -> Predictor:
    return Predictor.from_run(run, speaker=speaker, speakers=speakers)


def answer_many(paths: Sequence[Path], question: Question, *, jobs: int) -> Iterator[tuple[Path, Prediction | str]]:
    """Yield each clip and its answer, or why there is none, in the order given."""
    question.predictor()  # what is wrong with the models is said before any process starts
    answers = map_parallel(
        question.answer, paths, description="clips", jobs=jobs, lost=cast("Prediction | str", CRASHED)
    )
    yield from zip(paths, answers, strict=True)


def write_answers(
    paths: Sequence[Path], question: Question, table_path: Path, *, rows: Rows, jobs: int
) -> dict[Path, str]:
    """Answer for clips and write one table of them all; what an earlier, killed call has done is not done again.

    Parameters
    ----------
    paths : sequence of Path
        Clips.
    question : Question
        What is asked of each.
    table_path : Path
        ``.csv`` or ``.parquet``.
    rows : Rows
        What a row stands for; see `ravdess_mm.predict.rows.columns`.
    jobs : int
        Processes; -1 for one a core. They change nothing in the table.

    Returns
    -------
    dict of Path to str
        Clips that could not be used, and why.

    Raises
    ------
    InputError
        If the table has another ending, or none of the clips could be used.
    """
    if table_path.suffix.lower() not in (".csv", ".parquet"):
        raise InputError(f"{table_path}: allowed are the endings .csv and .parquet")
    journal_path = table_path.with_name(table_path.name + JOURNAL)
    header = plain({"version": __version__, "rows": rows, "models": _fingerprint(question), **asdict(question)})
    done = _read_journal(journal_path, header)
    stamps = {path: _stamp(path) for path in paths}
    left = [path for path in paths if done.get(str(path), (None,))[0] != stamps[path]]
    failed: dict[Path, str] = {}
    table_path.parent.mkdir(parents=True, exist_ok=True)
    with journal_path.open("a" if done else "w", encoding="utf-8") as journal:
        if done:
            journal.write("\n")  # ends a line that was cut off
        else:
            _append(journal, header)
        run = partial(_rows, question, rows)
        if left:
            question.predictor()
        answers: Iterator[list[dict[str, Any]] | str] = map_parallel(
            run, left, description="clips", jobs=jobs, lost=cast("list[dict[str, Any]] | str", CRASHED)
        )
        for path, answer in zip(left, answers, strict=True):
            if isinstance(answer, str):
                failed[path] = answer
                continue
            done[str(path)] = (stamps[path], answer)
            _append(journal, {"path": str(path), "stamp": stamps[path], "rows": answer})
    if len(failed) == len(set(paths)):
        journal_path.unlink()
        raise InputError(f"none of {len(paths)} clips could be used; the first: {paths[0]}: {failed[paths[0]]}")
    _write(table_path, [row for path in paths if path not in failed for row in done[str(path)][1]], rows)
    journal_path.unlink()
    return failed


def _rows(question: Question, rows: Rows, path: Path) -> list[dict[str, Any]] | str:
    answer = question.answer(path)
    return answer if isinstance(answer, str) else rows_of(answer, rows)


def _stamp(path: Path) -> list[int]:
    """Return what changes with a file's content: its size and time."""
    try:
        facts = path.stat()
    except OSError:
        return []
    return [facts.st_size, facts.st_mtime_ns]


def _fingerprint(question: Question) -> str:
    """Return what changes with the models."""
    recipe_path = (question.run or PRETRAINED_DIR) / "models" / "fused" / "recipe.json"
    return hash_file(recipe_path) if recipe_path.is_file() else ""


def _read_journal(path: Path, header: Any) -> dict[str, tuple[list[int], list[dict[str, Any]]]]:
    """Return what is done, by path; nothing where something else was asked. What a kill cut off is left out."""
    try:
        lines = path.read_text("utf-8", errors="replace").splitlines()
    except OSError:
        return {}
    entries = []
    for line in lines:
        try:
            entries.append(json.loads(line))
        except ValueError:  # a line that was cut off; the next call's first line stands behind it
            continue
    if not entries or entries[0] != header:
        return {}
    return {entry["path"]: (entry["stamp"], entry["rows"]) for entry in entries[1:] if "rows" in entry}


def _append(journal: IO[str], value: Any) -> None:
    journal.write(json.dumps(plain(value)) + "\n")
    journal.flush()


def _write(path: Path, rows: list[dict[str, Any]], kind: Rows) -> None:
    import pandas as pd

    table: pd.DataFrame = pd.DataFrame(rows, columns=list(columns(kind)))
    integers = {name: "Int64" for name in ("speaker", "face", "faces") if name in table}
    table = table.astype(integers)
    if path.suffix.lower() == ".parquet":
        table["path"] = table["path"].map(printable)  # Parquet holds no name that is no UTF-8
        write_table(path, table, schema=ANSWERS_SCHEMA)
        return
    with whole_file(path) as temporary:
        table.to_csv(temporary, index=False, errors="surrogateescape")
