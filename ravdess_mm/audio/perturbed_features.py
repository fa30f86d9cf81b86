"""Perturbed clips and their features: parallel, cached, resumable.

What a clip sounds like follows from its take, the kind of perturbation and a seed alone: not from the number of
processes, the order of files or what else is in the list.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from ravdess_mm.audio.decoding import Samples, decode_audio
from ravdess_mm.audio.feature_cache import Outcome, VectorCache, code_version
from ravdess_mm.audio.mfcc_delta_rms import ANALYSIS_SR
from ravdess_mm.audio.noise import N_VOICES
from ravdess_mm.audio.perturbation import Perturbation, apply
from ravdess_mm.audio.voice_features import VoiceFeatures
from ravdess_mm.config import Backend
from ravdess_mm.errors import InputError, MediaError
from ravdess_mm.store import fingerprint


@dataclass(frozen=True)
class VoiceClip:
    """One usable clip.

    Attributes
    ----------
    take, path, sha256 : str
    actor : int
    emotion : str
    """

    take: str
    path: str
    sha256: str
    actor: int
    emotion: str


@dataclass(frozen=True)
class PerturbationSpec:
    """A perturbation of a clip: the arguments of `ravdess_mm.audio.perturbation.apply`.

    Attributes
    ----------
    kind : Perturbation
    amount : float or None
        How much; None draws it by the seed.
    seed : int
        The same noise is used at every ratio, so that only its loudness differs.
    others : tuple of VoiceClip
        Who is heard in a babble.
    """

    kind: Perturbation
    amount: float | None = None
    seed: int = 0
    others: tuple[VoiceClip, ...] = ()

    def key(self, voice: VoiceClip) -> str:
        """Return the fingerprint of the changed clip."""
        return fingerprint(voice.sha256, self.kind, self.amount, self.seed, [other.sha256 for other in self.others])


def voice_clips(clips: pd.DataFrame, takes: Collection[str]) -> tuple[VoiceClip, ...]:
    """Return the clip with ``voice`` of each take, sorted by take.

    Parameters
    ----------
    clips : pandas.DataFrame
        The catalog's clips.
    takes : collection of str
        The takes that have features; others are left out.
    """
    chosen = clips[clips["voice"] & clips["take"].isin(list(takes))].sort_values("take", kind="stable")
    columns = [chosen[name] for name in ("take", "path", "sha256", "actor", "emotion")]
    return tuple(
        VoiceClip(str(take), str(path), str(sha256), int(actor), str(emotion))
        for take, path, sha256, actor, emotion in zip(*columns, strict=True)
    )


def derive_seed(seed: int, *parts: object) -> int:
    """Return a seed that depends on a run's seed and on what is drawn, such as a take and a perturbation."""
    return int(fingerprint(seed, *parts)[:12], 16)


def choose_babble_clips(voice: VoiceClip, pool: Sequence[VoiceClip], *, seed: int) -> tuple[VoiceClip, ...]:
    """Choose the `N_VOICES` clips of a babble behind a voice: never of its actor, of all others equally often.

    Parameters
    ----------
    voice : VoiceClip
        Who is to be understood.
    pool : sequence of VoiceClip
        Who may be heard; clips of the voice's own actor are passed over. With fewer other actors than voices, some
        are heard more than once, in different clips where there are.
    seed : int
        Of the draw.

    Raises
    ------
    InputError
        If the pool holds no other actor.
    """
    by_actor: dict[int, list[VoiceClip]] = {}
    for other in sorted(pool, key=lambda one: one.take):
        if other.actor != voice.actor:
            by_actor.setdefault(other.actor, []).append(other)
    if not by_actor:
        raise InputError(f"a babble behind {voice.take} needs clips of another actor; there are none")
    random = np.random.default_rng(seed)
    actors = [int(actor) for actor in random.permutation(sorted(by_actor))]
    queues = {actor: [by_actor[actor][index] for index in random.permutation(len(by_actor[actor]))] for actor in actors}
    chosen = []
    for index in range(N_VOICES):
        round_number, turn = divmod(index, len(actors))
        queue = queues[actors[turn]]
        chosen.append(queue[round_number % len(queue)])
    return tuple(chosen)


def extract_perturbed(
    wanted: Mapping[VoiceClip, Sequence[PerturbationSpec]],
    *,
    features: VoiceFeatures,
    cache_dir: str | Path,
    description: str,
    jobs: int = -1,
    backend: Backend = Backend.LOKY,
) -> tuple[list[pd.DataFrame], dict[str, str]]:
    """Return the features of changed clips.

    Parameters
    ----------
    wanted : mapping of Voice to sequence of PerturbationSpec
        As many changes of each clip.
    features : VoiceFeatures
        What is computed of them.
    cache_dir : str or Path
        Folder of the cache; made if it is missing.
    description : str
        Of the progress bar.
    jobs, backend : int, Backend
        The result does not depend on them.

    Returns
    -------
    tables : list of pandas.DataFrame
        One table a place in the sequences of changes: columns ``take``, ``actor``, ``emotion`` and the features, one
        row a take, sorted by take. A clip of which any change failed is in none of them.
    failed : dict of str to str
        Take to reason.
    """
    names = features.names
    work = partial(_work_on_clip, features=features)
    depends_on = [*code_version(_work_on_clip), features.identity]
    cache = VectorCache(Path(cache_dir), features.feature_set, depends_on=depends_on)
    keys = {voice: tuple(change.key(voice) for change in changes) for voice, changes in wanted.items()}
    cache.compute(
        work,
        {keys[voice]: (voice, tuple(changes)) for voice, changes in wanted.items()},
        description=description,
        jobs=jobs,
        backend=backend,
    )
    cache.merge_parts()
    failed = {
        voice.take: cache[key].reason for voice, clip in keys.items() for key in clip if cache[key].vector is None
    }
    left = sorted((voice for voice in wanted if voice.take not in failed), key=lambda voice: voice.take)
    facts = pd.DataFrame([(voice.take, voice.actor, voice.emotion) for voice in left])
    facts = facts.reindex(columns=range(3)).set_axis(["take", "actor", "emotion"], axis=1)
    tables = []
    for index in range(max((len(changes) for changes in wanted.values()), default=0)):
        values = np.array([cache[keys[voice][index]].vector for voice in left]).reshape(len(left), len(names))
        tables.append(pd.concat([facts, pd.DataFrame(values, columns=list(names))], axis=1))
    return tables, failed


def _work_on_clip(item: tuple[VoiceClip, tuple[PerturbationSpec, ...]], *, features: VoiceFeatures) -> list[Outcome]:
    voice, changes = item
    decoded: dict[str, Samples] = {}

    def samples_of(path: str) -> Samples:
        if path not in decoded:
            decoded[path] = decode_audio(path, sr=ANALYSIS_SR)[0]
        return decoded[path]

    outcomes = []
    for change in changes:
        try:
            others = [samples_of(other.path) for other in change.others]
            changed = apply(
                samples_of(voice.path), ANALYSIS_SR, change.kind, change.seed, amount=change.amount, others=others
            )
            outcomes.append(Outcome(features.extract(changed, ANALYSIS_SR)))
        except MediaError as error:
            # not kept: it may lie in another file than the one the key names first, and that file may come back
            outcomes.append(Outcome(None, str(error), lasting=False))
    return outcomes
