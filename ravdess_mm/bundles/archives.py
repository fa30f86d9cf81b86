"""Archives of models without what differs between two equal models.

skops and Keras both put memory addresses into their JSON (skops also into the names of members) and Keras the time
of day; numpy leaves the padding between the fields of tree nodes as it found it. Copied without these, equal models
have equal bytes.
"""

from __future__ import annotations

import io
import json
import math
import re
import zipfile
from pathlib import Path
from typing import Final

import numpy as np

from ravdess_mm.errors import BundleError, one_line

_ZIP_DATE: Final = (1980, 1, 1, 0, 0, 0)
_ADDRESS: Final = re.compile(r'("__id__": |"shared_object_id": |"file": ")(\d+)')
_TEXTS: Final = frozenset({"schema.json", "config.json"})


MOST_UNPACKED: Final = 2**29
"""An archive holds no more than this, in bytes: 134 million weights."""
MOST_MEMBERS: Final = 100_000
"""A forest of 500 trees has some thousands."""


def check_archive(path: Path) -> None:
    """Refuse an archive that would fill the memory, by its lists and headers, before anything in it is unpacked.

    Raises
    ------
    BundleError
        If it holds more than `MOST_UNPACKED`, two members of one name, or an array of another size than it says.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            total = sum(member.file_size for member in members)
            if total > MOST_UNPACKED or len(members) > MOST_MEMBERS:
                raise BundleError(
                    f"{path}: refused, it would unpack to {total:,} bytes in {len(members)} members; allowed: "
                    f"{MOST_UNPACKED:,} in {MOST_MEMBERS}"
                )
            if len({member.filename for member in members}) < len(members):
                raise BundleError(f"{path}: refused, two members have one name")
            for member in members:
                if member.filename.endswith(".npy"):
                    _check_array(archive, member, path)
    except BundleError:
        raise
    except Exception as error:  # whatever a damaged list or header makes zipfile and numpy stumble over
        raise BundleError(f"{path}: not a readable archive ({one_line(error)})") from error


def _check_array(archive: zipfile.ZipFile, member: zipfile.ZipInfo, path: Path) -> None:
    with archive.open(member) as file:
        version = np.lib.format.read_magic(file)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, _, dtype = read(file)
        held = member.file_size - file.tell()
    if not dtype.hasobject and math.prod(shape) * dtype.itemsize != held:
        raise BundleError(f"{path}: refused, {member.filename} says {shape} of {dtype} and holds {held:,} bytes")


def copy_canonical(source: zipfile.ZipFile, path: Path) -> None:
    """Copy a ``.skops`` or ``.keras`` archive: addresses become running numbers, dates are fixed, padding is zero.

    Parameters
    ----------
    source : zipfile.ZipFile
        Open for reading; not the file at `path`.
    path : Path
        Written as a compressed zip with sorted members.
    """
    numbers: dict[str, str] = {}

    def renumber(match: re.Match[str]) -> str:
        return match[1] + numbers.setdefault(match[2], str(len(numbers) + 1))

    texts = {name: _ADDRESS.sub(renumber, source.read(name).decode()) for name in source.namelist() if name in _TEXTS}
    members: dict[str, bytes] = {}
    for name in source.namelist():
        stem, dot, suffix = name.rpartition(".")
        if name in texts:
            members[name] = texts[name].encode()
        elif name == "metadata.json":
            metadata = json.loads(source.read(name))
            members[name] = json.dumps({**metadata, "date_saved": None}, sort_keys=True).encode()
        else:
            data = source.read(name)
            members[numbers.get(stem, stem) + dot + suffix] = _without_padding(data) if suffix == "npy" else data
    with zipfile.ZipFile(path, "w", compression=zipfile.ZIP_DEFLATED) as target:
        for name in sorted(members):
            info = zipfile.ZipInfo(name, _ZIP_DATE)
            info.compress_type = zipfile.ZIP_DEFLATED
            target.writestr(info, members[name])


def _without_padding(data: bytes) -> bytes:
    array = np.load(io.BytesIO(data), allow_pickle=False)
    if array.dtype.names is None:
        return data
    clean = np.zeros(array.shape, dtype=array.dtype)
    for field in array.dtype.names:
        clean[field] = array[field]
    buffer = io.BytesIO()
    np.save(buffer, clean, allow_pickle=False)
    return buffer.getvalue()
