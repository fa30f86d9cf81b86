"""A clip of anybody's: voice, face, both; never a guess where nothing can be heard or seen."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from ravdess_mm.audio.table import build_feature_table
from ravdess_mm.classifiers.run import run_classifier
from ravdess_mm.cli import app
from ravdess_mm.config import ChannelChoice, CnnSettings, DenseSettings, FeatureSet, SearchSettings
from ravdess_mm.corpus.catalog import build_catalog
from ravdess_mm.corpus.identifier import EMOTIONS
from ravdess_mm.corpus.sample import make_sample
from ravdess_mm.corpus.splits import Fold
from ravdess_mm.errors import InputError, MediaError
from ravdess_mm.fusion import fuse
from ravdess_mm.predict import Predictor
from ravdess_mm.store import read_table, write_json
from ravdess_mm.video.frames import FrameStore, build_frame_store

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("predict")]


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    folder = make_sample(tmp_path_factory.mktemp("clips") / "sample", actors=(1, 2, 3), jobs=1)
    return build_catalog([folder], channel=ChannelChoice.SPEECH, jobs=1).clips


@pytest.fixture(scope="module")
def run_dir(clips: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run in miniature: one voice model, one face model, fused."""
    from ravdess_mm.video.training import run_network

    root = tmp_path_factory.mktemp("run")
    fold = Fold(-1, (1, 2), (3,))
    built = build_feature_table(clips, feature_set=FeatureSet.MFCC_DELTA_RMS, cache_dir=root / "cache", jobs=1)
    voice = run_classifier(
        "svc",
        built.features,
        [fold],
        search=SearchSettings(draws=2, refine=False),
        dense=DenseSettings(),
        seed=1,
        jobs=1,
        folder=root / "models" / "audio-svc",
        feature_set="mfcc-delta-rms",
    )
    build_frame_store(clips, root / "frames", frame_step=40, jobs=1)
    face = run_network(
        FrameStore.open(root / "frames"),
        [fold],
        settings=CnnSettings(epochs=1, steps_per_epoch=1, batch_size=4),
        seed=1,
        folder=root / "models" / "video-cnn",
    )
    fused = fuse(
        {"audio": {"audio-svc": voice.predictions}, "video": {"video-cnn": face.predictions}}, rule="product", seed=1
    )
    write_json(root / "models" / "fused" / "recipe.json", fused.to_dict())
    fused.table.to_parquet(root / "fused.parquet")
    return root


def test_the_answer_for_a_test_clip_is_the_one_in_the_fused_table(run_dir: Path, clips: pd.DataFrame) -> None:
    table = read_table(run_dir / "fused.parquet").query("role == 'test' and sources == 'audio+video'")
    predictor = Predictor.from_run(run_dir)
    # the table pairs the audio-only clip with the face clip; a full-AV clip of the same take has both
    full = clips[(clips["modality"] == "full-av") & clips["has_audio"] & clips["take"].isin(table["take"])]
    alone = full[~full["take"].isin(clips.loc[clips["modality"] == "audio-only", "take"])]
    assert len(alone)
    for clip in alone.itertuples():
        answer = predictor.predict(str(clip.path))
        expected = table.set_index("take").loc[clip.take, [f"p_{emotion}" for emotion in EMOTIONS]]
        np.testing.assert_allclose(list(answer.probabilities.values()), expected.to_numpy(float), rtol=1e-4, atol=1e-6)
        assert answer.sources == "audio+video"
        assert answer.moments[1].time_s == pytest.approx(40 / 29.97, abs=0.01)


def test_one_modality_is_enough(run_dir: Path, clips: pd.DataFrame) -> None:
    predictor = Predictor.from_run(run_dir)
    sound = predictor.predict(clips.loc[clips["modality"] == "audio-only", "path"].iloc[0])
    assert sound.sources == "audio"
    assert sound.moments == ()
    silent = predictor.predict(clips.loc[clips["modality"] == "video-only", "path"].iloc[0])
    assert silent.sources == "video"
    for answer in (sound, silent):
        assert sum(answer.probabilities.values()) == pytest.approx(1)
        assert answer.label == max(answer.probabilities, key=lambda name: answer.probabilities[name])


def test_what_is_no_clip_is_refused_with_a_reason(run_dir: Path, tmp_path: Path) -> None:
    predictor = Predictor.from_run(run_dir)
    # FFmpeg reads text as a film of letters: it must not get the chance
    (tmp_path / "notes.txt").write_text("dear diary " * 100)
    with pytest.raises(MediaError, match=r"extension \.txt; clips are \.wav"):
        predictor.predict(tmp_path / "notes.txt")
    (tmp_path / "broken.wav").write_bytes(b"RIFF")
    with pytest.raises(MediaError):
        predictor.predict(tmp_path / "broken.wav")


def test_a_folder_that_is_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not the folder of a finished run"):
        Predictor.from_run(tmp_path)


def test_the_command_prints_json_and_tells_failures_apart(run_dir: Path, clips: pd.DataFrame, tmp_path: Path) -> None:
    sound = clips.loc[clips["modality"] == "audio-only", "path"].iloc[0]
    (tmp_path / "broken.wav").write_bytes(b"RIFF")
    runner = CliRunner()
    fine = runner.invoke(app, ["predict", sound, "--run", str(run_dir), "--json"])
    assert fine.exit_code == 0, fine.stderr
    (answer,) = json.loads(fine.stdout)
    assert set(answer["probabilities"]) == set(EMOTIONS)
    assert answer["path"] == sound
    assert answer["label"] in EMOTIONS
    mixed = runner.invoke(app, ["predict", sound, str(tmp_path / "broken.wav"), "--run", str(run_dir), "--json"])
    assert mixed.exit_code == 1
    assert len(json.loads(mixed.stdout)) == 1
    assert "broken.wav: " in mixed.stderr
    none = runner.invoke(app, ["predict", str(tmp_path / "broken.wav"), "--run", str(run_dir)])
    assert none.exit_code == 2
    assert "error: none of 1 clips could be used" in none.stderr
    shown = runner.invoke(app, ["info", str(run_dir / "models" / "audio-svc" / "holdout")])
    assert shown.exit_code == 0
    assert "mfcc-delta-rms" in shown.stdout
