from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from ravdess_mm.bundles.pretrained import need_pretrained
from ravdess_mm.corpus.identifier import EMOTIONS, Emotion
from ravdess_mm.errors import InputError, MediaError
from ravdess_mm.predictions import PROBABILITIES
from ravdess_mm.sample.face import EXPRESSIONS, draw_person, look
from ravdess_mm.video.decoding.gray import as_gray
from ravdess_mm.video.embeddings import load_embedder
from ravdess_mm.video.face_emotions import BOX_COLUMNS, COLUMNS, FaceEmotions
from ravdess_mm.video.faces import find_faces
from ravdess_mm.video.frame_store.sampling import cut_face


def face(size: int, emotion: Emotion = Emotion.HAPPY) -> np.ndarray:
    drawn = draw_person(look(4), EXPRESSIONS[emotion])
    return cv2.resize(drawn, (size, size), interpolation=cv2.INTER_AREA)


def wall(*faces: tuple[int, int, np.ndarray]) -> np.ndarray:
    picture = np.full((360, 640), 190, dtype=np.uint8)
    for x, y, drawn in faces:
        picture[y : y + len(drawn), x : x + len(drawn)] = drawn
    return picture


TWO = wall((20, 40, face(120, Emotion.SAD)), (300, 30, face(300)))


@pytest.fixture(scope="module")
def faces() -> FaceEmotions:
    return FaceEmotions(detector="haar")


def test_every_face_has_a_box_and_eight_probabilities_the_biggest_first(faces: FaceEmotions) -> None:
    found = faces.detect_emotions(TWO)
    assert [set(one) for one in found] == [{"box", "emotions"}] * 2
    for one in found:
        x, y, width, height = one["box"]
        assert all(isinstance(value, int) for value in one["box"])
        assert 0 <= x < x + width <= 640
        assert 0 <= y < y + height <= 360
        assert tuple(one["emotions"]) == EMOTIONS
        assert sum(one["emotions"].values()) == pytest.approx(1)
        assert min(one["emotions"].values()) >= 0
    assert found[0]["box"][2] > 1.5 * found[1]["box"][2]
    assert found[0]["box"][0] > 300 > found[1]["box"][0]


def test_the_answer_is_that_of_the_network_that_ships_for_the_face_that_is_cut_out(faces: FaceEmotions) -> None:
    picture = wall((100, 20, face(320)))
    (found,) = find_faces([picture])
    assert found.box is not None
    embedder = load_embedder(need_pretrained("face-compact"))
    expected = embedder.zero_shot(embedder.describe(cut_face(picture, found.box)[None]))[0]
    (one,) = faces.detect_emotions(picture)
    np.testing.assert_allclose(list(one["emotions"].values()), expected, atol=1e-6)
    label, probability = faces.top_emotion(picture)
    assert (label, probability) == (EMOTIONS[expected.argmax()], pytest.approx(expected.max(), abs=1e-6))


def test_colour_gray_and_files_are_the_same_picture(faces: FaceEmotions, tmp_path: Path) -> None:
    gray = faces.detect_emotions(TWO)
    assert faces.detect_emotions(cv2.cvtColor(TWO, cv2.COLOR_GRAY2BGR)) == gray
    assert faces.detect_emotions(TWO[:, :, None]) == gray
    path = tmp_path / "Zwei Gesichter ä.png"
    path.write_bytes(cv2.imencode(".png", TWO)[1].tobytes())
    assert faces.detect_emotions(path) == faces.detect_emotions(str(path)) == gray
    bgr = np.array([[[255, 0, 0], [0, 0, 255]]], dtype=np.uint8)
    assert as_gray(bgr).tolist() == [[29, 76]]  # blue counts 0.114, red 0.299


def test_without_a_face_there_is_nothing(faces: FaceEmotions, tmp_path: Path) -> None:
    for picture in (np.zeros((90, 160, 3), np.uint8), np.full((1, 1), 7, np.uint8)):
        assert faces.detect_emotions(picture) == []
        assert faces.top_emotion(picture) == (None, None)


def test_what_is_no_picture_is_refused_in_one_line(faces: FaceEmotions, tmp_path: Path) -> None:
    for shape, dtype in (((4, 4, 3), float), ((4, 4, 2), np.uint8), ((0, 4), np.uint8), ((4,), np.uint8)):
        with pytest.raises(InputError, match=r"allowed: uint8 of shape \(height, width, 3\) in the order BGR"):
            faces.detect_emotions(np.zeros(shape, dtype))
    with pytest.raises(InputError, match="an image is a list; allowed"):
        faces.detect_emotions([[1, 2]])  # type: ignore[arg-type]
    (tmp_path / "notes.jpg").write_text("no picture")
    for name in ("notes.jpg", "none.png"):
        with pytest.raises(InputError, match=rf"{name}: not a picture that can be read \([^\n]+\)$"):
            faces.detect_emotions(tmp_path / name)
        with pytest.raises(MediaError, match=rf"{name}: [^\n]+$"):
            faces.analyze_video(tmp_path / name)
    with pytest.raises(InputError, match="frame_step is 0"):
        faces.analyze_video(tmp_path / "none.mp4", frame_step=0)
    with pytest.raises(InputError, match="face detector 'dlib' is unknown; allowed: haar, mtcnn"):
        FaceEmotions(detector="dlib")


def test_every_frame_of_a_film_has_its_row(faces: FaceEmotions, video_tools, tmp_path: Path) -> None:
    frames = [TWO, wall(), wall((100, 20, face(320))), np.zeros_like(TWO)] * 3
    path = video_tools.write_video(tmp_path / "a.avi", np.stack(frames), codec="ffv1", pix_fmt="gray")
    table = faces.analyze_video(path)
    assert tuple(table.columns) == COLUMNS
    assert table["frame"].tolist() == [frame for n in range(0, 12, 4) for frame in (n, n, n + 1, n + 2, n + 3)]
    assert table["face"].tolist() == [0, 1, -1, 0, -1] * 3
    np.testing.assert_allclose(table["time_s"], table["frame"] / 30, atol=1e-6)
    there = table["face"] >= 0
    values = [*BOX_COLUMNS, *PROBABILITIES]
    assert table.loc[there, values].notna().all(axis=None)
    assert table.loc[~there, values].isna().all(axis=None)
    np.testing.assert_allclose(table.loc[there, list(PROBABILITIES)].sum(axis=1), 1)
    for row, one in zip(table[:2].to_dict("records"), faces.detect_emotions(TWO), strict=True):
        assert tuple(row[name] for name in BOX_COLUMNS) == one["box"]
        np.testing.assert_allclose([row[name] for name in PROBABILITIES], list(one["emotions"].values()), atol=1e-5)
    some = faces.analyze_video(path, frame_step=2)
    assert some["frame"].tolist() == [0, 0, 2, 4, 4, 6, 8, 8, 10]


def test_a_film_without_any_face_is_a_table_all_the_same(faces: FaceEmotions, make_video) -> None:
    table = faces.analyze_video(make_video("a.mp4", 5))
    assert table["face"].tolist() == [-1] * 5
    assert table[list(PROBABILITIES)].isna().all(axis=None)


def test_it_answers_without_tensorflow_and_without_classifiers() -> None:
    code = (
        "import sys, numpy as np\n"
        "from ravdess_mm.video.face_emotions import FaceEmotions\n"
        "from ravdess_mm.video import face_emotions\n"
        "faces = FaceEmotions()\n"
        "assert faces._answer([np.zeros((256, 256), np.uint8)]).shape == (1, 8)\n"
        "heavy = ('tensorflow', 'keras', 'sklearn', 'xgboost', 'librosa')\n"
        "ours = ('ravdess_mm.classifiers', 'ravdess_mm.fusion', 'ravdess_mm.report', 'ravdess_mm.evaluation')\n"
        "print([name for name in sys.modules if name in heavy or name.startswith(ours)])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
