"""The command: results on standard output, the rest on standard error, exit status 0, 1 or 2."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from ravdess_mm import __version__
from ravdess_mm.cli.main import app
from ravdess_mm.config import Rule
from ravdess_mm.corpus.identifier import EMOTIONS
from ravdess_mm.predictions import prediction_table, probabilities_of, read_predictions, write_predictions
from ravdess_mm.sample.files import ensure_sample

runner = CliRunner()
TAKES = [f"01-{emotion:02d}-01-01-01-{actor:02d}" for emotion in range(1, 9) for actor in (21, 22, 23)]
OOF_TAKES = [f"01-{emotion:02d}-01-01-01-{actor:02d}" for emotion in range(1, 9) for actor in (1, 2, 3)]


def table_at(path: Path, *, seed: int, skill: float) -> Path:
    """Write a table of a model that is right about as often as `skill` says."""
    rng = np.random.default_rng(seed)
    parts = []
    for takes, role in ((TAKES, "test"), (OOF_TAKES, "oof")):
        true = np.array([int(take[3:5]) - 1 for take in takes])
        said = np.where(rng.random(len(takes)) < skill, true, rng.integers(0, 8, len(takes)))
        parts.append(prediction_table(takes, np.eye(8)[said] + 0.1, fold=-1, role=role))
    import pandas as pd

    write_predictions(path, pd.concat(parts))
    return path


@pytest.fixture
def tables(tmp_path: Path) -> tuple[Path, Path]:
    return (
        table_at(tmp_path / "audio-svc.parquet", seed=1, skill=0.6),
        table_at(tmp_path / "video-cnn.parquet", seed=2, skill=0.7),
    )


def test_version_and_help() -> None:
    assert runner.invoke(app, ["--version"]).stdout == f"ravdess-mm {__version__}\n"
    shown = runner.invoke(app, ["--help"])
    assert shown.exit_code == 0
    for verb in ("verify", "sample", "predict", "enrol", "fuse", "evaluate", "info"):
        assert f"  {verb} " in shown.stdout
        assert runner.invoke(app, [verb, "--help"]).exit_code == 0


def test_help_groups_verbs_by_what_they_are_for() -> None:
    shown = runner.invoke(app, ["--help"]).stdout
    found: dict[str, list[str]] = {}
    panel = ""
    for line in shown.splitlines():
        if line.endswith(":") and not line.startswith(" "):
            panel = line.removesuffix(":")
        elif line.startswith("  ") and line[2:3].isalpha() and panel not in ("", "Options"):
            found.setdefault(panel, []).append(line.split()[0])
    assert list(found) == ["Answer for clips of your own", "Learn from a corpus", "Check"]
    assert {"predict", "explain", "enrol", "app"} <= set(found["Answer for clips of your own"])
    assert {"run", "download", "sample", "fuse"} <= set(found["Learn from a corpus"])
    assert {"verify", "evaluate", "info"} <= set(found["Check"])


def test_it_runs_as_a_module_too() -> None:
    done = subprocess.run([sys.executable, "-m", "ravdess_mm", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout == runner.invoke(app, ["--version"]).stdout


def test_evaluate_prints_what_the_tables_say(tables: tuple[Path, Path]) -> None:
    done = runner.invoke(app, ["evaluate", *map(str, tables), "--json", "--draws", "200"])
    assert done.exit_code == 0, done.stderr
    results = json.loads(done.stdout)
    rows = read_predictions(tables[0]).query("role == 'test'")
    said = rows[[f"p_{emotion}" for emotion in EMOTIONS]].to_numpy().argmax(axis=1)
    right = np.mean([EMOTIONS[place] == true for place, true in zip(said, rows["emotion"], strict=True)])
    assert results["models"]["audio-svc"]["accuracy"]["value"] == pytest.approx(right)
    for_people = runner.invoke(app, ["evaluate", str(tables[0]), "--draws", "200"])
    assert f"{100 * right:.1f} [" in for_people.stdout
    assert "recall" in for_people.stdout


@pytest.mark.parametrize("rule", list(Rule))
def test_fuse_writes_a_table_that_evaluate_reads(tables: tuple[Path, Path], tmp_path: Path, rule: str) -> None:
    output = tmp_path / f"{rule}.parquet"
    done = runner.invoke(app, ["fuse", *map(str, tables), "--rule", rule, "-o", str(output)])
    assert done.exit_code == 0, done.stderr
    assert done.stdout.strip() == str(output)
    fused = read_predictions(output)
    assert set(fused.loc[fused["role"] == "test", "take"]) == set(TAKES)
    assert set(fused["sources"]) == {"audio-svc+video-cnn"}


def test_fuse_pools_published_tables_by_what_other_actors_teach(tmp_path: Path) -> None:
    """Three tables of test rows alone, one of them a copy: nothing else can teach."""
    actors = range(1, 7)
    takes = [
        f"01-{emotion:02d}-01-01-{r:02d}-{actor:02d}" for actor in actors for emotion in range(1, 9) for r in (1, 2)
    ]
    paths = [tmp_path / f"{name}.parquet" for name in ("voice", "face", "twin")]
    for path, seed in zip(paths, (1, 2, 2), strict=True):
        values = np.random.default_rng(seed).dirichlet(np.ones(8) / 2, len(takes))
        values[np.arange(len(takes)), [int(take[3:5]) - 1 for take in takes]] += 0.3
        write_predictions(path, prediction_table(takes, values, fold=-1, role="test"))
    outputs = [tmp_path / "two.parquet", tmp_path / "three.parquet"]
    for output, names in zip(outputs, (paths[:2], paths), strict=True):
        done = runner.invoke(app, ["fuse", *map(str, names), "--rule", "pool", "-o", str(output)])
        assert done.exit_code == 0, done.stderr
        assert "no table has out-of-fold rows" in done.stderr
    two, three = (probabilities_of(read_predictions(output)) for output in outputs)
    np.testing.assert_allclose(three, two, atol=2e-3)


def test_verify_says_no_with_status_1(tmp_path: Path) -> None:
    folder = ensure_sample(tmp_path / "sample", actors=[1], jobs=1)
    fine = runner.invoke(app, ["verify", str(folder), "--json", "--jobs", "1"])
    assert fine.exit_code == 0, fine.stderr
    assert isinstance(json.loads(fine.stdout), dict)
    next(folder.rglob("03-*.wav")).write_bytes(b"RIFF")
    broken = runner.invoke(app, ["verify", str(folder), "--jobs", "1"])
    assert broken.exit_code == 1
    assert "broken" in broken.stdout


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["verify", "nowhere"], "error: nowhere"),
        (["evaluate", "nowhere.parquet"], "error: nowhere.parquet: no such file"),
        (["fuse", "a.parquet", "-o", "b.parquet"], "error: a.parquet: no such file"),
        (["predict", "x.wav", "--run", "nowhere"], "error: x.wav: no such file or folder"),
        (["info", "nowhere"], "error: nowhere"),
    ],
)
def test_unusable_input_is_one_line_and_status_2(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    done = runner.invoke(app, words)
    assert done.exit_code == 2
    assert message in done.stderr
    assert done.stdout == ""
    assert "Traceback" not in done.stderr


def test_wrong_usage_is_status_2(tables: tuple[Path, Path], tmp_path: Path) -> None:
    assert runner.invoke(app, ["fly"]).exit_code == 2
    wrong = runner.invoke(app, ["fuse", *map(str, tables), "--rule", "magic", "-o", str(tmp_path / "x.parquet")])
    assert wrong.exit_code == 2
    assert "stacking" in wrong.stderr
    alone = runner.invoke(app, ["fuse", str(tables[0]), "-o", str(tmp_path / "x.parquet")])
    assert alone.exit_code == 2
    assert "two or more tables" in alone.stderr
