"""The notebook of the first ten minutes runs as it stands."""

from __future__ import annotations

import os
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

ROOT = Path(__file__).parents[1]
NOTEBOOK = ROOT / "docs" / "quickstart.ipynb"


@pytest.mark.slow
def test_the_notebook_leads_from_an_install_to_a_comparison(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]))
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    NotebookClient(notebook, timeout=600, resources={"metadata": {"path": str(tmp_path)}}).execute()
    shown = [cell.get("outputs", []) for cell in notebook.cells if cell.cell_type == "code"]
    assert any("image/png" in output.get("data", {}) for outputs in shown for output in outputs)
    assert (tmp_path / "reports" / "first" / "index.html").is_file()
    assert "ADAPT=speaker" in notebook.cells[-2].source
    assert "first" in shown[-1][0]["text"]


def test_the_notebook_is_kept_without_output() -> None:
    for cell in nbformat.read(NOTEBOOK, as_version=4).cells:
        assert not cell.get("outputs")
        assert cell.get("execution_count") is None
