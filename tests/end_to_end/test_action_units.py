"""Action units through the Makefile: a folder of tables as the official release has it, one a clip, beside voices."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ravdess_mm.corpus.identifier import EMOTIONS, Identifier
from ravdess_mm.predictions import read_predictions
from ravdess_mm.store import read_json, read_table
from ravdess_mm.video.action_unit_files import INTENSITIES, PRESENCES
from ravdess_mm.video.action_units import LENGTH
from tests.end_to_end.conftest import Project, as_data
from tests.end_to_end.test_make import copy_clips

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("end_to_end")]

NAME = "video-action-units"


def write_tables(clips: Path, folder: Path) -> Path:
    """Write a table of 12 frames, as OpenFace does, for each take of some clips; each emotion has units of its own."""
    draw = np.random.default_rng(4)
    for path in sorted(clips.glob("03-*.wav")):
        clip = Identifier.parse(path)
        shown = EMOTIONS.index(clip.emotion.label)
        table = pd.DataFrame({"frame": np.arange(12), "confidence": 0.98, "success": 1})
        for position, unit in enumerate(INTENSITIES):
            table[unit] = draw.uniform(0, 1, 12).round(2) + 2 * (position % 8 == shown)
        for unit in PRESENCES:
            table[unit] = draw.integers(0, 2, 12)
        target = folder / f"Actor_{clip.actor:02d}" / f"01{path.stem[2:]}.csv"
        target.parent.mkdir(parents=True, exist_ok=True)
        table.rename(columns=lambda name: f" {name}").to_csv(target, index=False)
    return folder


def test_a_folder_of_tables_beside_voices(project: Project, corpus: Path) -> None:
    clips = copy_clips(corpus, project.folder / "voices", lambda clip: clip.modality == 3)
    tables = write_tables(clips, project.folder / "tracking")
    broken, other = tables / "Actor_01" / "01-01-08-02-02-02-01.csv", tables / "actors.csv"
    broken.write_text("frame,success\n1,1\n")
    other.write_text("actor,age\n1,30\n")
    stranger = tables / "01-01-03-01-01-01-07.csv"  # of an actor without clips: in no split, and of unknown length
    shutil.copy(next(tables.glob("Actor_02/*.csv")), stranger)
    (tables / "01-02-03-01-01-01-01.csv").write_text("a song is of another channel, and not read at all")
    variables = {"DATA": as_data(clips, tables), "RUN": "units", "TEST_ACTORS": "3-4"}
    made = project.make("report", **variables)
    assert made.returncode == 0, made.stderr
    folder = project.run_folder("units")
    answers = read_predictions(folder / "predictions" / f"{NAME}.parquet")
    tested = answers[answers["role"] == "test"]
    assert set(tested["actor"]) == {3, 4}
    assert len(tested) == len([path for path in clips.iterdir() if Identifier.parse(path).actor in (3, 4)])
    right = tested[[f"p_{emotion}" for emotion in EMOTIONS]].to_numpy().argmax(axis=1)
    assert ([EMOTIONS[place] for place in right] == tested["emotion"]).mean() > 0.8
    fused = read_table(folder / "predictions" / "fused.parquet")
    assert set(fused["sources"]) == {"audio+video"}
    assert NAME in read_json(folder / "metrics.json")["models"]

    vectors = read_table(folder / "video" / "action_units.parquet")
    assert set(vectors["actor"]) == {1, 2, 3, 4}
    assert LENGTH in vectors

    # what is used is not called rejected; what is not is, once, with its reason
    rejected = read_table(folder / "rejected.parquet")
    reasons = dict(zip(rejected["path"], rejected["reason"], strict=True))
    assert set(reasons) == {str(broken), str(other)}
    assert len(rejected) == 2
    assert "no column confidence" in reasons[str(broken)]
    assert "extension .csv" in reasons[str(other)]

    # without the tables nothing of them is left
    bare = project.make("fuse", **{**variables, "DATA": as_data(clips)})
    assert bare.returncode == 0, bare.stderr
    assert not (folder / "predictions" / f"{NAME}.parquet").exists()
    assert read_table(folder / "rejected.parquet").empty


def test_tables_that_cannot_be_used_cost_only_themselves_unless_they_are_named(project: Project, corpus: Path) -> None:
    clips = copy_clips(corpus, project.folder / "voices", lambda clip: clip.modality == 3)
    table = clips / "01-01-08-02-02-02-01.csv"
    table.write_text("frame,success\n1,1\n")
    found = project.make("fuse", DATA=as_data(clips), RUN="found", TEST_ACTORS="3-4")
    assert found.returncode == 0, found.stderr
    assert f"{NAME}: left out; no usable action units" in found.stderr
    assert list(read_table(project.run_folder("found") / "rejected.parquet")["path"]) == [str(table)]
    named = project.make("video-action-units", DATA=as_data(clips, table), RUN="named", TEST_ACTORS="3-4")
    assert named.returncode == 2
    assert "error: no usable action units" in named.stderr


def test_action_units_alone_say_what_they_need(project: Project, corpus: Path) -> None:
    clips = copy_clips(corpus, project.folder / "voices", lambda clip: clip.modality == 3)
    tables = write_tables(clips, project.folder / "tracking")
    for data in (tables, next(tables.rglob("*.csv"))):
        made = project.make("features", DATA=as_data(data), RUN="alone")
        assert made.returncode == 2
        assert "a run needs the clips themselves too" in made.stderr
        assert made.stderr.count("a run needs the clips") == 1
