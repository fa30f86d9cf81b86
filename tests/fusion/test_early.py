from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pandas as pd
import pytest

from ravdess_mm.errors import InputError
from ravdess_mm.fusion.early import join_features, pooled_frames
from ravdess_mm.video.frames import FrameStore, build_frame_store

TAKES = [f"01-0{emotion}-01-01-01-0{actor}" for actor in (1, 2) for emotion in (3, 4)]


def features(takes: list[str], *, start: float) -> pd.DataFrame:
    table = pd.DataFrame({"take": takes, "actor": [int(take[-2:]) for take in takes]})
    table["emotion"] = ["happy" if take[4] == "3" else "sad" for take in takes]
    return table.assign(level=start + np.arange(len(takes)))


def test_rows_of_both_branches_meet_by_take() -> None:
    voice, face = features(TAKES, start=0), features(TAKES[::-1][:3], start=10)
    joined = join_features(voice, face)
    assert list(joined.columns) == ["take", "actor", "emotion", "voice_level", "face_level"]
    assert joined["take"].tolist() == [TAKES[2], TAKES[1], TAKES[3]]
    assert joined["voice_level"].tolist() == [2, 1, 3]
    assert joined["face_level"].tolist() == [11, 12, 10]


def test_the_smaller_table_is_repeated_until_both_weigh_alike() -> None:
    voice = features(TAKES, start=0).assign(**{f"f{place}": float(place) for place in range(6)})
    joined = join_features(voice, features(TAKES, start=10).assign(smile=1.5))
    assert [name for name in joined.columns if name.startswith("face")] == [
        f"face_{name}{end}" for end in ("", "_2", "_3", "_4") for name in ("level", "smile")
    ]
    assert (joined["face_level"] == joined["face_level_4"]).all()
    assert len([name for name in joined.columns if name.startswith("voice")]) == 7


def test_nothing_in_common_and_contradictions_are_refused() -> None:
    with pytest.raises(InputError, match="no take has features of both"):
        join_features(features(TAKES[:2], start=0), features(TAKES[2:], start=0))
    wrong = features(TAKES, start=0).assign(emotion="calm")
    with pytest.raises(InputError, match=f"take {TAKES[0]}: voice and face disagree"):
        join_features(features(TAKES, start=0), wrong)


def test_frames_are_pooled_over_space_and_time(tmp_path: Path) -> None:
    # upper half white, lower half black, and the other way round in the second frame
    image = np.zeros((256, 256), dtype=np.uint8)
    image[:128] = 255
    path = tmp_path / "02-01-03-01-01-01-01.avi"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=10)
        stream.height, stream.width, stream.pix_fmt = 256, 256, "gray"
        for one in (image, 255 - image):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(one, format="gray")))
        container.mux(stream.encode())
    clips = pd.DataFrame(
        [
            {
                "path": str(path),
                "take": "01-03-01-01-01-01",
                "sha256": "0" * 64,
                "modality": "video-only",
                "has_video": True,
                "face": True,
            }
        ]
    )
    build_frame_store(clips, tmp_path / "frames", frame_step=1, jobs=1)
    table = pooled_frames(FrameStore.open(tmp_path / "frames"))
    assert table.loc[0, ["take", "actor", "emotion"]].tolist() == ["01-03-01-01-01-01", 1, "happy"]
    assert table.shape == (1, 3 + 2 * 256)
    numbers = table.drop(columns=["take", "actor", "emotion"]).iloc[0]
    np.testing.assert_allclose(numbers, 0.5, atol=0.02)
    assert {"mean_00_00", "std_15_15"} <= set(numbers.index)
