"""The models that ship: trained by one command, and answering for a clip of anybody without a run."""

from __future__ import annotations

import json
import shutil
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result
from rich.console import Console
from typer.testing import CliRunner

from pipelines import features, pretrain
from ravdess_mm.audio.embedding import FEATURE_SET, encoder_digest
from ravdess_mm.audio.segmentation import windows
from ravdess_mm.bundles.bundle import read_bundle
from ravdess_mm.bundles.pretrained import SHIPPED, find_pretrained
from ravdess_mm.classifiers.trained import load_classifier
from ravdess_mm.cli.main import app
from ravdess_mm.cli.tables import predictions_table
from ravdess_mm.corpus.identifier import EMOTIONS
from ravdess_mm.corpus.probe import probe_media
from ravdess_mm.errors import InputError, MediaError
from ravdess_mm.predict.diarization import SpeakerSpace
from ravdess_mm.predict.faces import look_through
from ravdess_mm.predict.predictor import PRETRAINED_DIR, SPEAKERS, Predictor
from ravdess_mm.predict.recordings import Recording
from ravdess_mm.predict.run_models import RunModels
from ravdess_mm.run.settings import load_settings
from ravdess_mm.sample.files import ensure_sample
from ravdess_mm.store import read_json
from ravdess_mm.video.prior_correction import ClassShares
from tests.films import join_films

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("pretrain")]

VOICES = ("audio-embedding", "audio-embedding-adapted")

SHIPPED_SPEAKERS = {"emodb": 10, "nemo": 9, "ravdess": 20}


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return ensure_sample(tmp_path_factory.mktemp("clips") / "sample", actors=(1, 2, 3), jobs=1)


@pytest.fixture(scope="module")
def out(clips: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pretrain")
    config = folder / "run.toml"
    config.write_text(f'artifacts_dir = "{folder}"\nprotocol = "loso"\njobs = 1\n')
    words = [f"DATA={clips}", "RUN=ship", f"CONFIG={config}"]
    features.features(load_settings(words))
    pretrain.pretrain(pretrain.read_settings([*words, f"OUT={folder / 'out'}"]))
    return folder / "out"


def test_both_voices_learned_from_everybody_and_from_copies(out: Path) -> None:
    for name in VOICES:
        folder = out / "models" / name / "holdout"
        trained = load_classifier(folder)
        assert trained.card["corpora"] == {"ravdess": {"clips": 47, "speakers": 3}}
        assert trained.card["n_copies"] == 2
        assert trained.card["strength"] > 0
        assert (trained.speaker is not None) == name.endswith("-adapted")
        card = (folder / "MODEL_CARD.md").read_text("utf-8")
        assert f"`{name}`" in card
        assert "47 clips of 3 speakers of ravdess" in card
        assert read_json(folder.parent / "encoder.json")["sha256"] == encoder_digest(None)


def test_what_tells_voices_apart_is_learned_from_everybody(out: Path) -> None:
    space = SpeakerSpace.load(out / SPEAKERS)
    assert space.directions.shape == (3072, 2)
    assert "47 clips of 3 speakers of ravdess" in (out / SPEAKERS / "MODEL_CARD.md").read_text("utf-8")
    assert SpeakerSpace.load(PRETRAINED_DIR / SPEAKERS).directions.shape == (3072, 38)


def test_they_answer_like_a_run(out: Path, clips: Path) -> None:
    path = next(clips.rglob("01-*.mp4"))
    plain = Predictor.from_run(out).predict(path)
    assert set(plain.branches) == {"audio", "video"}
    own_clips = path.parent
    adapted = Predictor.from_run(out, speaker=own_clips).predict(path)
    assert adapted.speaker_clips > 1
    assert adapted.face_clips > 1
    shown = Console(width=200, record=True)
    shown.print(predictions_table([adapted]))
    words = " ".join(shown.export_text().replace("│", " ").split())
    assert f"voice by {adapted.speaker_clips} clips, face by {adapted.face_clips} clips" in words
    assert (plain.speaker_clips, plain.face_clips) == (0, 0)
    assert adapted.branches["audio"] != plain.branches["audio"]
    # the face is evened by what the network says of all clips of this person that show it
    predictor = Predictor.from_run(out)
    seen = []
    for clip in sorted(own_clips.iterdir()):
        with suppress(MediaError, KeyError):  # sound alone, or no face is found
            seen.append(np.array(list(predictor.predict(clip).branches["video"].values())))
    faces = ClassShares.of(seen)
    assert faces.n_clips > 1
    expected = faces.even(list(plain.branches["video"].values()))
    assert list(adapted.branches["video"].values()) == pytest.approx(expected, abs=1e-6)
    assert adapted.branches["video"] != plain.branches["video"]
    assert adapted.moments[0].top != plain.moments[0].top
    product = np.prod([[branch[emotion] for emotion in EMOTIONS] for branch in plain.branches.values()], axis=0)
    assert list(plain.probabilities.values()) == pytest.approx(product / product.sum(), abs=1e-4)
    assert list(plain.probabilities) == list(EMOTIONS)


def test_the_sample_never_becomes_what_ships() -> None:
    with pytest.raises(InputError, match="not trained on the synthetic sample"):
        pretrain.pretrain(pretrain.read_settings([]))


def test_what_ships_is_whole_and_small() -> None:
    network = find_pretrained(SHIPPED)
    assert network is not None
    assert read_bundle(network).card["scores"]["accuracy"] >= 0.67
    assert sum(file.stat().st_size for file in network.rglob("*")) < 6e6
    for name in VOICES:
        trained = load_classifier(PRETRAINED_DIR / "models" / name / "holdout")
        assert trained.emotions == EMOTIONS
        assert trained.feature_set == FEATURE_SET
        assert {name: of["speakers"] for name, of in trained.card["corpora"].items()} == SHIPPED_SPEAKERS
    assert sum(file.stat().st_size for file in PRETRAINED_DIR.rglob("*") if file.is_file()) < 24e6


def test_predict_needs_no_run(clips: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    path = next(clips.rglob("01-*.mp4"))
    done = CliRunner().invoke(app, ["predict", str(path), "--json"], catch_exceptions=False)
    assert done.exit_code == 0
    (answer,) = json.loads(done.stdout)
    assert answer["sources"] == "audio+video"
    assert sum(answer["probabilities"].values()) == pytest.approx(1)
    assert answer["branches"]["video"]["calm"] == pytest.approx(answer["branches"]["video"]["neutral"])
    enrolled = CliRunner().invoke(
        app, ["enrol", *map(str, path.parent.glob("01-*")), "-o", "her.json"], catch_exceptions=False
    )
    assert enrolled.exit_code == 0, enrolled.output
    words = ["predict", str(path), "--speaker", "her.json", "--json"]
    again = json.loads(CliRunner().invoke(app, words, catch_exceptions=False).stdout)[0]
    assert again["speaker_adapted"]

    explained = CliRunner().invoke(app, ["explain", *words[1:-1], "-o", "why.html", "--json"], catch_exceptions=False)
    told = json.loads(explained.stdout)
    assert (told["speaker_clips"], told["face_clips"]) == (again["speaker_clips"], again["face_clips"])
    assert told["probabilities"] == again["probabilities"]
    shown = np.mean([[frame["probabilities"][emotion] for emotion in EMOTIONS] for frame in told["frames"]], axis=0)
    assert len(told["frames"]) == len(again["moments"])
    assert np.abs(shown - list(answer["branches"]["video"].values())).max() > 0.01
    adapted_by = f"voice by {again['speaker_clips']} clips, face by {again['face_clips']} clips"
    assert f"adapted to the speaker ({adapted_by})" in Path("why.html").read_text("utf-8")

    # the face is known from the enrolment too; of one that knows the voice alone it is as it was
    known = json.loads(Path("her.json").read_text("utf-8"))
    face = ClassShares.from_dict(known["face"])
    assert f" clips and a face by {face.n_clips}" in enrolled.stdout
    plain_face = list(answer["branches"]["video"].values())
    assert list(again["branches"]["video"].values()) == pytest.approx(face.even(plain_face), abs=1e-6)
    Path("her.json").write_text(json.dumps({**known, "face": {**known["face"], "network": "another"}}), "utf-8")
    refused = CliRunner().invoke(app, words)
    assert refused.exit_code != 0
    assert "from another face network; enrol the speaker again" in refused.stderr
    Path("her.json").write_text(json.dumps({**known, "face": {**known["face"], "shares": {"sad": 1.0}}}), "utf-8")
    spoilt = CliRunner().invoke(app, words)
    assert spoilt.exit_code != 0
    assert "her.json: what is known of the face lacks the shares" in " ".join(spoilt.stderr.split())
    del known["face"]
    Path("her.json").write_text(json.dumps(known), "utf-8")
    voice_only = json.loads(CliRunner().invoke(app, words, catch_exceptions=False).stdout)[0]
    assert voice_only["branches"]["video"] == answer["branches"]["video"]
    assert voice_only["branches"]["audio"] == again["branches"]["audio"]
    assert (again["face_clips"], voice_only["face_clips"]) == (face.n_clips, 0)


def test_a_long_film_shows_a_face_as_often_as_it_has_parts(clips: Path, tmp_path: Path) -> None:
    films = sorted(map(str, clips.rglob("02-*.mp4")))[:8]
    path = join_films(films, tmp_path / "long.mp4", sound=False)
    face = RunModels.load_adapted(PRETRAINED_DIR).video
    source = Recording.open(path, branches=["video"]).frames
    assert source is not None
    spans = windows(probe_media(path).duration_s)
    seen = look_through(face.score_spans(source, spans))
    scores = [part[seen.faces[0]] for number, part in seen.parts if number is not None]
    assert 2 < len(scores) <= len(spans)
    shares, used = face.shares_of([path])
    assert shares is not None
    assert (shares.n_clips, used) == (len(scores), (path,))
    np.testing.assert_allclose(shares.shares, ClassShares.of([one.answer for one in scores]).shares, atol=1e-6)


def test_of_silent_films_the_face_is_known(clips: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    def invoke(*words: str) -> Result:
        return CliRunner().invoke(app, list(words), catch_exceptions=False)

    path = next(clips.rglob("01-*.mp4"))
    first = invoke("enrol", *sorted(map(str, path.parent.glob("02-*.mp4"))), "-o", "all.json")
    lines = [line for line in first.stderr.splitlines() if "; its picture is used" in line]
    silent = [line.partition(": no audio stream")[0] for line in lines]  # the detector misses some drawn faces
    assert len(silent) > 2
    enrolled = invoke("enrol", *silent, "-o", "her.json")
    assert enrolled.exit_code == 0, enrolled.output
    assert f"her.json: a face by {len(silent)} clips" in enrolled.stdout
    face = ClassShares.from_dict(json.loads(Path("her.json").read_text("utf-8"))["face"])
    folder = tmp_path / "her-films"
    folder.mkdir()
    for film in silent:
        shutil.copy(film, folder)
    (plain,) = json.loads(invoke("predict", str(path), "--json").stdout)
    for speaker in ("her.json", str(folder)):
        (answer,) = json.loads(invoke("predict", str(path), "--speaker", speaker, "--json").stdout)
        assert (answer["speaker_clips"], answer["face_clips"]) == (0, len(silent))
        assert answer["branches"]["audio"] == plain["branches"]["audio"]
        evened = face.even(list(plain["branches"]["video"].values()))
        assert list(answer["branches"]["video"].values()) == pytest.approx(evened, abs=1e-6)
        assert answer["notes"] == ["voice: not adapted, the speaker's clips have too little sound that can be used"]
    # one film that cannot be used beside them is said, and told by the exit status
    shutil.copy(silent[0], folder / "cut.mp4")
    (folder / "cut.mp4").write_bytes((folder / "cut.mp4").read_bytes()[:500])
    partly = invoke("enrol", str(folder), "-o", "again.json", "--json")
    assert partly.exit_code == 1
    facts = json.loads(partly.stdout)
    assert (facts["clips"], facts["faces"], [Path(name).name for name in facts["failed"]]) == (
        0,
        len(silent),
        ["cut.mp4"],
    )
