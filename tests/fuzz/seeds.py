"""Sound files that mutants are made of: small, of every kind, made on the spot."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import av
import numpy as np
import soundfile

from ravdess_mm.bundles.pretrained import PRETRAINED_DIR
from ravdess_mm.corpus.identifier import EMOTIONS

SR = 48_000
SOUND_FILES = {"a.wav": "PCM_16", "b.wav": "FLOAT", "c.flac": "PCM_16", "d.ogg": "VORBIS", "e.mp3": "MPEG_LAYER_III"}
FILMS = {
    "f.mp4": ("libx264", "aac"),
    "g.mkv": ("libx264", "pcm_s16le"),
    "h.avi": ("mpeg4", "pcm_s16le"),
    "i.webm": ("libvpx", "libopus"),
    "j.m4a": (None, "aac"),
    "k.ts": ("mpeg2video", "aac"),
    "l.flv": ("flv1", "aac"),
    "m.opus": (None, "libopus"),
    "n.mov": ("mjpeg", "pcm_s16le"),
    "o.aiff": (None, "pcm_s16be"),
}


@cache
def voice(seconds: float = 1.0) -> np.ndarray:
    """Return something like a vowel [shape=(n,), dtype=float32]."""
    t = np.arange(round(SR * seconds)) / SR
    pitch = 140 * (1 + 0.05 * np.sin(2 * np.pi * 4 * t))
    parts = [np.sin(2 * np.pi * k * np.cumsum(pitch) / SR) / k for k in range(1, 20)]
    return (0.1 * np.sum(parts, axis=0) * np.hanning(len(t))).astype(np.float32)


@cache
def media() -> dict[str, bytes]:
    """Return whole recordings by name."""
    folder = Path(__file__).parent / "__pycache__" / "seeds"
    folder.mkdir(parents=True, exist_ok=True)
    for name, subtype in SOUND_FILES.items():
        soundfile.write(folder / name, voice(), SR, subtype=subtype)
    for name, (picture_codec, sound_codec) in FILMS.items():
        _write_film(folder / name, picture_codec, sound_codec)
    return {name: (folder / name).read_bytes() for name in (*SOUND_FILES, *FILMS)}


def _write_film(path: Path, picture_codec: str | None, sound_codec: str) -> None:
    rng = np.random.default_rng(1)
    with av.open(str(path), "w") as container:
        video = container.add_stream(picture_codec, rate=25) if picture_codec else None
        sound = container.add_stream(sound_codec, rate=SR, layout="mono")
        if video is not None:
            video.width = video.height = 64
            video.pix_fmt = "yuvj420p" if picture_codec == "mjpeg" else "yuv420p"
            picture = rng.integers(0, 255, (64, 64, 3), dtype=np.uint8)
            for number in range(25):
                frame = av.VideoFrame.from_ndarray(np.roll(picture, number, axis=0), format="rgb24")
                frame.pts = number
                container.mux(video.encode(frame))
            container.mux(video.encode())
        resampler = av.AudioResampler(format=sound.format, layout="mono", rate=SR)
        block = av.AudioFrame.from_ndarray(voice()[np.newaxis], format="fltp", layout="mono")
        block.sample_rate, block.pts = SR, 0
        fifo = av.AudioFifo()
        for frame in resampler.resample(block):
            fifo.write(frame)
        while frame := fifo.read(960, partial=True):
            container.mux(sound.encode(frame))
        container.mux(sound.encode())


@cache
def table() -> str:
    """Return a prediction table of two actors as CSV."""
    rng = np.random.default_rng(2)
    lines = ["take,actor,emotion,fold,role," + ",".join(f"p_{emotion}" for emotion in EMOTIONS)]
    for actor in (1, 2, 3):
        for code, emotion in enumerate(EMOTIONS, start=1):
            values = rng.dirichlet(np.ones(8))
            take = f"01-{code:02d}-01-01-01-{actor:02d}"
            lines.append(f"{take},{actor},{emotion},-1,test,{','.join(f'{value:.6f}' for value in values)}")
    return "\n".join(lines) + "\n"


@cache
def texts() -> dict[str, str]:
    """Return JSON and TOML that the software reads, by name."""
    recipe = PRETRAINED_DIR / "models" / "fused" / "recipe.json"
    network = PRETRAINED_DIR / "models" / "video-zero-shot" / "network.json"
    toml = '[search]\ndraws = 3\nmodels = ["svc"]\n[cnn]\nepochs = 2\n[dense]\nlearning_rate = 0.1\n'
    return {"recipe.json": recipe.read_text(), "network.json": network.read_text(), "config.toml": toml}
