"""A file is read again only when it changed; a cache can be lost or damaged without harm."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from ravdess_mm.config import Backend
from ravdess_mm.corpus import reading
from ravdess_mm.corpus.discovery import discover
from ravdess_mm.corpus.reading import FileFacts, read_all
from ravdess_mm.errors import MediaError
from ravdess_mm.store import hash_file, read_table, write_table

NAMES = [f"03-01-01-01-01-01-{actor:02d}.wav" for actor in range(1, 6)]


@pytest.fixture
def data(tmp_path: Path, make_sound: Callable[..., Path]) -> Path:
    for number, name in enumerate(NAMES):
        make_sound(tmp_path / "data" / name, seed=number)
    return tmp_path / "data"


@pytest.fixture
def read_paths(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the files that are read, as they are read."""
    paths: list[str] = []
    real = reading.read_file

    def noted(candidate: reading.Candidate) -> FileFacts | str:
        paths.append(candidate.path.name)
        return real(candidate)

    monkeypatch.setattr(reading, "read_file", noted)
    return paths


def read(data: Path, cache: Path | None, jobs: int = 1) -> list[FileFacts | str]:
    return read_all(discover([data])[0], cache_path=cache, jobs=jobs, backend=Backend.LOKY)


def test_a_second_scan_reads_only_what_changed(data: Path, tmp_path: Path, read_paths: list[str]) -> None:
    cache = tmp_path / "cache" / "files.parquet"
    first = read(data, cache)
    assert read_paths == NAMES
    assert [facts.sha256 for facts in first if isinstance(facts, FileFacts)] == [hash_file(data / n) for n in NAMES]
    read_paths.clear()
    assert read(data, cache) == first
    assert read_paths == []
    status = (data / NAMES[2]).stat()
    os.utime(data / NAMES[2], ns=(status.st_atime_ns, status.st_mtime_ns + 1))
    with (data / NAMES[3]).open("ab") as file:
        file.write(b"more")
    again = read(data, cache)
    assert read_paths == [NAMES[2], NAMES[3]]
    assert isinstance(again[3], FileFacts)
    assert again[3].sha256 == hash_file(data / NAMES[3])
    assert len(read_table(cache)) == len(NAMES)


def test_without_a_cache_everything_is_read(data: Path, read_paths: list[str]) -> None:
    assert read(data, None) == read(data, None)
    assert read_paths == NAMES * 2


def test_processes_change_nothing(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (data / NAMES[1]).write_bytes(b"broken")
    expected = read(data, None)
    monkeypatch.setattr(reading, "_IN_PROCESS_BYTES", 0)
    assert read(data, tmp_path / "files.parquet", jobs=2) == expected
    assert read(data, tmp_path / "files.parquet", jobs=2) == expected


def test_a_broken_file_is_a_reason_and_is_looked_at_again(data: Path, tmp_path: Path, read_paths: list[str]) -> None:
    (data / NAMES[1]).write_bytes(b"broken")
    cache = tmp_path / "files.parquet"
    results = read(data, cache)
    assert results[1] == "unreadable header: no sound or film that can be read, or its beginning is damaged"
    assert [isinstance(result, FileFacts) for result in results] == [True, False, True, True, True]
    read_paths.clear()
    assert read(data, cache) == results
    assert read_paths == [NAMES[1]]


def test_a_file_that_broke_is_not_remembered_as_sound(data: Path, tmp_path: Path) -> None:
    cache = tmp_path / "files.parquet"
    read(data, cache)
    (data / NAMES[0]).write_bytes(b"broken")
    assert read(data, cache)[0] == "unreadable header: no sound or film that can be read, or its beginning is damaged"
    assert read(data, cache)[0] == "unreadable header: no sound or film that can be read, or its beginning is damaged"


@pytest.mark.parametrize("damage", ["garbage", "other schema", "no stamp"])
def test_a_cache_that_cannot_be_used_is_replaced(
    damage: str, data: Path, tmp_path: Path, read_paths: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    cache = tmp_path / "files.parquet"
    expected = read(data, cache)
    if damage == "garbage":
        cache.write_bytes(b"garbage")
    elif damage == "other schema":
        write_table(cache, read_table(cache).assign(sha256="0" * 64), schema="files/1-of-another-version")
    else:
        pd.DataFrame({"path": ["x"]}).to_parquet(cache)
    read_paths.clear()
    assert read(data, cache) == expected
    assert read_paths == NAMES
    assert ("reading all files again" in caplog.text) == (damage != "no stamp")
    read_paths.clear()
    assert read(data, cache) == expected
    assert read_paths == []


def test_a_scan_that_is_stopped_keeps_what_it_read(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, read_paths: list[str]
) -> None:
    cache = tmp_path / "files.parquet"
    noted = reading.read_file

    def stop_at_the_fourth(candidate: reading.Candidate) -> FileFacts | str:
        if candidate.path.name == NAMES[3]:
            raise KeyboardInterrupt
        return noted(candidate)

    with monkeypatch.context() as patch:
        patch.setattr(reading, "read_file", stop_at_the_fourth)
        with pytest.raises(KeyboardInterrupt):
            read(data, cache)
    read_paths.clear()
    read(data, cache)
    assert read_paths == NAMES[3:]


def test_the_cache_is_written_while_reading(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[int] = []
    monkeypatch.setattr(reading, "_FLUSH_FILES", 2)
    monkeypatch.setattr(reading, "write_table", lambda path, table, schema: written.append(len(table)))
    read(data, tmp_path / "files.parquet")
    assert written == [2, 4, 5]


def test_files_of_another_scan_stay_known(
    data: Path, tmp_path: Path, make_sound: Callable[..., Path], read_paths: list[str]
) -> None:
    cache = tmp_path / "files.parquet"
    other = make_sound(tmp_path / "other" / "03-02-01-01-01-01-01.wav").parent
    read(data, cache)
    read(other, cache)
    read_paths.clear()
    read(data, cache)
    read(other, cache)
    assert read_paths == []


def test_whatever_a_decoder_raises_becomes_a_reason(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(path: Path) -> None:
        raise MediaError("x\udcff" if path.name == NAMES[0] else "y")

    monkeypatch.setattr(reading, "probe_media", fail)
    assert read(data, None)[:2] == ["x\\udcff", "y"]
