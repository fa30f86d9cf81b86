"""A cache of feature vectors on disk: resumable, and the same for any number of processes.

A cache is a folder named after what its values depend on. While work goes on, whole part files appear there, so a
killed run loses at most one of them; at the end the parts become one file.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib import metadata
from pathlib import Path
from typing import Any, Final, TypeVar

import pandas as pd

from ravdess_mm.arrays import AnyFloats
from ravdess_mm.config import Backend
from ravdess_mm.parallel.progress import map_parallel
from ravdess_mm.source_code import code_fingerprint
from ravdess_mm.store import fingerprint, read_table, write_table

CACHE_SCHEMA: Final = "vector-cache/1"
LIBRARIES: Final[tuple[str, ...]] = ("av", "numpy", "onnxruntime", "scipy", "soundfile", "soxr")
VECTORS_PER_PART: Final = 64
"""A killed run loses at most so many vectors, and those of the items that were being worked on."""

WorkItem = TypeVar("WorkItem")


@dataclass(frozen=True)
class Outcome:
    """The vector of one clip, or the reason why there is none."""

    vector: AnyFloats | None
    reason: str = ""
    lasting: bool = True
    """Whether it follows from the clip's bytes; a file that cannot be opened today may be there tomorrow."""


class VectorCache:
    """Outcomes by key; unusable clips are remembered with their reason.

    Parameters
    ----------
    folder : Path
        Where caches are.
    name : str
        What the vectors hold.
    depends_on : sequence
        Everything but the clip that they depend on, as far as JSON knows it; see `code_version`.
    """

    def __init__(self, folder: Path, name: str, *, depends_on: Sequence[Any]) -> None:
        self.n_computed = 0
        self.folder = folder / f"{name}-{fingerprint(*depends_on)[:12]}"
        self.whole_path = self.folder / "clips.parquet"
        self.outcomes: dict[str, Outcome] = {}
        self.found_parts = sorted(self.folder.glob("part-*.parquet"))
        for path in [self.whole_path, *self.found_parts]:
            if path.exists():
                self._read(path)

    def __getitem__(self, key: str) -> Outcome:
        return self.outcomes[key]

    def compute(
        self,
        work: Callable[[WorkItem], Sequence[Outcome]],
        items: Mapping[tuple[str, ...], WorkItem],
        *,
        description: str,
        jobs: int,
        backend: Backend,
    ) -> None:
        """Work on the items of which the cache lacks an outcome.

        Parameters
        ----------
        work : callable
            From an item to one outcome for each of its keys.
        items : mapping of tuple of str to item
            The keys of an item's outcomes, and the item.
        """
        unknown = {keys: item for keys, item in items.items() if any(key not in self.outcomes for key in keys)}
        results = map_parallel(
            work, list(unknown.values()), description=description, jobs=jobs, backend=backend, unit="clip"
        )
        fresh: list[str] = []
        for keys, outcomes in zip(unknown, results, strict=True):
            for key, outcome in zip(keys, outcomes, strict=True):
                self.outcomes[key] = outcome
                self.n_computed += 1
                if outcome.lasting:
                    fresh.append(key)
            if len(fresh) >= VECTORS_PER_PART:
                self._write_part(fresh)
                fresh = []
        if fresh:
            self._write_part(fresh)

    def merge_parts(self) -> None:
        """Turn all parts into one file, so that their number does not grow with the number of runs."""
        if not self.found_parts:
            return
        self._write(self.whole_path, sorted(key for key, outcome in self.outcomes.items() if outcome.lasting))
        for path in self.found_parts:
            path.unlink(missing_ok=True)
        self.found_parts = []

    def _write_part(self, keys: list[str]) -> None:
        path = self.folder / f"part-{fingerprint(keys)[:16]}.parquet"
        self._write(path, keys)
        self.found_parts.append(path)

    def _write(self, path: Path, keys: list[str]) -> None:
        outcomes = [self.outcomes[key] for key in keys]
        vectors = [outcome.vector for outcome in outcomes]
        table = pd.DataFrame({"sha256": keys, "reason": [outcome.reason for outcome in outcomes], "vector": vectors})
        write_table(path, table, schema=CACHE_SCHEMA)

    def _read(self, path: Path) -> None:
        table = read_table(path, schema=CACHE_SCHEMA)
        for key, reason, vector in zip(table["sha256"], table["reason"], table["vector"], strict=True):
            self.outcomes[str(key)] = Outcome(None, str(reason)) if reason else Outcome(vector)


@lru_cache(maxsize=16)
def code_version(work: Callable[..., Any]) -> tuple[Any, ...]:
    """Return what vectors depend on besides their clip: the code that makes them, and the libraries."""
    return code_fingerprint(work, by_name=True), {name: metadata.version(name) for name in LIBRARIES}
