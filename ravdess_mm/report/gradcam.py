"""The section on Grad-CAM: frames of test takes, answered right and wrong by the run's own network."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from ravdess_mm.arrays import Singles
from ravdess_mm.bundles.bundle import arrays_part, read_bundle, write_bundle
from ravdess_mm.corpus.identifier import EMOTIONS, Take
from ravdess_mm.errors import BundleError, InputError
from ravdess_mm.import_graph import source_fingerprint
from ravdess_mm.report.formatting import percent, take_in_words
from ravdess_mm.report.frame_images import data_uri, overlay
from ravdess_mm.report.run_files import RunFiles
from ravdess_mm.store import fingerprint, hash_file
from ravdess_mm.versions import library_versions

logger = logging.getLogger(__name__)

SHOWN_EACH: Final = 4
"""Frames that the network has right, and as many that it has wrong."""
SHOWN_PX: Final = 176
KEPT: Final = "heat"
"""Folder of the cache, and kind of bundle, in which the heat of a network is kept: Keras takes seconds to start."""
HEAT_PART: Final = "heat.npz"


@dataclass(frozen=True)
class GradcamImage:
    """One frame, plain and with the heat map of the network's answer.

    Attributes
    ----------
    plain_uri, heat_uri : str
        The pictures as ``data:`` addresses.
    alt : str
        What they show, for those who cannot see them.
    actor : int
    emotion : str
        What was expressed.
    answer : str
        What the network answered, and what the heat speaks for.
    share : float
        The probability of the answer, 0-1.
    has_heat : bool
        Whether anything in the frame spoke for the answer.
    """

    plain_uri: str
    heat_uri: str
    alt: str
    actor: int
    emotion: str
    answer: str
    share: float
    has_heat: bool

    @property
    def is_right(self) -> bool:
        """Whether the answer is the expressed emotion."""
        return self.answer == self.emotion


@dataclass(frozen=True)
class GradcamSection:
    """What the section shows, or why it shows nothing."""

    pictures: tuple[GradcamImage, ...] = ()
    reason: str = ""

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to show."""
        return not self.pictures


def gradcam_section(files: RunFiles) -> GradcamSection:
    """Draw test takes at random, as many right as wrong, and ask the network that answered them for its reasons.

    Keras is imported only where the run has a network: a report on voices alone must not wait for it.
    """
    answers, store = files.frame_predictions, files.frames
    if answers is None or store is None or not files.networks:
        return GradcamSection(reason="the run has no trained video network beside its frames and their answers")
    index = store.index.reset_index(names="row")[["take", "frame_number", "row"]]
    tested = answers[answers["role"] == "test"].merge(index, on=["take", "frame_number"])
    tested = tested[tested["fold"].isin(list(files.networks))]
    chosen = _choose(tested, seed=files.seed)
    images = store.read(chosen["row"].to_numpy(np.int64))
    heats = np.zeros(images.shape, np.float32)
    try:
        for number, frames_of_fold in chosen.reset_index(drop=True).groupby("fold"):
            indices = frames_of_fold.index.to_numpy()
            heats[indices] = _heats(files, int(str(number)), images[indices], frames_of_fold["top1"])
    except (BundleError, InputError) as error:
        return GradcamSection(reason=f"the network cannot be asked ({error})")
    rows = chosen.to_dict("records")
    return GradcamSection(
        tuple(_picture(row, image, heat) for row, image, heat in zip(rows, images, heats, strict=True))
    )


def _choose(tested: pd.DataFrame, *, seed: int) -> pd.DataFrame:
    one_a_take = tested.sample(frac=1, random_state=np.random.default_rng(seed)).drop_duplicates("take")
    right = one_a_take["top1"] == one_a_take["emotion"]
    return pd.concat([one_a_take[right].head(SHOWN_EACH), one_a_take[~right].head(SHOWN_EACH)])


def _heats(files: RunFiles, fold: int, images: npt.NDArray[np.uint8], answers: pd.Series) -> Singles:
    """Return the heat of images [shape=(n, height, width)], and keep it for the next report."""
    from ravdess_mm.video.inference import NETWORK_PART, load_network

    network = load_network(files.networks[fold])
    classes = np.array([EMOTIONS.index(answer) for answer in answers], dtype=np.int64)
    shown = hashlib.sha256(images.tobytes()).hexdigest()
    made_by = (source_fingerprint("ravdess_mm.video.gradcam"), library_versions(("keras", "tensorflow")))
    key = fingerprint(hash_file(network.bundle.part(NETWORK_PART)), classes.tolist(), shown, made_by)
    kept = files.cache_dir / KEPT / files.networks[fold].name
    try:
        bundle = read_bundle(kept)
        if bundle.kind == KEPT and bundle.card.get("key") == key:
            return np.asarray(bundle.load_arrays(HEAT_PART)["heat"], dtype=np.float32)
    except BundleError as reason:
        logger.debug("%s", reason)
    from ravdess_mm.video.gradcam import heat_maps

    heat = heat_maps(network.keras_model(), images[..., None], classes)
    try:
        write_bundle(kept, kind=KEPT, card={"key": key}, files={HEAT_PART: arrays_part({"heat": heat})})
    except OSError as error:
        logger.warning("%s: heat is not kept for the next report (%s)", kept, error)
    return heat


def _picture(row: Mapping[Hashable, Any], image: Any, heat: Singles) -> GradcamImage:
    share = float(row[f"p_{row['top1']}"])
    description = take_in_words(Take.parse(row["take"]))
    return GradcamImage(
        plain_uri=data_uri(image, size_px=SHOWN_PX),
        heat_uri=data_uri(overlay(image, heat), size_px=SHOWN_PX),
        alt=f"{description}. The network says {row['top1']} {percent(share, digits=0)}",
        actor=int(row["actor"]),
        emotion=str(row["emotion"]),
        answer=str(row["top1"]),
        share=share,
        has_heat=bool(heat.max() > 0),
    )
