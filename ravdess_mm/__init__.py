"""Multimodal emotion recognition on RAVDESS, actor-disjoint by construction.

Importing the package is cheap: nothing heavy (librosa, OpenCV, TensorFlow) is loaded until a function needs it.
"""

from ravdess_mm._version import __version__

__all__ = ["__version__"]
