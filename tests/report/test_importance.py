from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from ravdess_mm.report.build import render_report
from ravdess_mm.report.importance import importance_section
from ravdess_mm.report.run_files import RunFiles
from ravdess_mm.report.run_reader import read_run


@pytest.fixture(scope="module")
def files(lean_run: Path) -> RunFiles:
    return read_run(lean_run)


def test_families_stand_by_what_is_lost_without_them(files: RunFiles) -> None:
    section = importance_section(files)
    assert section is not None
    assert (section.n_takes, section.n_actors, section.repeats) == (48, 3, 10)
    plain, adapted = section.groups
    assert plain.models == ("Voice · SVC",)
    assert adapted.models == ("Voice · SVC (adapted)",)
    assert [row.family for row in plain.rows] == ["mfcc", "delta", "rms<b>"]
    assert [round(row.drops[0].value, 3) for row in plain.rows] == [0.2, 0.05, -0.01]
    assert plain.rows[0].meaning == "the spectrum’s shape (cepstra)"
    ((_, panel),) = plain.panels
    assert "most is lost without mfcc, 20.0 points" in panel
    assert panel.count('class="bar c-voice"') == 3
    assert "rms&lt;b&gt;" in panel


def test_without_the_stage_there_is_no_section(files: RunFiles) -> None:
    without = replace(files, importance=None)
    assert importance_section(without) is None
    page = render_report(without)
    assert 'href="#importance"' not in page
    assert "Feature importance" not in page
