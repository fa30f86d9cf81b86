from __future__ import annotations

import numpy as np
import pytest

from ravdess_mm.audio.quality import SNR_RANGE_DB, estimate_snr
from ravdess_mm.errors import InputError

SR = 16_000


def bursts(snr_db: float, *, seed: int = 0) -> np.ndarray:
    """Bursts of noise that stand `snr_db` above a steady noise: a second each, in turn with pauses."""
    generator = np.random.default_rng(seed)
    speaking = (np.arange(6 * SR) // (SR // 2)) % 2 == 1
    return generator.normal(size=6 * SR) + speaking * 10 ** (snr_db / 20) * generator.normal(size=6 * SR)


@pytest.mark.parametrize("snr_db", [5.0, 15.0, 30.0, 50.0])
def test_known_ratios_are_found(snr_db: float) -> None:
    assert estimate_snr(bursts(snr_db), SR) == pytest.approx(snr_db, abs=1.5)


def test_loudness_does_not_matter() -> None:
    assert estimate_snr(0.01 * bursts(20), SR) == pytest.approx(estimate_snr(bursts(20), SR))


def test_extremes_stay_in_range() -> None:
    silent_pauses = bursts(20)
    silent_pauses[: SR // 2] = 0
    silent_pauses[SR : 2 * SR] = 0
    assert estimate_snr(silent_pauses, SR) == SNR_RANGE_DB[1]
    assert estimate_snr(np.zeros(SR), SR) == SNR_RANGE_DB[0]
    with pytest.raises(InputError, match="too few"):
        estimate_snr(np.ones(400), SR)
