from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ravdess_mm.experiments.measured_models import model_fingerprint
from ravdess_mm.experiments.noise_robustness import CONDITIONS
from ravdess_mm.report.build import render_report
from ravdess_mm.report.noise_robustness import LABELS, noise_section
from ravdess_mm.report.run_files import RunFiles
from ravdess_mm.report.run_reader import read_run
from ravdess_mm.store import write_json


@pytest.fixture(scope="module")
def files(lean_run: Path) -> RunFiles:
    return read_run(lean_run)


def test_plain_and_adapted_models_stand_apart_with_every_condition(files: RunFiles) -> None:
    section = noise_section(files)
    assert section is not None
    assert (section.n_takes, section.n_actors) == (48, 3)
    assert section.kinds[:3] == (("clean", 1), ("white", 4), ("babble", 4))
    assert [text for _, text in section.columns[:3]] == ["as recorded", "20 dB", "10 dB"]
    # every condition that is measured has its words
    others = [condition.name for condition in CONDITIONS if not np.isfinite(condition.snr_db)]
    assert [text for name, text in section.columns if name in others] == list(LABELS.values())
    assert list(LABELS) == others
    plain, adapted = section.groups
    assert [row.label for row in plain.rows] == ["Voice · dense network"]
    assert [row.label for row in adapted.rows] == ["Voice · dense network (adapted)"]
    assert files.noise is not None
    own = files.noise[files.noise["model"] == "audio-network"]
    assert [figure.value for figure in plain.rows[0].accuracy if figure] == own["accuracy"].tolist()
    assert [figure.low for figure in plain.rows[0].uar if figure] == own["uar_low"].tolist()
    ((label, panel),) = plain.panels
    assert label == "Voice · dense network"
    assert panel.count("<polyline") == 2
    assert panel.count("<polygon") == 2


def test_without_the_stage_there_is_no_section_and_no_complaint(files: RunFiles) -> None:
    without = replace(files, noise=None)
    assert noise_section(without) is None
    page = render_report(without)
    assert 'href="#noise"' not in page
    assert '<h2 id="noise">' not in page
    assert "noise.parquet" not in page


def test_figures_of_other_models_are_left_out_with_a_reason(copy_of: Callable[[Path], Path], lean_run: Path) -> None:
    run_dir = copy_of(lean_run)
    before = model_fingerprint(run_dir / "models", "audio-network")
    write_json(run_dir / "models" / "audio-network" / "holdout" / "bundle.json", {"new": True})
    assert model_fingerprint(run_dir / "models", "audio-network") != before
    files = read_run(run_dir)
    assert files.noise is None
    (said,) = [text for text in files.left_out if "noise.parquet" in text]
    assert "audio-network has been trained anew since; run `make noise` again" in said


def test_the_table_has_a_column_a_condition(files: RunFiles) -> None:
    page = render_report(files)
    section = page[page.index('<h2 id="noise">Robustness</h2>') :]
    table = section[section.index("<thead>") : section.index("</tbody>")]
    assert table.count('class="kind"') == 2
    for words in LABELS.values():
        assert f'<th scope="col" class="num">{words}</th>' in table
    body = table[table.index("<tbody>") :]
    assert body.count('<td class="num">') == len(CONDITIONS)
