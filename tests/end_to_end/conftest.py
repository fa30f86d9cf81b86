"""A tiny corpus and tiny budgets, run through the real Makefile."""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from ravdess_mm.bundles.pretrained import find_pretrained
from ravdess_mm.config import CnnSettings, SearchSettings, Settings
from ravdess_mm.sample.files import ensure_sample
from ravdess_mm.store import hash_file

ROOT = Path(__file__).parents[2]

TINY = """
artifacts_dir = "{folder}/artifacts"
reports_dir = "{folder}/reports"
bootstrap_draws = 200

[search]
draws = 2
refine = false
models = ["svc"]

[cnn]
epochs = 1
steps_per_epoch = 2
batch_size = 4
"""


FACE_MODELS = {"video-embedding", "video-zero-shot"} if find_pretrained() else set[str]()
"""Models of every run with video, where a trained face network is installed."""


def tiny_settings(folder: Path, *, data: Path, models: tuple[str, ...]) -> Settings:
    """Return the settings of a run with tiny budgets, for stages that are called, not made."""
    return Settings(
        data=(data,),
        run="r",
        test_actors=(3, 4),
        jobs=1,
        artifacts_dir=folder / "artifacts",
        reports_dir=folder / "reports",
        bootstrap_draws=200,
        search=SearchSettings(draws=2, refine=False, models=models),
        cnn=CnnSettings(epochs=1, steps_per_epoch=2, batch_size=4),
    )


@dataclass
class Project:
    """One folder for the artifacts and reports of some runs."""

    folder: Path

    def make(self, target: str, **variables: object) -> subprocess.CompletedProcess[str]:
        """Run a make target of the checkout with tiny budgets; returns the finished process."""
        config = self.folder / "tiny.toml"
        words = {"CONFIG": config, "JOBS": 1, **variables}
        command = ["make", "--silent", target, *(f"{name}={value}" for name, value in words.items())]
        # nothing of a `make test ARGS=...` that runs this
        mine = {name: value for name, value in os.environ.items() if not name.startswith("MAKE") and name != "ARGS"}
        return subprocess.run(command, cwd=ROOT, env=mine, capture_output=True, text=True, check=False)

    def run_folder(self, name: str) -> Path:
        """Return the artifacts of a run."""
        return self.folder / "artifacts" / name

    def hashes(self, name: str) -> dict[str, str]:
        """Return the content of what a run must reproduce to the byte."""
        folder = self.run_folder(name)
        files = [folder / "catalog.parquet", folder / "metrics.json", *folder.glob("predictions/*.parquet")]
        return {path.relative_to(folder).as_posix(): hash_file(path) for path in sorted(files)}


@pytest.fixture
def new_project(tmp_path: Path) -> Callable[[], Project]:
    """Make empty projects."""

    def make() -> Project:
        folder = tmp_path / f"project-{len(list(tmp_path.glob('project-*')))}"
        folder.mkdir()
        (folder / "tiny.toml").write_text(TINY.format(folder=folder))
        return Project(folder)

    return make


@pytest.fixture
def project(new_project: Callable[[], Project]) -> Project:
    """One empty project."""
    return new_project()


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four synthetic actors, two men and two women."""
    return ensure_sample(tmp_path_factory.mktemp("corpus") / "clips", actors=range(1, 5), jobs=1)


def as_data(*folders: Path) -> str:
    """Return folders as the value of DATA."""
    return shlex.join(str(folder) for folder in folders)
