from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pipelines.video_embedding import NAME, ZERO_SHOT, answer_untrained, make_features, train, video_embedding
from ravdess_mm.bundles.keras_backend import keras
from ravdess_mm.config import Adaptation, CnnSettings, SearchSettings, Settings
from ravdess_mm.corpus.identifier import EMOTIONS
from ravdess_mm.corpus.splits import Fold
from ravdess_mm.errors import BundleError
from ravdess_mm.predict.embedding_model import load_embedding_model
from ravdess_mm.predictions import probabilities_of, read_predictions
from ravdess_mm.run.folder import RunFolder
from ravdess_mm.video.embeddings import (
    FER2013_COUNTS,
    VIEWS,
    Embedder,
    FrameAnswers,
    answers_only,
    build_face_embeddings,
    load_embedder,
    views_of,
)
from ravdess_mm.video.face_bundle import FaceNetwork, load_face_network, open_face_network, write_face_bundle
from ravdess_mm.video.face_networks import build_face_network
from ravdess_mm.video.frame_store.store import FrameStore
from ravdess_mm.video.prior_correction import correct_priors_by_actor
from ravdess_mm.video.stills.datasets import FER_CLASSES


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    keras.utils.set_random_seed(1)
    folder = tmp_path_factory.mktemp("face")
    write_face_bundle(
        folder, build_face_network("compact"), classes=FER_CLASSES, facts={"net": "compact"}, text="random weights"
    )
    return folder


def test_views_are_central_squares_and_their_mirror_images() -> None:
    frames = np.zeros((2, 100, 100), np.uint8)
    frames[:, :, :50] = 200  # bright on the left
    frames[1, :7] = 255  # outside of every view
    shown = views_of(frames, 10)
    assert shown.shape == (2, 2 * len(VIEWS), 10, 10)
    np.testing.assert_array_equal(shown[0], shown[1])
    assert (shown[0, : len(VIEWS), :, 0] == 200).all()
    np.testing.assert_array_equal(shown[:, len(VIEWS) :], shown[:, : len(VIEWS), :, ::-1])


def test_many_frames_are_described_a_few_at_a_time(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    frames = np.random.default_rng(5).integers(0, 256, (7, 256, 256), dtype=np.uint8)
    embedder = load_embedder(bundle)
    at_once = embedder.describe(frames)
    monkeypatch.setattr("ravdess_mm.video.embeddings.AT_A_TIME", 3)
    described = embedder.describe(frames)
    np.testing.assert_allclose(described.embeddings, at_once.embeddings, atol=1e-5)
    np.testing.assert_allclose(described.probabilities, at_once.probabilities, atol=1e-5)


def test_zero_shot_evens_the_classes_and_shares_neutral_with_calm(bundle: Path) -> None:
    embedder = load_embedder(bundle)
    assert embedder.missing == ("calm",)
    shares = np.array([FER2013_COUNTS[name] for name in FER_CLASSES]) / sum(FER2013_COUNTS.values())
    found = embedder.zero_shot(FrameAnswers(np.zeros((1, 3)), shares[None]))
    expected = [1 / 14 if emotion in ("neutral", "calm") else 1 / 7 for emotion in EMOTIONS]
    np.testing.assert_allclose(found[0], expected)
    surest = np.eye(7)[[FER_CLASSES.index("disgust")]]
    assert embedder.zero_shot(FrameAnswers(np.zeros((1, 3)), surest)).argmax() == EMOTIONS.index("disgust")


def test_the_classes_are_evened_by_what_the_network_learned_from(bundle: Path) -> None:
    network = open_face_network(bundle)
    counts = {**FER2013_COUNTS, "disgust": 4360}
    embedder = Embedder(FaceNetwork(network.model, network.classes, {"class_counts": counts}))
    shares = np.array([counts[name] for name in FER_CLASSES]) / sum(counts.values())
    found = embedder.zero_shot(FrameAnswers(np.zeros((1, 3)), shares[None]))
    assert found[0, EMOTIONS.index("disgust")] == pytest.approx(1 / 7)


def test_a_take_is_described_by_mean_and_deviation_of_its_frames(bundle: Path, tiny_store: FrameStore) -> None:
    embedder = load_embedder(bundle)
    table = build_face_embeddings(tiny_store, embedder)
    assert len(table.features) == 30
    assert list(table.features.columns[3:]) == list(embedder.feature_names())
    assert len(embedder.feature_names()) == 2 * (7 + 192)
    take = table.features["take"].iloc[4]
    frames = tiny_store.read(np.flatnonzero(tiny_store.index["take"] == take))
    one_by_one = [embedder.describe(frames[place : place + 1]) for place in range(3)]
    logs = np.log([answers.probabilities[0] for answers in one_by_one])
    row = table.features.iloc[4]
    np.testing.assert_allclose(row[[f"log_{name}" for name in FER_CLASSES]].astype(float), logs.mean(axis=0), atol=1e-4)
    np.testing.assert_allclose(
        row[[f"spread_{name}" for name in FER_CLASSES]].astype(float), logs.std(axis=0), atol=1e-4
    )
    embeddings = np.array([answers.embeddings[0] for answers in one_by_one])
    np.testing.assert_allclose(row["mean_003"], embeddings[:, 3].mean(), atol=1e-5)
    assert answers_only(table.features).shape == (30, 3 + 14)


def test_a_network_of_other_classes_is_refused() -> None:
    model = build_face_network("compact", n_classes=2)
    with pytest.raises(BundleError, match="face network of class 'contempt'; allowed: angry, disgust"):
        Embedder(FaceNetwork(model, ("contempt", "happy"), {}))


def run_of(folder: Path, store: FrameStore) -> RunFolder:
    settings = Settings(
        data=(Path("clips"),),
        run="r",
        artifacts_dir=folder,
        search=SearchSettings(draws=2, refine=False, inner_folds=2),
        cnn=CnnSettings(),
        jobs=1,
        frame_step=1,
    )
    run = RunFolder(settings)
    run.frames_dir.parent.mkdir(parents=True)
    run.frames_dir.symlink_to(store.frames_path.parent)
    return run


@pytest.mark.slow
def test_from_frames_to_tables_and_back_to_a_clip(bundle: Path, tiny_store: FrameStore, tmp_path: Path) -> None:
    run = run_of(tmp_path, tiny_store)
    folds = (Fold(-1, (1, 2, 3, 4), (5,)),)
    features_path, answers_path = make_features(run, bundle)
    run.settings = run.settings.model_copy(update={"fine_tune": str(bundle), "adapt": Adaptation.SPEAKER})
    answer_untrained(run, answers_path, bundle, folds)
    train(run, features_path, bundle, folds)
    frames = tiny_store.read(np.flatnonzero(tiny_store.index["actor"] == 5))[:3]
    take = tiny_store.index.loc[tiny_store.index["actor"] == 5, "take"].iloc[0]
    for name in (ZERO_SHOT, f"{ZERO_SHOT}-adapted", NAME, f"{NAME}-adapted"):
        table = read_predictions(run.predictions_path(name))
        assert set(table.loc[table["role"] == "test", "actor"]) == {5}
        assert set(table.loc[table["role"] == "oof", "actor"]) <= {1, 2, 3, 4}
    for name in (ZERO_SHOT, NAME):
        table = read_predictions(run.predictions_path(name))
        answer, moments = load_embedding_model(run.models_dir / name).answer(frames)
        row = table[(table["role"] == "test") & (table["take"] == take)]
        np.testing.assert_allclose(probabilities_of(row)[0], answer, atol=1e-5)
        assert moments.shape == (3, 8)
    own = read_predictions(run.predictions_path(ZERO_SHOT))
    assert (own["p_calm"] > 0).all()
    np.testing.assert_allclose(own["p_calm"], own["p_neutral"])
    evened = read_predictions(run.predictions_path(f"{ZERO_SHOT}-adapted"))
    assert list(evened["take"]) == list(own["take"])
    np.testing.assert_allclose(
        probabilities_of(evened), correct_priors_by_actor(probabilities_of(own), own["actor"]), atol=1e-9
    )
    assert load_embedding_model(run.models_dir / f"{ZERO_SHOT}-adapted").recipe is None
    model = load_face_network(bundle).model
    write_face_bundle(bundle, model, classes=FER_CLASSES, facts={"net": "compact"}, text="another card")
    with pytest.raises(BundleError, match=r"face network .* is another one by now; make the run again"):
        load_embedding_model(run.models_dir / NAME)
    bundle.rename(tmp_path / "elsewhere")
    with pytest.raises(BundleError, match=r"face network .* is not here; make the run again"):
        load_embedding_model(run.models_dir / NAME)
    (tmp_path / "elsewhere").rename(bundle)
    make_features(run, bundle)
    answer_untrained(run, answers_path, bundle, folds)  # the same answers, by a network of another card
    load_embedding_model(run.models_dir / ZERO_SHOT)

    # a run that does not ask for adapted models any more forgets them, and keeps the plain ones
    run.settings = run.settings.model_copy(update={"adapt": Adaptation.NONE})
    answer_untrained(run, answers_path, bundle, folds)
    train(run, features_path, bundle, folds)
    for name in (ZERO_SHOT, NAME):
        assert not run.predictions_path(f"{name}-adapted").exists()
        assert run.predictions_path(name).exists()


def test_without_a_network_or_video_the_stage_says_so_and_goes(tmp_path: Path, monkeypatch, caplog) -> None:
    run = RunFolder(Settings(data=(Path("clips"),), run="r", artifacts_dir=tmp_path))
    run.catalog_path.parent.mkdir(parents=True)
    run.catalog_path.write_bytes(b"")
    run.predictions_dir.mkdir()
    run.predictions_path(NAME).write_bytes(b"old")
    monkeypatch.setattr("pipelines.video_embedding.find_pretrained", lambda name: None)
    caplog.set_level("INFO")
    video_embedding(run.settings)
    assert "nothing to do; no trained face network is installed" in caplog.text
    assert not run.predictions_path(NAME).exists()
