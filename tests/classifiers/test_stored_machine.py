from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from sklearn.datasets import make_blobs
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from ravdess_mm.classifiers.kernel_machine import KernelMachine, KernelRidge, SupportVectorMachine
from ravdess_mm.classifiers.stored_machine import BOUND, StoredMachine, bounded, squared_distances


@pytest.fixture(scope="module")
def blobs() -> tuple[np.ndarray, np.ndarray]:
    X, y = make_blobs([50, 25, 15, 10], n_features=6, centers=None, cluster_std=4.0, random_state=3)
    return 100 + 7 * X, y


def machines() -> list[KernelMachine]:
    return [
        SupportVectorMachine(C=3.0, gamma=0.1, class_weight="balanced"),
        SupportVectorMachine(C=0.3, kernel="linear"),
        KernelRidge(alpha=0.1, gamma=0.1, class_weight="balanced"),
        KernelRidge(alpha=3.0, kernel="linear"),
    ]


def fitted(machine: KernelMachine, blobs: tuple[np.ndarray, np.ndarray]) -> Pipeline:
    return Pipeline([("scale", StandardScaler()), ("model", machine)]).fit(*blobs)


def test_distances_are_those_between_rows() -> None:
    rng = np.random.default_rng(0)
    one, other = rng.normal(size=(5, 3)), rng.normal(size=(4, 3))
    expected = ((one[:, None] - other[None]) ** 2).sum(axis=2)
    np.testing.assert_allclose(squared_distances(one, other), expected, atol=1e-12)
    assert (squared_distances(one, one).diagonal() >= 0).all()


def test_one_wild_value_is_clipped() -> None:
    np.testing.assert_allclose(bounded([[0.1, 100.0, -100.0]]), [[0.1, BOUND, -BOUND]], rtol=1e-7)


@pytest.mark.parametrize("machine", machines(), ids=lambda machine: type(machine).__name__ + machine.kernel)
def test_a_stored_machine_decides_the_same(blobs, machine: KernelMachine) -> None:
    pipeline = fitted(machine, blobs)
    stored = StoredMachine.of_pipeline(pipeline)
    again = StoredMachine.of_arrays(stored.to_arrays(), n_features=6, n_classes=4)
    expected = pipeline.decision_function(blobs[0])
    for one in (stored, again):
        np.testing.assert_array_equal(one.decision_function(blobs[0]), expected)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("mean", np.zeros(5)),
        ("mean", None),
        ("scale", np.full(6, np.nan)),
        ("scale", np.array([1.0, 1.0, 0.0, 1.0, 1.0, 1.0])),
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
    arrays = StoredMachine.of_pipeline(fitted(KernelRidge(gamma=0.1), blobs)).to_arrays()
    if value is None:
        del arrays[name]
    else:
        arrays[name] = value
    with pytest.raises(ValueError, match="array"):
        StoredMachine.of_arrays(arrays, n_features=6, n_classes=4)


def test_an_answer_does_not_wait_for_scikit_learn() -> None:
    code = (
        "import sys, ravdess_mm.classifiers.trained, ravdess_mm.classifiers.estimators;"
        "sys.exit(str(sorted({'sklearn', 'skops', 'scipy.stats'} & set(sys.modules)) or ''))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stderr.strip() == ""
