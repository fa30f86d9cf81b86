from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest

from ravdess_mm.errors import InputError
from ravdess_mm.report.pca_page import write_pca_page
from ravdess_mm.video.stills.datasets import Stills
from ravdess_mm.video.stills.pca_dense import cross_validate_pca_dense, draw_pictures, fit_pca_dense, measure
from ravdess_mm.video.stills.settings import StillSettings

QUICK = StillSettings(epochs=12, batch_size=16)


def stripes(n: int) -> Stills:
    """Faces of ten subjects that are striped one way or the other."""
    rng = np.random.default_rng(1)
    labels = np.arange(n) % 2
    rows, columns = np.mgrid[:48, :48]
    waves = [np.sin((rows, columns)[label] / 3 + rng.uniform(0, 6)) for label in labels]
    images = np.clip(128 + 60 * np.array(waves) + rng.normal(0, 5, (n, 48, 48)), 0, 255).astype(np.uint8)
    groups = np.array([f"S{number // 2 % 10:03d}" for number in range(n)])
    return Stills(images, labels, groups, ("happy", "sad"), pd.DataFrame(columns=["path", "reason"]))


def test_always_saying_no_scores_six_of_seven_and_names_nothing() -> None:
    labels = np.arange(70) % 7
    unsure = np.full((70, 7), 1 / 7)
    found = measure(unsure, labels)
    assert found["binary_accuracy"] == found["binary_accuracy_always_no"] == pytest.approx(6 / 7)
    assert found["accuracy"] == pytest.approx(1 / 7)
    # a model that is wrong and sure each time is charged twice a face, and still has 5 of 7
    wrong = np.eye(7)[(labels + 1) % 7]
    assert measure(wrong, labels)["binary_accuracy"] == pytest.approx(5 / 7)
    assert measure(wrong, labels)["accuracy"] == 0
    perfect = measure(np.eye(7)[labels], labels)
    assert (perfect["accuracy"], perfect["uar"], perfect["binary_accuracy"]) == (1, 1, 1)


def test_it_learns_stripes_and_repeats_itself() -> None:
    stills = stripes(80)
    fitted = fit_pca_dense(stills.select(np.arange(60)), QUICK, n_components=8, seed=1)
    test = stills.select(np.arange(60, 80))
    answers = fitted.predict_proba(test.images)
    assert measure(answers, test.labels)["accuracy"] >= 0.9
    again = fit_pca_dense(stills.select(np.arange(60)), QUICK, n_components=8, seed=1)
    np.testing.assert_array_equal(again.predict_proba(test.images), answers)
    with pytest.raises(InputError, match="61 components of 60 faces"):
        fit_pca_dense(stills.select(np.arange(60)), QUICK, n_components=61, seed=1)


def test_each_face_is_answered_without_its_subject(monkeypatch: pytest.MonkeyPatch) -> None:
    from ravdess_mm.video.stills import pca_dense

    stills = stripes(40)
    seen: list[set[str]] = []
    fit = pca_dense.fit_pca_dense

    def spy(part: Stills, *args: object, **options: object) -> object:
        seen.append(set(part.groups))
        return fit(part, *args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(pca_dense, "fit_pca_dense", spy)
    answers = cross_validate_pca_dense(stills, StillSettings(epochs=1), n_components=4, seed=1, n_folds=2)
    np.testing.assert_allclose(answers.sum(axis=1), 1, rtol=1e-5)
    assert len(seen) == 2
    assert seen[0].isdisjoint(seen[1])
    assert seen[0] | seen[1] == set(stills.groups)


def test_pictures_and_page(tmp_path: Path) -> None:
    fitted = fit_pca_dense(stripes(40), StillSettings(epochs=1), n_components=12, seed=1)
    scree, faces = draw_pictures(fitted.pca, tmp_path)
    first = scree.read_bytes(), faces.read_bytes()
    for path in (scree, faces):
        assert cv2.imread(str(path)).std() > 10
    draw_pictures(fitted.pca, tmp_path)
    assert (scree.read_bytes(), faces.read_bytes()) == first
    row = measure(np.full((7, 7), 1 / 7), np.arange(7))
    scores = {
        "corpus": "fer2013",
        "tested_on": "made up",
        "images": 7,
        "command": "python <x>",
        "note": "",
        "by_components": {"50": row, "150": {**row, "accuracy": 0.45}},
    }
    text = write_pca_page(tmp_path / "index.html", scores, [scree, faces]).read_text()
    assert "It names 45.0\N{NO-BREAK SPACE}% of the emotions" in text
    assert text.count("85.7\N{NO-BREAK SPACE}%") >= 3
    assert text.count("data:image/png;base64,") == 2
    assert "python &lt;x&gt;" in text
