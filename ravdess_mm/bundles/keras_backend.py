"""The one door to Keras and TensorFlow: imports them late, without their chatter, set to give equal results.

Import :data:`keras` from here, and only in modules that build, train or run a network: it takes seconds.
"""

from __future__ import annotations

import importlib
import os
import sys
import tempfile
from typing import Any

from ravdess_mm.extras import need_extra


def _import_keras() -> Any:
    """Import Keras; what TensorFlow's C++ parts write to standard error meanwhile is shown only on failure.

    Their first lines come before any of their own log settings apply, so the file descriptor itself is turned away.
    """
    need_extra("keras", "tensorflow")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as chatter:
        os.dup2(chatter.fileno(), 2)
        try:
            return importlib.import_module("keras")
        except BaseException:
            chatter.seek(0)
            os.write(kept, chatter.read())
            raise
        finally:
            os.dup2(kept, 2)
            os.close(kept)


keras = _import_keras()
"""The module ``keras``."""


def jit_compile() -> str | bool:
    """Return the value for ``compile(jit_compile=...)``.

    On a processor, XLA makes TensorFlow's convolutions about 15 times slower than its own library does.
    """
    return False if keras.backend.backend() == "tensorflow" else "auto"


def make_deterministic(seed: int) -> None:
    """Seed Python, NumPy and the backend, and have the backend use only operations that repeat bit for bit.

    Parameters
    ----------
    seed : int
        Below 2**32.
    """
    keras.utils.set_random_seed(seed)
    if keras.backend.backend() == "tensorflow":
        import tensorflow

        tensorflow.config.experimental.enable_op_determinism()
