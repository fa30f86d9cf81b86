"""The stages stand beside the package in a checkout, and travel inside it, as ``ravdess_mm.pipelines``, in a wheel."""

from setuptools import find_packages, setup

setup(
    packages=[*find_packages(include=["ravdess_mm", "ravdess_mm.*"]), "ravdess_mm.pipelines"],
    package_dir={"ravdess_mm.pipelines": "pipelines"},
)
