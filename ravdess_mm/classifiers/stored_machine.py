"""A trained kernel machine as plain arrays.

Arrays carry no code: a file of them needs its shapes checked, and nothing more. They need numpy alone, so an answer
does not wait for scikit-learn, which takes longer to start than the answer itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from ravdess_mm.arrays import Floats

BOUND: Final = 4.0
"""Standardised features are clipped here: one wild value among thousands would outweigh all others in a distance."""

KERNELS: Final[tuple[str, ...]] = ("linear", "rbf")


def bounded(X: npt.ArrayLike) -> Floats:
    """Return standardised features within `BOUND`, at the precision in which they are stored (float32)."""
    return np.clip(np.asarray(X, dtype=np.float32), -BOUND, BOUND).astype(np.float64)


def squared_distances(one: Floats, other: Floats) -> Floats:
    """Return the squared Euclidean distance of each row of `one` to each row of `other` [shape=(n, m)]."""
    norms = np.einsum("ij,ij->i", one, one)[:, None] + np.einsum("ij,ij->i", other, other)
    return np.asarray(np.maximum(norms - 2 * (one @ other.T), 0))


def kernel_values(kernel: str, gamma: float, one: Floats, other: Floats) -> Floats:
    """Compare each row of `one` with each row of `other` [shape=(n, m)]; both `bounded`.

    Parameters
    ----------
    kernel : str
        ``rbf``, exp(-gamma |x - z|^2), or ``linear``, the inner product.
    gamma : float
        Of the RBF kernel.
    """
    if kernel == "linear":
        return np.asarray(one @ other.T)
    return np.asarray(np.exp(-gamma * squared_distances(one, other)))


@dataclass(frozen=True)
class StoredMachine:
    """Arrays of a kernel machine, its standardisation included.

    Attributes
    ----------
    mean, scale : numpy.ndarray of float64 [shape=(n_features,)]
        A feature is standardised as (x - mean) / scale.
    vectors : numpy.ndarray of float32 or float16 [shape=(m, n_features)]
        Standardised rows that it compares with; of the linear kernel, one row of weights a class.
    coefficients : numpy.ndarray of float64 [shape=(m, K)]
    intercept : numpy.ndarray of float64 [shape=(K,)]
    kernel, gamma
        See `kernel_values`.
    """

    mean: Floats
    scale: Floats
    vectors: npt.NDArray[np.float32] | npt.NDArray[np.float16]
    coefficients: Floats
    intercept: Floats
    kernel: str
    gamma: float

    @classmethod
    def of_pipeline(cls, pipeline: Any) -> StoredMachine:
        """Take what a fitted pipeline of ``StandardScaler`` and `KernelMachine` answers with.

        The machine's classes have to be 0 .. K-1, and its kernel one of `KERNELS`.
        """
        scaler, machine = (step for _, step in pipeline.steps)
        n = machine.n_features_in_
        mean = np.zeros(n) if scaler.mean_ is None else scaler.mean_
        scale = np.ones(n) if scaler.scale_ is None else scaler.scale_
        parts = (machine.vectors_, machine.coefficients_, machine.intercept_)
        return cls(mean, scale, *parts, machine.kernel, float(machine.gamma))

    @classmethod
    def of_arrays(cls, arrays: Mapping[str, npt.NDArray[Any]], *, n_features: int, n_classes: int) -> StoredMachine:
        """Become the machine that `to_arrays` was called on.

        Raises
        ------
        ValueError
            If an array is missing, has another shape or type, or holds anything but finite numbers.
        """
        expected: dict[str, tuple[type, tuple[int | None, ...]]] = {
            "mean": (np.float64, (n_features,)),
            "scale": (np.float64, (n_features,)),
            "vectors": (np.float32, (None, n_features)),
            "coefficients": (np.float64, (None, n_classes)),
            "intercept": (np.float64, (n_classes,)),
            "kernel": (np.int64, ()),
            "gamma": (np.float64, ()),
        }
        for name, (kind, shape) in expected.items():
            if name not in arrays:
                raise ValueError(f"no array {name!r}")
            array = arrays[name]
            fits = len(array.shape) == len(shape) and all(
                want in (None, size) for want, size in zip(shape, array.shape, strict=True)
            )
            kinds = (np.float16, np.float32) if name == "vectors" else (kind,)
            if not fits or array.dtype not in kinds or not np.isfinite(array).all():
                raise ValueError(
                    f"array {name!r} is not {n_features} features to {n_classes} classes in finite numbers"
                )
        same = len(arrays["vectors"]) == len(arrays["coefficients"])
        if not same or int(arrays["kernel"]) not in range(len(KERNELS)) or not (arrays["scale"] > 0).all():
            raise ValueError("its arrays contradict each other")
        parts = {name: arrays[name] for name in ("mean", "scale", "vectors", "coefficients", "intercept")}
        return cls(**parts, kernel=KERNELS[int(arrays["kernel"])], gamma=float(arrays["gamma"]))

    def to_arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Return what `of_arrays` needs."""
        return {
            "mean": self.mean,
            "scale": self.scale,
            "vectors": self.vectors,
            "coefficients": self.coefficients,
            "intercept": self.intercept,
            "kernel": np.array(KERNELS.index(self.kernel)),
            "gamma": np.array(self.gamma),
        }

    def decision_function(self, X: Floats) -> Floats:
        """Return a value a class [shape=(n, K)] for features [shape=(n, n_features)]; the larger, the likelier."""
        rows = bounded((X - self.mean) / self.scale)
        compared = kernel_values(self.kernel, self.gamma, rows, self.vectors.astype(np.float64))
        return np.asarray(compared @ self.coefficients + self.intercept)
