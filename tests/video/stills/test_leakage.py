from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ravdess_mm.video.stills.datasets import CK_CLASSES, Stills, read_ckplus48
from ravdess_mm.video.stills.leakage import demonstrate_still_leakage


def test_near_duplicates_make_a_random_split_look_perfect() -> None:
    draw = np.random.default_rng(0)
    n_subjects, copies = 20, 4
    faces = draw.integers(0, 250, (n_subjects, 48, 48))
    images = np.repeat(faces, copies, axis=0) + draw.integers(0, 5, (n_subjects * copies, 48, 48))
    stills = Stills(
        images=images.astype(np.uint8),
        labels=np.repeat(draw.integers(0, 7, n_subjects), copies),
        groups=np.repeat([f"S{subject:03d}" for subject in range(n_subjects)], copies),
        classes=CK_CLASSES,
        rejected=pd.DataFrame({"path": [], "reason": []}),
    )
    shown = demonstrate_still_leakage(stills)
    assert shown.random_split > 0.95
    assert shown.by_subject < 0.5
    assert str(shown).startswith("demonstration of leakage, not a result")


@pytest.mark.real
def test_the_real_ckplus48(real_data: Path) -> None:
    shown = demonstrate_still_leakage(read_ckplus48(real_data / "faces" / "ckplus48.zip"))
    assert shown.random_split == pytest.approx(0.987, abs=0.01)
    assert shown.by_subject == pytest.approx(0.541, abs=0.02)
