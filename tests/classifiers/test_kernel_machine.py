from __future__ import annotations

import numpy as np
import pytest
from sklearn.datasets import make_blobs
from sklearn.kernel_ridge import KernelRidge as ReferenceRidge
from sklearn.multiclass import OneVsRestClassifier
from sklearn.svm import SVC

from ravdess_mm.classifiers.kernel_machine import KernelMachine, KernelRidge, SupportVectorMachine, row_weights
from ravdess_mm.classifiers.stored_machine import bounded


@pytest.fixture(scope="module")
def blobs() -> tuple[np.ndarray, np.ndarray]:
    X, y = make_blobs([50, 25, 15, 10], n_features=6, centers=None, cluster_std=4.0, random_state=3)
    return (X - X.mean(axis=0)) / X.std(axis=0), y


def test_balanced_weights_give_classes_the_same_sum() -> None:
    codes = np.array([0, 0, 0, 1, 2, 2])
    weights = row_weights(codes, "balanced")
    assert weights.mean() == pytest.approx(1)
    np.testing.assert_allclose([weights[codes == code].sum() for code in range(3)], 2)
    np.testing.assert_array_equal(row_weights(codes, None), 1)


@pytest.mark.parametrize("class_weight", [None, "balanced"])
@pytest.mark.parametrize("kernel", ["rbf", "linear"])
def test_support_vectors_agree_with_one_svc_a_class(blobs, kernel: str, class_weight: str | None) -> None:
    X, y = blobs
    reference = OneVsRestClassifier(SVC(C=2.0, kernel=kernel, gamma=0.1, class_weight=class_weight))
    expected = reference.fit(bounded(X), y).decision_function(bounded(X))
    machine = SupportVectorMachine(C=2.0, kernel=kernel, gamma=0.1, class_weight=class_weight).fit(X, y)
    np.testing.assert_allclose(machine.decision_function(X), expected, atol=2e-2)
    assert len(machine.vectors_) <= len(X)


def test_rows_that_support_nothing_are_dropped() -> None:
    X = np.array([[-3.0], [-2.9], [-1.0], [1.0], [2.9], [3.0]])
    machine = SupportVectorMachine(gamma=0.01, C=100.0).fit(X, [0, 0, 0, 1, 1, 1])
    assert sorted(machine.vectors_[:, 0]) == [-1.0, 1.0]


@pytest.mark.parametrize("kind", [SupportVectorMachine, KernelRidge])
def test_a_linear_machine_keeps_weights_and_no_training_row(blobs, kind: type[KernelMachine]) -> None:
    X, y = blobs
    rows = bounded(X)
    machine = kind(kernel="linear").fit(X, y)
    assert machine.vectors_.shape == (4, 6)
    compared = kind(kernel="precomputed").fit(rows @ rows.T, y)
    expected = compared.decision_function(rows[:9] @ rows.T)
    np.testing.assert_allclose(machine.decision_function(X[:9]), expected, atol=1e-5)


@pytest.mark.parametrize("class_weight", [None, "balanced"])
@pytest.mark.parametrize("kernel", ["rbf", "linear"])
def test_ridge_agrees_with_weighted_kernel_ridge_on_centred_targets(
    blobs, kernel: str, class_weight: str | None
) -> None:
    X, y = blobs
    weights = row_weights(y, class_weight)
    targets = 2.0 * np.eye(4)[y] - 1
    mean = np.average(targets, axis=0, weights=weights)
    reference = ReferenceRidge(alpha=0.3, kernel=kernel, gamma=0.1)
    reference.fit(bounded(X), targets - mean, sample_weight=weights)
    machine = KernelRidge(alpha=0.3, kernel=kernel, gamma=0.1, class_weight=class_weight).fit(X, y)
    stored = 1e-8 if kernel == "rbf" else 1e-6  # weights are kept in float32
    np.testing.assert_allclose(machine.decision_function(X), reference.predict(bounded(X)) + mean, atol=stored)


def test_two_classes_have_two_values(blobs) -> None:
    X, y = blobs
    machine = SupportVectorMachine(gamma=0.1).fit(X, np.array(["low", "high"])[(y > 0).astype(int)])
    assert machine.decision_function(X).shape == (len(X), 2)
    assert set(machine.predict(X)) <= {"low", "high"}
