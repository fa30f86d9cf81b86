"""Files appear whole or not at all; fingerprints depend on content alone."""

from __future__ import annotations

import contextlib
import os
import stat
import subprocess
import sys
from enum import Enum
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ravdess_mm.errors import InputError
from ravdess_mm.store import (
    fingerprint,
    hash_file,
    plain,
    read_json,
    read_table,
    whole_file,
    write_json,
    write_table,
    write_text,
)


class Colour(Enum):
    RED = "red"


def test_whole_file_replaces_only_on_success(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "file.txt"
    write_text(path, "old")

    def killed_half_way() -> None:
        with whole_file(path) as temporary:
            temporary.write_text("half")
            assert path.read_text() == "old"
            raise RuntimeError("killed")

    with pytest.raises(RuntimeError, match="killed"):
        killed_half_way()
    assert path.read_text() == "old"
    assert os.listdir(path.parent) == ["file.txt"]
    write_text(path, "new")
    assert path.read_text() == "new"
    assert os.listdir(path.parent) == ["file.txt"]


def test_whole_file_keeps_suffix_and_follows_umask(tmp_path: Path) -> None:
    old = os.umask(0o022)
    try:
        with whole_file(tmp_path / "a.parquet") as temporary:
            assert temporary.suffix == ".parquet"
            temporary.write_text("x")
    finally:
        os.umask(old)
    assert stat.S_IMODE((tmp_path / "a.parquet").stat().st_mode) == 0o644


def test_json_round_trip_of_everything_plain(tmp_path: Path) -> None:
    value = {
        "enum": Colour.RED,
        "path": Path("a/b"),
        "array": np.arange(3),
        "scalar": np.float32(0.5),
        "nan": float("nan"),
        "set": {"b", "a"},
        2: None,
    }
    write_json(tmp_path / "x.json", value)
    assert read_json(tmp_path / "x.json") == {
        "enum": "red",
        "path": "a/b",
        "array": [0, 1, 2],
        "scalar": 0.5,
        "nan": None,
        "set": ["a", "b"],
        "2": None,
    }


def test_plain_refuses_what_json_does_not_know() -> None:
    with pytest.raises(TypeError, match="cannot write a object"):
        plain({"x": object()})


@pytest.mark.parametrize("content", [None, "{broken", b"\xff\xfe\x00"])
def test_read_json_says_what_is_wrong(tmp_path: Path, content: str | bytes | None) -> None:
    path = tmp_path / "x.json"
    if isinstance(content, str):
        path.write_text(content)
    elif content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=r"x\.json: (no such file|not a JSON file)"):
        read_json(path)


def test_table_round_trip_and_same_bytes(tmp_path: Path) -> None:
    table = pd.DataFrame({"take": ["b", "a"], "n": [1, 2]}, index=[5, 6])
    write_table(tmp_path / "a.parquet", table, schema="things/1")
    write_table(tmp_path / "b.parquet", table.reset_index(drop=True), schema="things/1")
    pd.testing.assert_frame_equal(
        read_table(tmp_path / "a.parquet", schema="things/1"), table.reset_index(drop=True), check_dtype=False
    )
    assert hash_file(tmp_path / "a.parquet") == hash_file(tmp_path / "b.parquet")


def test_table_of_another_schema_is_refused(tmp_path: Path) -> None:
    write_table(tmp_path / "a.parquet", pd.DataFrame({"x": [1]}), schema="things/2")
    with pytest.raises(InputError, match="schema 'things/2'; this command reads 'things/1'"):
        read_table(tmp_path / "a.parquet", schema="things/1")


def test_table_from_elsewhere_needs_no_stamp(tmp_path: Path) -> None:
    pd.DataFrame({"x": [1]}).to_parquet(tmp_path / "a.parquet")
    assert read_table(tmp_path / "a.parquet", schema="things/1")["x"].tolist() == [1]


def test_table_in_a_folder_named_like_a_partition(tmp_path: Path) -> None:
    folder = tmp_path / "run=3"
    write_table(folder / "a.parquet", pd.DataFrame({"x": [1]}), schema="things/1")
    assert list(read_table(folder / "a.parquet").columns) == ["x"]


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="counts threads in /proc")
def test_reading_a_table_leaves_no_thread_behind(tmp_path: Path) -> None:
    """A thread of Arrow's that outlives the work aborts one process in ten at its end on a busy machine."""
    path = tmp_path / "table.parquet"
    numbers = np.random.default_rng(0).normal(size=(500, 40))
    table = pd.DataFrame(numbers, columns=[f"f{column}" for column in range(40)]).assign(take="t")
    write_table(path, table, schema="x/1")
    program = (
        "import os, sys\n"
        "import pyarrow.parquet\n"
        "from ravdess_mm.store import read_table\n"
        "before = len(os.listdir('/proc/self/task'))\n"
        "table = read_table(sys.argv[1], schema='x/1')\n"
        "print(*table.shape, len(os.listdir('/proc/self/task')) - before)\n"
    )
    done = subprocess.run([sys.executable, "-c", program, str(path)], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["500", "41", "0"]


def test_broken_table_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.parquet").write_bytes(b"PAR1 but not really")
    with pytest.raises(InputError, match=r"a\.parquet: not a readable Parquet table"):
        read_table(tmp_path / "a.parquet")
    with pytest.raises(InputError, match=r"b\.parquet: no such file"):
        read_table(tmp_path / "b.parquet")


def test_damage_never_passes_for_another_table(tmp_path: Path) -> None:
    path = tmp_path / "table.parquet"
    rng = np.random.default_rng(4)
    table = pd.DataFrame(rng.normal(size=(50, 4)), columns=list("abcd")).assign(take=[f"t{row}" for row in range(50)])
    write_table(path, table, schema="x/1")
    whole = path.read_bytes()
    footer_bytes = int.from_bytes(whole[-8:-4], "little") + 8
    for place in rng.integers(4, len(whole) - footer_bytes, 60):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0x10]) + whole[place + 1 :])
        with contextlib.suppress(InputError):
            pd.testing.assert_frame_equal(read_table(path, schema="x/1"), table, check_dtype=False)
    for _ in range(150):
        damaged = bytearray(whole)
        for place in rng.integers(len(whole) - footer_bytes, len(whole), 3):
            damaged[place] = rng.integers(256)
        path.write_bytes(damaged)
        with contextlib.suppress(InputError):  # anything else is not said in one line
            read_table(path, schema="x/1")


def test_fingerprint_ignores_order_of_keys_and_sees_values() -> None:
    assert fingerprint({"a": 1, "b": 2}) == fingerprint({"b": 2, "a": 1})
    assert fingerprint({"a": 1}) != fingerprint({"a": 2})
    assert fingerprint(1, 2) != fingerprint([1, 2])


def test_what_a_killed_process_left_is_swept_by_the_next(tmp_path: Path) -> None:
    script = f"""
import os
from ravdess_mm.store import whole_file
with whole_file({str(tmp_path / "a.txt")!r}) as path:
    path.write_text("half")
    os.kill(os.getpid(), 9)
"""
    subprocess.run([sys.executable, "-c", script], check=False)
    assert len(list(tmp_path.iterdir())) == 1
    write_text(tmp_path / "b.txt", "whole")
    assert [path.name for path in tmp_path.iterdir()] == ["b.txt"]


@pytest.mark.parametrize("text", ["[" * 100_000, "1" * 10_000, '"\\ud800', "\0"])
def test_json_that_no_one_writes_is_refused_in_one_line(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(InputError, match=r"a\.json: not a JSON file"):
        read_json(tmp_path / "a.json")


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.json")
    with pytest.raises(InputError, match=r"a\.json: not a file"):
        read_json(tmp_path / "a.json")
