"""Rendering of the package's HTML templates."""

from __future__ import annotations

from functools import cache
from importlib.resources import files as resources
from typing import Any, Final

from markupsafe import Markup

from ravdess_mm._version import __version__

_PACKAGE: Final = "ravdess_mm.report"


def render(template: str, **content: Any) -> str:
    """Return a page: a template with its content, the style sheet and the version.

    Whatever is not `markupsafe.Markup` is escaped; a name that the template asks for and does not get is an error.
    """
    return str(
        _environment().get_template(template).render(style=own_text("style.css"), version=__version__, **content)
    )


@cache
def _environment() -> Any:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    return Environment(
        loader=PackageLoader(_PACKAGE), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )


@cache
def own_text(name: str) -> Markup:
    """Return a file beside the templates: written by us, so the only text on a page that is not escaped."""
    return Markup((resources(_PACKAGE) / "templates" / name).read_text("utf-8"))
