"""What a frozen speech encoder says of a sentence: the states of its blocks, pooled over time.

Sound is trimmed to what is spoken first: the silence around a sentence, and a click in it, are the room's.

Middle layers of a speech encoder say more about emotion than its last (Pasad A et al. (2021), "Layer-wise analysis of
a self-supervised speech representation model", ASRU), so all blocks are pooled, each by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from ravdess_mm.arrays import Singles
from ravdess_mm.audio.decoding import Samples, decode_audio
from ravdess_mm.audio.encoder import SHIPPED_DIR, Encoder
from ravdess_mm.audio.feature_cache import Outcome, VectorCache, code_version
from ravdess_mm.audio.feature_table import Clip, feature_frame, vectors_of_takes
from ravdess_mm.audio.preparation import PREPARED_SR, prepare
from ravdess_mm.audio.speech_activity import SpeechActivity
from ravdess_mm.config import Backend
from ravdess_mm.errors import MediaError
from ravdess_mm.store import hash_file

FEATURE_SET: Final = "speech-encoder"
EMBEDDING_SCHEMA: Final = "audio-embedding/1"
"""Of the table that `pack` makes."""

STATISTICS: Final = ("mean", "deviation")
"""Over the states of what is spoken."""
SILENT: Final = 2.0**-15
"""A clip that never exceeds one step of 16-bit audio is silent."""

N_COPIES: Final = 2
"""Copies of a clip that went through the world, where a voice is taught for the world."""
SPEEDS: Final = (0.92, 1.08)
"""Copies at other speeds, where a voice is taught for the studio it is tested in."""


def feature_names(encoder: Encoder) -> tuple[str, ...]:
    """Return the names of the numbers of an embedding, such as ``block2_mean_017``."""
    return tuple(
        f"block{block}_{statistic}_{place:03d}"
        for block in range(1, encoder.n_layers - 1)
        for statistic in STATISTICS
        for place in range(encoder.width)
    )


def embed(y: Samples, encoder: Encoder, *, activity: SpeechActivity | None = None) -> Singles:
    """Return the embedding of prepared sound, from the first word to the last.

    Parameters
    ----------
    y : numpy.ndarray [shape=(n,)], float32
        Mono at 16 kHz, as :func:`ravdess_mm.audio.preparation.prepare` returns it, 0.1 s or longer. Of more than 30 s,
        blocks are embedded by themselves and averaged.
    encoder : Encoder
    activity : SpeechActivity, optional
        When somebody speaks in it, where that is known already.

    Returns
    -------
    numpy.ndarray [shape=(n_blocks * 2 * width,)], float32
        In the order of `feature_names`.

    Raises
    ------
    MediaError
        If the sound is silent or too short.
    """
    if len(y) and float(np.abs(y).max()) <= SILENT:
        raise MediaError("silent: no sample is larger than one step of 16-bit audio")
    pooled, weights = [], []
    for states in encoder.blocks(spoken_part(y, activity or SpeechActivity.of(y, PREPARED_SR))):
        pooled.append(pool_states(states))
        weights.append(states.shape[1])
    return np.average(pooled, axis=0, weights=weights).astype(np.float32)


def spoken_part(y: Samples, activity: SpeechActivity) -> Samples:
    """Return prepared sound [shape=(n,)] from shortly before the first word to shortly after the last.

    Where nobody speaks, all of it is returned.
    """
    span = activity.span()
    if span is None:
        return y
    start, stop = (round(moment_s * PREPARED_SR) for moment_s in span)
    return y[start:stop]


def pool_states(states: Singles) -> Singles:
    """Return mean and deviation of the states of every block.

    Parameters
    ----------
    states : numpy.ndarray [shape=(n_layers, t, width)]
        Of the convolutions, of every block, and of the last block normalised; the first and the last are left out.

    Returns
    -------
    numpy.ndarray [shape=(n_blocks * 2 * width,)], float32
    """
    blocks = states[1:-1]
    return np.stack([blocks.mean(axis=1), blocks.std(axis=1)], axis=1).astype(np.float32).ravel()


def perturbed_copy(y: Samples, seed: int) -> Samples:
    """Return a clip [shape=(n,)] at 16 kHz as it would sound at another speed and after a way through the world."""
    # only where copies are made: scipy.fft takes a third of a second to import, which no answer should wait for
    from ravdess_mm.audio.perturbation import apply_chain, change_speed, draw_chain

    random = np.random.default_rng(seed)
    speed = (SPEEDS[0], 1.0, SPEEDS[1])[int(random.integers(3))]
    if speed != 1.0:
        y = change_speed(y, PREPARED_SR, factor=speed)
    chain_seed = int(random.integers(2**31))
    return apply_chain(y, PREPARED_SR, draw_chain(chain_seed), chain_seed)


@dataclass(frozen=True)
class EmbeddedClips:
    """Embeddings of files.

    Attributes
    ----------
    vectors : numpy.ndarray [shape=(n, n_features)], float32
        Of the files that could be used.
    copies : numpy.ndarray [shape=(n_copies, n, n_features)], float32
        Of their copies that went through the world.
    kept : tuple of int
        The place of each row among the paths.
    failed : dict of str to str
        Path to reason.
    """

    vectors: Singles
    copies: Singles
    kept: tuple[int, ...]
    failed: dict[str, str]


def embed_files(
    paths: Sequence[str | Path],
    *,
    cache_dir: str | Path,
    n_copies: int = 0,
    encoder_dir: Path | None = None,
    description: str = "speech encoder",
    jobs: int = -1,
    backend: Backend = Backend.LOKY,
) -> EmbeddedClips:
    """Embed files, or fetch their embeddings from the cache.

    Parameters
    ----------
    paths : sequence of str or Path
        Sound files, or films with sound.
    cache_dir : str or Path
        Folder of the cache, by content; made if it is missing.
    n_copies : int
        Copies of each that went through the world; what happens to a copy follows from the file's bytes alone.
    encoder_dir : Path, optional
        As for :meth:`Encoder.load`.
    description : str
        Of the progress bar.
    jobs, backend
        The result does not depend on them.
    """
    clips = [Clip(str(path), Path(path).name, hash_file(path)) for path in paths]
    cache = _cache(cache_dir, encoder_dir)
    keys = [_keys(clip, n_copies) for clip in clips]
    work = partial(_embed_with_perturbed, n_copies=n_copies, encoder_dir=encoder_dir)
    cache.compute(work, dict(zip(keys, clips, strict=True)), description=description, jobs=jobs, backend=backend)
    cache.merge_parts()
    kept = tuple(place for place, own in enumerate(keys) if all(cache[key].vector is not None for key in own))
    failed = {clips[place].path: cache[own[0]].reason for place, own in enumerate(keys) if place not in set(kept)}
    vectors = np.array([[cache[key].vector for key in keys[place]] for place in kept], dtype=np.float32)
    vectors = vectors.reshape(len(kept), 1 + n_copies, len(feature_names(_encoder(encoder_dir))))
    return EmbeddedClips(vectors[:, 0], np.moveaxis(vectors[:, 1:], 1, 0), kept, failed)


@dataclass(frozen=True)
class EmbeddingTable:
    """Embeddings of the takes of a corpus.

    Attributes
    ----------
    features : pandas.DataFrame
        Columns ``take``, ``actor``, ``emotion`` and the feature names; one row a take, sorted by take.
    copies : tuple of pandas.DataFrame
        The same of copies at other speeds.
    rejected : pandas.DataFrame
        Columns ``path``, ``reason``, ``stage``.
    """

    features: pd.DataFrame
    copies: tuple[pd.DataFrame, ...]
    rejected: pd.DataFrame


def build_embedding_table(
    clips: pd.DataFrame,
    *,
    cache_dir: str | Path,
    encoder_dir: Path | None = None,
    jobs: int = -1,
    backend: Backend = Backend.LOKY,
) -> EmbeddingTable:
    """Embed every take of a catalog that has a voice.

    Parameters
    ----------
    clips : pandas.DataFrame
        The catalog's clips; which of them stands for a take is said in
        :func:`ravdess_mm.audio.feature_table.vectors_of_takes`.
    cache_dir, encoder_dir, jobs, backend
        As for `embed_files`.
    """
    chosen, rejected = vectors_of_takes(
        clips,
        _cache(cache_dir, encoder_dir),
        partial(_embed_at_speeds, encoder_dir=encoder_dir),
        keys_of=lambda clip: (clip.sha256, *(f"{clip.sha256}-speed-{speed:g}" for speed in SPEEDS)),
        what="speech encoder",
        jobs=jobs,
        backend=backend,
    )
    names = feature_names(_encoder(encoder_dir))
    tables = [
        feature_frame(clips, {take: vectors[place] for take, vectors in chosen.items()}, names)
        for place in range(1 + len(SPEEDS))
    ]
    return EmbeddingTable(tables[0], tuple(tables[1:]), rejected)


def pack(tables: Iterable[pd.DataFrame]) -> pd.DataFrame:
    """Put feature tables into one with a column of vectors, which is read ten times faster than thousands of columns.

    Returns
    -------
    pandas.DataFrame
        Columns ``copy`` (0 for the first table), ``take``, ``actor``, ``emotion``, ``embedding``.
    """
    facts = ["take", "actor", "emotion"]
    packed = [
        table[facts].assign(copy=place, embedding=list(table.drop(columns=facts).to_numpy(dtype=np.float32)))
        for place, table in enumerate(tables)
    ]
    return pd.concat(packed, ignore_index=True)[["copy", *facts, "embedding"]]


def unpack(packed: pd.DataFrame, names: Sequence[str]) -> list[pd.DataFrame]:
    """Return the feature tables that `pack` put together, with the names of their columns."""
    tables = []
    for _, part in packed.groupby("copy", sort=True):
        values = np.stack(part["embedding"].tolist())
        facts = part[["take", "actor", "emotion"]].reset_index(drop=True)
        tables.append(pd.concat([facts, pd.DataFrame(values, columns=list(names))], axis=1))
    return tables


def _cache(cache_dir: str | Path, encoder_dir: Path | None) -> VectorCache:
    digest = encoder_digest(encoder_dir)
    return VectorCache(Path(cache_dir), FEATURE_SET, depends_on=[*code_version(_embed_with_perturbed), digest])


def encoder_digest(encoder_dir: Path | None) -> str:
    """Return a SHA-256 that tells one encoder from another."""
    folder = SHIPPED_DIR if encoder_dir is None else encoder_dir
    files = [folder] if folder.is_file() else sorted(path for path in folder.iterdir() if path.suffix != ".md")
    return "-".join(hash_file(path)[:16] for path in files if path.is_file())


@lru_cache(maxsize=2)
def _encoder(encoder_dir: Path | None) -> Encoder:
    return Encoder.load(encoder_dir)


def _keys(clip: Clip, n_copies: int) -> tuple[str, ...]:
    return (clip.sha256, *(f"{clip.sha256}-{copy}" for copy in range(1, n_copies + 1)))


def _embed_with_perturbed(clip: Clip, *, n_copies: int, encoder_dir: Path | None) -> list[Outcome]:
    seed = int(clip.sha256[:12], 16)
    copies = [partial(perturbed_copy, seed=seed + copy) for copy in range(1, 1 + n_copies)]
    return _embed_copies(clip, copies, encoder_dir)


def _embed_at_speeds(clip: Clip, *, encoder_dir: Path | None) -> list[Outcome]:
    from ravdess_mm.audio.perturbation import change_speed

    return _embed_copies(clip, [partial(change_speed, sr=PREPARED_SR, factor=speed) for speed in SPEEDS], encoder_dir)


def _embed_copies(
    clip: Clip, copies: Sequence[Callable[[Samples], Samples]], encoder_dir: Path | None
) -> list[Outcome]:
    encoder = _encoder(encoder_dir)
    try:
        samples, sr = decode_audio(clip.path)
        y = prepare(samples, sr)
        first = embed(y, encoder, activity=SpeechActivity.of(samples, sr))
        return [Outcome(vector) for vector in (first, *(embed(copy(y), encoder) for copy in copies))]
    except MediaError as error:
        lasting = Path(clip.path).is_file()
        return [Outcome(None, str(error), lasting=lasting)] * (1 + len(copies))
    except OSError as error:
        reason = f"the file is gone or may not be read ({error.strerror})"
        return [Outcome(None, reason, lasting=False)] * (1 + len(copies))
