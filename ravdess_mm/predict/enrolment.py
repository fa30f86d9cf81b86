"""Who speaks, known from clips without labels, so that speaker-adapted models can be used on new clips."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ravdess_mm.arrays import AnyFloats
from ravdess_mm.audio.decoding import decode_audio
from ravdess_mm.audio.segmentation import sentences
from ravdess_mm.classifiers.adaptation import SpeakerStatistics
from ravdess_mm.corpus.media_files import find_clips
from ravdess_mm.errors import InputError, MediaError
from ravdess_mm.parallel.progress import track
from ravdess_mm.store import read_json

if TYPE_CHECKING:
    from ravdess_mm.audio.voice_features import VoiceFeatures
    from ravdess_mm.predict.video import VideoModel
    from ravdess_mm.video.prior_correction import ClassShares

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Enrolment:
    """Who speaks in every clip, by voice and face, as far as that is known; nobody by default.

    Attributes
    ----------
    voice : SpeakerStatistics or None
        None where too few clips have sound that can be used.
    find_face : callable
        Returns what the face model says of the speaker on the whole, or None; called when the first face is seen.
    """

    voice: SpeakerStatistics | None = None
    find_face: Callable[[], ClassShares | None] = lambda: None

    @cached_property
    def face(self) -> ClassShares | None:
        """What the face model says of the speaker on the whole, or None."""
        return self.find_face()

    @classmethod
    def of(cls, voice: SpeakerStatistics, find_face: Callable[[], ClassShares | None]) -> Enrolment:
        """Take what is known of a voice where it rests on clips enough, and what finds the face."""
        return cls(voice if voice.is_enough else None, find_face)


def enrol_voice(
    paths: Iterable[str | Path],
    *,
    features: VoiceFeatures,
    know: Callable[[AnyFloats], SpeakerStatistics] = SpeakerStatistics.of,
) -> tuple[SpeakerStatistics, dict[Path, str]]:
    """Get to know one speaker's voice from clips; the more emotions are among them, the better.

    Parameters
    ----------
    paths : iterable of path
        Clips with sound, all of one person, and folders of such clips. One longer than `WHOLE_S` counts as many clips
        as it has segments.
    features : VoiceFeatures
        What the voice model hears: the features of an enrolment.
    know : callable
        From the features of the clips [shape=(n_clips, n_features)] to the enrolment; see `AudioModels.enrol`.

    Returns
    -------
    voice : SpeakerStatistics
        Of 0 clips where none has sound that can be used, as a silent film.
    failed : dict of Path to str
        Clips whose sound cannot be used, and why; they cost only themselves.

    Raises
    ------
    InputError
        If a path does not exist, or a folder holds no media file.
    """
    vectors, failed = [], {}
    clips = list(find_clips(paths))
    for path in track(clips, "clips of the speaker", unit="clip"):
        try:
            vectors += _features_of(path, features)
        except MediaError as error:
            failed[path] = str(error)
    voice = know(np.stack(vectors)) if vectors else SpeakerStatistics.unknown(len(features.names))
    return voice, failed


def _features_of(path: Path, features: VoiceFeatures) -> list[AnyFloats]:
    """Return the features of a clip, or of the usable segments of a recording; raise where there are none."""
    samples, sr = decode_audio(path)
    vectors: list[AnyFloats] = []
    reason = MediaError("nothing is heard")
    for part in sentences(samples, sr):
        try:
            vectors.append(features.extract(part, sr))
        except MediaError as error:
            reason = error
    if not vectors:
        raise reason
    return vectors


def load_or_enrol_voice(
    source: str | Path,
    *,
    features: VoiceFeatures,
    know: Callable[[AnyFloats], SpeakerStatistics] = SpeakerStatistics.of,
) -> SpeakerStatistics:
    """Return whose voice it is: from a folder of their clips, one clip, or an enrolment saved before (``.json``).

    Clips whose sound cannot be used are named in messages; where none can, the enrolment is of 0 clips.

    Raises
    ------
    InputError
        If there is no such file, no clip, or the enrolment was made from other features.
    """
    source = Path(source)
    if is_enrolment(source):
        return SpeakerStatistics.load(source, features=features.identity, n_features=len(features.names))
    voice, failed = enrol_voice([source], features=features, know=know)
    for path, reason in failed.items():
        logger.warning("%s: not used to know the speaker's voice (%s)", path, reason)
    return voice


def is_enrolment(source: Path) -> bool:
    """Tell a saved enrolment from clips, by its name."""
    return source.suffix.lower() == ".json"


def save_enrolment(
    path: Path, voice: SpeakerStatistics, face: ClassShares | None, *, features: VoiceFeatures, network: str | None
) -> None:
    """Write what is known of a speaker's voice and, where anything is, of the face.

    Parameters
    ----------
    path : Path
        A ``.json`` file.
    voice : SpeakerStatistics
        Of `features`.
    face : ClassShares or None
        What the face network says of the speaker.
    features : VoiceFeatures
        What the voice model hears: the features of an enrolment.
    network : str or None
        The SHA-256 of the card of that network.
    """
    more = {} if face is None else {"face": {**face.to_dict(), "network": network}}
    voice.save(path, features=features.identity, **more)


def load_or_enrol_face(source: Path, *, video: VideoModel) -> ClassShares | None:
    """Return what the face model says of the speaker: from clips, or an enrolment saved before.

    Raises
    ------
    InputError
        If the enrolment was made with another face network, or is damaged.
    """
    if not video.is_evened:
        return None
    if is_enrolment(source):
        return read_face(source, network=video.network_sha256)
    return video.shares_of([source])[0]


def read_face(path: Path, *, network: str) -> ClassShares | None:
    """Read what an enrolment knows of the speaker's face; None where it knows the voice alone.

    Raises
    ------
    InputError
        If it was made with another face network, or what it says of the face is no shares.
    """
    from ravdess_mm.video.prior_correction import ClassShares

    content = read_json(path).get("face")
    if content is None:
        return None
    if not isinstance(content, dict) or content.get("network") != network:
        raise InputError(f"{path}: knows the speaker's face from another face network; enrol the speaker again")
    try:
        return ClassShares.from_dict(content)
    except InputError as error:
        raise InputError(f"{path}: {error}; enrol the speaker again") from error
