from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from ravdess_mm.calibration import mean_by_take, probabilities, soften
from ravdess_mm.predictions import PROBABILITIES, probabilities_of, read_predictions, write_predictions
from ravdess_mm.report.build import render_report
from ravdess_mm.report.calibration import uncalibrated_rows
from ravdess_mm.report.run_reader import read_run
from ravdess_mm.store import read_table, write_json, write_table

Copy = Callable[[Path], Path]


@pytest.fixture
def run_dir(synthetic_run: Path, copy_of: Copy) -> Path:
    return copy_of(synthetic_run)


def write_card(run_dir: Path, model: str, fold: object, temperature: float) -> None:
    card = {"fold": fold, "temperature": temperature}
    write_json(run_dir / "models" / model / "holdout" / "bundle.json", {"card": card})


def test_temperature_of_a_classifier_is_undone(run_dir: Path) -> None:
    path = run_dir / "predictions" / "audio-svc.parquet"
    table = read_predictions(path)
    raw = probabilities_of(table)
    calibrated = probabilities(np.log(raw), temperature=2.5)
    names = list(PROBABILITIES)
    table[names] = calibrated
    write_predictions(path, table)
    write_card(run_dir, "audio-svc", {"number": -1}, 2.5)
    files = read_run(run_dir)
    before = uncalibrated_rows(files, "audio-svc")
    assert before is not None
    tested = table["role"] == "test"
    order = before["take"].tolist()
    expected = dict(zip(table["take"][tested], raw[tested], strict=True))
    np.testing.assert_allclose(probabilities_of(before), [expected[take] for take in order], atol=2e-4)


def test_temperature_of_the_network_is_undone_frame_by_frame(run_dir: Path) -> None:
    frames_path = run_dir / "models" / "video-cnn" / "frames.parquet"
    frames = read_table(frames_path)
    raw = probabilities_of(frames)
    frames[list(PROBABILITIES)] = soften(raw, 3.0)
    write_table(frames_path, frames, schema="frame-predictions/1")
    write_card(run_dir, "video-cnn", -1, 3.0)
    before = uncalibrated_rows(read_run(run_dir), "video-cnn")
    assert before is not None
    tested = (frames["role"] == "test").to_numpy()
    takes, means = mean_by_take(raw[tested], frames["take"][tested].to_numpy(dtype=np.str_))
    np.testing.assert_allclose(probabilities_of(before.sort_values("take")), means, atol=2e-3, err_msg=str(takes[:2]))


def test_nothing_before_where_no_temperature_was_used(run_dir: Path) -> None:
    write_card(run_dir, "audio-svc", {"number": -1}, 1.0)
    write_card(run_dir, "audio-network", {"number": 3}, 2.0)  # of another fold than the one that is scored
    files = read_run(run_dir)
    assert uncalibrated_rows(files, "audio-svc") is None
    assert uncalibrated_rows(files, "audio-network") is None
    assert uncalibrated_rows(files, "fused") is None


def test_the_page_shows_both_errors(run_dir: Path) -> None:
    assert "ECE before calibration" not in render_report(read_run(run_dir))
    write_card(run_dir, "video-cnn", -1, 3.0)
    page = render_report(read_run(run_dir))
    assert page.count("ECE before calibration") == 1
    assert "The dashed gray line is the same model before calibration" in page
