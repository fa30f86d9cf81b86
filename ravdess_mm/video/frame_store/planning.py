"""The clips of each take, best first, and whether stored frames are up to date."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import version

import pandas as pd

from ravdess_mm.config import Crop, FaceDetector
from ravdess_mm.source_code import code_fingerprint
from ravdess_mm.store import fingerprint
from ravdess_mm.video.frame_store.appending import TakeFrames
from ravdess_mm.video.frame_store.sampling import sample_frames


@dataclass(frozen=True)
class ClipChoice:
    """A clip, and the key of what decoding it gives: its content, how it is sampled, and by which decoder."""

    path: str
    key: str


@dataclass(frozen=True)
class TakePlan:
    """A take and the clips that show it, best first."""

    take: str
    clips: tuple[ClipChoice, ...]

    def agrees_with(self, frames: TakeFrames) -> bool:
        """Return whether `frames` is what decoding these clips would give."""
        keys = tuple(clip.key for clip in self.clips)
        tried = frames.tried
        return frames.take == self.take and keys[: len(tried)] == tried and (bool(frames.numbers) or keys == tried)

    def rejections(self, frames: TakeFrames) -> list[dict[str, str]]:
        """Return a row of ``rejected.parquet`` for each clip that failed."""
        return [
            {"path": clip.path, "reason": reason, "stage": "video"}
            for clip, reason in zip(self.clips, frames.failures, strict=False)
        ]


def plan_takes(
    clips: pd.DataFrame, *, frame_step: int, crop: Crop, detector: FaceDetector = FaceDetector.HAAR
) -> list[TakePlan]:
    """Plan every take that has a clip for the video branch, in the order of takes.

    Parameters
    ----------
    clips : pandas.DataFrame
        The catalog: columns take, path, sha256, modality, has_video, face.
    frame_step, crop, detector
        How clips are sampled.

    Returns
    -------
    list of TakePlan
        The clip marked `face` is each take's first candidate, its other clips with a video track follow.
    """
    versions = [version("av"), version("opencv-python-headless")]
    key_parts: list[object] = [frame_step, crop, code_fingerprint(sample_frames, by_name=True), versions]
    if crop is Crop.FACE:
        key_parts += [detector, *([version("mtcnn")] if detector is FaceDetector.MTCNN else [])]
    usable = clips[clips["has_video"].astype(bool)]
    usable = usable[usable["take"].isin(usable.loc[usable["face"].astype(bool), "take"])]
    usable = usable.assign(later=~usable["face"].astype(bool)).sort_values(["take", "later", "modality", "path"])
    plans = []
    for take, group in usable.groupby("take", sort=True):
        keys = [fingerprint(sha256, *key_parts) for sha256 in group["sha256"]]
        paths = [str(path) for path in group["path"]]
        plans.append(TakePlan(str(take), tuple(map(ClipChoice, paths, keys))))
    return plans
