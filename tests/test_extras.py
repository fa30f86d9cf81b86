"""What only an extra brings: what is missing is said, and every extra is one of the package's."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from ravdess_mm import extras
from ravdess_mm.errors import InputError
from ravdess_mm.extras import EXTRAS, need_extra


def test_what_is_missing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    need_extra("keras", "xgboost")
    monkeypatch.setattr(extras, "find_spec", lambda name: None if name == "xgboost" else name)
    with pytest.raises(InputError, match=r"needs xgboost, which is not installed: pip install 'ravdess-mm\[train\]'"):
        need_extra("keras", "xgboost")


def test_extras_are_those_of_the_package() -> None:
    project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())["project"]
    base = " ".join(project["dependencies"])
    for extra, modules in EXTRAS.items():
        for module in modules:
            name = module.replace("_", "-")
            assert any(one.startswith(name) for one in project["optional-dependencies"][extra]), name
            assert f"{name}>" not in base, name
