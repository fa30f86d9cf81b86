"""The page on pca-dense: accuracy beside binary accuracy, scree plot, eigenfaces."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ravdess_mm.report.formatting import percent
from ravdess_mm.report.page import render
from ravdess_mm.store import write_text


def write_pca_page(page_path: Path, scores: Mapping[str, Any], pictures: Sequence[Path]) -> Path:
    """Write the page, self-contained.

    Parameters
    ----------
    page_path : Path
        Where to.
    scores : mapping
        ``corpus``, ``tested_on``, ``images``, ``command`` and ``by_components``: number of components to what
        :func:`ravdess_mm.video.stills.pca_dense.measure` returns.
    pictures : sequence of Path
        The scree plot and the eigenfaces, PNG.
    """
    scree, eigenfaces = (f"data:image/png;base64,{base64.b64encode(path.read_bytes()).decode()}" for path in pictures)
    page = render("pca.html.j2", scores=scores, percent=percent, scree=scree, eigenfaces=eigenfaces)
    write_text(page_path, page)
    return page_path
