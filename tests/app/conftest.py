"""Clips, a finished run, and the page as a command, for the tests of the page."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from ravdess_mm.bundles.pretrained import PRETRAINED_DIR
from ravdess_mm.corpus.identifier import Modality
from ravdess_mm.sample.files import write_clips
from ravdess_mm.sample.script import sample_scripts

REPORT = "<!DOCTYPE html><title>report</title><h1>Report</h1><script>document.title = 'scripts run'</script>"


@dataclass
class Clips:
    film: Path
    sound: Path
    more: list[Path]


@pytest.fixture(scope="session")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Clips:
    """A film and its sound, and sounds of the same invented person."""
    folder = tmp_path_factory.mktemp("clips")
    scripts = sample_scripts([5])
    film, sound = write_clips(scripts[3], folder, (Modality.FULL_AV, Modality.AUDIO_ONLY))
    more = [write_clips(script, folder, (Modality.AUDIO_ONLY,))[0] for script in scripts[5:9]]
    return Clips(folder / film, folder / sound, [folder / path for path in more])


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a finished run, whose models are those that ship, and its report."""
    folder = tmp_path_factory.mktemp("project")
    run = folder / "artifacts" / "mine"
    shutil.copytree(PRETRAINED_DIR / "models", run / "models")
    accuracy = {"value": 0.61, "low": 0.52, "high": 0.7}
    (run / "metrics.json").write_text(json.dumps({"models": {"fused": {"accuracy": accuracy}}}))
    (run / "run.json").write_text(json.dumps({"synthetic": True}))
    (folder / "artifacts" / "half" / "models").mkdir(parents=True)
    reports = folder / "reports" / "mine"
    reports.mkdir(parents=True)
    (reports / "index.html").write_text(REPORT)
    return folder


@dataclass
class Served:
    process: subprocess.Popen[str]
    address: str
    temporary: Path

    def client(self) -> httpx.Client:
        return httpx.Client(base_url=self.address.partition("?")[0], timeout=120)

    def kept(self) -> list[Path]:
        return [path for path in self.temporary.rglob("*") if path.is_file()]


def start(project: Path, temporary: Path, *options: str) -> Served:
    """Start ``ravdess-mm app`` on a free port, with temporary files in a folder of its own."""
    temporary.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "ravdess_mm", "app", "--no-browser", "--port", "0", *options]
    root = Path(__file__).parents[2]
    environment = os.environ | {"TMPDIR": str(temporary), "PYTHONPATH": os.environ.get("PYTHONPATH", str(root))}
    process = subprocess.Popen(
        command, cwd=project, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    address = process.stdout.readline().strip()
    assert address, process.communicate()[1]
    return Served(process, address, temporary)


@pytest.fixture(scope="session")
def served(project: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    found = start(project, tmp_path_factory.mktemp("temporary"), "--max-mb", "60", "--max-seconds", "300")
    yield found
    found.process.terminate()
    found.process.wait(30)
