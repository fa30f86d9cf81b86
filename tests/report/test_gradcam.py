from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from ravdess_mm.bundles.bundle import network_part, read_bundle, write_bundle
from ravdess_mm.report.build import write_report
from ravdess_mm.report.gradcam import HEAT_PART, KEPT, SHOWN_EACH, gradcam_section
from ravdess_mm.report.run_reader import read_run


@pytest.fixture
def run_dir(lean_run: Path, copy_of: Callable[[Path], Path]) -> Path:
    """A run with a network in which the brightness of the left half speaks for every emotion but *happy*."""
    from ravdess_mm.bundles.keras_backend import keras

    layers = keras.layers
    network = keras.Sequential(
        [
            keras.Input((256, 256, 1), dtype="uint8"),
            layers.Rescaling(1.0),
            layers.Cropping2D(((0, 0), (0, 128))),
            layers.ZeroPadding2D(((0, 0), (0, 128))),
            layers.AveragePooling2D(16),
            layers.GlobalAveragePooling2D(),
            layers.Dense(8, activation="softmax", name="out"),
        ]
    )
    weights = np.ones((1, 8), np.float32)
    weights[0, 2] = -1
    network.get_layer("out").set_weights([weights, np.zeros(8)])
    copied = copy_of(lean_run)
    folder = copied / "models" / "video-cnn" / "holdout"
    write_bundle(
        folder,
        kind="video-cnn",
        card={"temperature": 1.0, "frame_step": 20, "crop": "none"},
        files={"network.keras": network_part(network)},
    )
    return copied


def test_right_and_wrong_test_takes_are_shown_with_heat_for_the_answer(run_dir: Path) -> None:
    files = read_run(run_dir)
    found = gradcam_section(files)
    assert [picture.is_right for picture in found.pictures] == [True] * SHOWN_EACH + [False] * SHOWN_EACH
    assert {picture.actor for picture in found.pictures} <= {4, 5, 6}
    assert len({picture.alt for picture in found.pictures}) == 2 * SHOWN_EACH
    for picture in found.pictures:
        assert picture.has_heat == (picture.answer != "happy")
        assert picture.answer in picture.alt
    assert gradcam_section(files) == found


def test_heat_is_kept_until_something_it_rests_on_changes(run_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = gradcam_section(read_run(run_dir))
    kept = run_dir / "cache" / KEPT / "holdout" / HEAT_PART
    assert kept.is_file()
    monkeypatch.setattr("ravdess_mm.video.gradcam.heat_maps", lambda *_: pytest.fail("the network was asked again"))
    assert gradcam_section(read_run(run_dir)) == first

    asked = []

    def cold(network: object, images: np.ndarray, classes: np.ndarray) -> np.ndarray:
        asked.append(len(images))
        return np.zeros(images.shape[:3], np.float32)

    monkeypatch.setattr("ravdess_mm.video.gradcam.heat_maps", cold)
    kept.write_bytes(kept.read_bytes()[:-9])  # damaged
    assert not any(picture.has_heat for picture in gradcam_section(read_run(run_dir)).pictures)
    folder = run_dir / "models" / "video-cnn" / "holdout"
    network = read_bundle(folder).load_network("network.keras")
    network.set_weights([2 * value for value in network.get_weights()])
    write_bundle(
        folder,
        kind="video-cnn",
        card={"temperature": 1.0, "frame_step": 20, "crop": "none"},
        files={"network.keras": network_part(network)},
    )
    gradcam_section(read_run(run_dir))
    assert asked == [2 * SHOWN_EACH] * 2


def test_the_report_has_the_pictures_and_stays_small(run_dir: Path) -> None:
    page = write_report(run_dir, run_dir.parent / "index.html")
    text = page.read_text("utf-8")
    assert text.count("The same frame; colour marks what spoke for") == 2 * SHOWN_EACH
    assert page.stat().st_size < 5_000_000


def test_a_network_that_was_changed_costs_its_section_only(run_dir: Path) -> None:
    network = run_dir / "models" / "video-cnn" / "holdout" / "network.keras"
    network.write_bytes(network.read_bytes() + b"x")
    found = gradcam_section(read_run(run_dir))
    assert found.is_empty
    assert "was changed after it was written" in found.reason


def test_without_a_network_nothing_is_drawn(lean_run: Path) -> None:
    assert gradcam_section(read_run(lean_run)).reason.startswith("the run has no trained video network")
