from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ravdess_mm.report import waveforms as sounds
from ravdess_mm.report.run_files import RunFiles
from ravdess_mm.report.run_reader import read_run


@pytest.fixture(scope="module")
def files(synthetic_run: Path) -> RunFiles:
    return read_run(synthetic_run)


def test_bars_follow_the_peaks() -> None:
    levels_db = np.linspace(-60, 0, sounds.BARS)
    y = np.repeat(10 ** (levels_db / 20), 10).astype(np.float32)
    heights = [sounds.LEVELS.index(bar) for bar in sounds.draw_bars(-y)]
    assert heights == [round(35 * max(0, 1 + level / 50)) for level in levels_db]


@pytest.mark.parametrize("n", [0, 1, 30])
def test_a_very_short_sound_has_bars_too(n: int) -> None:
    bars = sounds.draw_bars(np.full(n, 2.0, dtype=np.float32))
    assert len(bars) == sounds.BARS
    assert set(bars) <= {"0", "z"}
    assert bars.count("z") == n


def test_voices_are_drawn_on_one_scale(files: RunFiles) -> None:
    takes = files.tested["fused"]["take"].tolist()
    found = sounds.waveforms(files.catalog, takes)
    assert sorted(found) == sorted(takes)
    for take, wave in found.items():
        assert wave.duration_s == pytest.approx(0.2)
        assert set(wave.bars[:36]) == {"0"}
        assert sounds.LEVELS.index(max(wave.bars)) == round(35 * (1 + 20 * np.log10(0.1 * int(take[-2:])) / 50))


def test_clips_that_were_moved_are_left_out(files: RunFiles) -> None:
    takes = files.tested["fused"]["take"].tolist()
    moved = files.catalog.assign(path=files.catalog["path"].where(files.catalog["actor"] != 4, "nowhere.wav"))
    assert {take[-2:] for take in sounds.waveforms(moved, takes)} == {"05", "06"}
    mute = files.catalog.assign(voice=False)
    assert sounds.waveforms(mute, takes) == {}


def test_waveforms_are_few_however_many_takes(files: RunFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sounds, "WAVEFORMS", 5)
    assert len(sounds.waveforms(files.catalog, files.tested["fused"]["take"].tolist())) == 5
