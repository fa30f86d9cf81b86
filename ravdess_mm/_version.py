"""The version of the package, in the one place that setuptools and the code both read."""

__version__ = "0.1.0"
