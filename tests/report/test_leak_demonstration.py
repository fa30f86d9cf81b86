from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from ravdess_mm.experiments.leak_demonstration import LeakDemonstration, SplitKind
from ravdess_mm.report.build import render_report
from ravdess_mm.report.leak_demonstration import leak_section
from ravdess_mm.report.run_reader import read_run
from ravdess_mm.store import write_json

Simulate = Callable[..., pd.DataFrame]


def figures(simulate: Simulate, *, twins: bool) -> dict[str, Any]:
    folds = {actor: actor % 3 for actor in range(1, 7)}
    tables = {
        SplitKind.RANDOM: simulate(folds, seed=1, skill=2.0, fold=folds),
        SplitKind.ACTORS: simulate(folds, seed=2, skill=1.0, fold=folds),
    }
    if twins:
        tables[SplitKind.MIXED] = simulate(folds, seed=3, skill=5.0, fold=folds)
    facts = {"protocol": "holdout", "synthetic": True}
    return LeakDemonstration(tables, 3, 7 if twins else 0).to_dict(seed=0, draws=100, facts=facts)


@pytest.fixture
def run_dir(lean_run: Path, copy_of: Callable[[Path], Path]) -> Path:
    return copy_of(lean_run)


def test_rows_end_with_the_honest_split(run_dir: Path, simulate: Simulate) -> None:
    found = figures(simulate, twins=True)
    write_json(run_dir / "leak-demo" / "leak-demo.json", found)
    table = leak_section(read_run(run_dir))
    assert table is not None
    assert [row.is_honest for row in table.rows] == [False, False, True]
    assert table.rows[-1].inflation is None
    claims = {row.words: row for row in table.rows}
    mixed = claims[found["words"]["mixed"]]
    assert mixed.accuracy is not None
    assert mixed.inflation is not None
    honest = table.rows[-1].accuracy
    assert honest is not None
    assert mixed.inflation.value == pytest.approx(mixed.accuracy.value - honest.value)
    assert (table.n_folds, table.n_takes) == (3, 192)


def test_the_page_shows_claims_and_what_was_not_measured(run_dir: Path, simulate: Simulate) -> None:
    assert "make leak-demo" in render_report(read_run(run_dir))
    write_json(run_dir / "leak-demo" / "leak-demo.json", figures(simulate, twins=False))
    page = render_report(read_run(run_dir))
    section = page[page.index('id="leak"') :]
    section = section[: section.index("</section>")]
    assert "A demonstration, not a result" in section
    assert "not measured: no take of this data has two clips with sound" in section
    assert len(re.findall(r'<td class="drawn"><svg', section)) == 2


def test_figures_of_another_layout_are_left_out(run_dir: Path) -> None:
    write_json(run_dir / "leak-demo" / "leak-demo.json", {"schema": "leak-demo/9"})
    assert leak_section(read_run(run_dir)) is None
