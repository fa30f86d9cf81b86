from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ravdess_mm.errors import InputError
from ravdess_mm.store import hash_file
from ravdess_mm.video.decoding.frames import iter_frames
from ravdess_mm.video.decoding.gray import resize_area
from ravdess_mm.video.frame_store.store import FrameStore, build_frame_store

TAKES = ("01-01-01-01-01-01", "01-03-01-01-01-02", "01-05-02-01-01-03", "01-08-01-02-01-04")


def catalog_of(paths: list[Path], *, face: list[bool] | None = None) -> pd.DataFrame:
    names = [path.stem for path in paths]
    return pd.DataFrame(
        {
            "path": [str(path) for path in paths],
            "take": [name[3:] for name in names],
            "modality": [{"01": "full-av", "02": "video-only"}[name[:2]] for name in names],
            "sha256": [hash_file(path) for path in paths],
            "has_video": True,
            "face": face or [True] * len(paths),
        }
    )


@pytest.fixture
def clips(make_video) -> pd.DataFrame:
    return catalog_of([make_video(f"01-{take}.mp4", 25 + n, seed=n) for n, take in enumerate(TAKES)])


def bytes_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.name != ".lock"}


def test_store_holds_the_decoded_frames(clips: pd.DataFrame, tmp_path: Path) -> None:
    built = build_frame_store(clips, tmp_path / "s", frame_step=10, jobs=1)
    store = FrameStore.open(tmp_path / "s")
    assert built.n_frames == store.n_frames == store.frames.shape[0] == len(store.index) == 12
    assert built.n_computed == 4
    assert built.rejected.empty
    assert list(built.rejected.columns) == ["path", "reason", "stage"]
    assert store.frames.shape[1:] == (256, 256)
    assert not store.frames.flags.writeable
    assert list(store.index.columns) == ["take", "actor", "emotion", "frame_number", "time_s", "face"]
    assert set(store.index["face"]) == {""}
    assert store.index["take"].tolist() == [take for take in TAKES for _ in range(3)]
    assert store.index["frame_number"].tolist() == [0, 10, 20] * 4
    assert store.index.loc[3, ["actor", "emotion"]].tolist() == [2, "happy"]
    expected = [resize_area(f.image, 256) for f in iter_frames(clips["path"][2], frame_step=10)]
    np.testing.assert_array_equal(store.frames[6:9], expected)
    np.testing.assert_array_equal(store.read([11, 0, 7]), store.frames[[11, 0, 7]])
    with pytest.raises(IndexError, match="row 12 is out of range; the store has 12 frames"):
        store.read([12])


def test_same_bytes_whatever_the_jobs_and_the_order(clips: pd.DataFrame, tmp_path: Path) -> None:
    build_frame_store(clips, tmp_path / "one", frame_step=10, jobs=1)
    build_frame_store(clips.iloc[::-1].reset_index(drop=True), tmp_path / "two", frame_step=10, jobs=2)
    assert bytes_of(tmp_path / "one") == bytes_of(tmp_path / "two")


def test_only_what_is_new_is_decoded(clips: pd.DataFrame, tmp_path: Path) -> None:
    build_frame_store(clips, tmp_path / "whole", frame_step=10, jobs=1)
    build_frame_store(clips.drop(index=1), tmp_path / "s", frame_step=10, jobs=1)
    built = build_frame_store(clips, tmp_path / "s", frame_step=10, jobs=1)
    assert built.n_computed == 1
    assert bytes_of(tmp_path / "s") == bytes_of(tmp_path / "whole")
    before = FrameStore.open(tmp_path / "s").frames_path.stat().st_mtime_ns
    assert build_frame_store(clips, tmp_path / "s", frame_step=10, jobs=1).n_computed == 0
    assert FrameStore.open(tmp_path / "s").frames_path.stat().st_mtime_ns == before
    assert build_frame_store(clips, tmp_path / "s", frame_step=20, jobs=1).n_computed == 4
    assert FrameStore.open(tmp_path / "s").n_frames == 8


def test_changed_file_is_decoded_again(clips: pd.DataFrame, make_video, tmp_path: Path) -> None:
    build_frame_store(clips, tmp_path / "s", frame_step=10, jobs=1)
    path = make_video(f"01-{TAKES[2]}.mp4", 30, seed=99)
    clips.loc[2, "sha256"] = hash_file(path)
    assert build_frame_store(clips, tmp_path / "s", frame_step=10, jobs=1).n_computed == 1
    first = next(iter_frames(path, frame_step=10)).image
    np.testing.assert_array_equal(FrameStore.open(tmp_path / "s").frames[6], resize_area(first, 256))


def test_bad_clip_costs_itself_and_another_clip_of_the_take_steps_in(make_video, tmp_path: Path) -> None:
    paths = [make_video(f"{modality}-{TAKES[0]}.mp4", 25, seed=3) for modality in ("01", "02")]
    lonely = make_video(f"01-{TAKES[1]}.mp4", 25)
    for path in (paths[0], lonely):
        path.write_bytes(path.read_bytes()[:1500])
    clips = catalog_of([*paths, lonely], face=[True, False, True])
    for _ in range(2):  # the second build remembers the failures
        built = build_frame_store(clips, tmp_path / "s", frame_step=10, jobs=1)
        assert built.rejected["path"].tolist() == sorted(map(str, (paths[0], lonely)))
        assert built.rejected["reason"].str.contains("cannot be read as video").all()
        assert set(built.rejected["stage"]) == {"video"}
        assert FrameStore.open(tmp_path / "s").index["take"].tolist() == [TAKES[0]] * 3
    assert built.n_computed == 0


def test_takes_without_a_face_clip_are_left_alone(clips: pd.DataFrame, tmp_path: Path) -> None:
    clips["face"] = [True, False, False, True]
    build_frame_store(clips, tmp_path / "s", frame_step=10, jobs=1)
    assert FrameStore.open(tmp_path / "s").index["take"].unique().tolist() == [TAKES[0], TAKES[3]]


def test_no_clip_at_all_makes_an_empty_store(clips: pd.DataFrame, tmp_path: Path) -> None:
    assert build_frame_store(clips.iloc[:0], tmp_path / "s", frame_step=10).n_frames == 0
    store = FrameStore.open(tmp_path / "s")
    assert store.frames.shape == (0, 256, 256)
    assert store.index.empty


@pytest.mark.parametrize("cut", [0, 70_000])
def test_killed_build_goes_on_where_it_stopped(clips: pd.DataFrame, tmp_path: Path, cut: int) -> None:
    catalog = tmp_path / "clips.parquet"
    clips.to_parquet(catalog)
    script = (
        "import os, signal, sys\n"
        "from ravdess_mm.store import read_table\n"
        "from ravdess_mm.video.frame_store import appending; from ravdess_mm.video.frame_store import store as frames\n"
        "append = appending.Appender.append\n"
        "def kill_at_third(self, found, images):\n"
        "    if len(self.takes) == 2: os.kill(os.getpid(), signal.SIGKILL)\n"
        "    append(self, found, images)\n"
        "appending.Appender.append = kill_at_third\n"
        "frames.build_frame_store(read_table(sys.argv[1]), sys.argv[2], frame_step=10, jobs=1)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(catalog), str(tmp_path / "s")],
        stderr=subprocess.DEVNULL,
        check=False,
    )
    assert done.returncode == -signal.SIGKILL
    with pytest.raises(InputError, match=r"store\.json: no such file"):
        FrameStore.open(tmp_path / "s")
    if cut:  # as if the second take's frames had not reached the disk
        building = tmp_path / "s" / "building.npy"
        os.truncate(building, building.stat().st_size - cut)
    built = build_frame_store(clips, tmp_path / "s", frame_step=10, jobs=1)
    assert built.n_computed == (3 if cut else 2)
    build_frame_store(clips, tmp_path / "whole", frame_step=10, jobs=1)
    assert bytes_of(tmp_path / "s") == bytes_of(tmp_path / "whole")


def test_damaged_store_is_refused_and_built_anew(clips: pd.DataFrame, tmp_path: Path) -> None:
    build_frame_store(clips, tmp_path / "s", frame_step=10, jobs=1)
    frames_path = FrameStore.open(tmp_path / "s").frames_path
    os.truncate(frames_path, 1000)
    with pytest.raises(InputError, match="the frame store is damaged; build it again"):
        FrameStore.open(tmp_path / "s")
    assert build_frame_store(clips, tmp_path / "s", frame_step=10, jobs=1).n_computed == 4
    frames_path.unlink()
    with pytest.raises(InputError, match="not complete; build it again"):
        FrameStore.open(tmp_path / "s")
    (tmp_path / "s" / "store.json").write_text("{}")
    with pytest.raises(InputError, match="not a frame store of schema 'frames/2'"):
        FrameStore.open(tmp_path / "s")


def test_wrong_options_are_refused(clips: pd.DataFrame, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="frame_step is 0; allowed: 1 or more"):
        build_frame_store(clips, tmp_path / "s", frame_step=0)
