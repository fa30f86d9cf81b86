from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ravdess_mm.config import CnnSettings, Crop
from ravdess_mm.corpus.splits import Fold
from ravdess_mm.errors import MediaError
from ravdess_mm.video import frames as frames_module
from ravdess_mm.video.appending import Appender, TakeFrames
from ravdess_mm.video.arriving import ArrivalError, ArrivingFrames, announce, build_while
from ravdess_mm.video.decode import iter_frames, list_frames
from ravdess_mm.video.frames import FrameStore, build_frame_store
from ravdess_mm.video.planning import plan_takes
from tests.video.test_frames import TAKES, bytes_of, catalog_of

BACKWARDS = tuple(reversed(TAKES))


@pytest.fixture
def clips(make_video) -> pd.DataFrame:
    return catalog_of([make_video(f"01-{take}.mp4", 25 + n, seed=n) for n, take in enumerate(TAKES)])


@pytest.mark.parametrize("step", [1, 7, 10])
def test_containers_say_which_frames_come(make_video, clips: pd.DataFrame, step: int) -> None:
    varying = make_video("v.mp4", 12, times=[0, 1, 3, 6, 7, 8, 12, 20, 21, 30, 31, 40])
    for path in (*clips["path"], varying):
        expected = [(frame.number, frame.time_s) for frame in iter_frames(path, frame_step=step)]
        assert list_frames(path, frame_step=step) == expected


def test_a_truncated_clip_is_not_announced(make_video, tmp_path: Path) -> None:
    whole = make_video("01-01-01-01-01-01-01.avi", 30, codec="mjpeg", pix_fmt="yuvj420p").read_bytes()
    (tmp_path / "cut.avi").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(MediaError):
        list_frames(tmp_path / "cut.avi", frame_step=1)


def test_announced_is_what_decoding_gives(clips: pd.DataFrame, tmp_path: Path) -> None:
    Path(clips["path"][1]).write_bytes(b"")
    build_frame_store(clips, tmp_path / "s", frame_step=10, jobs=1)
    plans = plan_takes(clips, frame_step=10, crop=Crop.NONE)
    assert announce(plans, frame_step=10, crop=Crop.NONE) == list(FrameStore.open(tmp_path / "s").takes)


def test_work_reads_what_the_store_will_hold_in_any_order(clips: pd.DataFrame, tmp_path: Path) -> None:
    build_frame_store(clips, tmp_path / "plain", frame_step=10, jobs=1)
    plain = FrameStore.open(tmp_path / "plain")
    seen: list[np.ndarray] = []

    def work(store: FrameStore) -> None:
        assert isinstance(store, ArrivingFrames)
        assert store.fingerprint == plain.fingerprint
        pd.testing.assert_frame_equal(store.index, plain.index)
        seen.append(store.read([11, 0, 7, 7]))

    built = build_while(clips, tmp_path / "s", first_needed=lambda store: BACKWARDS, work=work, frame_step=10, jobs=2)
    np.testing.assert_array_equal(seen[0], plain.read([11, 0, 7, 7]))
    assert (built.n_computed, built.n_frames) == (4, 12)
    assert bytes_of(tmp_path / "s") == bytes_of(tmp_path / "plain")
    again = build_while(clips, tmp_path / "s", first_needed=lambda store: TAKES, work=_never, frame_step=10, jobs=1)
    assert again.n_computed == 0


def test_work_goes_on_while_a_clip_is_still_being_decoded(
    clips: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read, order = threading.Event(), []
    decode = frames_module._decode_take

    def slowly(plan, **options):
        if plan.take == TAKES[0]:
            assert read.wait(60), "the work never got the frames that were there"
        order.append(plan.take)
        return decode(plan, **options)

    def work(store: FrameStore) -> None:
        last = np.flatnonzero(store.index["take"] == TAKES[-1])
        assert store.read(last).any()
        read.set()
        assert store.read([0]).any()

    monkeypatch.setattr(frames_module, "_decode_take", slowly)
    build_while(clips, tmp_path / "s", first_needed=lambda store: BACKWARDS, work=work, frame_step=10, jobs=1)
    assert order == list(BACKWARDS)


def test_a_clip_that_breaks_its_word_gives_up_the_work_and_not_the_store(
    video_tools, clips: pd.DataFrame, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    ends_black = np.full((30, 48, 64), 128, np.uint8)
    ends_black[15:] = 0
    black = video_tools.write_video(tmp_path / "black.mp4", ends_black)
    clips.loc[2, ["path", "sha256"]] = [str(black), "other"]
    build_frame_store(clips, tmp_path / "plain", frame_step=10, jobs=1)
    caplog.set_level("INFO", logger="ravdess_mm")

    def work(store: FrameStore) -> None:
        for row in range(store.n_frames):
            store.read([row])

    build_while(clips, tmp_path / "s", first_needed=lambda store: TAKES, work=work, frame_step=10, jobs=1)
    assert bytes_of(tmp_path / "s") == bytes_of(tmp_path / "plain")
    assert f"take {TAKES[2]} has other frames than its container says" in caplog.text


def test_a_face_that_was_carried_over_a_frame_keeps_the_word(tmp_path: Path) -> None:
    told = TakeFrames(TAKES[0], tried=("clip",), numbers=(0, 10), times_s=(0.0, 0.4), faces=("found", "found"))
    came = replace(told, faces=("found", "carried"))
    pictures = np.arange(2, dtype=np.uint8)[:, None, None] * np.ones((256, 256), np.uint8)
    with Appender(tmp_path, 256) as appender:
        appender.append(came, pictures)
    for found, refusal in (
        (came, None),
        (replace(came, times_s=(0.0, 0.5)), "has other frames than its container says"),
        (replace(came, tried=("clip", "clip 2")), "has other frames than its container says"),
    ):
        store = ArrivingFrames(tmp_path, frame_step=10, crop=Crop.FACE, takes=[told])
        store.arrived(found)
        assert (store.refusal is None) == (refusal is None)
        if refusal is None:
            np.testing.assert_array_equal(store.read([1, 0]), pictures[::-1])
        else:
            with pytest.raises(ArrivalError, match=refusal):
                store.read([0])
        store.close()


def test_the_works_own_error_is_raised_and_what_was_decoded_is_kept(
    clips: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    decode, failed, decoded = frames_module._decode_take, threading.Event(), []

    def counted(plan, **options):
        if len(decoded) == 2:
            failed.wait(60)
        decoded.append(plan.take)
        return decode(plan, **options)

    def work(store: FrameStore) -> None:
        store.read(np.flatnonzero(store.index["take"] == TAKES[1]))
        failed.set()
        raise ZeroDivisionError

    monkeypatch.setattr(frames_module, "_decode_take", counted)
    options = {"first_needed": lambda store: TAKES, "frame_step": 10, "jobs": 1}
    with pytest.raises(ZeroDivisionError):
        build_while(clips, tmp_path / "s", work=work, **options)
    assert len(decoded) < 4
    build_while(clips, tmp_path / "s", work=lambda store: None, **options)
    assert sorted(decoded) == sorted(TAKES)
    assert FrameStore.open(tmp_path / "s").n_frames == 12
    assert not (tmp_path / "s" / "ahead").exists()


def test_an_error_of_the_filling_reaches_who_waits(
    clips: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(plan, **options):
        raise OSError(28, "No space left on device")

    def work(store: FrameStore) -> None:
        with pytest.raises(ArrivalError, match="No space left on device"):
            store.read([0])
        raise ArrivalError

    monkeypatch.setattr(frames_module, "_decode_take", full)
    with pytest.raises(OSError, match="No space left on device"):
        build_while(clips, tmp_path / "s", first_needed=lambda store: TAKES, work=work, frame_step=10, jobs=1)


def test_where_nothing_is_needed_the_store_is_filled_all_the_same(clips: pd.DataFrame, tmp_path: Path) -> None:
    built = build_while(clips, tmp_path / "s", first_needed=lambda store: [], work=_never, frame_step=10, jobs=1)
    assert built.n_frames == FrameStore.open(tmp_path / "s").n_frames == 12


def test_a_killed_build_keeps_what_had_arrived(clips: pd.DataFrame, tmp_path: Path) -> None:
    clips.to_parquet(tmp_path / "clips.parquet")
    script = tmp_path / "build.py"
    script.write_text(
        "import sys, time\n"
        "from ravdess_mm.store import read_table\n"
        "from ravdess_mm.video.arriving import build_while\n"
        "def work(store):\n"
        "    store.read([0, 3])\n"
        "    print('two are there', flush=True)\n"
        "    time.sleep(60)\n"
        f"clips = read_table({str(tmp_path / 'clips.parquet')!r})\n"
        f"build_while(clips, {str(tmp_path / 's')!r}, first_needed=lambda s: list(s.index['take'].unique()),"
        " work=work, frame_step=10, jobs=1)\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    with subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, env=environment, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "two are there\n"
        time.sleep(0.2)
        process.send_signal(signal.SIGKILL)
    assert (tmp_path / "s" / "ahead").is_dir()
    shutil.copytree(tmp_path / "s", tmp_path / "other")
    seen = []
    built = build_while(
        clips,
        tmp_path / "s",
        first_needed=lambda store: TAKES,
        work=lambda store: seen.append(store.read(range(12))),
        frame_step=10,
        jobs=1,
    )
    assert built.n_computed <= 2
    build_frame_store(clips, tmp_path / "plain", frame_step=10, jobs=1)
    np.testing.assert_array_equal(seen[0], FrameStore.open(tmp_path / "plain").frames)
    assert bytes_of(tmp_path / "s") == bytes_of(tmp_path / "plain")
    build_frame_store(clips, tmp_path / "other", frame_step=10, jobs=1)
    assert not (tmp_path / "other" / "ahead").exists()


@pytest.mark.slow
def test_a_network_learns_the_same_from_frames_that_arrive(tmp_path: Path, make_video) -> None:
    from ravdess_mm.video.training import run_network, takes_by_first_use

    names = [f"01-01-0{emotion}-01-01-01-0{actor}" for emotion in (3, 5) for actor in (1, 2, 3)]
    clips = catalog_of([make_video(f"{name}.mp4", 8, seed=n) for n, name in enumerate(names)])
    settings = CnnSettings(epochs=2, steps_per_epoch=2, batch_size=6, validation_share=0.3, patience=3)
    folds = [Fold(-1, (1, 2), (3,))]
    build_frame_store(clips, tmp_path / "plain", frame_step=2, jobs=1)
    plain = FrameStore.open(tmp_path / "plain")
    expected = run_network(plain, folds, settings=settings, seed=3, folder=tmp_path / "m")
    needed = takes_by_first_use(plain, folds, settings=settings, seed=3)
    assert sorted(needed) == sorted(name[3:] for name in names)
    assert needed[-1][-2:] != needed[0][-2:]
    runs = []
    build_while(
        clips,
        tmp_path / "s",
        first_needed=lambda store: takes_by_first_use(store, folds, settings=settings, seed=3),
        work=lambda store: runs.append(run_network(store, folds, settings=settings, seed=3, folder=tmp_path / "a")),
        frame_step=2,
        jobs=1,
    )
    pd.testing.assert_frame_equal(runs[0].predictions, expected.predictions)
    pd.testing.assert_frame_equal(runs[0].frame_predictions, expected.frame_predictions)
    card = (tmp_path / "a" / "holdout" / "bundle.json").stat().st_mtime_ns
    run_network(FrameStore.open(tmp_path / "s"), folds, settings=settings, seed=3, folder=tmp_path / "a")
    assert (tmp_path / "a" / "holdout" / "bundle.json").stat().st_mtime_ns == card


def _never(store: FrameStore) -> None:
    raise AssertionError("there is nothing to wait for")
