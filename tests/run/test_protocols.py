from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from ravdess_mm.config import Protocol, Settings
from ravdess_mm.errors import InputError
from ravdess_mm.evaluation import evaluate_many
from ravdess_mm.run.folder import RunFolder
from ravdess_mm.run.protocols import adopt_features, load_protocol_runs, metrics_frame
from ravdess_mm.store import read_json, write_json, write_text


def test_one_protocol_is_one_run_of_the_given_name() -> None:
    campaign = load_protocol_runs(["PROTOCOL=loso", "RUN=mine"])
    assert [(run.protocol, run.run) for run in campaign.runs] == [(Protocol.LOSO, "mine")]
    assert not campaign.take_what_works
    assert campaign.table_path is None
    assert load_protocol_runs(["RUN=mine"]).runs[0].protocol is Protocol.HOLDOUT


def test_each_of_several_protocols_gets_a_run_of_its_own() -> None:
    campaign = load_protocol_runs(["DATA=clips", "PROTOCOL=luna5,holdout", "TEST_ACTORS=1,17"])
    assert [(run.run, run.test_actors) for run in campaign.runs] == [("clips-luna5", None), ("clips-holdout", (1, 17))]
    assert campaign.table_path == Path("artifacts/clips-protocols.csv")
    everything = load_protocol_runs(["PROTOCOL=all"])
    assert [run.protocol for run in everything.runs] == list(Protocol)
    assert everything.take_what_works


@pytest.mark.parametrize("value", ["luna5,loco", "loco"])
def test_unknown_protocol_is_named(value: str) -> None:
    with pytest.raises(InputError, match=r"PROTOCOL=loco: .*holdout, luna5, emobox6, loso"):
        load_protocol_runs([f"PROTOCOL={value}"])


def test_features_are_adopted_with_their_records_and_stay_apart(tmp_path: Path) -> None:
    first, second = (RunFolder(Settings(run=name, artifacts_dir=tmp_path)) for name in ("a", "b"))

    def work() -> None:
        write_text(first.features_path, "features")

    first.refresh("catalog", work=lambda: write_text(first.catalog_path, "clips"), inputs={})
    first.refresh("audio-features", work=work, inputs={"x": 1}, outputs=[first.features_path])
    write_json(first.stages_dir / "audio-svc.json", {"key": 1})
    adopt_features(first, second)
    assert second.features_path.read_text() == "features"
    assert not second.refresh("audio-features", work=work, inputs={"x": 1}, outputs=[second.features_path])
    assert not (second.stages_dir / "audio-svc.json").exists()
    write_text(first.features_path, "new features")
    assert second.features_path.read_text() == "features"
    adopt_features(first, second)
    assert second.features_path.read_text() == "features"
    assert read_json(second.stages_dir / "audio-features.json") == read_json(first.stages_dir / "audio-features.json")


def test_figures_become_one_row_a_protocol_and_model(simulate: Callable[..., pd.DataFrame]) -> None:
    one = evaluate_many({"b": simulate([1, 2], seed=1), "a": simulate([1, 2], seed=2)}, seed=0, draws=100)
    table = metrics_frame({"luna5": one, "loso": one})
    assert table[["protocol", "model"]].to_numpy().tolist() == [
        ["luna5", "a"],
        ["luna5", "b"],
        ["loso", "a"],
        ["loso", "b"],
    ]
    row = table.iloc[1]
    assert row["accuracy"] == one["models"]["b"]["accuracy"]["value"]
    assert row["accuracy_low"] == one["models"]["b"]["accuracy"]["low"]
    assert (row["takes"], row["actors"], row["folds"]) == (64, 2, 1)
