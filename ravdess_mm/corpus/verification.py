"""Verification of a copy of RAVDESS against the full release: clips present, missing and broken.

Missing is no fault: few people hold all 7356 clips. Broken is: the file is there and cannot be used.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from ravdess_mm.config import ChannelChoice
from ravdess_mm.corpus.catalog import Scan, nothing_usable, same_bytes, scan_folders
from ravdess_mm.corpus.discovery import Rejection, RejectionKind
from ravdess_mm.corpus.identifier import Identifier, Modality, VocalChannel
from ravdess_mm.corpus.probe import decode_to_end
from ravdess_mm.corpus.release import release_clips
from ravdess_mm.errors import InputError
from ravdess_mm.parallel.progress import CRASHED, map_parallel

ReleasePart = tuple[Modality, VocalChannel]
"""One of the six parts the release comes in, such as audio-only speech."""

Key = TypeVar("Key", bound=Hashable)


@dataclass(frozen=True)
class ClipCounts:
    """Clips of one group against the full release.

    Attributes
    ----------
    expected : int
        Clips in the full release.
    found : int
        Those that are there and sound.
    broken : int
        Those of which only broken files are there.
    """

    expected: int
    found: int
    broken: int

    @property
    def missing(self) -> int:
        """Clips of which there is no file at all."""
        return self.expected - self.found - self.broken

    def to_dict(self) -> dict[str, int]:
        """Return the four numbers by name."""
        return {"expected": self.expected, "found": self.found, "broken": self.broken, "missing": self.missing}


@dataclass(frozen=True)
class VerifyResult:
    """The state of a copy of RAVDESS.

    Attributes
    ----------
    folders : tuple of str
        What was looked at.
    deep : bool
        Whether every file was decoded to its end.
    found : frozenset of Identifier
        Clips with a sound file.
    broken, duplicates, foreign : tuple of Rejection
        Files that are damaged, that exist twice, and that are no clips; sorted by path.
    same_bytes : tuple of tuple of str
        Identifiers whose files hold the same bytes; the release itself has two such clips.
    """

    folders: tuple[str, ...]
    deep: bool
    found: frozenset[Identifier]
    broken: tuple[Rejection, ...]
    duplicates: tuple[Rejection, ...]
    foreign: tuple[Rejection, ...]
    same_bytes: tuple[tuple[str, ...], ...]

    @property
    def ok(self) -> bool:
        """Whether nothing is broken; missing clips, duplicates and foreign files are no fault."""
        return not self.broken

    @property
    def broken_clips(self) -> frozenset[Identifier]:
        """Clips of which only broken files are there."""
        names = {rejection.clip for rejection in self.broken if rejection.clip}
        return frozenset(map(Identifier.parse, names)) - self.found

    @property
    def absent_parts(self) -> tuple[ReleasePart, ...]:
        """Parts of the release of which not a single clip is there."""
        present = {part_of(clip) for clip in self.found | self.broken_clips}
        return tuple(sorted({part_of(clip) for clip in release_clips()} - present))

    @property
    def missing(self) -> tuple[Identifier, ...]:
        """Clips that are not there, in the parts of the release that are there at least partly."""
        absent, present = self.absent_parts, self.found | self.broken_clips
        return tuple(clip for clip in release_clips() if clip not in present and part_of(clip) not in absent)

    @property
    def beyond_release(self) -> tuple[Identifier, ...]:
        """Clips with a valid name that were never published, such as a song of actor 18."""
        return tuple(sorted(self.found.difference(release_clips())))

    def tally(self, key: Callable[[Identifier], Key]) -> dict[Key, ClipCounts]:
        """Count clips by a property of theirs, against the full release.

        Parameters
        ----------
        key : callable
            Identifier to the group it is counted in.
        """
        release = release_clips()
        expected = Counter(map(key, release))
        counts = Counter(key(clip) for clip in self.found.intersection(release))
        broken = Counter(key(clip) for clip in self.broken_clips.intersection(release))
        return {group: ClipCounts(expected[group], counts[group], broken[group]) for group in expected}

    def to_dict(self) -> dict[str, Any]:
        """Return everything as what JSON knows; counts are against the whole release."""
        total = self.tally(lambda clip: "all")["all"]
        return {
            "ok": self.ok,
            "deep": self.deep,
            "folders": list(self.folders),
            "clips": total.to_dict(),
            "parts": _dicts(self.tally(lambda clip: part_label(part_of(clip)))),
            "modalities": _dicts(self.tally(lambda clip: clip.modality.label)),
            "channels": _dicts(self.tally(lambda clip: clip.channel.label)),
            "emotions": _dicts(self.tally(lambda clip: clip.emotion.label)),
            "actors": _dicts(self.tally(lambda clip: str(clip.actor))),
            "absent_parts": [part_label(part) for part in self.absent_parts],
            "missing": list(map(str, self.missing)),
            "broken": _records(self.broken),
            "duplicates": _records(self.duplicates),
            "foreign": _records(self.foreign),
            "same_bytes": [list(names) for names in self.same_bytes],
            "beyond_release": list(map(str, self.beyond_release)),
        }


def verify_corpus(folders: Sequence[str | Path], *, deep: bool = False, jobs: int = -1) -> VerifyResult:
    """Count the clips in folders against the full release and find the broken ones.

    Parameters
    ----------
    folders : sequence of str or Path
        Nested as in the official zips or flat.
    deep : bool
        Decode every file to its end: finds truncated files, which have a sound header. About 0.2 CPU s a video.
    jobs : int
        Processes; -1 for one a core.

    Raises
    ------
    InputError
        If a folder is missing, no folder, empty or may not be read, or holds no file that is or was a clip.
    """
    scan = scan_folders(folders, channel=ChannelChoice.BOTH, jobs=jobs)
    damaged = _decode_all(scan, jobs=jobs) if deep else {}
    named = {str(clip.candidate.path): clip.candidate.identifier for clip in scan.clips}
    copies = {item.path: Identifier.parse(item.clip) for item in _of(RejectionKind.DUPLICATE, scan.rejections)}
    present = {clip for path, clip in (named | copies).items() if path not in damaged}
    rejections = [item for item in scan.rejections if item.path not in damaged]
    rejections += [
        Rejection(path, reason, RejectionKind.BROKEN, str((named | copies)[path])) for path, reason in damaged.items()
    ]
    result = VerifyResult(
        folders=tuple(map(str, folders)),
        deep=deep,
        found=frozenset(present),
        broken=_of(RejectionKind.BROKEN, rejections),
        duplicates=_of(RejectionKind.DUPLICATE, rejections),
        foreign=_of(RejectionKind.FOREIGN, rejections),
        same_bytes=tuple(same_bytes(scan.clips)),
    )
    if not (result.found or result.broken):
        raise InputError(nothing_usable(folders, ChannelChoice.BOTH, scan))
    return result


def part_of(clip: Identifier) -> ReleasePart:
    """Return the part of the release a clip belongs to."""
    return clip.modality, clip.channel


def part_label(part: ReleasePart) -> str:
    """Return the name of a part, such as ``audio-only speech``."""
    return f"{part[0].label} {part[1].label}"


def _decode_all(scan: Scan, *, jobs: int) -> dict[str, str]:
    """Decode clips and their duplicates to the end; return the reason of each that is damaged."""
    paths = [str(clip.candidate.path) for clip in scan.clips]
    paths += [item.path for item in _of(RejectionKind.DUPLICATE, scan.rejections)]
    reasons = map_parallel(decode_to_end, paths, description="decoding clips", jobs=jobs, lost=CRASHED)
    return {path: reason for path, reason in zip(paths, reasons, strict=True) if reason}


def _of(fault: RejectionKind, rejections: Iterable[Rejection]) -> tuple[Rejection, ...]:
    chosen = [rejection for rejection in rejections if rejection.fault is fault]
    return tuple(sorted(chosen, key=lambda rejection: (rejection.path, rejection.reason)))


def _dicts(tallies: dict[str, ClipCounts]) -> dict[str, dict[str, int]]:
    return {group: tally.to_dict() for group, tally in tallies.items()}


def _records(rejections: Iterable[Rejection]) -> list[dict[str, str]]:
    return [{"path": item.path, "clip": item.clip, "reason": item.reason} for item in rejections]
