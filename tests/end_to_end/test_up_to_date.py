"""Models are outputs: one that is removed, truncated or altered is made again, and only that one."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from pipelines.audio_models import audio_models
from pipelines.features import features
from pipelines.fuse import fuse
from pipelines.video_cnn import video_cnn
from pipelines.video_embedding import video_embedding
from ravdess_mm.config import Settings
from ravdess_mm.run.folder import RunFolder
from ravdess_mm.store import hash_file
from tests.end_to_end.conftest import FACE_MODELS, tiny_settings

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("end_to_end")]

STAGES = (features, audio_models, video_cnn, video_embedding, fuse)
MODELS = {
    "audio-svc": "holdout/bundle.json",
    "audio-ensemble": "recipe.json",
    "video-cnn": "holdout/network.keras",
    "fused": "recipe.json",
    **({name: "network.json" for name in FACE_MODELS}),
}


@pytest.fixture(scope="module")
def settings(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A finished run."""
    made = tiny_settings(tmp_path_factory.mktemp("runs"), data=corpus, models=("svc", "logistic"))
    for stage in STAGES:
        stage(made)
    return made


def hashes(run: RunFolder) -> dict[str, str]:
    folders = (run.models_dir, run.predictions_dir)
    return {str(path): hash_file(path) for folder in folders for path in folder.rglob("*") if path.is_file()}


def remove(folder: Path, part: str) -> None:
    shutil.rmtree(folder)


def truncate(folder: Path, part: str) -> None:
    path = folder / part
    path.write_bytes(path.read_bytes()[:-7])


def alter(folder: Path, part: str) -> None:
    path = folder / part
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("damage", [remove, truncate, alter])
@pytest.mark.parametrize("name", sorted(MODELS))
def test_a_damaged_model_is_made_again(
    settings: Settings, caplog: pytest.LogCaptureFixture, name: str, damage: Callable[[Path, str], None]
) -> None:
    run = RunFolder(settings)
    before = hashes(run)
    damage(run.models_dir / name, MODELS[name])
    assert hashes(run) != before
    with caplog.at_level(logging.INFO, logger="ravdess_mm"):
        for stage in STAGES:
            stage(settings)
    done = {record.args[0] for record in caplog.records if "done in" in record.msg and record.args} - {"catalog"}
    assert done == {name}
    assert hashes(run) == before
