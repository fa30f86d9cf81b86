"""Every file is found once and either is a clip by its name or is rejected with a reason."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from ravdess_mm.corpus.discovery import Rejection, RejectionKind, discover
from ravdess_mm.errors import InputError


def put(folder: Path, *names: str, content: bytes = b"x") -> Path:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder


def names(folders: list[Path], base: Path) -> list[str]:
    return [candidate.path.relative_to(base).as_posix() for candidate in discover(folders)[0]]


def reasons(folders: list[Path], base: Path) -> dict[str, str]:
    return {str(Path(item.path).relative_to(base)): item.reason for item in discover(folders)[1]}


def test_nested_as_in_the_zips_or_flat(tmp_path: Path) -> None:
    zipped = "Audio_Speech_Actors_01-24/Actor_01/03-01-01-01-01-01-01.wav"
    put(tmp_path, zipped, "03-01-02-01-01-01-01.WAV", "Video/Actor_02/01-02-03-01-01-01-02.Mp4")
    candidates, rejections = discover([tmp_path])
    assert rejections == []
    assert [(item.path.relative_to(tmp_path).as_posix(), item.depth) for item in candidates] == [
        ("03-01-02-01-01-01-01.WAV", 0),
        (zipped, 2),
        ("Video/Actor_02/01-02-03-01-01-01-02.Mp4", 2),
    ]
    assert str(candidates[0].identifier) == "03-01-02-01-01-01-01"
    assert {item.size_bytes for item in candidates} == {1}


@pytest.mark.parametrize("suffix", ["wav", "flac", "mp3", "ogg", "mp4", "avi", "mov", "mkv", "webm", "WAV", "Mp4"])
def test_suffixes_of_the_issue_in_any_case(suffix: str, tmp_path: Path) -> None:
    put(tmp_path, f"03-01-01-01-01-01-01.{suffix}")
    assert len(discover([tmp_path])[0]) == 1


def test_what_is_not_a_clip_is_rejected_with_its_reason(tmp_path: Path) -> None:
    put(
        tmp_path,
        "notes.txt",
        "README",
        "._03-01-01-01-01-01-01.wav",
        ".git/03-01-01-01-01-01-01.wav",
        "holiday.mp4",
        "03-01-01-02-01-01-01.wav",
        "03-01-01-01-01-01-01 (1).wav",
        "kept/03-01-01-01-01-01-01.wav",
    )
    put(tmp_path, "03-01-01-01-01-01-02.wav", content=b"")
    os.mkfifo(tmp_path / "03-01-01-01-01-01-03.wav")
    (tmp_path / "03-01-01-01-01-01-04.wav").symlink_to("nowhere.wav")
    (tmp_path / "03-01-01-01-01-01-05.wav").symlink_to("03-01-01-01-01-01-05.wav")
    (tmp_path / "03-01-01-01-01-01-06.wav").mkdir()
    found = reasons([tmp_path], tmp_path)
    expected = {
        "notes.txt": "extension .txt; clips are .wav",
        "README": "no extension; clips are .wav",
        "._03-01-01-01-01-01-01.wav": "hidden file",
        ".git": "hidden folder",
        "holiday.mp4": "'holiday' has 1 part; a RAVDESS name has 7",
        "03-01-01-02-01-01-01.wav": "'03-01-01-02-01-01-01': intensity 02 (strong) does not exist",
        "03-01-01-01-01-01-01 (1).wav": "'03-01-01-01-01-01-01 (1)': actor '01 (1)' is not two digits",
        "03-01-01-01-01-01-02.wav": "zero bytes",
        "03-01-01-01-01-01-03.wav": "not a regular file",
        "03-01-01-01-01-01-04.wav": "broken link: no such file or directory",
        "03-01-01-01-01-01-05.wav": "broken link: too many levels of symbolic links",
    }
    assert found.keys() == expected.keys()
    for path, reason in expected.items():
        assert found[path].startswith(reason)
    assert names([tmp_path], tmp_path) == ["kept/03-01-01-01-01-01-01.wav"]


def test_only_damage_counts_as_broken(tmp_path: Path) -> None:
    put(tmp_path, "notes.txt", "03-01-01-02-01-01-01.wav")
    put(tmp_path, "03-01-01-01-01-01-02.wav", content=b"")
    faults = {Path(item.path).name: (item.fault, item.clip) for item in discover([tmp_path])[1]}
    assert faults == {
        "notes.txt": (RejectionKind.FOREIGN, ""),
        "03-01-01-02-01-01-01.wav": (RejectionKind.FOREIGN, ""),
        "03-01-01-01-01-01-02.wav": (RejectionKind.BROKEN, "03-01-01-01-01-01-02"),
    }


def test_a_folder_named_twice_or_inside_another_is_entered_once(tmp_path: Path) -> None:
    put(tmp_path, "a/Actor_01/03-01-01-01-01-01-01.wav", "a/03-01-01-01-01-01-02.wav", "b/03-01-01-01-01-01-03.wav")
    (tmp_path / "c").symlink_to(tmp_path / "a" / "Actor_01")
    folders = [tmp_path / "a", tmp_path / "a" / "Actor_01", tmp_path / "b", tmp_path / "c", tmp_path / "b" / ".." / "a"]
    expected = discover([tmp_path / "a", tmp_path / "b"])
    assert len(expected[0]) == 3
    for seed in range(10):
        random.Random(seed).shuffle(folders)
        assert discover(folders) == expected
        assert expected[1] == []


def test_loops_of_links_end(tmp_path: Path) -> None:
    data = put(tmp_path / "data", "Actor_01/03-01-01-01-01-01-01.wav")
    put(tmp_path, "outside/03-01-01-01-01-01-03.wav")
    (data / "Actor_01" / "up").symlink_to("..")
    (data / "out").symlink_to(tmp_path)
    (data / "self").symlink_to("self")
    (data / "again").symlink_to("Actor_01")
    assert names([data], data) == ["Actor_01/03-01-01-01-01-01-01.wav"]
    assert reasons([data], data) == {
        "Actor_01/up": "a link to a folder it lies in",
        "out": "a link to a folder it lies in",
        "self": "no extension; clips are .wav .flac .ogg .mp3 .mp4 .mov .mkv .webm .avi",
    }


def test_links_are_followed_once(tmp_path: Path) -> None:
    put(tmp_path, "store/aa/03-01-01-01-01-01-01.wav", "store/one.bin")
    data = tmp_path / "data"
    data.mkdir()
    (data / "linked").symlink_to(tmp_path / "store" / "aa")
    (data / "other").symlink_to(tmp_path / "store" / "aa")
    (data / "03-01-01-01-01-01-02.wav").symlink_to(tmp_path / "store" / "one.bin")
    (data / "copy").mkdir()
    (data / "copy" / "03-01-01-01-01-01-02.wav").symlink_to(tmp_path / "store" / "one.bin")
    assert names([data], data) == ["03-01-01-01-01-01-02.wav", "linked/03-01-01-01-01-01-01.wav"]
    kept = data / "03-01-01-01-01-01-02.wav"
    assert discover([data])[1] == [
        Rejection(
            str(data / "copy" / "03-01-01-01-01-01-02.wav"),
            f"duplicate of {kept}: a link to the same file",
            RejectionKind.DUPLICATE,
            "03-01-01-01-01-01-02",
        )
    ]


def test_the_real_file_is_preferred_to_a_link_to_it(tmp_path: Path) -> None:
    put(tmp_path, "z/deep/03-01-01-01-01-01-01.wav")
    (tmp_path / "03-01-01-01-01-01-01.wav").symlink_to("z/deep/03-01-01-01-01-01-01.wav")
    assert names([tmp_path], tmp_path) == ["z/deep/03-01-01-01-01-01-01.wav"]


def test_names_that_are_no_utf8_are_rejected_in_words_that_can_be_stored(tmp_path: Path) -> None:
    put(tmp_path, "03-01-01-01-01-01-01.wav")
    folder = os.fsencode(tmp_path) + b"/bad\xff"
    os.mkdir(folder)
    for name in (b"03-01-01-01-01-01-02.wav", b"x\xfe.wav", b"y.\xfd"):
        with open(folder + b"/" + name, "wb") as file:
            file.write(b"x")
    found = reasons([tmp_path], tmp_path)
    for text in [*found, *found.values()]:
        text.encode()
    assert found["bad\\udcff/03-01-01-01-01-01-02.wav"] == "the path is not valid UTF-8; rename the folder"
    assert found["bad\\udcff/x\\udcfe.wav"].startswith("'x\\udcfe' has 1 part")
    assert len(found) == 3
    assert len(discover([tmp_path])[0]) == 1


def test_what_a_user_names_wrongly_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    put(tmp_path, "file.wav")
    (tmp_path / "dangling").symlink_to("nowhere")
    cases = {
        "absent": "no such folder",
        "dangling": "no such folder",
        "file.wav": "a file, where a folder of clips is due",
        "empty": "the folder is empty",
    }
    for name, reason in cases.items():
        with pytest.raises(InputError) as caught:
            discover([tmp_path, tmp_path / name])
        assert str(caught.value) == f"{tmp_path / name}: {reason}"
    with pytest.raises(InputError, match="no folder of clips is named"):
        discover([])


def test_a_folder_that_may_not_be_read(
    public_path: Path, as_nobody: Callable[[], AbstractContextManager[None]]
) -> None:
    for folder in ("open", "closed", "half"):
        put(public_path, f"{folder}/03-01-01-01-01-01-03.wav")
    (public_path / "closed").chmod(0o000)
    (public_path / "half").chmod(0o444)
    with as_nobody():
        assert names([public_path], public_path) == ["open/03-01-01-01-01-01-03.wav"]
        assert reasons([public_path], public_path) == {
            "closed": "the folder cannot be read: permission denied",
            "half/03-01-01-01-01-01-03.wav": "cannot be read: permission denied",
        }
        with pytest.raises(InputError, match="closed: cannot be read: permission denied"):
            discover([public_path / "closed"])
