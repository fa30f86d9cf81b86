from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from ravdess_mm.corpus.media_files import find_clips
from ravdess_mm.errors import InputError


def test_find_clips_looks_into_folders(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    for name in ("b/2.WAV", "1.mp4", "notes.txt"):
        (tmp_path / name).write_bytes(b"x")
    assert [path.name for path in find_clips([tmp_path])] == ["1.mp4", "2.WAV"]
    (tmp_path / "c").mkdir()
    with pytest.raises(InputError, match="no media file"):
        list(find_clips([tmp_path / "c"]))
    with pytest.raises(InputError, match="no such file or folder"):
        list(find_clips([tmp_path / "d"]))


def test_what_is_hidden_or_no_clip_is_passed_over_and_counted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / ".Trash").mkdir()
    for name in ("._a.mp3", ".DS_Store", ".Trash/old.mp3", "a.mp3", "notes.txt"):
        (tmp_path / name).write_bytes(b"x" * 100)
    soundfile.write(tmp_path / "voice", np.zeros(1600, np.float32), 16000, format="WAV")
    assert [path.name for path in find_clips([tmp_path])] == ["a.mp3", "voice"]
    assert [record.getMessage() for record in caplog.records] == [
        f"{tmp_path}: files passed over: 3 hidden, 1 without sound or film"
    ]
    assert len(list(find_clips([tmp_path], quiet=True))) == 2
    assert len(caplog.records) == 1


def test_a_hidden_file_that_is_named_is_used_and_so_is_a_hidden_folder(tmp_path: Path) -> None:
    (tmp_path / ".mine").mkdir()
    (tmp_path / ".mine" / "a.mp3").write_bytes(b"x")
    (tmp_path / ".b.mp3").write_bytes(b"x")
    assert [path.name for path in find_clips([tmp_path / ".mine", tmp_path / ".b.mp3"])] == ["a.mp3", ".b.mp3"]


@pytest.mark.real
def test_folders_of_a_mac_are_read_without_what_it_hides(real_cases: Path) -> None:
    assert [path.name for path in find_clips([real_cases / "19_mac"])] == ["a.mp3", "b.mp3", "voice.m4a"]
