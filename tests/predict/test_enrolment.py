"""Knowing a speaker from unlabelled clips: the adapted models answer, and every answer says so."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
from typer.testing import CliRunner

from ravdess_mm.arrays import AnyFloats
from ravdess_mm.audio.decoding import Samples
from ravdess_mm.audio.mfcc_delta_rms import ANALYSIS_SR as SR
from ravdess_mm.audio.mfcc_delta_rms import FEATURE_SET, extract_features, mfcc_feature_names
from ravdess_mm.audio.voice_features import ClassicFeatures
from ravdess_mm.classifiers.adaptation import SpeakerStatistics
from ravdess_mm.classifiers.trained import load_classifier
from ravdess_mm.classifiers.training import run_classifier
from ravdess_mm.cli.main import app
from ravdess_mm.config import Adaptation, DenseSettings, SearchSettings
from ravdess_mm.corpus.identifier import EMOTIONS
from ravdess_mm.corpus.splits import Fold
from ravdess_mm.errors import InputError
from ravdess_mm.fusion import fuse
from ravdess_mm.fusion.recipe import read_recipe
from ravdess_mm.predict.enrolment import enrol_voice, load_or_enrol_voice
from ravdess_mm.predict.predictor import Predictor
from ravdess_mm.predict.run_models import RunModels
from ravdess_mm.store import write_json
from tests.audio.sounds import SR as SPEECH_SR
from tests.audio.sounds import sentence
from tests.audio.voices import harmonic_tone, noise, silence

runner = CliRunner()


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder an actor, a tone a take: its pitch follows actor and emotion."""
    folder = tmp_path_factory.mktemp("clips")
    for actor in (1, 2, 3):
        own = folder / f"Actor_{actor:02d}"
        own.mkdir()
        for code in range(1, len(EMOTIONS) + 1):
            tone = 0.2 * (1 + code % 3) * harmonic_tone(60 + 40 * actor + 20 * code, seconds=0.4)
            y = np.concatenate([silence(0.1), tone, silence(0.1)])
            soundfile.write(own / f"03-01-{code:02d}-01-01-01-{actor:02d}.wav", y, SR)
    return folder


@pytest.fixture(scope="module")
def run_dir(clips: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of one voice model, plain and adapted."""
    root = tmp_path_factory.mktemp("run")
    rows = []
    for path in sorted(clips.rglob("*.wav")):
        y, sr = soundfile.read(path, dtype="float32")
        take = path.stem[3:]
        rows.append((take, int(take[-2:]), EMOTIONS[int(take[3:5]) - 1], *extract_features(y, sr)))
    table = pd.DataFrame(rows, columns=["take", "actor", "emotion", *mfcc_feature_names()])
    for adapt, ending in ((Adaptation.NONE, ""), (Adaptation.SPEAKER, "-adapted")):
        name = f"audio-logistic{ending}"
        done = run_classifier(
            "logistic",
            table,
            [Fold(-1, (1, 2), (3,))],
            search=SearchSettings(draws=1, refine=False),
            dense=DenseSettings(),
            seed=1,
            jobs=1,
            folder=root / "models" / name,
            feature_set=FEATURE_SET,
            adapt=adapt,
        )
        fused = fuse({"audio": {name: done.predictions}}, rule="product", seed=1)
        write_json(root / "models" / f"fused{ending}" / "recipe.json", fused.to_dict())
    return root


def probabilities(answer: dict[str, dict[str, float]]) -> list[float]:
    return [answer["probabilities"][emotion] for emotion in EMOTIONS]


def predict(*words: object) -> tuple[list[dict[str, object]], str]:
    done = runner.invoke(app, ["predict", *map(str, words), "--json"])
    assert done.exit_code == 0, done.stderr
    return json.loads(done.stdout), done.stderr


def test_a_known_speaker_is_answered_by_the_adapted_model(clips: Path, run_dir: Path) -> None:
    folder = clips / "Actor_03"
    path = sorted(folder.iterdir())[2]
    (plain,), _ = predict(path, "--run", run_dir)
    (adapted,), _ = predict(path, "--run", run_dir, "--speaker", folder)
    assert (plain["speaker_adapted"], plain["speaker_clips"]) == (False, 0)
    assert (adapted["speaker_adapted"], adapted["speaker_clips"]) == (True, 8)
    vectors = [extract_features(*soundfile.read(clip, dtype="float32")) for clip in sorted(folder.iterdir())]
    model = load_classifier(run_dir / "models" / "audio-logistic-adapted" / "holdout")
    believed = load_classifier(run_dir / "models" / "audio-logistic" / "holdout").predict_proba(np.stack(vectors))
    assert model.speaker is not None
    assert model.speaker.emotion_effects_ is not None
    known = SpeakerStatistics.of_emotion_shares(np.stack(vectors), believed, model.speaker.emotion_effects_)
    expected = model.predict_proba(vectors[2][np.newaxis], enrolment=known)[0]
    recipe = read_recipe(run_dir / "models" / "fused-adapted" / "recipe.json")
    np.testing.assert_allclose(probabilities(adapted), recipe.apply({"audio": expected}), atol=1e-5)
    assert not np.allclose(probabilities(plain), probabilities(adapted), atol=1e-3)
    shown = runner.invoke(app, ["predict", str(path), "--run", str(run_dir), "--speaker", str(folder)])
    assert "audio, adapted to the speaker: voice by 8 clips" in " ".join(shown.stdout.split())


def test_voices_that_know_no_moods_take_the_clips_as_they_are(run_dir: Path) -> None:
    plain, adapted = Predictor.from_run(run_dir).voice, RunModels.load_adapted(run_dir).audio
    rows = np.random.default_rng(0).normal(size=(5, len(mfcc_feature_names())))
    known, simply = adapted.enrol(rows, plain=plain), SpeakerStatistics.of(rows)
    assert not np.allclose(known.mean, simply.mean)
    adapted._voices[0]["audio-logistic-adapted"].speaker.emotion_effects_ = None  # as in a run of an earlier version
    np.testing.assert_array_equal(adapted.enrol(rows, plain=plain).mean, simply.mean)


def test_an_enrolment_stands_for_the_clips(clips: Path, run_dir: Path, tmp_path: Path) -> None:
    folder, saved = clips / "Actor_03", tmp_path / "anna.json"
    done = runner.invoke(app, ["enrol", str(folder), "-o", str(saved), "--run", str(run_dir)])
    assert done.exit_code == 0, done.stderr
    assert done.stdout == f"{saved}: a speaker by 8 clips\n"
    path = sorted(folder.iterdir())[0]
    (by_clips,), _ = predict(path, "--run", run_dir, "--speaker", folder)
    (by_file,), _ = predict(path, "--run", run_dir, "--speaker", saved)
    assert by_file == by_clips


def test_one_clip_is_too_little_and_the_plain_model_answers(clips: Path, run_dir: Path, tmp_path: Path) -> None:
    path = sorted((clips / "Actor_03").iterdir())[0]
    (plain,), _ = predict(path, "--run", run_dir)
    (answer,), _ = predict(path, "--run", run_dir, "--speaker", path)
    assert answer["speaker_adapted"] is False
    assert probabilities(answer) == probabilities(plain)
    assert answer["notes"] == [f"not adapted to the speaker: {path} holds one usable clip, two or more are needed"]
    refused = runner.invoke(app, ["enrol", str(path), "-o", str(tmp_path / "x.json"), "--run", str(run_dir)])
    assert refused.exit_code == 2
    assert "one usable clip says too little about a speaker" in refused.stderr
    assert not (tmp_path / "x.json").exists()


def test_a_long_recording_counts_as_many_clips_as_it_has_segments(
    clips: Path, run_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spoken = [sentence(code) / np.abs(sentence(code)).max() * (0.1 + 0.1 * code) for code in range(7)]
    talk = tmp_path / "talk.wav"
    soundfile.write(talk, np.concatenate(spoken), SPEECH_SR)
    enrolment, failed = enrol_voice([talk], features=ClassicFeatures())
    assert (enrolment.n_clips, failed) == (7, {})
    # a segment that cannot be used costs only itself

    class OfLoudSound(ClassicFeatures):
        def extract(self, samples: Samples, sr: int) -> AnyFloats:
            return super().extract(samples if samples.max() > 0.2 else 0 * samples, sr)

    loud, failed = enrol_voice([talk], features=OfLoudSound())
    assert 2 < loud.n_clips < 7
    assert failed == {}
    (answer,), _ = predict(sorted((clips / "Actor_03").iterdir())[0], "--run", run_dir, "--speaker", talk)
    assert (answer["speaker_clips"], answer["notes"]) == (7, [])
    (own,), _ = predict(talk, "--run", run_dir, "--speaker", talk)
    assert len(own["segments"]) == own["speaker_clips"] == 7


def test_a_run_without_adapted_models_refuses_a_speaker(clips: Path, run_dir: Path, tmp_path: Path) -> None:
    plain = Path(shutil.copytree(run_dir, tmp_path / "plain"))
    shutil.rmtree(plain / "models" / "fused-adapted")
    path = next(iter(sorted(clips.rglob("*.wav"))))
    words = ["predict", str(path), "--run", str(plain), "--speaker", str(path.parent)]
    refused = runner.invoke(app, words)
    assert refused.exit_code == 2
    assert "has no speaker-adapted voice models; `make ADAPT=speaker`" in refused.stderr
    with pytest.raises(InputError, match="no speaker-adapted voice models"):
        RunModels.load_adapted(plain)


def test_a_bad_clip_costs_only_itself(clips: Path, run_dir: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(clips / "Actor_02", tmp_path / "mixed"))
    (folder / "broken.wav").write_bytes(b"RIFF")
    enrolment, failed = enrol_voice([folder], features=ClassicFeatures())
    assert enrolment.n_clips == 8
    assert [path.name for path in failed] == ["broken.wav"]
    done = runner.invoke(app, ["enrol", str(folder), "-o", str(tmp_path / "e.json"), "--run", str(run_dir), "--json"])
    assert done.exit_code == 1
    facts = json.loads(done.stdout)
    assert (facts["clips"], list(facts["failed"])) == (8, [(folder / "broken.wav").as_posix()])
    assert "broken.wav: " in done.stderr


def test_an_answer_to_noise_says_that_it_may_mean_nothing(clips: Path, run_dir: Path, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "wind.wav", noise(2), SR)
    note = "voice: nobody is heard to speak (0 % of the sound is like speech)"
    for more in ([], ["--speaker", clips / "Actor_03"]):
        (answer,), _ = predict(tmp_path / "wind.wav", "--run", run_dir, *more)
        assert answer["notes"] == [note]
    (spoken,), _ = predict(sorted((clips / "Actor_03").iterdir())[0], "--run", run_dir)
    assert spoken["notes"] == []


def test_what_is_no_speaker_is_refused(run_dir: Path, clips: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file or folder"):
        load_or_enrol_voice(tmp_path / "nobody", features=ClassicFeatures())
    with pytest.raises(InputError, match="no media file in this folder"):
        load_or_enrol_voice(tmp_path, features=ClassicFeatures())
    (tmp_path / "broken.wav").write_bytes(b"RIFF")
    assert load_or_enrol_voice(tmp_path, features=ClassicFeatures()).n_clips == 0
    with pytest.raises(InputError, match=f"{tmp_path}: no clip of the speaker can be used"):
        Predictor.from_run(run_dir, speaker=tmp_path)
    refused = runner.invoke(app, ["enrol", str(tmp_path), "-o", str(tmp_path / "x.json"), "--run", str(run_dir)])
    assert refused.exit_code == 2
    assert "clips of which none can be used say too little about a speaker" in " ".join(refused.stderr.split())
    SpeakerStatistics.of(np.zeros((3, 2))).save(tmp_path / "other.json", features="others")
    with pytest.raises(InputError, match="enrol the speaker again with this model"):
        load_or_enrol_voice(tmp_path / "other.json", features=ClassicFeatures())
    words = ["enrol", str(clips / "Actor_01"), "-o", str(tmp_path / "anna.txt"), "--run", str(run_dir)]
    assert "an enrolment is a .json file" in runner.invoke(app, words).stderr
