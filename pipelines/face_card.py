"""The model card of a face network: what it learned from, what it scores, and the command that repeats it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from pipelines.face_settings import FaceSettings, command_of

LICENCE: Final = """FER2013 (Goodfellow et al. 2013) and CK+ (Lucey et al. 2010) are for non-commercial research; so are
networks trained on them. None of their images is in this bundle."""


CHAIN: Final = """
The networks that it names come first; `make face-network FACES=fer2013.zip MORE=ckplus48.zip` trains all that ship.
"""


def model_card(settings: FaceSettings, facts: dict[str, Any]) -> str:
    """Return the model card of a network, in Markdown."""
    scores = facts["scores"]
    fresh = scores["without_duplicates"]
    recalls = "\n".join(f"| {emotion} | {recall:.3f} |" for emotion, recall in scores["recall"].items())
    beginning = _named(", from the weights of", settings.starts) + _named(", taught by", settings.teachers)
    chain = CHAIN if settings.starts or settings.teachers else ""
    smoke = f"**A smoke run of {settings.limit} images: its figures are of no worth.**\n\n" if settings.limit else ""
    return f"""# Face network `{settings.net}`

{smoke}From a 44x44 gray crop of a face to seven emotions: {", ".join(scores["recall"])}.
There is no *calm*.

- Trained on {facts["trained_on"]} ({facts["training_images"]} images an epoch{beginning}).
  The training saw nothing of the test part.
- PublicTest, mean of ten crops: accuracy **{scores["accuracy"]:.3f}** on {scores["images"]} images
  (centre crop alone {scores["accuracy_centre"]:.3f}), unweighted recall {scores["uar"]:.3f}.
- Without the {scores["images"] - fresh["images"]} test images that are pixel for pixel in the training part:
  **{fresh["accuracy"]:.3f}** on {fresh["images"]} images.

| class | recall |
|---|---|
{recalls}

Reproduce it:

    {command_of(settings)}
{chain}
Licence: {LICENCE}
"""


def _named(words: str, bundles: Sequence[str]) -> str:
    return f"{words} {' and '.join(Path(bundle).name for bundle in bundles)}" if bundles else ""
