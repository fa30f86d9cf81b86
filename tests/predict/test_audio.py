"""Which sound a clip's voice is heard in."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile

from ravdess_mm.predict.audio import AudioSignal


def test_a_note_says_which_channel_was_used(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).normal(0, 0.1, (8000, 1))
    soundfile.write(tmp_path / "mono.wav", noise, 16_000)
    soundfile.write(tmp_path / "inverted.wav", noise * [0.9, -1], 16_000)
    assert AudioSignal.of_file(tmp_path / "mono.wav").notes == ()
    assert AudioSignal.of_file(tmp_path / "inverted.wav").notes == (
        "voice: the channels cancel each other; only the right was used",
    )
