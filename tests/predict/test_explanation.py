"""One page about one clip: frames, heat, bars, and what voice and face answer."""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path

import cv2
import numpy as np
import pytest
import soundfile
from typer.testing import CliRunner

from ravdess_mm.bundles.bundle import network_part, write_bundle
from ravdess_mm.cli.main import app
from ravdess_mm.corpus.identifier import EMOTIONS
from ravdess_mm.predict.explanation import _at_most, explain_clip, render_explanation
from ravdess_mm.predict.predictor import Predictor
from ravdess_mm.store import write_json

runner = CliRunner()


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose one network answers *happy* as far as the upper left quarter of a frame is bright, else *sad*."""
    from ravdess_mm.bundles.keras_backend import keras

    layers = keras.layers
    network = keras.Sequential(
        [
            keras.Input((256, 256, 1), dtype="uint8"),
            layers.Rescaling(1 / 255),
            layers.Cropping2D(((0, 128), (0, 128))),
            layers.ZeroPadding2D(((0, 128), (0, 128))),
            layers.AveragePooling2D(16, name="cells"),
            layers.GlobalAveragePooling2D(),
            layers.Dense(8, activation="softmax", name="probabilities"),
        ]
    )
    kernel, bias = np.zeros((1, 8), np.float32), np.full(8, -9, np.float32)
    kernel[0, EMOTIONS.index("happy")] = 200
    bias[EMOTIONS.index("happy")], bias[EMOTIONS.index("sad")] = -8, 0
    network.get_layer("probabilities").set_weights([kernel, bias])
    root = tmp_path_factory.mktemp("run")
    card = {"temperature": 1.0, "frame_step": 5, "crop": "none"}
    folder = root / "models" / "video-cnn" / "holdout"
    write_bundle(folder, kind="video-cnn", card=card, files={"network.keras": network_part(network)})
    fold = {"fold": -1, "models": {"video": "video-cnn"}, "temperatures": {"video": 1.0}, "lessons": []}
    write_json(root / "models" / "fused" / "recipe.json", {"schema": "fusion/1", "rule": "product", "folds": [fold]})
    return root


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Half a second: first the upper left corner is bright, then the lower right one."""
    path = tmp_path_factory.mktemp("clips") / "two <corners>.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 30, (256, 256))
    for number in range(15):
        image = np.full((256, 256, 3), 10, np.uint8)
        image[(slice(20, 110), slice(30, 100)) if number < 8 else (slice(150, 240), slice(150, 240))] = 230
        writer.write(image)
    writer.release()
    return path


def test_heat_lies_where_the_network_looks(run_dir: Path, clip: Path) -> None:
    explained = explain_clip(Predictor.from_run(run_dir), clip)
    assert [round(frame.time_s, 2) for frame in explained.frames] == [0, 0.17, 0.33]
    assert [frame.about for frame in explained.frames] == ["happy", "happy", "sad"]
    assert explained.layer == "cells"
    x, y = explained.frames[0].hottest
    assert 0.1 < x < 0.45
    assert 0.1 < y < 0.45
    # nothing that the network sees speaks for its answer to the last frame: it is what is left without evidence
    assert explained.frames[2].hottest is None
    about_happy = explain_clip(Predictor.from_run(run_dir), clip, about="happy", n_frames=1)
    assert [(frame.about, round(frame.time_s, 2)) for frame in about_happy.frames] == [("happy", 0.17)]
    assert len(about_happy.times_s) == 3


def test_the_page_holds_pictures_and_bars_and_asks_for_nothing(run_dir: Path, clip: Path) -> None:
    explained = explain_clip(Predictor.from_run(run_dir), clip)
    page = render_explanation(explained)
    assert page == render_explanation(explained)
    assert "two &lt;corners&gt;.avi" in page
    assert "<corners>" not in page
    assert not re.search(r"""(src|href)="(?!data:|#)""", page)
    pictures = re.findall(r'<img src="data:image/webp;base64,([^"]+)"', page)
    assert len(pictures) == 6
    plain, hot = (
        cv2.imdecode(np.frombuffer(base64.b64decode(one), np.uint8), cv2.IMREAD_COLOR).astype(int)
        for one in pictures[:2]
    )
    blue, _, red = np.moveaxis(hot - plain, -1, 0)
    assert (red - blue)[20:90, 30:90].max() > 60
    assert np.abs(red - blue)[130:, 130:].max() < 20
    bars = re.findall(r'class="bar e-(\w+)"', page)
    assert bars == list(EMOTIONS) * 3
    assert page.count("what spoke for sad (nothing did)") == 1


def test_the_command_writes_a_page_and_prints_json(
    run_dir: Path, clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    fine = runner.invoke(app, ["explain", str(clip), "--run", str(run_dir), "--method", "hires-cam", "--json"])
    assert fine.exit_code == 0, fine.stderr
    told = json.loads(fine.stdout)
    assert told["page"] == "two <corners>-explained.html"
    assert (tmp_path / told["page"]).read_text().startswith("<!DOCTYPE html>")
    assert told["method"] == "hires-cam"
    assert [frame["heat_is_about"] for frame in told["frames"]] == ["happy", "happy", "sad"]
    assert told["label"] == max(told["probabilities"], key=told["probabilities"].get)


def test_what_cannot_be_explained_is_said_in_one_line(run_dir: Path, clip: Path, tmp_path: Path) -> None:
    sound = tmp_path / "only.wav"
    soundfile.write(sound, np.zeros(8000, np.float32), 8000)
    voice_run = tmp_path / "voice"
    fold = {"fold": -1, "models": {"audio": "audio-svc"}, "temperatures": {"audio": 1.0}, "lessons": []}
    write_json(
        voice_run / "models" / "fused" / "recipe.json", {"schema": "fusion/1", "rule": "product", "folds": [fold]}
    )
    for words, message in [
        ([str(sound)], "only.wav: no picture in this clip, so no face to explain; `ravdess-mm predict` answers"),
        ([str(tmp_path / "none.mp4")], "none.mp4: no such file"),
        ([str(clip), "--emotion", "bored"], "emotion 'bored'; allowed: neutral, calm, happy"),
        ([str(clip), "--method", "lime"], "method 'lime'; allowed: grad-cam, hires-cam"),
        ([str(clip), "--run", str(voice_run)], "this run has no network that looks at faces"),
    ]:
        found = runner.invoke(app, ["explain", "--run", str(run_dir), *words])
        assert found.exit_code == 2
        assert message in found.stderr
        assert len(found.stderr.strip().splitlines()) == 1


def test_a_long_film_has_no_more_bars_than_can_be_seen() -> None:
    times_s = tuple(float(number) for number in range(1000))
    even = dict.fromkeys(EMOTIONS, 1 / 8)
    sad = {emotion: float(emotion == "sad") for emotion in EMOTIONS}
    answers = tuple(sad if number < 4 else even for number in range(1000))
    shown_s, means = _at_most(250, times_s, answers)
    assert shown_s == [4.0 * number for number in range(250)]
    assert means[0] == sad
    assert means[1] == pytest.approx(even)
    assert _at_most(250, times_s[:3], answers[:3]) == ([0, 1, 2], [sad] * 3)
