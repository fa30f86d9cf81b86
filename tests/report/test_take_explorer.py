from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from ravdess_mm.corpus.identifier import EMOTIONS
from ravdess_mm.predictions import probabilities_of
from ravdess_mm.report.run_files import RunFiles
from ravdess_mm.report.run_reader import read_run
from ravdess_mm.report.take_explorer import explorer_actors, explorer_data
from ravdess_mm.store import plain


@pytest.fixture(scope="module")
def files(synthetic_run: Path) -> RunFiles:
    return read_run(synthetic_run)


def test_every_test_take_has_every_models_answer(files: RunFiles) -> None:
    data = explorer_data(files, ["fused", "audio-svc"])
    assert [model["name"] for model in data["models"]][:2] == ["fused", "audio-svc"]
    assert [model["listed"] for model in data["models"]] == [True, True, False, False, False]
    assert data["takes"] == sorted(files.tested["fused"]["take"])
    rows = files.tested["audio-svc"].set_index("take")
    for take, answer in zip(data["takes"], data["answers"][1], strict=True):
        shares = probabilities_of(rows.loc[[take]])[0]
        assert answer[0] == shares.argmax()
        assert answer[1:] == pytest.approx(1000 * shares, abs=0.5)
    assert explorer_actors(data) == [4, 5, 6]
    json.dumps(plain(data))


def test_the_answer_is_told_even_where_rounding_hides_it(files: RunFiles) -> None:
    table = files.tables["audio-svc"].copy()
    columns = [f"p_{emotion}" for emotion in EMOTIONS]
    table[columns] = [0.25, 0.2502, 0.2499, 0.2499, 0, 0, 0, 0]
    data = explorer_data(replace(files, tables={"narrow": table}), ["narrow"])
    assert data["answers"][0][0] == [1, 250, 250, 250, 250, 0, 0, 0, 0]


def test_a_take_without_an_answer_is_none(files: RunFiles) -> None:
    tables = dict(files.tables)
    tables["audio-svc"] = tables["audio-svc"].query("actor != 4")
    data = explorer_data(replace(files, tables=tables), ["fused", "audio-svc"])
    missing = [take for take, answer in zip(data["takes"], data["answers"][1], strict=True) if answer is None]
    assert {take[-2:] for take in missing} == {"04"}
