"""Libraries that only some installations have: which extra of the package brings them."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Final

from ravdess_mm.errors import InputError

EXTRAS: Final[dict[str, tuple[str, ...]]] = {
    "train": ("keras", "matplotlib", "tensorflow", "xgboost"),
    "app": ("fastapi", "python_multipart", "uvicorn"),
    "live": ("sounddevice",),
    "dask": ("dask", "distributed"),
    "mtcnn": ("mtcnn",),
}
"""Extra to the modules that come with it; everything else is always there."""


def need_extra(*modules: str) -> None:
    """Check that modules of an extra are installed, before they are imported.

    Raises
    ------
    InputError
        Says what is missing, and how to install it.
    """
    for module in modules:
        extra = next(name for name, brought in EXTRAS.items() if module in brought)
        if find_spec(module) is None:
            raise InputError(f"this needs {module}, which is not installed: pip install 'ravdess-mm[{extra}]'")
