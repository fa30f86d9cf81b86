from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ravdess_mm import extras
from ravdess_mm.config import Crop, FaceDetector
from ravdess_mm.errors import InputError
from ravdess_mm.store import hash_file
from ravdess_mm.video import faces
from ravdess_mm.video.decoding.frames import iter_frames
from ravdess_mm.video.faces import Box, FaceStatus, crop_face
from ravdess_mm.video.frame_store import planning
from ravdess_mm.video.frame_store.sampling import FACE_MARGIN, sample_frames
from ravdess_mm.video.frame_store.store import FrameStore, build_frame_store

BOX = Box(20, 10, 24, 24)


def scripted(*found: bool):  # type: ignore[no-untyped-def]
    answers = iter(found)
    return lambda image: [BOX] if next(answers) else []


def catalog(paths: list[Path]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "path": [str(path) for path in paths],
            "take": [path.stem[3:] for path in paths],
            "modality": ["full-av" if path.stem.startswith("01") else "video-only" for path in paths],
            "sha256": [hash_file(path) for path in paths],
            "has_video": True,
            "face": [path.stem.startswith("01") for path in paths],
        }
    )


def test_each_frame_is_cut_around_its_face_or_has_no_picture(make_video) -> None:
    path = make_video("a.mp4", 51)
    detector = scripted(False, True, False, False, False, True)
    frames = list(sample_frames(path, frame_step=10, crop=Crop.FACE, detector=detector))
    assert [frame.face and frame.face.value for frame in frames] == [
        "none", "found", "carried", "carried", "none", "found",
    ]  # fmt: skip
    assert [frame.number for frame in frames] == [0, 10, 20, 30, 40, 50]
    assert [frame.image is None for frame in frames] == [frame.face is FaceStatus.NONE for frame in frames]
    whole = list(iter_frames(path, frame_step=10))
    expected = crop_face(whole[2].image, BOX, margin=FACE_MARGIN, size_px=256)
    np.testing.assert_array_equal(frames[2].image, expected)
    plain = list(sample_frames(path, frame_step=10, crop=Crop.NONE))
    assert {frame.face for frame in plain} == {None}
    assert all(frame.image is not None for frame in plain)


def test_the_store_keeps_how_each_face_was_come_by(make_video, tmp_path: Path, monkeypatch) -> None:
    takes = ("01-01-01-01-01-01", "01-03-01-01-01-02", "01-05-02-01-01-03")
    paths = [make_video(f"01-{take}.mp4", 30, seed=n) for n, take in enumerate(takes)]
    paths.append(make_video(f"02-{takes[1]}.mp4", 30, seed=9))
    # the second take has no face in its first clip, but in the other; the third has none at all
    detector = scripted(False, True, False, *[False] * 3, True, True, True, *[False] * 3)
    monkeypatch.setattr(faces, "_haar", lambda **_: detector)
    built = build_frame_store(catalog(paths), tmp_path / "s", frame_step=10, crop=Crop.FACE, jobs=1)
    store = FrameStore.open(tmp_path / "s")
    assert store.index["take"].tolist() == [takes[0]] * 2 + [takes[1]] * 3
    assert store.index["face"].tolist() == ["found", "carried", "found", "found", "found"]
    assert store.index["frame_number"].tolist() == [10, 20, 0, 10, 20]
    assert len(store.frames) == 5
    reason = "no face was found in any of its 3 sampled frames"
    assert built.rejected.to_dict("records") == [
        {"path": str(path), "reason": reason, "stage": "video"} for path in sorted((paths[1], paths[2]))
    ]
    again = build_frame_store(catalog(paths), tmp_path / "s", frame_step=10, crop=Crop.FACE, jobs=1)
    assert again.n_computed == 0
    assert again.rejected.equals(built.rejected)
    whole = build_frame_store(catalog(paths), tmp_path / "s", frame_step=10, crop=Crop.NONE, jobs=1)
    assert whole.n_computed == 3
    assert set(FrameStore.open(tmp_path / "s").index["face"]) == {""}


def test_the_detector_is_part_of_what_the_frames_are(make_video, tmp_path: Path, monkeypatch) -> None:
    clips = catalog([make_video("01-01-01-01-01-01-01.mp4", 30)])
    clips["face"] = True
    build = partial(build_frame_store, clips, tmp_path / "s", frame_step=10, jobs=1)
    monkeypatch.setattr(extras, "find_spec", lambda name: None)
    with pytest.raises(InputError, match="needs mtcnn"):
        build(crop=Crop.FACE, detector=FaceDetector.MTCNN)
    assert not (tmp_path / "s").exists()
    monkeypatch.setattr(extras, "find_spec", lambda name: name)
    monkeypatch.setattr(planning, "version", lambda name: "1")
    monkeypatch.setattr(faces, "_haar", lambda **_: lambda image: [BOX])
    monkeypatch.setattr(faces, "_mtcnn", lambda: lambda image: [Box(0, 0, 40, 40)])
    assert build(crop=Crop.FACE).n_computed == 1
    by_haar = FrameStore.open(tmp_path / "s")
    first = np.array(by_haar.frames)
    assert build(crop=Crop.FACE, detector=FaceDetector.MTCNN).n_computed == 1
    by_mtcnn = FrameStore.open(tmp_path / "s")
    assert (by_haar.detector, by_mtcnn.detector) == (FaceDetector.HAAR, FaceDetector.MTCNN)
    assert (first != by_mtcnn.frames).any()
    assert build(crop=Crop.NONE).n_computed == 1
    assert build(crop=Crop.NONE, detector=FaceDetector.MTCNN).n_computed == 0  # nothing is searched there


def test_black_padding_has_neither_picture_nor_status(video_tools, tmp_path: Path) -> None:
    pictures = video_tools.moving_pictures(12)
    pictures[7:] = 0
    path = video_tools.write_video(tmp_path / "a.avi", pictures, codec="mjpeg", pix_fmt="yuvj420p")
    frames = list(sample_frames(path, frame_step=2, crop=Crop.FACE, detector=lambda image: [BOX]))
    assert [frame.number for frame in frames] == [0, 2, 4, 6]


@pytest.mark.real
def test_originals_and_face_clips_show_a_face_in_every_sampled_frame(real_data: Path) -> None:
    originals = sorted((real_data / "ravdess" / "speech_video").rglob("*.mp4"))[:2]
    cut = sorted((real_data / "ravdess" / "face_clips").rglob("*.avi"))[::40]
    for path in originals + cut:
        frames = list(sample_frames(path, frame_step=20 if path.suffix == ".mp4" else 5, crop=Crop.FACE))
        assert {frame.face for frame in frames} == {FaceStatus.FOUND}
        assert len(frames) >= 3
