"""Multimodal emotion recognition on RAVDESS, actor-disjoint by construction.

Importing the package is cheap: what a name needs (pandas, OpenCV, ONNX Runtime) is loaded when the name is used.

Examples
--------
>>> import ravdess_mm as rm
>>> rm.predict("holiday.mp4").label  # doctest: +SKIP
'happy'
"""

from __future__ import annotations

import os
import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final

from ravdess_mm._version import __version__

if TYPE_CHECKING:
    from ravdess_mm.api import evaluate, fuse, load_predictor, parse_identifier, predict
    from ravdess_mm.predict.prediction import Prediction
    from ravdess_mm.video.face_emotions import FaceEmotions

__all__ = [
    "FaceEmotions",
    "Prediction",
    "__version__",
    "evaluate",
    "fuse",
    "load_predictor",
    "parse_identifier",
    "predict",
]

_HOMES: Final = {
    "FaceEmotions": "ravdess_mm.video.face_emotions",
    "Prediction": "ravdess_mm.predict.prediction",
    "evaluate": "ravdess_mm.api",
    "fuse": "ravdess_mm.api",
    "load_predictor": "ravdess_mm.api",
    "parse_identifier": "ravdess_mm.api",
    "predict": "ravdess_mm.api",
}
"""The module of each name that is loaded when it is first used."""


# ONNX Runtime 1.29 and later send what they run to their maker and keep an identifier in the folder of temporary files
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")


class _FrontDoor(ModuleType):
    """A package in which a name of the front door is never hidden by a submodule that is called the same."""

    def __setattr__(self, name: str, value: object) -> None:
        # the import system binds `ravdess_mm.predict`, the module, here once anything imports it
        if name not in _HOMES or not isinstance(value, ModuleType):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _FrontDoor


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(_HOMES[name]), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
