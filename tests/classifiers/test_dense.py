from __future__ import annotations

import random

import numpy as np
import pytest
from sklearn.base import clone

from ravdess_mm.classifiers.cross_fitting import fit_pipeline
from ravdess_mm.classifiers.dense import (
    EPOCHS_WITHOUT_VALIDATION,
    DenseClassifier,
    build_dense_network,
)
from ravdess_mm.classifiers.estimators import family_of
from ravdess_mm.classifiers.rows import Sample, check_features


@pytest.fixture(scope="module")
def sample(make_features) -> Sample:
    return check_features(make_features(emotions=("calm", "happy", "sad"))).sample


@pytest.fixture(scope="module")
def fitted(sample: Sample) -> DenseClassifier:
    return DenseClassifier(epochs=40, patience=3, seed=4).fit(sample.X, sample.y, groups=sample.groups)


def test_network_has_the_layers_it_says() -> None:
    network = build_dense_network(160, 8, seed=0)
    kinds = [type(layer).__name__ for layer in network.layers]
    assert kinds == ["GaussianNoise", "Dense", "Dropout", "Dense", "Dropout", "Dense", "Dense"]
    assert network.input_shape == (None, 160)
    assert network.output_shape == (None, 8)


def test_it_learns(fitted: DenseClassifier, sample: Sample) -> None:
    assert (fitted.predict(sample.X) == sample.y).mean() > 0.8
    probabilities = fitted.predict_proba(sample.X)
    assert probabilities.shape == (len(sample), 3)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-6)


def test_it_stops_by_the_held_out_actors(fitted: DenseClassifier) -> None:
    assert fitted.n_epochs_ == 1 + int(np.argmin(fitted.history_))
    assert len(fitted.history_) in {40, fitted.n_epochs_ + 3}


def test_held_out_actors_are_whole(sample: Sample) -> None:
    held_out = DenseClassifier(seed=4)._held_out(sample.groups, n_rows=len(sample))
    assert 0 < held_out.sum() < len(sample)
    assert not set(sample.groups[held_out]) & set(sample.groups[~held_out])


def test_same_seed_same_network_and_no_global_state(fitted: DenseClassifier, sample: Sample) -> None:
    random.seed(1)
    np.random.seed(1)  # noqa: NPY002
    before = random.getstate(), np.random.get_state()[1].tolist()  # noqa: NPY002
    again = clone(fitted).fit(sample.X, sample.y, groups=sample.groups)
    assert (random.getstate(), np.random.get_state()[1].tolist()) == before  # noqa: NPY002
    np.testing.assert_array_equal(again.predict_proba(sample.X), fitted.predict_proba(sample.X))


def test_one_actor_trains_for_a_fixed_time(sample: Sample) -> None:
    alone = sample.rows(sample.groups == 1)
    classifier = DenseClassifier(epochs=2, seed=0).fit(alone.X, alone.y, groups=alone.groups)
    assert classifier.history_ == []
    assert classifier.n_epochs_ == 2 < EPOCHS_WITHOUT_VALIDATION


def test_pipeline_hands_it_the_actors(sample: Sample) -> None:
    params = {"epochs": 2, "patience": 1, "batch_size": 16, "learning_rate": 1e-3}
    pipeline = fit_pipeline(family_of("network"), params, sample, seed=0)
    assert len(pipeline.named_steps["model"].history_) == 2
    assert pipeline.named_steps["model"].classes_.tolist() == [0, 1, 2]
