"""The wheel, installed with what the package asks for and nothing else, far from the checkout."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import venv
import zipfile
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tests.audio.sounds import SR, sentence
from tests.end_to_end.conftest import ROOT, TINY

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("end_to_end")]

NO_INDEX = ("No matching distribution", "Could not find a version", "No module named pip")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the wheel of this checkout."""
    source, folder = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    for name in ("ravdess_mm", "pipelines"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "setup.py", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(folder), str(source)]
    built = subprocess.run(command, capture_output=True, text=True, check=False)
    if built.returncode and any(words in built.stderr for words in NO_INDEX):
        pytest.skip("pip cannot fetch setuptools, which builds the wheel")
    assert built.returncode == 0, built.stderr
    return next(folder.glob("*.whl"))


def distributions(requirements: list[str]) -> Iterator[metadata.Distribution]:
    """Yield what these requirements bring, directly or through others."""
    seen: set[str] = set()
    left = [Requirement(text) for text in requirements]
    while left:
        wanted = left.pop()
        name = wanted.name.lower().replace("_", "-")
        if name in seen or (wanted.marker and not wanted.marker.evaluate({"extra": ""})):
            continue
        seen.add(name)
        yield (found := metadata.distribution(name))
        left += [Requirement(text) for text in found.requires or ()]


@pytest.fixture(scope="module")
def bin_dir(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the commands of a new environment; libraries are links to those installed here."""
    folder = tmp_path_factory.mktemp("env")
    venv.create(folder, with_pip=False)
    python = folder / "bin" / "python"
    command = [sys.executable, "-m", "pip", "--python", str(python), "install", "-q", "--no-deps", "--no-index"]
    subprocess.run([*command, str(wheel)], env=clean_environment(), check=True)
    site = next(folder.glob("lib/python*/site-packages"))
    (own,) = metadata.distributions(path=[str(site)])
    for found in distributions(own.requires or []):
        for top in {file.parts[0] for file in found.files or ()} - {"..", "__pycache__"}:
            if not (site / top).exists():
                (site / top).symlink_to(Path(str(found.locate_file(top))))
    return python.parent


def clean_environment() -> dict[str, str]:
    """Return the variables of this process without those that let its own libraries show through."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL"))}


def run(bin_dir: Path, folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run a command of the environment in a folder; nothing of this environment shows through."""
    command = [str(bin_dir / words[0]), *words[1:]]
    return subprocess.run(command, cwd=folder, env=clean_environment(), capture_output=True, text=True, check=False)


def test_it_holds_one_package(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.partition("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"ravdess_mm"}
    assert {"ravdess_mm/py.typed", "ravdess_mm/run/stages.mk", "ravdess_mm/pipelines/features.py"} <= set(names)
    # every file of the package travels
    for folder, at in (("ravdess_mm", ""), ("pipelines", "ravdess_mm/")):
        for path in (ROOT / folder).rglob("*"):
            if path.is_file() and "__pycache__" not in path.parts:
                assert at + path.relative_to(ROOT).as_posix() in names


def test_it_answers_without_what_trains(bin_dir: Path, tmp_path: Path) -> None:
    import soundfile

    for module in ("tensorflow", "keras", "xgboost", "librosa", "pipelines", "pytest"):
        assert run(bin_dir, tmp_path, "python", "-c", f"import {module}").returncode == 1, module
    soundfile.write(tmp_path / "clip.wav", sentence(), SR)
    said = run(bin_dir, tmp_path, "ravdess-mm", "predict", "clip.wav", "--json")
    assert said.returncode == 0, said.stderr
    (answer,) = json.loads(said.stdout)
    assert abs(sum(answer["probabilities"].values()) - 1) < 1e-6
    assert "audio" in answer["sources"]


def test_it_runs_stages_as_make_does(bin_dir: Path, corpus: Path, tmp_path: Path) -> None:
    shown = run(bin_dir, tmp_path, "ravdess-mm", "run", "--help")
    assert "\n    audio-models " in shown.stdout
    (tmp_path / "tiny.toml").write_text(TINY.format(folder="."))
    words = (f"DATA={corpus}", "RUN=tiny", "TEST_ACTORS=3-4", "CONFIG=tiny.toml", "JOBS=1")
    made = run(bin_dir, tmp_path, "ravdess-mm", "run", "audio-models", *words)
    assert made.returncode == 0, made.stderr
    assert (tmp_path / "artifacts" / "tiny" / "predictions" / "audio-svc.parquet").is_file()
    again = run(bin_dir, tmp_path, "ravdess-mm", "run", "audio-models", *words)
    assert "audio-svc: up to date" in again.stderr
    # what the wheel did, a checkout need not do again
    command = [sys.executable, "-m", "pipelines.features", *words]
    beside = {**os.environ, "PYTHONPATH": str(ROOT)}
    here = subprocess.run(command, cwd=tmp_path, env=beside, capture_output=True, text=True, check=False)
    assert "audio-features: up to date" in here.stderr, here.stderr

    whole = run(bin_dir, tmp_path, "ravdess-mm", "run", "audio-models", *words[:3], "JOBS=1")
    assert whole.returncode == 2
    (line,) = [line for line in whole.stderr.splitlines() if line.startswith("error: ")]
    assert line == "error: this needs xgboost, which is not installed: pip install 'ravdess-mm[train]'"
