from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ravdess_mm.report.build import render_report
from ravdess_mm.report.cross_corpus import cross_corpus_section
from ravdess_mm.report.run_reader import read_run
from tests.report.conftest import write_cross_corpus


def test_plain_and_adapted_figures_stand_apart(copy_of: Callable[[Path], Path], lean_run: Path) -> None:
    run_dir = copy_of(lean_run)
    write_cross_corpus(run_dir)
    files = read_run(run_dir)
    section = cross_corpus_section(files)
    assert section is not None
    plain, adapted = section.groups
    assert (plain.adapted, adapted.adapted) == (False, True)
    assert [row.title for row in plain.rows] == ["EMO-DB", "RAVDESS"]
    assert (plain.rows[0].uar.value, adapted.rows[0].uar.value) == (0.433, 0.612)
    assert plain.rows[0].chance == 0.25
    page = render_report(files)
    assert '<h2 id="cross-corpus">Cross-corpus evaluation</h2>' in page
    assert 'href="#cross-corpus"' in page
    for text in ("German; neutral, happy, sad and angry", "52.3", "1.23", "EMO-DB: 81 boredom", "free &lt;b&gt;"):
        assert text in page


def test_without_the_stage_or_of_another_layout_there_is_no_section(
    copy_of: Callable[[Path], Path], lean_run: Path
) -> None:
    run_dir = copy_of(lean_run)
    (run_dir / "cross-corpus" / "metrics.json").unlink()
    assert cross_corpus_section(read_run(run_dir)) is None
    write_cross_corpus(run_dir, schema="cross-corpus/0")
    files = read_run(run_dir)
    assert cross_corpus_section(files) is None
    assert 'id="cross-corpus"' not in render_report(files)
