"""The model card of a face network: what it learned from, what it scores, and the command that repeats it."""

from __future__ import annotations

from typing import Any, Final

from .face_settings import FaceSettings, command_of

LICENCE: Final = """FER2013 (Goodfellow et al. 2013) is for non-commercial research; so are networks trained on it.
None of its images is in this bundle."""


def model_card(settings: FaceSettings, facts: dict[str, Any]) -> str:
    """Return the model card of a network, in Markdown."""
    scores = facts["scores"]
    fresh = scores["without_duplicates"]
    recalls = "\n".join(f"| {emotion} | {recall:.3f} |" for emotion, recall in scores["recall"].items())
    smoke = f"**A smoke run of {settings.limit} images: its figures are of no worth.**\n\n" if settings.limit else ""
    return f"""# Face network `{settings.net}`

{smoke}From a 44x44 gray crop of a face to seven emotions: {", ".join(scores["recall"])}.
There is no *calm*.

- Trained on {facts["trained_on"]} ({facts["training_images"]} images).
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

Licence: {LICENCE}
"""
