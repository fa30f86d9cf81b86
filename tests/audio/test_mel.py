"""Mel filter banks against librosa's."""

from __future__ import annotations

import numpy as np
import pytest

from ravdess_mm.audio.mel import mel_filters


@pytest.mark.parametrize(("sr", "n_fft", "n_mels"), [(22_050, 2048, 128), (16_000, 400, 80), (48_000, 1024, 40)])
def test_equal_to_librosa(sr: int, n_fft: int, n_mels: int) -> None:
    import librosa

    expected = librosa.filters.mel(sr=sr, n_fft=n_fft, n_mels=n_mels)
    assert np.array_equal(mel_filters(sr, n_fft=n_fft, n_mels=n_mels), expected)
