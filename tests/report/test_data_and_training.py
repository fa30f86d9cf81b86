from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from ravdess_mm.report import data_and_training as material
from ravdess_mm.report.run_files import FoldActors, RunFiles
from ravdess_mm.report.run_reader import read_run


@pytest.fixture(scope="module")
def files(synthetic_run: Path) -> RunFiles:
    return read_run(synthetic_run)


def test_the_overview_counts_clips_and_takes(files: RunFiles) -> None:
    assert files.catalog is not None
    changed = files.catalog.copy()
    changed.loc[(changed["actor"] == 2) & (changed["modality"] == "video-only"), "face"] = False
    overview = material.data_overview(changed)
    assert overview is not None
    assert overview.kinds == ("video only clips", "audio only clips", "voice takes", "face takes", "takes")
    assert overview.emotions[-1].name == "all"
    assert overview.emotions[-1].counts == (96, 96, 96, 80, 96)
    assert overview.actors[1] == material.DataColumn("02", "f", (16, 16, 16, 0, 16))
    assert overview.sentence.startswith("192 clips of speech show 96 takes by 6 actors.")


def test_an_empty_catalog_has_no_overview(files: RunFiles) -> None:
    assert files.catalog is not None
    assert material.data_overview(files.catalog.iloc[:0]) is None
    assert material.data_overview(None) is None


def test_a_validation_actor_is_shown_as_such_even_if_listed_for_training() -> None:
    actors, rows = material.split_rows((FoldActors(0, (1, 2, 3), (3,), (4,)), FoldActors(1, (3, 4), (), (1,))))
    assert actors == [1, 2, 3, 4]
    assert rows[0].roles == ("train", "train", "validation", "test")
    assert rows[1].roles == ("test", "absent", "train", "train")
    assert rows[1].name == "fold 1"


def test_rejected_files_lose_the_long_part_of_their_path() -> None:
    table = pd.DataFrame(
        {
            "path": ["/home/me/data/Actor_01/a.wav", "b.wav"],
            "reason": ["/home/me/data/Actor_01/a.wav: silent", "empty"],
            "stage": ["audio", "catalog"],
        }
    )
    assert material.rejected_rows(table) == [
        ("…/data/Actor_01/a.wav", "audio", "…/data/Actor_01/a.wav: silent"),
        ("b.wav", "catalog", "empty"),
    ]


def test_searches_show_what_was_chosen(files: RunFiles) -> None:
    rows = material.search_rows(files)
    assert [row.label for row in rows] == ["Voice · random forest", "Voice · SVC"]
    table = files.searches["audio-svc"]["holdout"]
    assert rows[1].best == pytest.approx(table["uar_mean"].max())
    assert rows[1].n_draws == 12
    assert rows[1].parameters == "C 1.1, kernel rbf"


def test_a_model_that_searched_nothing_has_no_row(files: RunFiles) -> None:
    fixed = files.searches["audio-svc"]["holdout"].iloc[:1].assign(stage="fixed")
    assert material.search_rows(replace(files, searches={"audio-network": {"holdout": fixed}})) == []


def test_curves_are_drawn_for_loss_and_accuracy(files: RunFiles) -> None:
    panels = material.curve_panels(files)
    assert [(label, measure) for label, measure, _ in panels] == [("Face · CNN", "loss"), ("Face · CNN", "accuracy")]
    assert panels[0][2].count("<polyline") == 2


def test_a_training_without_validation_has_one_curve(files: RunFiles) -> None:
    history = files.histories["video-cnn"]["holdout"].assign(val_loss=float("nan"), val_accuracy=float("nan"))
    panels = material.curve_panels(replace(files, histories={"video-cnn": {"holdout": history}}))
    assert [panel.count("<polyline") for _, _, panel in panels] == [1, 1]


def test_settings_are_flattened() -> None:
    found = material.flat_settings({"a": {"b": 1, "c": [1, 2]}, "d": None, "e": []})
    assert found == [("a.b", "1"), ("a.c", "1, 2"), ("d", "–"), ("e", "–")]


def test_versions_start_with_this_package_and_python() -> None:
    rows = material.version_rows({"numpy": "2", "python": "3", "av": "18", "ravdess-mm": "0"})
    assert [name for name, _ in rows] == ["ravdess-mm", "python", "av", "numpy"]
