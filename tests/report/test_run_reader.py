from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from ravdess_mm.errors import InputError
from ravdess_mm.report.run_files import FoldActors
from ravdess_mm.report.run_reader import read_run
from ravdess_mm.store import read_json, read_table, write_json, write_table

Copy = Callable[[Path], Path]


def test_a_whole_run_leaves_nothing_out(synthetic_run: Path) -> None:
    files = read_run(synthetic_run)
    assert files.left_out == ()
    assert files.name == "made-up"
    assert files.is_synthetic
    assert not files.is_real_speech
    assert list(files.tables) == [
        "fused",
        "audio-network",
        "audio-random-forest",
        "audio-svc",
        "video-cnn",
    ]
    assert files.splits == (FoldActors(-1, (1, 2), (3,), (4, 5, 6)),)
    assert files.metrics["fused"]["draws"] == 200


def test_a_missing_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such folder"):
        read_run(tmp_path / "nowhere")


def test_an_empty_folder_is_a_report_of_what_is_missing(tmp_path: Path) -> None:
    files = read_run(tmp_path)
    assert files.tables == {}
    assert files.metrics == {}
    assert files.splits == ()
    said = " ".join(files.left_out)
    for path in ("run.json", "catalog.parquet", "rejected.parquet", "audio/features.parquet", "video/frames"):
        assert f"There is no {path}" in said
    assert "There are no predictions" in said


def test_a_broken_table_costs_only_itself(synthetic_run: Path, copy_of: Copy) -> None:
    run_dir = copy_of(synthetic_run)
    (run_dir / "catalog.parquet").write_bytes(b"not a table")
    write_table(run_dir / "predictions" / "audio-svc.parquet", pd.DataFrame({"take": ["x"]}), schema="predictions/1")
    files = read_run(run_dir)
    assert files.catalog is None
    assert "audio-svc" not in files.tables
    assert "audio-network" in files.tables
    assert [note.split(" ")[0] for note in files.left_out] == ["catalog.parquet", "predictions/audio-svc.parquet"]
    assert files.left_out[0].startswith("catalog.parquet cannot be read (catalog.parquet: not a readable Parquet table")
    assert not any(str(run_dir) in note for note in files.left_out)


def test_a_table_without_a_column_it_needs_is_left_out(synthetic_run: Path, copy_of: Copy) -> None:
    run_dir = copy_of(synthetic_run)
    write_table(run_dir / "rejected.parquet", pd.DataFrame({"path": ["a"]}), schema="rejected/1")
    files = read_run(run_dir)
    assert files.rejected is None
    assert "no column reason, stage" in files.left_out[0]


def test_a_model_without_test_rows_is_left_out(synthetic_run: Path, copy_of: Copy) -> None:
    run_dir = copy_of(synthetic_run)
    path = run_dir / "predictions" / "audio-svc.parquet"
    table = read_table(path)
    write_table(path, table[table["role"] == "oof"], schema="predictions/1")
    files = read_run(run_dir)
    assert "audio-svc" not in files.tables
    assert "predictions/audio-svc.parquet has no test rows: this model is left out." in files.left_out


def test_metrics_are_recomputed_where_they_are_missing_or_of_other_models(synthetic_run: Path, copy_of: Copy) -> None:
    whole = read_run(synthetic_run)
    run_dir = copy_of(synthetic_run)
    metrics = read_json(run_dir / "metrics.json")
    del metrics["models"]["fused"]
    write_json(run_dir / "metrics.json", metrics)
    assert read_run(run_dir).metrics == whole.metrics
    (run_dir / "metrics.json").unlink()
    again = read_run(run_dir)
    assert again.metrics == whole.metrics
    assert again.human == whole.human
    assert again.left_out == ()


def test_the_split_is_read_from_predictions_where_the_run_does_not_say(synthetic_run: Path, copy_of: Copy) -> None:
    run_dir = copy_of(synthetic_run)
    record = read_json(run_dir / "run.json")
    del record["folds"]
    write_json(run_dir / "run.json", record)
    assert read_run(run_dir).splits == (FoldActors(-1, (1, 2, 3), (), (4, 5, 6)),)


@pytest.mark.parametrize(("synthetic", "channel", "is_real_speech"), [(False, "speech", True), (False, "song", False)])
def test_people_are_compared_on_real_speech_only(
    synthetic_run: Path, copy_of: Copy, synthetic: bool, channel: str, is_real_speech: bool
) -> None:
    run_dir = copy_of(synthetic_run)
    record = read_json(run_dir / "run.json")
    record["synthetic"] = synthetic
    record["settings"]["channel"] = channel
    write_json(run_dir / "run.json", record)
    assert read_run(run_dir).is_real_speech is is_real_speech
