"""Audio features against the obvious way: CPU seconds a clip, medians, both interleaved in one run.

``python benchmarks/audio.py FOLDER`` takes a folder of RAVDESS sound files. Each clip is measured as WAV (what the
release has) and as FLAC, with the numeric libraries' threads as installed and held to one.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

import librosa
import numpy as np
import soundfile
from threadpoolctl import threadpool_limits

from ravdess_mm.audio.decoding import decode_audio
from ravdess_mm.audio.mfcc_delta_rms import ANALYSIS_SR, extract_features

Way = Callable[[Path], np.ndarray]


def plain_librosa(path: Path) -> np.ndarray:
    """Compute the classical set the obvious way."""
    y, sr = librosa.load(path, sr=ANALYSIS_SR)
    mfcc = librosa.feature.mfcc(y=y, sr=sr, n_mfcc=13, n_fft=2048, hop_length=512)
    delta = librosa.feature.delta(mfcc)
    delta2 = librosa.feature.delta(mfcc, order=2)
    rms = librosa.feature.rms(y=y, frame_length=2048, hop_length=512)
    tracks = np.concatenate([mfcc, delta, delta2, rms])
    return np.stack([tracks.mean(axis=1), tracks.max(axis=1), tracks.min(axis=1), tracks.std(axis=1)], axis=1).ravel()


def ours(path: Path) -> np.ndarray:
    """Compute it as this package does."""
    y, sr = decode_audio(path, sr=ANALYSIS_SR)
    return extract_features(y, sr)


def cpu_seconds(ways: dict[str, Way], clips: list[Path]) -> dict[str, float]:
    """Return each way's median CPU seconds a clip; clip by clip, the ways take turns."""
    for way in ways.values():
        way(clips[0])
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for clip in clips:
        for name, way in ways.items():
            start = time.process_time()
            way(clip)
            seconds[name].append(time.process_time() - start)
    return {name: float(np.median(values)) for name, values in seconds.items()}


def repack(clips: list[Path], folder: Path, suffix: str) -> list[Path]:
    """Write the clips' 16-bit samples as `suffix`."""
    repacked = []
    for clip in clips:
        samples, sr = soundfile.read(clip, dtype="int16")
        path = folder / f"{clip.stem}{suffix}"
        soundfile.write(path, samples, sr, subtype="PCM_16")
        repacked.append(path)
    return repacked


def report(ways: dict[str, Way], clips: list[Path]) -> None:
    """Measure two ways, the obvious one first, and print a table."""
    print(f"\n{len(clips)} clips; median CPU milliseconds a clip")
    print(f"{'format':8}{'threads':14}" + "".join(f"{name:>16}" for name in ways) + f"{'ratio':>8}")
    with tempfile.TemporaryDirectory() as folder:
        for suffix in (".wav", ".flac"):
            repacked = repack(clips, Path(folder), suffix)
            for threads, limit in (("as installed", nullcontext), ("one", lambda: threadpool_limits(1))):
                with limit():
                    obvious, own = cpu_seconds(ways, repacked).values()
                print(f"{suffix[1:]:8}{threads:14}{1000 * obvious:16.2f}{1000 * own:16.2f}{own / obvious:8.2f}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="folder of sound files, searched at any depth")
    parser.add_argument("--clips", type=int, default=150, help="how many clips, evenly spaced (default: 150)")
    options = parser.parse_args()
    found = sorted(path for path in options.folder.rglob("*") if path.suffix in {".wav", ".flac"})
    if not found:
        print(f"{options.folder}: no .wav or .flac files", file=sys.stderr)
        return 2
    clips = found[:: max(1, len(found) // options.clips)]
    worst = max(float(np.abs(plain_librosa(clip) - ours(clip)).max()) for clip in clips)
    print(f"largest difference between librosa and ravdess-mm {worst:.1e}")
    report({"librosa": plain_librosa, "ravdess-mm": ours}, clips)
    return 0


if __name__ == "__main__":
    sys.exit(main())
