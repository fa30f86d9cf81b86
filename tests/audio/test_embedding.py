from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile

from ravdess_mm.audio.embedding import (
    SPEEDS,
    build_embedding_table,
    embed,
    embed_files,
    feature_names,
    pack,
    perturbed_copy,
    pool_states,
    spoken_part,
    unpack,
)
from ravdess_mm.audio.encoder import Encoder
from ravdess_mm.audio.perturbation import change_speed
from ravdess_mm.audio.preparation import prepare
from ravdess_mm.audio.speech_activity import FRAME_S, MARGIN_S, SpeechActivity
from ravdess_mm.errors import MediaError
from tests.audio.encoders import random_arrays, write_safetensors


@pytest.fixture(scope="module")
def encoder_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_safetensors(tmp_path_factory.mktemp("encoder"), random_arrays())


@pytest.fixture(scope="module")
def encoder(encoder_dir: Path) -> Encoder:
    return Encoder.load(encoder_dir)


def tone(seconds: float = 1.0, hz: float = 200.0) -> np.ndarray:
    return (0.2 * np.sin(2 * np.pi * hz * np.arange(int(16_000 * seconds)) / 16_000)).astype(np.float32)


def test_pooling_takes_blocks_apart() -> None:
    states = np.random.default_rng(0).standard_normal((4, 10, 3)).astype(np.float32)
    parts = pool_states(states).reshape(2, 2, 3)
    np.testing.assert_allclose(parts[0, 0], states[1].mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(parts[1, 1], states[2].std(axis=0), rtol=1e-5)


def test_an_embedding_is_named_and_finite(encoder: Encoder) -> None:
    vector = embed(tone(), encoder)
    names = feature_names(encoder)
    assert vector.shape == (len(names),) == (2 * 2 * 16,)
    assert names[0] == "block1_mean_000"
    assert names[-1] == "block2_deviation_015"
    assert np.isfinite(vector).all()


def activity(start: int, stop: int, n_frames: int) -> SpeechActivity:
    speaking = (np.arange(n_frames) >= start) & (np.arange(n_frames) < stop)
    level_db = np.where(speaking, -20.0, -80.0).astype(np.float32)
    return SpeechActivity(speaking.astype(np.float32), level_db, n_frames * FRAME_S)


def test_what_is_before_the_first_word_and_after_the_last_is_not_heard(encoder: Encoder) -> None:
    noise = np.random.default_rng(0).standard_normal(100 * 512).astype(np.float32) / 10
    spoken = activity(40, 60, 100)
    start, stop = (round(16_000 * moment_s) for moment_s in (40 * FRAME_S - MARGIN_S, 60 * FRAME_S + MARGIN_S))
    part = spoken_part(noise, spoken)
    np.testing.assert_array_equal(part, noise[start:stop])
    clicked = noise.copy()
    clicked[1000] = 1.0
    np.testing.assert_array_equal(embed(clicked, encoder, activity=spoken), embed(noise, encoder, activity=spoken))


def test_where_nobody_speaks_all_is_heard(encoder: Encoder) -> None:
    y = tone()
    np.testing.assert_array_equal(spoken_part(y, activity(0, 0, 32)), y)
    (states,) = encoder.blocks(y)
    np.testing.assert_allclose(embed(y, encoder), pool_states(states), atol=1e-6)


def test_silent_and_short_sound_is_refused(encoder: Encoder) -> None:
    with pytest.raises(MediaError, match="silent"):
        embed(np.zeros(16_000, dtype=np.float32), encoder)
    with pytest.raises(MediaError, match="too short"):
        embed(tone(0.05), encoder)
    with pytest.raises(MediaError, match="too short"):
        embed(np.empty(0, dtype=np.float32), encoder)


def test_long_sound_is_the_mean_of_its_blocks(encoder: Encoder) -> None:
    y = np.concatenate([tone(20), tone(20, 300)])
    both = (embed(y[: 20 * 16_000], encoder) + embed(y[20 * 16_000 :], encoder)) / 2
    np.testing.assert_allclose(embed(y, encoder), both, atol=1e-4)


def test_copies_follow_from_the_seed() -> None:
    np.testing.assert_array_equal(perturbed_copy(tone(), 5), perturbed_copy(tone(), 5))
    others = [perturbed_copy(tone(), seed) for seed in range(6)]
    assert len({other.tobytes() for other in others}) == 6
    assert len({len(other) for other in others}) > 1


def write(path: Path, y: np.ndarray) -> Path:
    soundfile.write(path, y, 16_000)
    return path


def test_files_are_embedded_once_and_in_any_order(encoder_dir: Path, tmp_path: Path) -> None:
    one, other = write(tmp_path / "a.wav", tone()), write(tmp_path / "b.wav", tone(hz=300))
    broken = tmp_path / "c.wav"
    broken.write_bytes(b"RIFF nothing")
    options = {"cache_dir": tmp_path / "cache", "n_copies": 1, "encoder_dir": encoder_dir, "jobs": 1}
    first = embed_files([one, broken, other], **options)
    assert first.kept == (0, 2)
    assert list(first.failed) == [str(broken)]
    assert first.copies.shape == (1, 2, 64)
    one.rename(tmp_path / "renamed.wav")
    before = sorted((tmp_path / "cache").rglob("*.parquet"))
    again = embed_files([other, tmp_path / "renamed.wav"], **options)
    np.testing.assert_array_equal(again.vectors, first.vectors[::-1])
    np.testing.assert_array_equal(again.copies, first.copies[:, ::-1])
    assert sorted((tmp_path / "cache").rglob("*.parquet")) == before


def test_nothing_usable_is_no_error(encoder_dir: Path, tmp_path: Path) -> None:
    silent = write(tmp_path / "a.wav", np.zeros(16_000, dtype=np.float32))
    embedded = embed_files([silent], cache_dir=tmp_path / "cache", encoder_dir=encoder_dir, jobs=1)
    assert (embedded.kept, len(embedded.vectors)) == ((), 0)
    assert "silent" in embedded.failed[str(silent)]


def test_a_table_is_packed_and_unpacked() -> None:
    facts = {"take": ["03-01-01-01-01-01", "03-01-02-01-01-02"], "actor": [1, 2], "emotion": ["neutral", "calm"]}
    tables = [pd.DataFrame({**facts, "x": [place + 0.5, 2.0], "z": [3.0, 4.0]}) for place in range(2)]
    again = unpack(pack(tables), ["x", "z"])
    assert [list(table.columns) for table in again] == [["take", "actor", "emotion", "x", "z"]] * 2
    for table, read in zip(tables, again, strict=True):
        np.testing.assert_allclose(read[["x", "z"]], table[["x", "z"]])
        assert read["take"].tolist() == facts["take"]


def test_a_take_whose_best_clip_fails_is_heard_in_another(encoder_dir: Path, tmp_path: Path) -> None:
    silent, film = write(tmp_path / "a.wav", np.zeros(16_000)), write(tmp_path / "b.wav", tone())
    rows = [
        {"path": str(path), "clip": path.stem, "modality": modality, "sha256": path.stem * 8, "voice": voice}
        for path, modality, voice in ((silent, "audio-only", True), (film, "full-AV", False))
    ]
    clips = pd.DataFrame(rows).assign(take="03-01-01-01-01-01", actor=1, emotion="neutral", has_audio=True)
    clips["sha256"] = ["a" * 64, "b" * 64]
    built = build_embedding_table(clips, cache_dir=tmp_path / "cache", encoder_dir=encoder_dir, jobs=1)
    assert len(built.features) == 1
    assert built.rejected["reason"].tolist() == [
        "silent: no sample is larger than one step of 16-bit audio; tried instead: b"
    ]
    encoder = Encoder.load(encoder_dir)
    y = prepare(tone(), 16_000)
    for copy, speed in zip(built.copies, SPEEDS, strict=True):
        expected = embed(change_speed(y, 16_000, factor=speed), encoder)
        np.testing.assert_allclose(copy.drop(columns=["take", "actor", "emotion"]).to_numpy()[0], expected, atol=1e-3)


def test_an_answer_does_not_wait_for_what_makes_copies() -> None:
    program = (
        "import sys, ravdess_mm.audio.voice_features; "
        "sys.exit(', '.join(sorted({'scipy.fft', 'scipy.signal', 'av'} & set(sys.modules))) or None)"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
