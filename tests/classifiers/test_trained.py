from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ravdess_mm.bundles.bundle import CARD_NAME, arrays_part, sklearn_part, write_bundle
from ravdess_mm.classifiers.cross_fitting import fit_pipeline
from ravdess_mm.classifiers.estimators import family_of
from ravdess_mm.classifiers.family import Kind
from ravdess_mm.classifiers.rows import check_features
from ravdess_mm.classifiers.trained import TrainedClassifier, load_classifier, save_classifier
from ravdess_mm.corpus.identifier import EMOTIONS
from ravdess_mm.errors import BundleError, InputError

SEARCHED = [kind for kind in Kind if kind is not Kind.NETWORK]
SMALL = {
    Kind.XGBOOST: {"n_estimators": 5, "max_depth": 2},
    Kind.NETWORK: {"epochs": 2, "patience": 1, "batch_size": 16, "learning_rate": 1e-3},
}


def train(table: pd.DataFrame, kind: Kind = Kind.LOGISTIC) -> TrainedClassifier:
    rows = check_features(table)
    family = family_of(kind)
    params = SMALL.get(kind) or family.defaults(len(rows.names))
    return TrainedClassifier(
        kind=kind,
        pipeline=fit_pipeline(family, params, rows.sample, seed=0),
        feature_names=rows.names,
        feature_set="twelve",
        emotions=tuple(EMOTIONS[place] for place in rows.sample.encoded()[0]),
        temperature=1.3,
        card={"seed": 0},
    )


@pytest.fixture(scope="module")
def table(make_features) -> pd.DataFrame:
    return make_features()


@pytest.mark.parametrize("kind", list(Kind))
def test_loaded_classifier_predicts_what_the_saved_one_did(tmp_path: Path, table: pd.DataFrame, kind: Kind) -> None:
    trained = train(table, kind)
    save_classifier(tmp_path, trained)
    loaded = load_classifier(tmp_path)
    expected = trained.predict_proba(table)
    # a loaded network answers in single precision as well, but not by Keras
    np.testing.assert_allclose(
        loaded.predict_proba(table), expected, rtol=0, atol=1e-6 if kind is Kind.NETWORK else 1e-12
    )
    assert expected.shape == (len(table), 8)
    np.testing.assert_allclose(expected.sum(axis=1), 1)
    assert loaded.feature_names == trained.feature_names
    assert (loaded.kind, loaded.feature_set, loaded.temperature, dict(loaded.card)) == (
        kind,
        "twelve",
        1.3,
        {"seed": 0},
    )


@pytest.mark.parametrize("kind", [Kind.SVC, Kind.RIDGE])
def test_a_machine_of_before_still_answers(tmp_path: Path, table: pd.DataFrame, kind: Kind) -> None:
    """Its standardisation was a part of its own, for scikit-learn."""
    trained = train(table, kind)
    new = save_classifier(tmp_path / "new", trained)
    assert set(new.parts) == {"machine.npz"}
    arrays = new.load_arrays("machine.npz")
    old = {name: values for name, values in arrays.items() if name not in ("mean", "scale")}
    files = {"scaler.skops": sklearn_part(trained.pipeline.named_steps["scale"]), "machine.npz": arrays_part(old)}
    write_bundle(tmp_path / "old", kind=kind, card=new.card, files=files)
    loaded = load_classifier(tmp_path / "old")
    np.testing.assert_array_equal(loaded.predict_proba(table), trained.predict_proba(table))
    # and is stored as machines are now
    save_classifier(tmp_path / "again", loaded)
    assert (tmp_path / "again" / "machine.npz").read_bytes() == (tmp_path / "new" / "machine.npz").read_bytes()
    narrow = train(table.drop(columns="f00"), kind).pipeline.named_steps["scale"]
    files["scaler.skops"] = sklearn_part(narrow)
    write_bundle(tmp_path / "odd", kind=kind, card=new.card, files=files)
    with pytest.raises(BundleError, match=r"scaler\.skops: .*standardise 12 features"):
        load_classifier(tmp_path / "odd")


def test_a_machine_without_its_standardisation_is_refused(tmp_path: Path, table: pd.DataFrame) -> None:
    bundle = save_classifier(tmp_path / "whole", train(table, Kind.SVC))
    arrays = bundle.load_arrays("machine.npz")
    del arrays["mean"]
    write_bundle(tmp_path / "part", kind=Kind.SVC, card=bundle.card, files={"machine.npz": arrays_part(arrays)})
    with pytest.raises(BundleError, match=r"machine\.npz: no array 'mean'"):
        load_classifier(tmp_path / "part")


@pytest.mark.parametrize("kind", SEARCHED)
@pytest.mark.parametrize("emotions", [("neutral", "surprised"), ("calm", "sad", "fearful")], ids=["two", "three"])
def test_emotions_absent_from_training_have_next_to_nothing(
    tmp_path: Path, make_features, kind: Kind, emotions: tuple[str, ...]
) -> None:
    table = make_features(emotions=emotions)
    save_classifier(tmp_path, train(table, kind))
    trained = load_classifier(tmp_path)
    shares = trained.predict_proba(table)
    absent = [EMOTIONS.index(emotion) for emotion in EMOTIONS if emotion not in emotions]
    assert (shares[:, absent] > 0).all()
    assert (shares[:, absent] < 1e-5).all()
    assert (trained.predict(table) == table["emotion"]).mean() > 0.9


def test_columns_are_found_by_name(table: pd.DataFrame) -> None:
    trained = train(table)
    shuffled = table[table.columns[::-1]].assign(further=1.0)
    np.testing.assert_array_equal(trained.predict_proba(shuffled), trained.predict_proba(table))
    array = table[list(trained.feature_names)].to_numpy()
    np.testing.assert_array_equal(trained.predict_proba(array), trained.predict_proba(table))
    assert trained.predict_proba(array[:0]).shape == (0, 8)


def test_labels_in_another_order_are_refused(tmp_path: Path, table: pd.DataFrame) -> None:
    save_classifier(tmp_path, train(table))
    record = json.loads((tmp_path / CARD_NAME).read_text())
    record["card"]["classes"] = list(EMOTIONS[::-1])
    (tmp_path / CARD_NAME).write_text(json.dumps(record))
    with pytest.raises(BundleError, match="classes are out of order"):
        load_classifier(tmp_path)


def test_missing_features_are_named(table: pd.DataFrame) -> None:
    message = r"logistic model was trained on 12 features of the set 'twelve'; the table lacks 2 of them: f00, f07"
    with pytest.raises(InputError, match=message):
        train(table).predict_proba(table.drop(columns=["f00", "f07"]))


def test_array_of_another_width_is_refused(table: pd.DataFrame) -> None:
    with pytest.raises(InputError, match=r"shape \(2, 11\), expected \(n, 12\)"):
        train(table).predict_proba(np.zeros((2, 11)))


def test_value_that_is_not_finite_is_refused(table: pd.DataFrame) -> None:
    with pytest.raises(InputError, match="row 1 has no finite value of f03"):
        train(table).predict_proba(table.assign(f03=[0.0, np.nan, *[0.0] * (len(table) - 2)]))


def test_bundle_of_another_kind_is_refused(tmp_path: Path) -> None:
    write_bundle(tmp_path, kind="video-cnn", card={}, files={"note": b""})
    with pytest.raises(BundleError, match="holds a video-cnn; classifiers are random-forest, svc"):
        load_classifier(tmp_path)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("feature_names", None, "no usable 'feature_names'"),
        ("feature_names", ["f00"], "contradicts itself or the bundle's card|standardise 1 features"),
        ("classes", ["joy"] * 8, "its classes are joy"),
        ("classes", list(EMOTIONS[:7]), "contradicts itself or the bundle's card"),
        ("temperature", 0, "temperature is 0"),
        ("temperature", "hot", "temperature is 'hot'"),
    ],
)
def test_card_that_does_not_fit_is_refused(
    tmp_path: Path, table: pd.DataFrame, name: str, value: object, message: str
) -> None:
    save_classifier(tmp_path, train(table))
    record = json.loads((tmp_path / CARD_NAME).read_text())
    record["card"][name] = value
    (tmp_path / CARD_NAME).write_text(json.dumps(record))
    with pytest.raises(BundleError, match=message):
        load_classifier(tmp_path)


def test_booster_of_other_width_is_refused(tmp_path: Path, table: pd.DataFrame) -> None:
    wide, narrow = train(table, Kind.XGBOOST), train(table.drop(columns="f00"), Kind.XGBOOST)
    wide.pipeline.steps[1] = narrow.pipeline.steps[1]
    save_classifier(tmp_path, wide)
    with pytest.raises(BundleError, match="maps 11 features to 8 classes; the card says 12 and 8"):
        load_classifier(tmp_path)


def test_scaler_of_other_width_is_refused(tmp_path: Path, table: pd.DataFrame) -> None:
    wide, narrow = train(table, Kind.XGBOOST), train(table.drop(columns="f00"), Kind.XGBOOST)
    wide.pipeline.steps[0] = narrow.pipeline.steps[0]
    save_classifier(tmp_path, wide)
    with pytest.raises(BundleError, match=r"scaler\.skops: .*standardise 12 features"):
        load_classifier(tmp_path)


def test_part_of_another_kind_is_refused(tmp_path: Path, table: pd.DataFrame) -> None:
    trained = train(table)
    card = {"feature_names": trained.feature_names, "classes": EMOTIONS, "temperature": 1.0}
    write_bundle(tmp_path, kind="random-forest", card=card, files={"pipeline.skops": sklearn_part(trained.pipeline)})
    with pytest.raises(BundleError, match="holds a LogisticRegression; a random-forest bundle has a Random"):
        load_classifier(tmp_path)
