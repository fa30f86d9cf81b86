"""The kinds of numbers that arrays hold; shapes and units stand with the functions that take them."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Singles = npt.NDArray[np.float32]
AnyFloats = npt.NDArray[np.floating[Any]]
Integers = npt.NDArray[np.int64]
