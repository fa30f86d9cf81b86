"""The front door: what it offers, that it costs nothing to open, and that what is behind it answers."""

from __future__ import annotations

import inspect
import json
import math
import os
import subprocess
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile

import ravdess_mm as rm
from ravdess_mm.corpus.identifier import EMOTIONS
from ravdess_mm.errors import InputError, MediaError
from ravdess_mm.predict.prediction import Segment
from ravdess_mm.predictions import PROBABILITIES, write_predictions
from tests.audio.sounds import SR, sentence

Simulate = Callable[..., pd.DataFrame]
EVEN = dict.fromkeys(EMOTIONS, 1 / 8)
HAPPY = {**dict.fromkeys(EMOTIONS, 0.0), "happy": 1.0}


def test_it_offers_what_is_promised() -> None:
    assert sorted(rm.__all__) == sorted(
        [
            "FaceEmotions",
            "Prediction",
            "__version__",
            "evaluate",
            "fuse",
            "load_predictor",
            "parse_identifier",
            "predict",
        ]
    )
    assert set(rm.__all__) <= set(dir(rm))
    assert all(getattr(rm, name) for name in rm.__all__)
    with pytest.raises(AttributeError, match="'ravdess_mm' has no attribute 'predictions_of_rain'"):
        rm.predictions_of_rain  # noqa: B018


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("predict", "source=None, *, sr=None, frames=None, fps=None, run=None, speaker=None"),
        ("load_predictor", "run=None, *, speaker=None"),
        ("parse_identifier", "name"),
        ("evaluate", "table"),
        ("fuse", "tables, *, rule='pool'"),
        ("FaceEmotions", "*, detector=<FaceDetector.HAAR: 'haar'>"),
    ],
)
def test_signatures_are_as_promised(name: str, parameters: str) -> None:
    signature = inspect.signature(getattr(rm, name))
    plain = [parameter.replace(annotation=inspect.Parameter.empty) for parameter in signature.parameters.values()]
    shown = str(signature.replace(parameters=plain, return_annotation=inspect.Signature.empty))
    assert shown.replace(" = ", "=") == f"({parameters})"


def test_opening_it_loads_nothing_heavy() -> None:
    code = (
        "import sys, ravdess_mm; dir(ravdess_mm); ravdess_mm.__version__; "
        "sys.exit(', '.join({name.partition('.')[0] for name in sys.modules}"
        " & {'numpy', 'pandas', 'sklearn', 'tensorflow', 'cv2', 'av', 'onnxruntime', 'pydantic', 'typer'}) or None)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_submodule_of_the_same_name_hides_no_function() -> None:
    code = "from ravdess_mm.predict.predictor import Predictor; import ravdess_mm; print(ravdess_mm.predict.__module__)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "ravdess_mm.api\n"
    assert import_module("ravdess_mm.predict.predictor").Predictor
    assert inspect.isfunction(rm.predict)


def test_a_name_is_parsed() -> None:
    found = rm.parse_identifier("Actor_12/02-01-06-01-02-01-12.mp4")
    assert (found.emotion.label, found.actor, found.sex.value) == ("fearful", 12, "female")
    with pytest.raises(ValueError, match="holiday"):
        rm.parse_identifier("holiday.mp4")


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sound") / "hello.wav"
    soundfile.write(path, sentence(), SR, subtype="FLOAT")
    return path


def test_samples_and_their_file_are_answered_alike(sound: Path) -> None:
    of_file, of_samples = rm.predict(sound), rm.predict(sentence(), sr=SR)
    assert of_file.label == of_samples.label
    assert list(of_file.probabilities.values()) == pytest.approx(list(of_samples.probabilities.values()), abs=1e-3)
    assert (of_file.audio, of_file.video) == (of_file.branches["audio"], None)
    assert of_file.duration_s == of_samples.duration_s == pytest.approx(len(sentence()) / SR)
    assert json.loads(json.dumps(of_samples.to_dict(), default=str))["duration_s"] == round(of_file.duration_s, 3)


def test_a_rate_goes_with_samples_and_with_nothing_else(sound: Path) -> None:
    with pytest.raises(InputError, match="samples without sr"):
        rm.predict(sentence())
    with pytest.raises(InputError, match="beside a file"):
        rm.predict(sound, sr=SR)
    with pytest.raises(InputError, match="frames without fps"):
        rm.predict(frames=np.zeros((2, 40, 40), np.uint8))
    with pytest.raises(InputError, match="nothing to answer for"):
        rm.predict()
    with pytest.raises(MediaError, match="face"):
        rm.predict(frames=np.full((2, 40, 40), 90, np.uint8), fps=25)


def test_models_are_loaded_once_for_calls_that_follow_each_other(tmp_path: Path, sound: Path) -> None:
    api = import_module("ravdess_mm.api")
    rm.predict(sound)
    before = api._loaded.cache_info().misses
    rm.predict(sound)
    assert api._loaded.cache_info().misses == before
    with pytest.raises(InputError, match="not the folder of a finished run"):
        rm.predict(sound, run=tmp_path)


def test_a_clip_that_cannot_be_used_costs_only_itself(sound: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.wav"
    broken.write_bytes(b"no sound")
    missing, empty = tmp_path / "missing.wav", tmp_path / "empty"
    empty.mkdir()
    answers = dict(rm.load_predictor().predict_many([broken, missing, empty, sound.parent]))
    assert list(answers) == [broken, missing, empty, sound]
    assert isinstance(answers[broken], MediaError)
    assert isinstance(answers[missing], InputError)
    assert isinstance(answers[empty], InputError)
    assert answers[sound] == rm.predict(sound)


def test_one_answer_is_one_row() -> None:
    answer = rm.Prediction(Path("a.mp4"), HAPPY, {"audio": EVEN, "video": HAPPY}, notes=("one", "two"), duration_s=3.5)
    assert (answer.audio, answer.video) == (EVEN, HAPPY)
    (row,) = answer.to_frame().to_dict("records")
    assert pd.isna([row.pop("speaker"), row.pop("face")]).all()
    assert row == {
        "path": "a.mp4",
        "start_s": 0.0,
        "end_s": 3.5,
        "label": "happy",
        **dict(zip(PROBABILITIES, HAPPY.values(), strict=True)),
        "sources": "audio+video",
        "notes": "one; two",
    }


def test_a_recording_has_a_row_for_each_piece() -> None:
    segments = (
        Segment(0.5, 2.0, HAPPY, {"audio": HAPPY}, speaker=2),
        Segment(2.5, 4.0, EVEN, {"audio": EVEN}, ("faint",)),
    )
    table = rm.Prediction(Path("a.wav"), EVEN, {"audio": EVEN}, segments=segments).to_frame()
    assert table[["start_s", "end_s", "label", "notes"]].to_numpy().tolist() == [
        [0.5, 2.0, "happy", ""],
        [2.5, 4.0, EMOTIONS[0], "faint"],
    ]
    assert table["speaker"].iloc[0] == 2
    assert table["speaker"].isna().tolist() == [False, True]


def test_an_unknown_length_is_no_number_in_json() -> None:
    answer = rm.Prediction(Path("a.mp4"), EVEN, {"video": EVEN})
    assert math.isnan(answer.duration_s)
    assert answer.to_dict()["duration_s"] is None


@pytest.fixture
def tables(simulate: Simulate) -> list[pd.DataFrame]:
    return [simulate(range(1, 7), seed=seed, repetitions=(1,)) for seed in (1, 2)]


def test_tables_are_scored_and_fused(tables: list[pd.DataFrame], tmp_path: Path) -> None:
    path = tmp_path / "voice.parquet"
    write_predictions(path, tables[0])
    alone = rm.evaluate(path)
    assert alone == rm.evaluate(tables[0])
    assert alone.n_actors == 6
    assert rm.evaluate(rm.fuse(tables)).accuracy.value > alone.accuracy.value
    assert set(rm.fuse([path, tables[1]], rule="mean")["sources"]) == {"table-2+voice"}
    assert set(rm.fuse({"audio": path, "video": tables[1]}, rule="mean")["sources"]) == {"audio+video"}
    pooled, mean = (rm.fuse(tables, rule=rule)[list(PROBABILITIES)] for rule in ("pool", "mean"))
    assert not np.allclose(pooled, mean)
    pd.testing.assert_frame_equal(rm.fuse(tables)[list(PROBABILITIES)], pooled)


def test_fusion_needs_two_tables_that_can_be_told_apart(tables: list[pd.DataFrame], tmp_path: Path) -> None:
    with pytest.raises(InputError, match="two or more tables with different names; got 1"):
        rm.fuse(tables[:1])
    write_predictions(tmp_path / "table-2.parquet", tables[0])
    with pytest.raises(InputError, match="got 1"):
        rm.fuse([tmp_path / "table-2.parquet", tmp_path / "table-2.parquet"])
    with pytest.raises(InputError, match="unknown rule 'loudest'"):
        rm.fuse(tables, rule="loudest")


def test_no_library_reports_what_is_run(tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "ORT_DISABLE_TELEMETRY"}
    code = "import ravdess_mm, onnxruntime"
    subprocess.run([sys.executable, "-c", code], env=environment | {"TMPDIR": str(tmp_path)}, check=True)
    assert list(tmp_path.iterdir()) == []
