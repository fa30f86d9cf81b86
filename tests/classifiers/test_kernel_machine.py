from __future__ import annotations

import numpy as np
import pytest
from sklearn.datasets import make_blobs
from sklearn.kernel_ridge import KernelRidge as ReferenceRidge
from sklearn.multiclass import OneVsRestClassifier
from sklearn.svm import SVC

from ravdess_mm.classifiers.kernel_machine import (
    BOUND,
    KernelMachine,
    KernelRidge,
    SupportVectorMachine,
    bounded,
    row_weights,
    squared_distances,
)


@pytest.fixture(scope="module")
def blobs() -> tuple[np.ndarray, np.ndarray]:
    X, y = make_blobs([50, 25, 15, 10], n_features=6, centers=None, cluster_std=4.0, random_state=3)
    return (X - X.mean(axis=0)) / X.std(axis=0), y


def machines() -> list[KernelMachine]:
    return [
        SupportVectorMachine(C=3.0, gamma=0.1, class_weight="balanced"),
        SupportVectorMachine(C=0.3, kernel="linear"),
        KernelRidge(alpha=0.1, gamma=0.1, class_weight="balanced"),
        KernelRidge(alpha=3.0, kernel="linear"),
    ]


def test_distances_are_those_between_rows() -> None:
    rng = np.random.default_rng(0)
    one, other = rng.normal(size=(5, 3)), rng.normal(size=(4, 3))
    expected = ((one[:, None] - other[None]) ** 2).sum(axis=2)
    np.testing.assert_allclose(squared_distances(one, other), expected, atol=1e-12)
    assert (squared_distances(one, one).diagonal() >= 0).all()


def test_one_wild_value_is_clipped() -> None:
    np.testing.assert_allclose(bounded([[0.1, 100.0, -100.0]]), [[0.1, BOUND, -BOUND]], rtol=1e-7)


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


@pytest.mark.parametrize("machine", machines(), ids=lambda machine: type(machine).__name__ + machine.kernel)
def test_restored_machine_decides_the_same(blobs, machine: KernelMachine) -> None:
    X, y = blobs
    machine.fit(X, y)
    restored = type(machine)().restore(machine.to_arrays(), n_features=6, n_classes=4)
    np.testing.assert_array_equal(restored.decision_function(X), machine.decision_function(X))
    np.testing.assert_array_equal(restored.predict(X), machine.predict(X))


def test_two_classes_have_two_values(blobs) -> None:
    X, y = blobs
    machine = SupportVectorMachine(gamma=0.1).fit(X, np.array(["low", "high"])[(y > 0).astype(int)])
    assert machine.decision_function(X).shape == (len(X), 2)
    assert set(machine.predict(X)) <= {"low", "high"}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("vectors", np.zeros((2, 5), dtype=np.float32)),
        ("vectors", np.zeros((2, 6))),
        ("vectors", np.full((100, 6), np.nan, dtype=np.float32)),
        ("vectors", np.zeros((2, 6), dtype=np.float32)),
        ("coefficients", np.zeros((100, 3))),
        ("intercept", np.zeros(5)),
        ("kernel", np.array(7)),
        ("gamma", np.array(np.inf)),
        ("gamma", None),
    ],
)
def test_arrays_that_do_not_fit_are_refused(blobs, name: str, value: np.ndarray | None) -> None:
    arrays = KernelRidge(gamma=0.1).fit(*blobs).to_arrays()
    if value is None:
        del arrays[name]
    else:
        arrays[name] = value
    with pytest.raises(ValueError, match="array"):
        KernelRidge().restore(arrays, n_features=6, n_classes=4)
