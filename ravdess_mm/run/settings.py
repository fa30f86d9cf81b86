"""From words to a run's settings: defaults, the sample's preset, a file, make variables, in this order.

The words are those of the make variables. A later source wins over an earlier one: defaults, the preset of the
embedded sample (only where no ``DATA`` is given), the file named by ``CONFIG``, then ``NAME=value`` arguments.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from ravdess_mm.config import LONGEST_NAME, Settings, split_paths
from ravdess_mm.corpus.corpus_names import corpus_named
from ravdess_mm.errors import InputError, one_line, printable
from ravdess_mm.run.stages import variables
from ravdess_mm.store import read_text

MAKE_VARIABLES: Final[dict[str, str]] = {
    name: name.lower() for name in variables() if name.lower() in Settings.model_fields
}
"""Make variable to field of :class:`Settings`; ``CONFIG`` names a TOML file and is read first."""

VARIABLES: Final = (*MAKE_VARIABLES, "CONFIG")
"""All variables of a run."""


def load_settings(arguments: Sequence[str] | Mapping[str, str] = ()) -> Settings:
    """Build the settings of a run from ``NAME=value`` arguments, a ``CONFIG`` file and the defaults.

    Parameters
    ----------
    arguments : sequence of str or mapping
        ``["DATA=clips", "PROTOCOL=loso"]`` or the same as a mapping. An empty value means "not given".

    Raises
    ------
    InputError
        One line that says which variable, key or corpus is wrong, what was received and what is allowed.
    """
    given = read_words(arguments)
    config = given.pop("CONFIG", None)
    chosen: dict[str, Any] = {}
    if config is not None:
        chosen = _read_toml(Path(config))
    overrides = {MAKE_VARIABLES[name]: value for name, value in given.items()}
    if not (overrides.get("data") or chosen.get("data")):
        preset = tomllib.loads(files("ravdess_mm").joinpath("run/presets/sample.toml").read_text("utf-8"))
        if overrides.get("protocol", chosen.get("protocol", "holdout")) != "holdout":
            del preset["test_actors"]
        chosen = _merge(preset, chosen)
    merged = _merge(chosen, overrides)
    if "run" not in merged and merged.get("data"):
        merged["run"] = _run_name(merged["data"])
    try:
        settings = Settings.model_validate(merged)
    except ValidationError as error:
        raise InputError(_one_line(error, config)) from error
    for name, _ in settings.corpus_folders:
        corpus_named(name)
    return settings


def read_words(arguments: Sequence[str] | Mapping[str, str], names: Iterable[str] = VARIABLES) -> dict[str, str]:
    """Read ``NAME=value`` words into a mapping; of a name given twice the last counts, an empty value is left out.

    Parameters
    ----------
    arguments : sequence of str or mapping
        The words, or what they stand for.
    names : iterable of str
        The names that are allowed.

    Raises
    ------
    InputError
        If a word is not of this form or its name is not allowed.
    """
    names = tuple(names)
    given = dict(arguments) if isinstance(arguments, Mapping) else {}
    for argument in () if isinstance(arguments, Mapping) else arguments:
        name, equals, value = argument.partition("=")
        if not equals:
            raise InputError(f"{argument!r} is not NAME=value; allowed names: {', '.join(names)}")
        given[name] = value
    unknown = sorted(set(given) - set(names))
    if unknown:
        raise InputError(f"unknown variable {unknown[0]!r}; allowed: {', '.join(names)}")
    return {name: value for name, value in given.items() if value.strip()}


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(read_text(path))
    except InputError as error:
        raise InputError(f"CONFIG={error}") from error
    except RecursionError as error:
        raise InputError(f"CONFIG={path}: not a TOML file that is read here (nested too deep)") from error
    except ValueError as error:  # also bytes that are no UTF-8, and a number of thousands of digits
        raise InputError(f"CONFIG={path}: not a TOML file ({one_line(error)})") from error


def _merge(base: dict[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in over.items():
        old = merged.get(key)
        merged[key] = _merge(old, value) if isinstance(old, dict) and isinstance(value, Mapping) else value
    return merged


def _run_name(data: Any) -> str:
    try:
        first = split_paths(data)[0] if isinstance(data, str) else data[0]
    except (ValueError, IndexError, KeyError, TypeError):
        return "run"  # what is wrong with the data is said next
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", Path(str(first)).resolve().name).strip("-._")
    return name[:LONGEST_NAME] or "run"


def _one_line(error: ValidationError, config: str | None) -> str:
    first = error.errors()[0]
    field = ".".join(str(part) for part in first["loc"])
    shown = {name: variable for variable, name in MAKE_VARIABLES.items()}.get(field, field)
    if first["type"] == "extra_forbidden":
        *section, _ = first["loc"]
        model: Any = Settings
        for part in section:
            model = model.model_fields[part].annotation
        allowed = ", ".join(model.model_fields)
        return f"{config or 'settings'}: unknown key {field!r}; allowed: {allowed}"
    reason = first["msg"].removeprefix("Value error, ")
    if first["type"] == "enum":
        reason = f"allowed: {first['ctx']['expected']}".replace("'", "").replace(" or ", ", ")
    if not field:
        return reason
    return f"{shown}={printable(first['input'])[:LONGEST_NAME]}: {reason}"
