"""The versions of the libraries that results depend on."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from importlib import metadata
from typing import Final

from ravdess_mm._version import __version__

LIBRARIES: Final[tuple[str, ...]] = (
    "av",
    "keras",
    "numpy",
    "onnxruntime",
    "opencv-python-headless",
    "pandas",
    "scikit-learn",
    "soundfile",
    "tensorflow",
    "xgboost",
)


def library_versions(names: Iterable[str] = LIBRARIES) -> dict[str, str]:
    """Return the installed version of each library; ``absent`` where it is not installed."""
    versions = {"python": ".".join(str(part) for part in sys.version_info[:3]), "ravdess-mm": __version__}
    for name in names:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            versions[name] = "absent"
    return versions
