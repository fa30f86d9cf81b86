"""Frames as small pictures embedded in the page."""

from __future__ import annotations

import base64
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from ravdess_mm.corpus.identifier import EMOTIONS, Take
from ravdess_mm.errors import InputError
from ravdess_mm.report.formatting import percent, take_in_words

if TYPE_CHECKING:
    from ravdess_mm.video.frame_store.store import FrameStore

SHOWN_FRAMES: Final = 12
"""Pictures in the section on single frames."""
SHOWN_PX: Final = 176
THUMBNAILS: Final = 360
"""Most small pictures in the explorer: with them the page stays well under 3 MB."""
THUMBNAILS_PER_TAKE: Final = 3
WEBP_QUALITY: Final = 68
OPACITY: Final = 0.6
"""Of the hottest place."""
THUMBNAIL_PX: Final = 80


@dataclass(frozen=True)
class FrameImage:
    """One frame, what it shows, and what the network answered.

    Attributes
    ----------
    uri : str
        The picture as a ``data:`` address.
    alt : str
        What it shows, for those who cannot see it.
    actor : int
    emotion : str
        What was expressed.
    time_s : float
        When in the clip, in seconds.
    answers : tuple of (str, float)
        The two most probable emotions and their probabilities, 0-1; empty where no network looked at it.
    """

    uri: str
    alt: str
    actor: int
    emotion: str
    time_s: float
    answers: tuple[tuple[str, float], ...]

    @property
    def is_right(self) -> bool:
        """Whether the most probable emotion is the expressed one."""
        return bool(self.answers) and self.answers[0][0] == self.emotion


def sample_pictures(store: FrameStore, answers: pd.DataFrame | None, *, seed: int) -> list[FrameImage]:
    """Draw frames at random: one an emotion first, then any, each of another take.

    Parameters
    ----------
    store : FrameStore
        The frames.
    answers : pandas.DataFrame or None
        The network's answers by frame; only test takes of it are drawn from. None: from all takes, without answers.
    seed : int
        Seed of the choice.
    """
    index = store.index.reset_index(names="row")
    if answers is not None:
        tested = answers[answers["role"] == "test"].drop(columns=["actor", "emotion", "time_s"], errors="ignore")
        index = index.merge(tested, on=["take", "frame_number"], how="inner")
    chosen = _choose(index, seed=seed)
    images = store.read(chosen["row"].to_numpy())
    return [_picture(row, image) for row, image in zip(chosen.to_dict("records"), images, strict=True)]


def _choose(index: pd.DataFrame, *, seed: int) -> pd.DataFrame:
    shuffled = index.sample(frac=1, random_state=np.random.default_rng(seed))
    one_a_take = shuffled.drop_duplicates("take")
    first = one_a_take.drop_duplicates("emotion")
    rest = one_a_take.drop(first.index).head(max(0, SHOWN_FRAMES - len(first)))
    codes = {emotion: code for code, emotion in enumerate(EMOTIONS)}
    chosen = pd.concat([first, rest])
    return chosen.sort_values(["emotion", "actor", "take"], key=lambda c: c.map(codes) if c.name == "emotion" else c)


def _picture(row: Mapping[Hashable, Any], image: npt.NDArray[np.uint8]) -> FrameImage:
    take = Take.parse(row["take"])
    answers: tuple[tuple[str, float], ...] = ()
    if "top1" in row:
        answers = tuple((row[rank], float(row[f"p_{row[rank]}"])) for rank in ("top1", "top2"))
    top2 = ", then ".join(f"{emotion} {percent(share, digits=0)}" for emotion, share in answers)
    alt = f"Frame at {row['time_s']:.2f} s: {take_in_words(take)}{f'. The network says {top2}' if top2 else ''}"
    uri = data_uri(image, size_px=SHOWN_PX)
    return FrameImage(uri, alt, take.actor, take.emotion.label, float(row["time_s"]), answers)


def thumbnails(store: FrameStore, takes: Sequence[str]) -> dict[str, list[str]]:
    """Return small pictures of some takes, evenly spread over each take and, if need be, over the takes.

    Parameters
    ----------
    store : FrameStore
        The frames.
    takes : sequence of str
        Takes that are listed; those without frames get none.

    Returns
    -------
    dict of str to list of str
        Take to ``data:`` addresses in the order of time; `THUMBNAILS` in all at most.
    """
    rows_of = store.index.reset_index(names="row").groupby("take")["row"].agg(list).to_dict()
    present = [take for take in takes if take in rows_of]
    if not present:
        return {}
    shown = [present[index] for index in evenly(len(present), min(len(present), THUMBNAILS))]
    each = max(1, min(THUMBNAILS_PER_TAKE, THUMBNAILS // len(shown)))
    uris = {}
    for take in shown:
        rows = rows_of[take]
        chosen = [rows[index] for index in evenly(len(rows), min(each, len(rows)))]
        uris[take] = [data_uri(image, size_px=THUMBNAIL_PX) for image in store.read(chosen)]
    return uris


def evenly(n: int, wanted: int) -> list[int]:
    """Return `wanted` places out of `n`, in the middle of equal parts."""
    indices: list[int] = ((2 * np.arange(wanted) + 1) * n // (2 * wanted)).tolist()
    return indices


def data_uri(image: npt.NDArray[np.uint8], *, size_px: int) -> str:
    """Return a picture [shape=(height, width), or (height, width, 3) in RGB] as WebP in a ``data:`` address.

    Parameters
    ----------
    image : ndarray of uint8
        The picture; it is shrunk to `size_px` by `size_px` pixels.
    size_px : int
        Width and height.
    """
    import cv2

    small = cv2.resize(image, (size_px, size_px), interpolation=cv2.INTER_AREA)
    if small.ndim == 3:
        small = small[..., ::-1]  # OpenCV's order of colours
    done, encoded = cv2.imencode(".webp", small, [cv2.IMWRITE_WEBP_QUALITY, WEBP_QUALITY])
    if not done:
        raise RuntimeError("OpenCV could not encode a picture as WebP")
    return f"data:image/webp;base64,{base64.b64encode(encoded.tobytes()).decode()}"


def overlay(image: npt.NDArray[np.uint8], heat: npt.NDArray[np.float32]) -> npt.NDArray[np.uint8]:
    """Lay heat over an image; where there is none, the image stays as it is.

    Parameters
    ----------
    image : numpy.ndarray [shape=(height, width) or (height, width, 3), dtype=uint8]
        Gray or RGB.
    heat : numpy.ndarray [shape=(height, width)]
        0-1.

    Returns
    -------
    numpy.ndarray [shape=(height, width, 3), dtype=uint8]
        RGB.
    """
    import cv2

    if image.shape[:2] != heat.shape:
        raise InputError(f"an image of shape {image.shape} and heat of shape {heat.shape}; allowed: one size")
    colour = image if image.ndim == 3 else np.repeat(image[..., None], 3, axis=2)
    # inferno grows lighter with heat, so that it can be read in gray and by the colour-blind
    hot = cv2.applyColorMap(np.rint(255 * heat).astype(np.uint8), cv2.COLORMAP_INFERNO)[..., ::-1]
    opacity = OPACITY * heat[..., None]
    laid: npt.NDArray[np.uint8] = np.rint((1 - opacity) * colour + opacity * hot).astype(np.uint8)
    return laid
