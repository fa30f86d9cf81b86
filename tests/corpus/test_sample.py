from __future__ import annotations

import json
import logging
import multiprocessing
import os
import shutil
import signal
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from ravdess_mm.corpus import sample
from ravdess_mm.corpus.identifier import Identifier
from ravdess_mm.corpus.sample import (
    MANIFEST_NAME,
    README_NAME,
    SAMPLE_ACTORS,
    SYNTHETIC_NOTE,
    ensure_sample,
    make_sample,
)
from ravdess_mm.corpus.sample_script import Script, sample_scripts
from ravdess_mm.errors import InputError
from ravdess_mm.store import hash_file

ACTOR = 2


def few_scripts(actors: Iterable[int]) -> list[Script]:
    """Write a third of the scripts: enough to see what is made again, and quick."""
    return sample_scripts(actors)[::3]


@pytest.fixture(scope="module", autouse=True)
def few_takes() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sample, "sample_scripts", few_scripts)
        yield


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the sample of one actor; tests only read it."""
    return make_sample(tmp_path_factory.mktemp("whole") / "sample", actors=[ACTOR], jobs=1)


@pytest.fixture
def folder(whole: Path, tmp_path: Path) -> Path:
    """Return a copy of the sample that a test may change."""
    return Path(shutil.copytree(whole, tmp_path / "sample"))


def clips_of(folder: Path) -> dict[str, Path]:
    return {path.name: path for path in sorted(folder.glob("Actor_*/*"))}


def stamps(folder: Path) -> dict[str, int]:
    return {path.relative_to(folder).as_posix(): path.stat().st_mtime_ns for path in folder.rglob("*.*")}


def hashes(folder: Path) -> dict[str, str]:
    return {path.relative_to(folder).as_posix(): hash_file(path) for path in folder.rglob("*") if path.is_file()}


def files_in_manifest(folder: Path) -> dict[str, str]:
    files: dict[str, str] = json.loads((folder / MANIFEST_NAME).read_text("utf-8"))["files"]
    return files


def test_every_planned_clip_is_there(whole: Path) -> None:
    planned = {str(Identifier(m, script.take)) for script in few_scripts([ACTOR]) for m in script.modalities}
    assert {str(Identifier.parse(path)) for path in clips_of(whole).values()} == planned


def test_manifest_lists_every_clip_with_its_hash(whole: Path) -> None:
    found = {f"{path.parent.name}/{path.name}": hash_file(path) for path in clips_of(whole).values()}
    assert files_in_manifest(whole) == found


def test_readme_says_that_it_is_synthetic(whole: Path) -> None:
    assert (whole / README_NAME).read_text("utf-8").startswith(SYNTHETIC_NOTE.upper())
    assert SYNTHETIC_NOTE in (whole / MANIFEST_NAME).read_text("utf-8")


def test_twelve_actors_stay_under_40_mb(whole: Path) -> None:
    size_bytes = sum(path.stat().st_size for path in clips_of(whole).values())
    share = len(few_scripts([ACTOR])) / len(sample_scripts(SAMPLE_ACTORS))
    assert size_bytes / share < 40e6


def test_the_sample_is_of_twelve_actors_and_both_sexes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    asked: dict[str, object] = {}
    monkeypatch.setattr(sample, "make_sample", lambda folder, **options: asked.update(options) or folder)
    assert ensure_sample(tmp_path, jobs=3) == tmp_path
    assert asked == {"actors": range(1, 13), "jobs": 3}


def test_a_whole_sample_is_left_alone(folder: Path) -> None:
    before = stamps(folder)
    assert make_sample(folder, actors=[ACTOR], jobs=1) == folder
    assert stamps(folder) == before


def test_only_altered_and_missing_files_are_made_again(folder: Path, whole: Path) -> None:
    altered, missing, *others = clips_of(folder).values()
    altered.write_bytes(altered.read_bytes()[:-1] + b"x")
    missing.unlink()
    (folder / README_NAME).write_text("?", encoding="utf-8")
    before = {path: path.stat().st_mtime_ns for path in others}
    make_sample(folder, actors=[ACTOR], jobs=1)
    assert hashes(folder) == hashes(whole)
    assert {path: path.stat().st_mtime_ns for path in others} == before


def test_files_do_not_depend_on_jobs(folder: Path, whole: Path) -> None:
    for path in clips_of(folder).values():
        path.unlink()
    make_sample(folder, actors=[ACTOR], jobs=2)
    assert hashes(folder) == hashes(whole)


def test_another_generator_makes_all_again(folder: Path, whole: Path) -> None:
    manifest = folder / MANIFEST_NAME
    stale = json.loads(manifest.read_text("utf-8")) | {"generator": "older"}
    stale["files"]["Actor_09/03-01-01-01-01-01-09.wav"] = "0"
    stale["files"]["../outside.wav"] = "0"
    manifest.write_text(json.dumps(stale), encoding="utf-8")
    leftover, outside = folder / "Actor_09/03-01-01-01-01-01-09.wav", folder.parent / "outside.wav"
    for path in (leftover, outside):
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"RIFF")
    before = stamps(folder)
    make_sample(folder, actors=[ACTOR], jobs=1)
    assert hashes(folder) == hashes(whole)
    after = stamps(folder)
    assert all(after[name] > before[name] for name in files_in_manifest(folder))
    assert outside.exists()  # a manifest cannot make us delete elsewhere


def test_a_damaged_manifest_is_no_obstacle(folder: Path, whole: Path) -> None:
    (folder / MANIFEST_NAME).write_text("{", encoding="utf-8")
    make_sample(folder, actors=[ACTOR], jobs=1)
    assert hashes(folder) == hashes(whole)


def _make_until_killed(folder: Path) -> None:
    sample.sample_scripts = few_scripts  # this runs in a process of its own
    make_sample(folder, actors=[ACTOR], jobs=1)


def test_a_killed_sample_is_completed(tmp_path: Path, whole: Path) -> None:
    folder = tmp_path / "sample"
    process = multiprocessing.get_context("spawn").Process(target=_make_until_killed, args=(folder,))
    process.start()
    deadline_s = time.monotonic() + 60
    while time.monotonic() < deadline_s and not ((folder / MANIFEST_NAME).exists() and files_in_manifest(folder)):
        time.sleep(0.005)
    os.kill(process.pid or 0, signal.SIGKILL)
    process.join()
    listed = files_in_manifest(folder)
    assert 0 < len(listed) < len(files_in_manifest(whole))
    assert all(hash_file(folder / name) == digest for name, digest in listed.items())
    before = {name: (folder / name).stat().st_mtime_ns for name in listed}
    (folder / f"Actor_{ACTOR:02d}" / ".03-half-written.wav").write_bytes(b"RI")
    make_sample(folder, actors=[ACTOR], jobs=1)
    assert hashes(folder) == hashes(whole)
    assert {name: (folder / name).stat().st_mtime_ns for name in listed} == before


def test_a_folder_with_other_things_is_refused_untouched(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(InputError, match=r"thesis.txt.*allowed: a folder that is missing, empty or a sample"):
        make_sample(tmp_path, actors=[ACTOR], jobs=1)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_file_where_the_folder_is_due(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("", encoding="utf-8")
    with pytest.raises(InputError, match="cannot hold the synthetic sample"):
        make_sample(path, actors=[ACTOR], jobs=1)


def test_a_folder_without_permission(public_path: Path, as_nobody: Callable[[], AbstractContextManager[None]]) -> None:
    with as_nobody(), pytest.raises(InputError, match="Permission denied"):
        make_sample(public_path / "sample", actors=[ACTOR], jobs=1)


@pytest.mark.parametrize("actors", [[], [0], [3, 25]])
def test_wrong_actors(tmp_path: Path, actors: list[int]) -> None:
    with pytest.raises(InputError, match="allowed: one or more of 1-24"):
        make_sample(tmp_path / "sample", actors=actors, jobs=1)
    assert not (tmp_path / "sample").exists()


def test_a_stranger_in_the_sample_is_kept_and_named(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    stranger = folder / "Actor_02" / "03-01-01-01-01-02-02.wav"
    stranger.write_bytes(b"RIFF")
    (folder / ".DS_Store").write_bytes(b"")
    with caplog.at_level(logging.WARNING, logger="ravdess_mm"):
        make_sample(folder, actors=[ACTOR], jobs=1)
    assert stranger.exists()
    (message,) = caplog.messages
    assert "1 files are not of the synthetic sample, such as Actor_02/03-01-01-01-01-02-02.wav" in message
