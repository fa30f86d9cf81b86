"""Where trained face networks are: those that ship with the package by name, others by folder."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Final

from ravdess_mm.bundles.bundle import CARD_NAME
from ravdess_mm.errors import InputError

PRETRAINED_DIR: Final = Path(str(files("ravdess_mm"))) / "pretrained"
"""A run in miniature: the models that ship with the package, with their model cards."""
SHIPPED: Final = "face-compact"
"""The face network that ships, with a model card in its folder; the one that answers where nothing else is said."""
SOURCE_NAME: Final = "network.json"
"""File beside a model that says which face network it rests on, and how its frames were sampled."""


def find_pretrained(name: str | Path = SHIPPED) -> Path | None:
    """Return the folder of a face network, or None if it is not there.

    Parameters
    ----------
    name : str or Path
        The name of one that ships, or a folder that ``ravdess-mm run face-network`` wrote.
    """
    for folder in (PRETRAINED_DIR / name, Path(name)):
        if (folder / CARD_NAME).is_file():
            return folder
    return None


def need_pretrained(name: str | Path) -> Path:
    """Return the folder of a face network.

    Raises
    ------
    InputError
        If there is none; the message says what was looked for and how one is made.
    """
    folder = find_pretrained(name)
    if folder is None:
        raise InputError(
            f"{name}: no trained face network of that name or in that folder; "
            f"allowed: {SHIPPED} where it is installed, or what "
            "`ravdess-mm run face-network FACES=...` wrote"
        )
    return folder
