"""A clip of anybody's: voice, face, both; never a guess where nothing can be heard or seen."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import av
import numpy as np
import pandas as pd
import pytest
import soundfile
from typer.testing import CliRunner

from ravdess_mm.audio.decoding import decode_audio
from ravdess_mm.audio.feature_table import build_feature_table
from ravdess_mm.audio.segmentation import find_segments, windows
from ravdess_mm.audio.speech_activity import SpeechActivity
from ravdess_mm.audio.voice_features import EmbeddingFeatures
from ravdess_mm.classifiers.training import run_classifier
from ravdess_mm.cli.main import app
from ravdess_mm.config import ChannelChoice, CnnSettings, DenseSettings, SearchSettings
from ravdess_mm.corpus.catalog import build_catalog
from ravdess_mm.corpus.identifier import EMOTIONS
from ravdess_mm.corpus.probe import probe_media
from ravdess_mm.corpus.splits import Fold
from ravdess_mm.errors import InputError, MediaError
from ravdess_mm.fusion import fuse
from ravdess_mm.fusion.rules import WeightedMean
from ravdess_mm.predict.diarization import People, SpeakerSpace
from ravdess_mm.predict.explanation import explain_clip, render_explanation
from ravdess_mm.predict.prediction import clock
from ravdess_mm.predict.predictor import PRETRAINED_DIR, Predictor
from ravdess_mm.predict.recordings import WHOLE, Recording
from ravdess_mm.predict.run_models import INVENTED, RunModels
from ravdess_mm.predict.video import load_video_model
from ravdess_mm.predictions import ADAPTED
from ravdess_mm.sample.files import ensure_sample
from ravdess_mm.store import read_table, write_json
from ravdess_mm.video.decoding.frames import iter_frames
from ravdess_mm.video.frame_store.store import FrameStore, build_frame_store
from tests.audio.sounds import SR, sentence, tone
from tests.films import join_films

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("predict")]


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    folder = ensure_sample(tmp_path_factory.mktemp("clips") / "sample", actors=(1, 2, 3), jobs=1)
    return build_catalog([folder], channel=ChannelChoice.SPEECH, jobs=1).clips


@pytest.fixture(scope="module")
def run_dir(clips: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run in miniature: one voice model, one face model, fused."""
    from ravdess_mm.video.training.folds import run_network

    root = tmp_path_factory.mktemp("run")
    fold = Fold(-1, (1, 2), (3,))
    built = build_feature_table(clips, cache_dir=root / "cache", jobs=1)
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


@pytest.mark.parametrize("models", ["of a run", "that ship"])
def test_a_film_is_answered_without_waiting_for_tensorflow(models: str, run_dir: Path, clips: pd.DataFrame) -> None:
    film = clips.loc[(clips["modality"] == "full-av") & clips["has_audio"], "path"].iloc[0]
    source = run_dir if models == "of a run" else PRETRAINED_DIR
    code = (
        "import sys; from ravdess_mm.predict.predictor import Predictor; "
        f"print(Predictor.from_run({str(source)!r}).predict({str(film)!r}).sources); "
        "sys.exit(', '.join(sorted({'tensorflow', 'keras', 'sklearn', 'skops'} & set(sys.modules))) or None)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "audio+video\n"


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


@pytest.mark.parametrize("name", ["clip.m4a", "clip.aiff", "clip.caf", "clip", "clip.mp4"])
def test_content_decides_and_not_the_suffix(run_dir: Path, clips: pd.DataFrame, tmp_path: Path, name: str) -> None:
    sound = Path(clips.loc[clips["modality"] == "audio-only", "path"].iloc[0])
    (tmp_path / name).write_bytes(sound.read_bytes())
    predictor = Predictor.from_run(run_dir)
    assert predictor.predict(tmp_path / name).probabilities == predictor.predict(sound).probabilities


def test_what_is_no_clip_is_refused_with_a_reason(run_dir: Path, tmp_path: Path) -> None:
    predictor = Predictor.from_run(run_dir)
    # FFmpeg reads text as a film of letters: it must not get the chance
    (tmp_path / "notes.txt").write_text("dear diary " * 100)
    with pytest.raises(MediaError, match=r"holds text \(tty\)"):
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


@pytest.fixture(scope="module")
def long_sound(clips: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight takes of actor 3, of as many emotions, one after the other; each ends in silence."""
    takes = clips[(clips["actor"] == 3) & (clips["modality"] == "audio-only")].drop_duplicates("emotion")
    parts = []
    for clip in takes["path"]:
        y, sr = decode_audio(clip)
        parts += [np.zeros(sr // 2, np.float32), y, np.zeros(sr // 2, np.float32)]
    path = tmp_path_factory.mktemp("long") / "talk.flac"
    soundfile.write(path, np.concatenate(parts), sr)
    return path


@pytest.fixture(scope="module")
def long_film(clips: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Path:
    films = clips[(clips["actor"] == 3) & (clips["modality"] == "full-av") & clips["has_audio"]]["path"].tolist()
    return join_films((films * 8)[:8], tmp_path_factory.mktemp("long") / "talk.mp4")


def test_a_long_recording_is_answered_sentence_by_sentence(run_dir: Path, long_sound: Path) -> None:
    predictor = Predictor.from_run(run_dir)
    answer = predictor.predict(long_sound)
    y, sr = decode_audio(long_sound)
    spans = find_segments(SpeechActivity.of(y, sr))
    assert len(spans) == 8
    assert [(segment.start_s, segment.end_s) for segment in answer.segments] == spans
    for segment, (start, end) in zip(answer.segments, spans, strict=True):
        alone, _ = predictor.voice.score(y[int(start * sr) : int(end * sr)], sr)
        assert list(segment.branches["audio"].values()) == pytest.approx(alone)
        assert list(segment.probabilities.values()) == pytest.approx(predictor.recipe.apply({"audio": alone}))
    lengths = [end - start for start, end in spans]
    mean = np.average([list(segment.probabilities.values()) for segment in answer.segments], axis=0, weights=lengths)
    assert list(answer.probabilities.values()) == pytest.approx(mean)
    assert sum(answer.branches["audio"].values()) == pytest.approx(1)
    assert answer.notes == (f"the mean of 8 segments, {sum(lengths):.0f} of {len(y) / sr:.0f} s",)
    assert all(segment.notes == () for segment in answer.segments)
    whole = predictor.predict(long_sound, in_segments=False)
    assert whole.segments == ()
    assert f"voice: one answer for {len(y) / sr:.0f} s" in whole.notes[0]


def test_sound_in_memory_is_answered_like_a_file_of_it(run_dir: Path, long_sound: Path, clips: pd.DataFrame) -> None:
    predictor = Predictor.from_run(run_dir)
    short = clips.loc[clips["modality"] == "audio-only", "path"].iloc[0]
    for path, n_segments in ((short, 0), (long_sound, 8)):
        y, sr = decode_audio(path)
        answer, of_file = predictor.predict_samples(y.astype(np.float64), sr), predictor.predict(path)
        assert answer.probabilities == pytest.approx(of_file.probabilities)
        assert len(answer.segments) == n_segments
        assert str(answer.path) == "array"
    with pytest.raises(MediaError, match=r"^voice: nobody is heard to speak$"):
        predictor.predict_samples(np.zeros(30 * 16_000), 16_000)
    for wrong in (np.zeros((2, 100)), np.zeros(100, np.int16), np.zeros(0)):
        with pytest.raises(InputError, match="allowed: floats from -1 to 1 of shape"):
            predictor.predict_samples(wrong, 16_000)
    with pytest.raises(InputError, match="at 0 Hz"):
        predictor.predict_samples(np.zeros(100), 0)
    with pytest.raises(MediaError, match="1 of 100 samples are NaN or infinite"):
        predictor.predict_samples(np.where(np.arange(100) == 3, np.nan, 0.1), 16_000)
    with pytest.raises(MediaError, match="voice: silent"):
        predictor.predict_samples(np.zeros(16_000), 16_000)


def test_pictures_in_memory_are_answered_like_a_film_of_them(run_dir: Path, clips: pd.DataFrame) -> None:
    film = clips.loc[(clips["modality"] == "full-av") & clips["has_audio"], "path"].iloc[0]
    images = np.stack([frame.image for frame in iter_frames(film, frame_step=1)])
    predictor = Predictor.from_run(run_dir)
    of_file, (samples, sr) = predictor.predict(film), decode_audio(film)
    both = predictor.predict_frames(images, 30_000 / 1001, samples=samples, sr=sr)
    assert both.probabilities == pytest.approx(of_file.probabilities)
    assert [moment.time_s for moment in both.moments] == pytest.approx([moment.time_s for moment in of_file.moments])
    silent = predictor.predict_frames(images, 30_000 / 1001)
    assert silent.branches == {"video": pytest.approx(of_file.branches["video"])}
    # at half the rate every tenth frame is looked at
    half = predictor.predict_frames(list(images[::2]), 15_000 / 1001)
    assert half.branches["video"] == pytest.approx(of_file.branches["video"])
    for wrong, fps, why in (
        (images[0], 25, "frames have shape"),
        (images[:0], 25, "no frames"),
        (images, 0, "fps is 0"),
        (images.astype(float), 25, "float64"),
    ):
        with pytest.raises(InputError, match=why):
            predictor.predict_frames(wrong, fps)
    with pytest.raises(MediaError, match="black"):
        predictor.predict_frames(np.zeros((3, 40, 40), np.uint8), 25)


@pytest.mark.parametrize("ending", ["", ADAPTED])
def test_the_network_that_ships_stands_in_for_action_units(run_dir: Path, ending: str) -> None:
    learned = replace(
        Predictor.from_run(run_dir).recipe,
        models={"audio": "audio-svc", "video": f"video-action-units{ending}"},
        temperatures={"audio": 1.5, "video": 2.0},
        combiners={("audio", "video"): WeightedMean((1.0, 0.0))},
        unchecked=("video",),
    )
    recipe, face = load_video_model(run_dir / "models", learned)
    assert recipe.models == {"audio": "audio-svc", "video": f"video-zero-shot{ending}"}
    assert face.models_dir == PRETRAINED_DIR / "models"
    assert face.is_evened is bool(ending)
    assert f"the run's own, video-action-units{ending}, reads tables" in face.note
    # what was learned about units is not applied to another model; what was learned about the voice is
    one, other = np.full(8, 0.1), np.full(8, 0.05)
    one[2], other[3] = 0.3, 0.65
    expected = one ** (1 / 1.5) * other
    np.testing.assert_allclose(recipe.apply({"audio": one, "video": other}), expected / expected.sum(), atol=1e-5)


def test_a_film_is_answered_by_a_run_whose_faces_were_action_units(
    run_dir: Path, clips: pd.DataFrame, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    shutil.copytree(run_dir / "models", run / "models")
    recipe_path = run / "models" / "fused" / "recipe.json"
    recipe_path.write_text(recipe_path.read_text().replace("video-cnn", "video-action-units"))
    film = clips.loc[(clips["modality"] == "full-av") & clips["has_audio"], "path"].iloc[0]
    sound = clips.loc[clips["modality"] == "audio-only", "path"].iloc[0]
    predictor = Predictor.from_run(run)
    answer = predictor.predict(film)
    assert set(answer.branches) == {"audio", "video"}
    assert answer.branches["video"] == pytest.approx(Predictor.from_run(PRETRAINED_DIR).predict(film).branches["video"])
    assert [note for note in answer.notes if note.startswith("face: by the network that ships")]
    assert not [note for note in predictor.predict(sound).notes if note.startswith("face")]


def test_a_run_on_the_synthetic_sample_says_so_with_every_answer(
    run_dir: Path, clips: pd.DataFrame, long_sound: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    shutil.copytree(run_dir / "models", run / "models")
    sound = clips.loc[clips["modality"] == "audio-only", "path"].iloc[0]
    for synthetic in (True, False):
        write_json(run / "run.json", {"synthetic": synthetic})
        predictor = Predictor.from_run(run)
        for path in (sound, long_sound):
            assert (INVENTED in predictor.predict(path).notes) is synthetic
    (run / "run.json").unlink()
    assert INVENTED not in Predictor.from_run(run).predict(sound).notes
    assert INVENTED not in Predictor.from_run(PRETRAINED_DIR).predict(sound).notes


def test_models_that_only_see_have_no_answer_to_long_sound(run_dir: Path, long_sound: Path) -> None:
    predictor = Predictor.from_run(run_dir)
    seeing = replace(predictor.recipe, models={"video": predictor.recipe.models["video"]})
    blind = Predictor(RunModels(seeing, predictor.voice, predictor.face))
    with pytest.raises(MediaError, match="the clip has audio; the models are for video"):
        blind.predict(long_sound)
    with pytest.raises(MediaError, match="the models are for video, not for sound"):
        blind.predict_samples(np.zeros(16_000), 16_000)


def test_what_is_no_voice_is_no_piece(run_dir: Path, long_sound: Path) -> None:
    y, sr = decode_audio(long_sound)
    hiss = np.random.default_rng(0).normal(0, 0.1, 2 * sr).astype(np.float32)
    answer = Predictor.from_run(run_dir).predict_samples(np.concatenate([hiss, y, hiss]), sr)
    assert len(answer.segments) == 8


def test_where_nobody_speaks_the_answer_is_nearly_even(run_dir: Path) -> None:
    predictor = Predictor.from_run(run_dir)
    answer = predictor.predict_samples(tone(), SR)
    assert answer.notes == ("voice: nobody is heard to speak (0 % of the sound is like speech)",)
    even = list(answer.branches["audio"].values())
    spoken = SpeechActivity.of(sentence(), SR)
    sure, notes = predictor.voice.score(tone(), SR, activity=spoken)
    assert notes == []
    np.testing.assert_allclose(even, 1 / 8, atol=0.05)
    assert np.std(even) < 0.2 * np.std(sure)


def test_notes_on_pieces_are_counted(run_dir: Path, long_sound: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        import_module("ravdess_mm.predict.audio"), "check_speech", lambda activity: ["as if"] * (activity.share > 0)
    )
    answer = Predictor.from_run(run_dir).predict(long_sound)
    assert {segment.notes for segment in answer.segments} == {("voice: as if",)}
    assert answer.notes[1:] == ("see the notes on 8 of the segments",)


def test_the_command_lists_the_segments(run_dir: Path, long_sound: Path, clips: pd.DataFrame) -> None:
    def run(*words: str) -> str:
        done = CliRunner().invoke(app, ["predict", *words, "--run", str(run_dir)], catch_exceptions=False)
        assert done.exit_code == 0, done.stderr
        return done.stdout

    (told,) = json.loads(run(str(long_sound), "--json"))
    assert len(told["segments"]) == 8
    first = told["segments"][0]
    expected = {"start_s", "end_s", "speaker", "face", "label", "probabilities", "sources", "branches", "notes"}
    assert set(first) == expected
    assert first["speaker"] is None
    assert told["speakers"] == []
    assert first["label"] == max(first["probabilities"], key=first["probabilities"].get)
    assert first["sources"] == "audio"
    shown = run(str(long_sound))
    assert f"{clock(first['start_s'])} - {clock(first['end_s'])}" in shown
    short = clips.loc[clips["modality"] == "audio-only", "path"].iloc[0]
    assert json.loads(run(short, "--json"))[0]["segments"] == []
    assert len(json.loads(run(short, "--json", "--segments"))[0]["segments"]) == 1
    assert json.loads(run(str(long_sound), "--json", "--whole"))[0]["segments"] == []


def test_two_people_in_one_recording_are_told_apart(clips: pd.DataFrame, tmp_path: Path) -> None:
    voices = clips[clips["modality"] == "audio-only"].groupby(["actor", "emotion"]).head(1)
    pairs = zip(*(voices[voices["actor"] == actor]["path"].head(5) for actor in (1, 2)), strict=True)
    parts = []
    for path in [path for pair in pairs for path in pair]:
        y, sr = decode_audio(path)
        parts += [y, np.zeros(sr, np.float32)]
    soundfile.write(tmp_path / "talk.wav", np.concatenate(parts), sr)
    # drawn voices differ in other ways than people's do
    features = EmbeddingFeatures()
    rows = [features.extract(*decode_audio(path)) for path in voices["path"]]
    space = SpeakerSpace.learn(rows, voices["actor"])
    predictor = Predictor.from_run(PRETRAINED_DIR)
    plain = predictor.predict(tmp_path / "talk.wav")
    predictor.people = People(2, space)
    answer = predictor.predict(tmp_path / "talk.wav")
    assert [segment.speaker for segment in answer.segments] == [1, 2] * 5
    assert [segment.probabilities for segment in answer.segments] == [
        segment.probabilities for segment in plain.segments
    ]
    assert answer.notes[0] == "told apart by voice: speaker 1 in 5 of the segments, speaker 2 in 5 of the segments"
    assert {segment.speaker for segment in plain.segments} == {None}
    first, second = answer.to_dict()["speakers"]
    assert (first["speaker"], first["segments"], second["speaker"]) == (1, 5, 2)
    own = [segment for segment in answer.segments if segment.speaker == 2]
    lengths = [segment.end_s - segment.start_s for segment in own]
    assert second["seconds"] == pytest.approx(sum(lengths), abs=1e-3)
    mean = np.average([list(segment.probabilities.values()) for segment in own], axis=0, weights=lengths)
    assert list(second["probabilities"].values()) == pytest.approx(mean)
    shown = CliRunner().invoke(app, ["predict", str(tmp_path / "talk.wav"), "--speakers", "2"], catch_exceptions=False)
    assert "speaker 2" in shown.stdout
    assert ", speaker 1" in shown.stdout
    whole = Predictor.from_run(PRETRAINED_DIR, speakers=2).predict(voices["path"].iloc[0])
    assert "speakers: not told apart, since this is one segment" in whole.notes


def test_where_nobody_is_heard_nobody_is_told_apart(clips: pd.DataFrame, tmp_path: Path) -> None:
    films = clips[(clips["actor"] == 3) & (clips["modality"] == "full-av")]["path"].tolist()
    silent = join_films((films * 8)[:8], tmp_path / "silent.mp4", sound=False)
    answer = Predictor.from_run(PRETRAINED_DIR, speakers=2).predict(silent)
    assert "speakers: not told apart, since nobody is heard" in answer.notes
    assert {segment.speaker for segment in answer.segments} == {None}


def test_one_known_speaker_and_several_unknown_exclude_each_other(clips: pd.DataFrame, tmp_path: Path) -> None:
    for wrong in ({"speaker": tmp_path, "speakers": 2}, {"speakers": 0}):
        with pytest.raises(InputError, match="allowed: 1 or more, and not beside one known speaker"):
            Predictor.from_run(PRETRAINED_DIR, **wrong)
    words = ["predict", clips["path"].iloc[0], "--speaker", str(tmp_path), "--speakers", "2"]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 2
    assert "--speaker and --speakers exclude each other" in done.stderr


def test_of_a_long_film_every_piece_has_voice_and_face(run_dir: Path, long_film: Path, tmp_path: Path) -> None:
    predictor = Predictor.from_run(run_dir)
    prediction, seen = predictor.answer(long_film, keep_images=True)
    assert seen is not None
    assert len(prediction.segments) >= 6
    # all frames are looked at, in and between the segments, as they would be at once
    source = Recording.open(long_film, branches=["video"]).frames
    assert source is not None
    ((_, faces),) = predictor.face.score_spans(source, [WHOLE])
    (at_once,) = faces.values()
    assert seen.times_s == at_once.times_s == tuple(moment.time_s for moment in prediction.moments)
    np.testing.assert_allclose(seen.probabilities, at_once.probabilities, atol=1e-5)
    np.testing.assert_array_equal(seen.images, at_once.images)
    both = [segment for segment in prediction.segments if segment.sources == "audio+video"]
    assert len(both) >= len(prediction.segments) - 1  # a segment shorter than the frame step may lie between two frames
    for segment in both:
        times = np.array(at_once.times_s)
        own = at_once.probabilities[(times >= segment.start_s) & (times < segment.end_s)]
        assert list(segment.branches["video"].values()) == pytest.approx(own.mean(axis=0), abs=1e-5)
    _, without = predictor.answer(long_film)
    assert without is not None
    assert len(without.images) == 0
    page = render_explanation(explain_clip(predictor, long_film, n_frames=3))
    assert page.count(f"<td>{clock(both[0].start_s)}</td><td>{clock(both[0].end_s)}</td>") == 1
    assert page.count('alt="Frame at ') == 3


def test_a_long_silent_film_is_answered_in_equal_parts(run_dir: Path, clips: pd.DataFrame, tmp_path: Path) -> None:
    films = clips[(clips["actor"] == 3) & (clips["modality"] == "full-av")]["path"].tolist()
    path = join_films((films * 8)[:8], tmp_path / "silent.mp4", sound=False)
    answer = Predictor.from_run(run_dir).predict(path)
    spans = windows(probe_media(path).duration_s)
    assert [(segment.start_s, segment.end_s) for segment in answer.segments] == spans
    assert {segment.sources for segment in answer.segments} == {"video"}
    assert {segment.notes for segment in answer.segments} == {()}


def test_damage_costs_the_faces_from_there_on(run_dir: Path, long_film: Path, tmp_path: Path) -> None:
    content = bytearray(long_film.read_bytes())
    with av.open(str(long_film)) as given:
        packets = [packet for packet in given.demux(video=0) if packet.size]
        places = [packet.pos for packet in packets if packet.pts is not None and packet.time_base * packet.pts > 15]
    for place in places:  # the length of the first unit in a packet
        content[place : place + 4] = b"\xff\xff\xff\xff"
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(bytes(content))
    predictor = Predictor.from_run(run_dir)
    whole, damaged = predictor.predict(long_film), predictor.predict(broken)
    with_face = [segment.branches.get("video") is not None for segment in damaged.segments]
    assert len(with_face) == len(whole.segments)
    n_faces = sum(with_face)
    assert 3 <= n_faces < len(with_face)
    assert with_face == [True] * n_faces + [False] * (len(with_face) - n_faces)
    assert any(note.startswith("face: damaged after frame") for note in damaged.notes)
    assert n_faces <= len(damaged.moments) < len(whole.moments)
    for segment, sound in list(zip(damaged.segments, whole.segments, strict=True))[: n_faces - 1]:
        assert segment.probabilities == pytest.approx(sound.probabilities, abs=1e-4)
