"""How files are written whole, fingerprinted and found again.

A reader never sees half a file: everything is written beside its destination and renamed into place.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import re
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum
from functools import cache
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd

from ravdess_mm._version import __version__
from ravdess_mm.errors import InputError, one_line

SCHEMA_KEY = b"ravdess_mm.schema"
VERSION_KEY = b"ravdess_mm.version"
LARGEST_TEXT: Final = 2**26
"""JSON and TOML files are not larger, in bytes."""
UNREADABLE: Final = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError)
"""What `zipfile` raises over an archive that is damaged, encrypted, or packed in a way that it does not know."""


@contextmanager
def whole_file(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; on success it replaces `path`, on failure it is removed.

    Parameters
    ----------
    path : str or Path
        The destination; its folder is made if it is missing.

    Yields
    ------
    Path
        Where to write. It has the suffix of `path`, so that libraries that look at suffixes work.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    _sweep(path.parent)
    prefix = f".{path.stem[:100]}-{_HOST}.{os.getpid()}-"
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=prefix, suffix=path.suffix)
    os.close(descriptor)
    temporary = Path(name)
    try:
        yield temporary
        with temporary.open("rb") as handle:
            os.fsync(handle.fileno())
        # mkstemp makes files private; what a run writes follows the user's umask like any other file
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


_HOST: Final = f"{zlib.crc32(platform.node().encode()):08x}"
_LEFT_OVER: Final = re.compile(rf"\..*-{_HOST}\.(\d+)-[a-z0-9_]+(\..*)?")


@cache
def _sweep(folder: Path) -> None:
    """Remove what processes of this machine that were killed left half written, once a process and folder."""
    for left in folder.iterdir():
        match = _LEFT_OVER.fullmatch(left.name)
        if match and not _is_running(int(match[1])):
            left.unlink(missing_ok=True)


def _is_running(process: int) -> bool:
    if os.name != "posix":
        return True  # there a signal of 0 would end it
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def write_text(path: str | Path, text: str) -> None:
    """Write `text` as UTF-8, whole or not at all."""
    with whole_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def plain(value: Any) -> Any:
    """Turn enums, paths, numpy scalars and containers of them into what JSON knows.

    Raises
    ------
    TypeError
        If `value` holds something that has no plain form.
    """
    if isinstance(value, Enum):
        return plain(value.value)
    if isinstance(value, Path):
        return value.as_posix()
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, np.generic):
        return plain(value.item())
    if isinstance(value, dict):
        return {str(plain(key)): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, (set, frozenset)):
        return sorted(plain(item) for item in value)
    if isinstance(value, float) and not np.isfinite(value):
        return None
    if value is None or isinstance(value, (str, int, float, bool)):
        return value
    msg = f"cannot write a {type(value).__name__} as JSON: {value!r}"
    raise TypeError(msg)


def write_json(path: str | Path, value: Any) -> None:
    """Write `value` as indented JSON, whole or not at all; numbers that are not finite become ``null``."""
    write_text(path, json.dumps(plain(value), indent=2, sort_keys=True, ensure_ascii=False) + "\n")


def read_json(path: str | Path) -> Any:
    """Read a JSON file.

    Raises
    ------
    InputError
        If the file is missing or is not JSON.
    """
    path = Path(path)
    try:
        return json.loads(read_text(path))
    except RecursionError as error:
        raise InputError(f"{path}: not a JSON file that is read here (nested too deep)") from error
    except ValueError as error:  # also a number of thousands of digits
        raise InputError(f"{path}: not a JSON file ({one_line(error)})") from error


def read_text(path: str | Path) -> str:
    """Read a UTF-8 file of at most `LARGEST_TEXT` bytes.

    Raises
    ------
    InputError
        If it is missing, no file but a folder, a pipe or a device, larger, or may not be read.
    UnicodeDecodeError
        If it is not UTF-8.
    """
    path = Path(path)
    try:
        if not path.exists():
            raise InputError(f"{path}: no such file")
        if not path.is_file():
            raise InputError(f"{path}: not a file")
        if (size := path.stat().st_size) > LARGEST_TEXT:
            raise InputError(f"{path}: {size:,} bytes; a file of this kind has at most {LARGEST_TEXT:,}")
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({one_line(error, path)})") from error


def write_table(path: str | Path, table: pd.DataFrame, *, schema: str) -> None:
    """Write a table as Parquet, whole or not at all, stamped with its schema and the library's version.

    Parameters
    ----------
    path : str or Path
        Destination, ``*.parquet``.
    table : pandas.DataFrame
        The index is not kept.
    schema : str
        Name and number of the layout, such as ``predictions/1``.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    arrow = pa.Table.from_pandas(table, preserve_index=False)
    stamps = {SCHEMA_KEY: schema.encode(), VERSION_KEY: __version__.encode()}
    arrow = arrow.replace_schema_metadata({**(arrow.schema.metadata or {}), **stamps})
    with whole_file(path) as temporary:
        pq.write_table(arrow, temporary, compression="zstd", write_page_checksum=True)


def read_table(path: str | Path, *, schema: str | None = None) -> pd.DataFrame:
    """Read a Parquet table and check the schema it is stamped with.

    Parameters
    ----------
    path : str or Path
        Source, ``*.parquet``.
    schema : str, optional
        The layout the caller understands. A file without a stamp is taken as it is: the caller checks columns.

    Raises
    ------
    InputError
        If the file is missing, is not Parquet, or carries another schema.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    try:
        # Arrow's own file and this thread alone: a worker of Arrow's pool that still holds a Python file while the
        # interpreter ends aborts the process after its work is done (apache/arrow issues 34314, 50482). An open
        # file also keeps a folder named `key=value` from being taken for a partition column.
        with pa.OSFile(os.fspath(path)) as handle:
            file = pq.ParquetFile(handle, pre_buffer=False, page_checksum_verification=True)
            arrow = file.read(use_threads=False)
        found = (arrow.schema.metadata or {}).get(SCHEMA_KEY, b"").decode()
        frame: pd.DataFrame = arrow.to_pandas(use_threads=False)
    # a damaged footer shows where Arrow, pandas or JSON stumble over it
    except (pa.ArrowException, OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{path}: not a readable Parquet table ({one_line(error)})") from error
    if schema is not None and found and found != schema:
        raise InputError(f"{path}: holds a table of schema {found!r}; this command reads {schema!r}")
    return frame


def hash_file(path: str | Path) -> str:
    """Return the SHA-256 of a file's bytes, in hexadecimal."""
    with Path(path).open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def fingerprint(*parts: Any) -> str:
    """Return the SHA-256 of the canonical JSON of `parts`, in hexadecimal."""
    text = json.dumps([plain(part) for part in parts], sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()
