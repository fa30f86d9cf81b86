"""Voice models in noise and through lines and codecs: who is heard, by which fold's model; a tiny run, end to end."""

from __future__ import annotations

import logging
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile

from pipelines import audio_embedding, audio_models, features, importance, noise
from ravdess_mm.audio.mfcc_delta_rms import ANALYSIS_SR as SR
from ravdess_mm.audio.mfcc_delta_rms import mfcc_feature_names
from ravdess_mm.audio.perturbed_features import PerturbationSpec, VoiceClip
from ravdess_mm.audio.voice_features import ClassicFeatures
from ravdess_mm.config import Settings
from ravdess_mm.corpus.identifier import EMOTIONS
from ravdess_mm.corpus.splits import Fold
from ravdess_mm.errors import InputError, LeakageError
from ravdess_mm.experiments.measured_models import model_fingerprint, read_measured
from ravdess_mm.experiments.noise_robustness import (
    CONDITIONS,
    FoldVoice,
    babble_pool,
    choose_takes,
    perturbed_features,
    score_perturbed,
)
from ravdess_mm.predictions import PROBABILITIES, labels_of, prediction_table, probabilities_of, read_predictions
from ravdess_mm.report.build import write_report
from ravdess_mm.run.settings import load_settings
from ravdess_mm.schemas import IMPORTANCE_SCHEMA, NOISE_SCHEMA
from ravdess_mm.store import hash_file, read_table
from tests.audio.voices import harmonic_tone, silence

TINY = """
artifacts_dir = "{folder}"
reports_dir = "{folder}"
protocol = "luna5"
adapt = "speaker"
noise_takes = 4
bootstrap_draws = 100
jobs = 1

[search]
draws = 1
refine = false
models = ["logistic", "svc"]
"""


def voices_of(actors: tuple[int, ...], *, repetitions: tuple[int, ...] = (1, 2)) -> tuple[VoiceClip, ...]:
    return tuple(
        VoiceClip(f"01-{place:02d}-01-01-{repetition:02d}-{actor:02d}", "", "", actor, emotion)
        for actor in actors
        for place, emotion in enumerate(EMOTIONS, 1)
        for repetition in repetitions
    )


def test_chosen_takes_are_balanced_and_an_actors_own_affair() -> None:
    voices = voices_of((1, 2))
    chosen = choose_takes(voices, most_per_actor=12, seed=3)
    for actor in (1, 2):
        counts = Counter(voice.emotion for voice in chosen if voice.actor == actor)
        assert sorted(counts.values()) == [1] * 4 + [2] * 4
    assert choose_takes(voices[::-1], most_per_actor=12, seed=3) == chosen
    alone = choose_takes(voices_of((2,)), most_per_actor=12, seed=3)
    assert alone == tuple(voice for voice in chosen if voice.actor == 2)
    assert choose_takes(voices, most_per_actor=12, seed=4) != chosen
    assert len(choose_takes(voices, most_per_actor=60, seed=3)) == len(voices)


def test_the_babble_is_of_test_actors_and_else_says_so(caplog: pytest.LogCaptureFixture) -> None:
    voices = voices_of((1, 2, 3, 4))
    assert {voice.actor for voice in babble_pool(voices, Fold(0, (1, 2), (3, 4)))} == {3, 4}
    assert not caplog.records
    with caplog.at_level(logging.WARNING, "ravdess_mm"):
        assert {voice.actor for voice in babble_pool(voices, Fold(2, (1, 2, 3), (4,)))} == {1, 2, 3}
    assert "fold-2: one test actor only, so the babble is made of training actors" in caplog.text


def test_every_condition_is_its_perturbation_and_noise_differs_only_in_loudness(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    asked = {}

    def record(
        wanted: dict[VoiceClip, list[PerturbationSpec]], **_: object
    ) -> tuple[list[pd.DataFrame], dict[str, str]]:
        asked.update(wanted)
        return [pd.DataFrame({"number": [number]}) for number in range(len(CONDITIONS) - 1)], {}

    monkeypatch.setattr("ravdess_mm.experiments.noise_robustness.extract_perturbed", record)
    voices = voices_of((1, 2, 3, 4))
    folds = [Fold(0, (1, 2), (3, 4)), Fold(1, (3, 4), (1, 2))]
    tables = perturbed_features(voices, folds, features=ClassicFeatures(), most_per_actor=4, cache_dir=tmp_path, seed=1)
    assert list(tables) == list(CONDITIONS[1:])
    assert [int(table["number"].iloc[0]) for table in tables.values()] == list(range(len(CONDITIONS) - 1))
    assert len(asked) == 16
    for voice, changes in asked.items():
        assert [(change.kind, change.amount) for change in changes] == [(c.kind, c.amount) for c in CONDITIONS[1:]]
        for kind in ("white", "babble"):
            assert len({change.seed for change in changes if change.kind == kind}) == 1
        assert len({change.seed for change in changes}) == 7
        for change in changes:
            heard = {other.actor for other in change.others}
            partners = {1: 2, 2: 1, 3: 4, 4: 3}
            assert heard == ({partners[voice.actor]} if change.kind == "babble" else set())


def test_scores_are_those_of_the_answers() -> None:
    takes = [f"01-{emotion:02d}-01-01-01-{actor:02d}" for emotion in range(1, 9) for actor in (1, 2, 3)]
    true = np.array([int(take[3:5]) - 1 for take in takes])
    answers = []
    for condition in CONDITIONS:
        said = np.where(np.array([take.endswith("01") for take in takes]), (true + 1) % 8, true)
        said = said if condition.name == "babble" else true
        rows = prediction_table(takes, np.eye(8)[said], fold=0, role="test")
        answers.append(rows.assign(model="audio-svc", condition=condition.name, snr_db=condition.snr_db))
    scores = score_perturbed(pd.concat(answers), {"audio-svc": "abc"}, seed=1, draws=200)
    assert list(zip(scores["condition"], scores["snr_db"], strict=True)) == [(c.name, c.snr_db) for c in CONDITIONS]
    assert set(scores.loc[scores["condition"] != "babble", "accuracy"]) == {1.0}
    babble = scores[scores["condition"] == "babble"]
    np.testing.assert_allclose(babble["accuracy"], 2 / 3)
    np.testing.assert_allclose(babble["uar"], 2 / 3)
    assert (babble["accuracy_low"] < 0.6).all()
    assert set(scores["n_takes"]) == {24}
    assert set(scores["trained"]) == {"abc"}


def write_voices(folder: Path, *, actors: tuple[int, ...]) -> Path:
    """Write two takes of every emotion: tones whose pitch and loudness follow emotion and actor."""
    folder.mkdir()
    for voice in voices_of(actors):
        emotion = EMOTIONS.index(voice.emotion)
        hertz = 100 + 30 * emotion + 5 * voice.actor + 3 * int(voice.take[13])
        tone = 0.2 * (1 + emotion % 3) * harmonic_tone(hertz, seconds=0.4)
        soundfile.write(folder / f"03-{voice.take}.wav", np.concatenate([silence(0.1), tone, silence(0.1)]), SR)
    return folder


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Four synthetic actors in two folds; plain and adapted classifiers and their ensembles."""
    folder = tmp_path_factory.mktemp("noisy")
    clips = write_voices(folder / "clips", actors=(2, 3, 5, 6))
    (folder / "tiny.toml").write_text(TINY.format(folder=folder))
    settings = load_settings([f"DATA={clips}", "RUN=tiny", f"CONFIG={folder / 'tiny.toml'}"])
    features.features(settings)
    audio_models.audio_models(settings)
    audio_embedding.audio_embedding(settings)
    noise.noise(settings)
    importance.importance(settings)
    return settings


def test_the_stage_measures_every_voice_model(settings: Settings) -> None:
    table = read_table(settings.run_dir / "noise.parquet", schema=NOISE_SCHEMA)
    kinds = ("audio-embedding", "audio-ensemble", "audio-logistic", "audio-svc")
    endings = ("", "-adapted")
    assert set(table["model"]) == {f"{kind}{ending}" for kind in kinds for ending in endings}
    assert len(table) == len(set(table["model"])) * len(CONDITIONS)
    assert set(table["n_takes"]) == {16}
    assert set(table["n_actors"]) == {4}
    assert table["accuracy"].between(0, 1).all()
    assert table["uar_low"].notna().all()
    answers = read_table(settings.run_dir / "noise" / "predictions.parquet")
    loudest = answers[(answers["condition"] == "white") & (answers["snr_db"] == 0)]
    quiet = answers[answers["condition"] == "clean"]
    assert not np.allclose(loudest[list(PROBABILITIES)].to_numpy(), quiet[list(PROBABILITIES)].to_numpy(), atol=0.05)


def test_without_noise_plain_models_answer_as_they_did_in_the_run(settings: Settings) -> None:
    answers = read_table(settings.run_dir / "noise" / "predictions.parquet")
    for name in ("audio-embedding", "audio-ensemble", "audio-logistic", "audio-svc"):
        clean = answers[(answers["model"] == name) & (answers["condition"] == "clean")].set_index("take")
        known = read_predictions(settings.run_dir / "predictions" / f"{name}.parquet").query("role == 'test'")
        expected = known.set_index("take").loc[clean.index]
        assert clean["fold"].tolist() == expected["fold"].tolist()
        np.testing.assert_allclose(
            clean[list(PROBABILITIES)].to_numpy(), expected[list(PROBABILITIES)].to_numpy(), atol=1e-5
        )


def test_the_stage_does_nothing_twice_and_the_same_again(
    settings: Settings, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = [settings.run_dir / "noise.parquet", settings.run_dir / "noise" / "predictions.parquet"]
    before = [hash_file(path) for path in paths]
    with caplog.at_level(logging.INFO, "ravdess_mm"):
        noise.noise(settings)
    assert "noise: up to date" in caplog.text
    paths[0].unlink()
    monkeypatch.setattr("ravdess_mm.audio.perturbed_features.decode_audio", None)  # the features are there
    noise.noise(settings)
    assert [hash_file(path) for path in paths] == before


def test_the_families_of_every_classifier_are_measured(settings: Settings, caplog: pytest.LogCaptureFixture) -> None:
    table = read_table(settings.run_dir / "importance.parquet", schema=IMPORTANCE_SCHEMA)
    endings = ("", "-adapted")
    assert set(table["model"]) == {f"audio-{kind}{ending}" for kind in ("logistic", "svc") for ending in endings}
    families = {name.partition("_")[0] for name in mfcc_feature_names()}
    assert families == {"mfcc", "delta", "delta2", "rms"}
    for name, own in table.groupby("model"):
        assert set(own["family"]) == families
        assert own["drop"].is_monotonic_decreasing
        known = read_predictions(settings.run_dir / "predictions" / f"{name}.parquet").query("role == 'test'")
        right = probabilities_of(known).argmax(axis=1) == labels_of(known)
        np.testing.assert_allclose(own["accuracy"], right.mean())
    with caplog.at_level(logging.INFO, "ravdess_mm"):
        importance.importance(settings)
    assert "importance-audio-svc: up to date" in caplog.text


def test_a_model_never_answers_for_an_actor_it_was_trained_on(settings: Settings) -> None:
    fold = Fold(0, (5, 2), (3, 6))  # the bundle of fold 0 was trained on actors 3 and 6
    with pytest.raises(LeakageError, match="actors 3, 6 on both sides"):
        FoldVoice.load(settings.run_dir / "models", "audio-svc", fold)


def test_a_run_without_voice_models_has_nothing_to_do(
    settings: Settings, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    other = settings.model_copy(update={"artifacts_dir": tmp_path, "run": "empty"})
    features.features(other)
    with caplog.at_level(logging.WARNING, "ravdess_mm"):
        noise.noise(other)
        importance.importance(other)
    assert "noise: left out; the run has no voice models" in caplog.text
    assert "importance: left out; the run has no voice models" in caplog.text
    assert not (other.run_dir / "noise.parquet").exists()


def test_figures_of_models_that_are_gone_are_refused(settings: Settings, tmp_path: Path) -> None:
    path, models = settings.run_dir / "noise.parquet", settings.run_dir / "models"
    table = read_measured(path, schema=NOISE_SCHEMA, columns=("accuracy",), models_dir=models, stage="noise")
    assert set(table["trained"]) == {model_fingerprint(models, name) for name in set(table["model"])}
    with pytest.raises(InputError, match="has been trained anew since; run `make noise` again"):
        read_measured(path, schema=NOISE_SCHEMA, columns=(), models_dir=tmp_path, stage="noise")
    with pytest.raises(InputError, match="no column loudness"):
        read_measured(path, schema=NOISE_SCHEMA, columns=("loudness",), models_dir=models, stage="noise")


def test_the_report_shows_it(settings: Settings, tmp_path: Path) -> None:
    page = write_report(settings.run_dir, tmp_path / "index.html").read_text()
    assert '<h2 id="noise">Robustness</h2>' in page
    assert '<a href="#noise">' in page
    assert "Robustness of the speaker-adapted voice models" in page
    assert '<h2 id="importance">Feature importance</h2>' in page
