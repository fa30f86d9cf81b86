from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ravdess_mm.errors import InputError
from ravdess_mm.video.frame_store.appending import FRAMES_NAME, TAKES_NAME, Appender, TakeFrames, read_takes

FIRST = TakeFrames("a", ("key-1", "key-2"), ("the file is empty",), (0, 20), (0.0, 0.667))
SECOND = TakeFrames("b", ("key-3",), ('no "video" track, naïvely',))


def images_of(found: TakeFrames) -> np.ndarray:
    return np.full((len(found.numbers), 4, 4), 7, np.uint8)


def test_lines_of_the_journal_are_read_as_written() -> None:
    for found in (FIRST, SECOND):
        assert TakeFrames.from_json(found.to_json()) == found


def test_finished_array_is_plain_numpy(tmp_path: Path) -> None:
    with Appender(tmp_path, 4) as appender:
        for found in (FIRST, SECOND):
            appender.append(found, images_of(found))
        appender.finish()
    assert np.load(tmp_path / FRAMES_NAME).shape == (2, 4, 4)
    assert (np.load(tmp_path / FRAMES_NAME) == 7).all()
    assert read_takes(tmp_path / TAKES_NAME) == (FIRST, SECOND)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted((FRAMES_NAME, TAKES_NAME))


def test_half_a_line_is_not_a_take(tmp_path: Path) -> None:
    with Appender(tmp_path, 4) as appender:
        appender.append(FIRST, images_of(FIRST))
        appender.append(SECOND, images_of(SECOND))
    journal = tmp_path / "building.jsonl"
    journal.write_bytes(journal.read_bytes()[:-5])
    with Appender(tmp_path, 4) as appender:
        assert appender.takes == [FIRST]
        appender.append(SECOND, images_of(SECOND))
    assert read_takes(journal) == (FIRST, SECOND)


def test_what_is_not_right_any_more_is_cut_off(tmp_path: Path) -> None:
    with Appender(tmp_path, 4) as appender:
        appender.append(FIRST, images_of(FIRST))
        appender.append(SECOND, images_of(SECOND))
    with Appender(tmp_path, 4) as appender:
        appender.keep_while(lambda place, found: found != FIRST)
        assert appender.takes == []
        appender.finish()
    assert np.load(tmp_path / FRAMES_NAME).shape == (0, 4, 4)


def test_wrong_shapes_and_foreign_journals_are_refused(tmp_path: Path) -> None:
    with (
        Appender(tmp_path, 4) as appender,
        pytest.raises(ValueError, match=r"uint8 \(1, 4, 4\); expected .*\(2, 4, 4\)"),
    ):
        appender.append(FIRST, np.zeros((1, 4, 4), np.uint8))
    (tmp_path / "foreign.jsonl").write_text('{"other": 1}\n')
    with pytest.raises(InputError, match="not a list of takes"):
        read_takes(tmp_path / "foreign.jsonl")
