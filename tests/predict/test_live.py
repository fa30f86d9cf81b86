"""Live: the newest picture and the last words count; what fails is said, and the other goes on."""

from __future__ import annotations

import csv
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from ravdess_mm.cli.live import line_of
from ravdess_mm.cli.main import app
from ravdess_mm.corpus.identifier import EMOTIONS
from ravdess_mm.errors import InputError
from ravdess_mm.predict import live_sources
from ravdess_mm.predict.live import FADE_S, FORGOTTEN_S, LiveSession
from ravdess_mm.predict.live_sources import GONE_S, HELD_S, LatestFrame, LiveSources, RecentSound
from ravdess_mm.predict.predictor import PRETRAINED_DIR, Predictor
from ravdess_mm.video.decoding.frames import GrayFrame


class Camera:
    """Gives some pictures and then none."""

    def __init__(self, n_frames: int, level: int) -> None:
        self.left, self.level = n_frames, level

    def isOpened(self) -> bool:  # noqa: N802 - OpenCV's own name
        return self.left > 0

    def read(self) -> tuple[bool, Any]:
        time.sleep(0.02)
        self.left -= 1
        return self.left >= 0, np.full((90, 120, 3), self.level, np.uint8)

    def release(self) -> None: ...


class Microphone:
    """A sounddevice whose microphone gives one block."""

    def __init__(self, level: float) -> None:
        self.level = level

    def query_devices(self, name: str | None, kind: str) -> dict[str, Any]:
        return {"default_samplerate": 16_000.0}

    def InputStream(self, *, callback: Any, **_: Any) -> Any:  # noqa: N802 - its own name
        block = np.full((16_000, 2), self.level, np.float32)
        return SimpleNamespace(start=lambda: callback(block, 16_000, None, None), close=lambda: None)


@pytest.fixture
def devices(monkeypatch: pytest.MonkeyPatch) -> Any:
    def use(camera: Camera, microphone: Any) -> None:
        def load() -> Any:
            if microphone is None:
                raise InputError("the microphone needs PortAudio")
            return microphone

        monkeypatch.setattr(live_sources, "open_camera", lambda number: camera)
        monkeypatch.setattr(live_sources, "load_sounddevice", load)

    return use


@pytest.fixture(scope="module")
def predictor() -> Predictor:
    predictor = Predictor.from_run(PRETRAINED_DIR)
    predictor.warm_up()
    return predictor


def picture(number: int) -> GrayFrame:
    return GrayFrame(number, number / 30, np.zeros((10, 10), np.uint8))


def test_only_the_newest_picture_is_looked_at() -> None:
    frames = LatestFrame()
    for number in range(3):
        frames.put(picture(number))
    taken = iter(frames)
    assert next(taken)[1].number == 2
    assert frames.n_dropped == 2
    frames.put(picture(3))
    frames.close("unplugged")
    assert [frame.number for _, frame in taken] == [3]
    assert frames.problem == "unplugged"


def test_of_the_sound_the_last_seconds_are_kept() -> None:
    sound = RecentSound()
    for number in range(20):
        sound.put(np.full(500, number, np.float32), 1000)
    assert len(sound.last(100)[0]) == HELD_S * 1000
    assert set(sound.last(1)[0].tolist()) == {18, 19}


def test_where_neither_can_be_opened_both_reasons_are_said(devices: Any) -> None:
    devices(Camera(0, 0), None)
    with pytest.raises(InputError, match="camera 3 cannot be opened; the microphone needs PortAudio"):
        LiveSources.of_devices(3, None)
    refused = CliRunner().invoke(app, ["live", "--record", "a.txt"])
    assert refused.exit_code == 2
    assert "recorded as .csv" in refused.stderr
    listed = CliRunner().invoke(app, ["live", "--list-devices"])
    assert listed.stdout == "cameras: none\nmicrophones: the microphone needs PortAudio\n"


@pytest.mark.parametrize(
    ("level", "loudness", "note"),
    [(0, 0.1, "the picture is black"), (120, 0.0, "the microphone is silent; is it muted?")],
)
def test_black_pictures_and_a_muted_microphone_are_said(
    devices: Any, predictor: Predictor, level: int, loudness: float, note: str
) -> None:
    devices(Camera(100_000, level), Microphone(loudness))
    with LiveSession(predictor, LiveSources.of_devices(0, None)) as session:
        answers = session.answers()
        assert any(note in next(answers).notes for _ in range(20))


def test_a_camera_that_is_unplugged_is_said_and_the_sound_goes_on(devices: Any, predictor: Predictor) -> None:
    devices(Camera(5, 120), Microphone(0.1))
    sources = LiveSources.of_devices(0, None)
    with LiveSession(predictor, sources) as session:
        answers = session.answers()
        assert any("camera 0 gives no picture any more" in next(answers).notes for _ in range(20))
        sources.sound.last_s -= GONE_S + 1
        assert "the microphone gives no sound" in next(answers).notes


def test_in_silence_the_last_answer_fades(predictor: Predictor) -> None:
    sources = LiveSources()
    sources.frames.close("no camera wanted")
    session = LiveSession(predictor, sources)
    session._started_s = now_s = time.monotonic()
    happy = np.eye(8)[EMOTIONS.index("happy")]

    def sure(silent_s: float) -> float | None:
        session._voice = now_s - silent_s, happy
        voice = session._answer().voice
        return None if voice is None else voice["happy"]

    assert sure(0) == pytest.approx(1, abs=0.05)
    assert sure(FADE_S) == pytest.approx(0.5 + 0.5 / 8, abs=0.03)
    assert sure(FORGOTTEN_S + 0.1) is None
    session._is_speaking = True
    assert sure(FADE_S) == 1
    assert session._answer().notes[0] == "no camera wanted"


@pytest.mark.real
@pytest.mark.slow
def test_a_film_played_as_if_live(real_data: Path, tmp_path: Path) -> None:
    film = real_data / "ravdess" / "speech_video" / "Actor_05" / "01-01-06-02-01-01-05.mp4"
    started_s = time.monotonic()
    done = CliRunner().invoke(
        app, ["live", "--video", str(film), "--record", str(tmp_path / "a.csv")], catch_exceptions=False
    )
    assert done.exit_code == 0, done.stderr
    assert time.monotonic() - started_s > 3.2  # as long as the film
    rows = list(csv.DictReader((tmp_path / "a.csv").read_text().splitlines()))
    assert len(rows) == len(done.stdout.splitlines())
    assert 5 <= len(rows) <= 9
    last = rows[-1]
    whole = Predictor.from_run(PRETRAINED_DIR).predict(film)
    assert last["label"] == whole.label
    assert sum(float(last[f"both_{emotion}"]) for emotion in EMOTIONS) == pytest.approx(1, abs=1e-3)
    assert sum(int(row["faces"]) for row in rows) > 5
    assert any(row["is_speaking"] == "True" for row in rows)
    assert rows[0]["voice_happy"] == ""  # nobody has spoken yet
    assert "ms late" in done.stdout


def test_a_line_says_what_is_not_there(predictor: Predictor) -> None:
    session = LiveSession(predictor, LiveSources())
    session._started_s = time.monotonic()
    assert line_of(session._answer()).strip().split("  ")[1:] == ["-", "voice -", "face -", "nothing new", "0 dropped"]


def test_what_cannot_be_played_is_named(tmp_path: Path) -> None:
    text = tmp_path / "notes.mp4"
    text.write_text("no film")
    done = CliRunner().invoke(app, ["live", "--video", str(text)])
    assert done.exit_code == 2
    assert "notes.mp4: unreadable header" in done.stderr
