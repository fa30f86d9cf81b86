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
from ravdess_mm.classifiers.adaptation import Enrolment
from ravdess_mm.corpus.clips_of_your_own import find_clips
from ravdess_mm.errors import InputError, MediaError
from ravdess_mm.parallel.progress import track
from ravdess_mm.store import read_json

if TYPE_CHECKING:
    from ravdess_mm.audio.voice_features import VoiceFeatures
    from ravdess_mm.video.prior_correction import ClassShares

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class KnownSpeaker:
    """Who speaks in every clip, as far as that is known.

    Attributes
    ----------
    voice : Enrolment or None
        None where too few clips have sound that can be used.
    find_face : callable
        Returns what the face model says of the speaker on the whole, or None; called when the first face is seen.
    """

    voice: Enrolment | None
    find_face: Callable[[], ClassShares | None]

    @cached_property
    def face(self) -> ClassShares | None:
        """What the face model says of the speaker on the whole, or None."""
        return self.find_face()


def enrol_speaker(
    paths: Iterable[str | Path], *, features: VoiceFeatures, know: Callable[[AnyFloats], Enrolment] = Enrolment.of
) -> tuple[Enrolment, dict[Path, str]]:
    """Enrol one speaker from clips; the more emotions are among them, the better.

    Parameters
    ----------
    paths : iterable of path
        Clips with sound, all of one person, and folders of such clips. One longer than `WHOLE_S` counts as many clips
        as it has segments.
    features : VoiceFeatures
        What the voice is known by.
    know : callable
        From the features of the clips [shape=(n_clips, n_features)] to the enrolment; see `ClipVoice.enrol`.

    Returns
    -------
    enrolment : Enrolment
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
            vectors += _voices_of(path, features)
        except MediaError as error:
            failed[path] = str(error)
    known = know(np.stack(vectors)) if vectors else Enrolment.unknown(len(features.names))
    return known, failed


def _voices_of(path: Path, features: VoiceFeatures) -> list[AnyFloats]:
    """Return the features of a clip, or of the usable segments of a recording; raise where there are none."""
    samples, sr = decode_audio(path)
    found: list[AnyFloats] = []
    reason = MediaError("nothing is heard")
    for part in sentences(samples, sr):
        try:
            found.append(features.extract(part, sr))
        except MediaError as error:
            reason = error
    if not found:
        raise reason
    return found


def load_or_enrol_speaker(
    source: str | Path, *, features: VoiceFeatures, know: Callable[[AnyFloats], Enrolment] = Enrolment.of
) -> Enrolment:
    """Return who speaks: from a folder of that person's clips, one clip, or an enrolment saved before (``.json``).

    Clips whose sound cannot be used are named in messages; where none can, the enrolment is of 0 clips.

    Raises
    ------
    InputError
        If there is no such file, no clip, or the enrolment was made from other features.
    """
    source = Path(source)
    if is_enrolment(source):
        return Enrolment.load(source, features=features.identity, n_features=len(features.names))
    enrolment, failed = enrol_speaker([source], features=features, know=know)
    for path, reason in failed.items():
        logger.warning("%s: not used to know the speaker's voice (%s)", path, reason)
    return enrolment


def is_enrolment(source: Path) -> bool:
    """Tell a saved enrolment from clips, by its name."""
    return source.suffix.lower() == ".json"


def save_speaker(
    path: Path, enrolment: Enrolment, *, features: VoiceFeatures, face: ClassShares | None, network: str | None
) -> None:
    """Write what is known of a speaker's voice and, where anything is, of the face.

    Parameters
    ----------
    path : Path
        A ``.json`` file.
    enrolment : Enrolment
        Of the voice.
    features : VoiceFeatures
        What it was made from.
    face : ClassShares or None
        What the face network says of the speaker.
    network : str or None
        The SHA-256 of the card of that network.
    """
    known = {} if face is None else {"face": {**face.to_dict(), "network": network}}
    enrolment.save(path, features=features.identity, **known)


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
