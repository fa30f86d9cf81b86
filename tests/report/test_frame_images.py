from __future__ import annotations

import base64
from pathlib import Path

import cv2
import numpy as np
import pytest

from ravdess_mm.errors import InputError
from ravdess_mm.report import frame_images as pictures
from ravdess_mm.report.run_files import RunFiles
from ravdess_mm.report.run_reader import read_run


@pytest.fixture(scope="module")
def files(synthetic_run: Path) -> RunFiles:
    return read_run(synthetic_run)


def decoded(uri: str) -> np.ndarray:
    head, data = uri.split(",")
    assert head == "data:image/webp;base64"
    return cv2.imdecode(np.frombuffer(base64.b64decode(data), np.uint8), cv2.IMREAD_GRAYSCALE)


def test_a_picture_comes_back_from_its_address() -> None:
    image = np.tile(np.linspace(0, 255, 64).astype(np.uint8), (64, 1))
    found = decoded(pictures.data_uri(image, size_px=32))
    assert found.shape == (32, 32)
    expected = cv2.resize(image, (32, 32), interpolation=cv2.INTER_AREA)
    assert np.abs(found.astype(int) - expected.astype(int)).mean() < 8


def test_samples_show_every_emotion_and_other_takes(files: RunFiles) -> None:
    found = pictures.sample_pictures(files.frames, files.frame_predictions, seed=20)
    assert len(found) == pictures.SHOWN_FRAMES
    assert len({picture.emotion for picture in found}) == 8
    assert {picture.actor for picture in found} <= {4, 5, 6}
    for picture in found:
        (first, surest), (second, less) = picture.answers
        assert first != second
        assert surest >= less
        assert picture.is_right == (first == picture.emotion)
        assert first in picture.alt


def test_samples_depend_on_the_seed_only(files: RunFiles) -> None:
    chosen = [pictures.sample_pictures(files.frames, files.frame_predictions, seed=seed) for seed in (1, 1, 2)]
    assert chosen[0] == chosen[1]
    assert chosen[0] != chosen[2]


def test_without_a_network_frames_are_shown_without_answers(files: RunFiles) -> None:
    found = pictures.sample_pictures(files.frames, None, seed=20)
    assert len(found) == pictures.SHOWN_FRAMES
    assert all(picture.answers == () for picture in found)
    assert not any(picture.is_right for picture in found)


def test_thumbnails_belong_to_their_takes(files: RunFiles) -> None:
    takes = files.tested["fused"]["take"].tolist()
    found = pictures.thumbnails(files.frames, [*takes, "01-01-01-01-01-24"])
    assert sorted(found) == sorted(takes)
    index = files.frames.index
    for take in takes[:3]:
        rows = index.index[index["take"] == take]
        expected = [pictures.data_uri(files.frames.frames[row], size_px=pictures.THUMBNAIL_PX) for row in rows]
        assert found[take] == expected


def test_thumbnails_are_few_however_many_takes(files: RunFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "THUMBNAILS", 10)
    takes = files.tested["fused"]["take"].tolist()
    found = pictures.thumbnails(files.frames, takes)
    assert sum(map(len, found.values())) == 10
    places = [takes.index(take) for take in found]
    assert places[0] < 5
    assert places[-1] > 42


def test_an_overlay_colours_what_is_hot_and_nothing_else() -> None:
    image = np.full((8, 8), 128, np.uint8)
    heat = np.zeros((8, 8), np.float32)
    heat[2, 3] = 1
    laid = pictures.overlay(image, heat)
    assert laid.shape == (8, 8, 3)
    assert (laid[heat == 0] == 128).all()
    red, green, blue = laid[2, 3].astype(int)
    assert min(red, green) > 190  # the light yellow end of the colours, as RGB
    assert blue < 160
    np.testing.assert_array_equal(pictures.overlay(np.repeat(image[..., None], 3, axis=2), heat), laid)
    with pytest.raises(InputError, match="allowed: one size"):
        pictures.overlay(image, heat[1:])
