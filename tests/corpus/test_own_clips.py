from __future__ import annotations

from pathlib import Path

import pytest

from ravdess_mm.corpus.own_clips import find_clips
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
