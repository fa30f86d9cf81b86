"""A page about principal components of faces: two figures of the same answers side by side, scree plot, eigenfaces."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from importlib.resources import files as resources
from pathlib import Path
from typing import Any

from markupsafe import Markup

from ravdess_mm._version import __version__
from ravdess_mm.report.words import percent
from ravdess_mm.store import write_text


def write_pca_page(page_path: Path, scores: Mapping[str, Any], pictures: Sequence[Path]) -> Path:
    """Write the page, self-contained.

    Parameters
    ----------
    page_path : Path
        Where to.
    scores : mapping
        ``corpus``, ``tested_on``, ``images``, ``command`` and ``by_components``: number of components to what
        :func:`ravdess_mm.video.pca_dense.measure` returns.
    pictures : sequence of Path
        The scree plot and the eigenfaces, PNG.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("ravdess_mm.report"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    scree, eigenfaces = (f"data:image/png;base64,{base64.b64encode(path.read_bytes()).decode()}" for path in pictures)
    page = environment.get_template("pca.html.j2").render(
        # a file of this package, written by us: the only text on the page that is not escaped
        style=Markup((resources("ravdess_mm.report") / "templates" / "style.css").read_text("utf-8")),
        version=__version__,
        scores=scores,
        percent=percent,
        scree=scree,
        eigenfaces=eigenfaces,
    )
    write_text(page_path, page)
    return page_path
