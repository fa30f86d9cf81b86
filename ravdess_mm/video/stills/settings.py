"""Settings of the training of a face network."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field


class Loss(StrEnum):
    """Loss function."""

    CROSS_ENTROPY = "cross-entropy"
    HINGE = "hinge"
    """Multi-class hinge on the logits: the right one is to lead the best wrong one, or 0, by 1."""


class Schedule(StrEnum):
    """Schedule of the learning rate."""

    ONE_CYCLE = "one-cycle"
    """Up for a quarter of the training and down to 0 by a cosine (Smith LN, Topin N 2019, SPIE 11006)."""
    PLATEAU = "plateau"
    """Constant; halved, and at last stopped, when the validation loss no longer falls."""


class Precision(StrEnum):
    """Precision of the layers; weights are float32 either way."""

    AUTO = "auto"
    """``mixed_bfloat16`` where the processor has instructions for it, else float32."""
    FLOAT32 = "float32"
    BFLOAT16 = "mixed_bfloat16"


class StillSettings(BaseModel):
    """How a face network is trained."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    epochs: int = Field(60, ge=1, description="passes over the images")
    batch_size: int = Field(128, ge=2, description="images a step")
    learning_rate: float = Field(3e-3, gt=0, description="the highest of a one-cycle, the first of a plateau")
    weight_decay: float = Field(1e-2, ge=0, description="of AdamW")
    label_smoothing: float = Field(0.1, ge=0, lt=1, description="of the cross-entropy")
    loss: Loss = Field(Loss.CROSS_ENTROPY, description="cross-entropy or hinge")
    schedule: Schedule = Field(Schedule.ONE_CYCLE, description="of the learning rate: one-cycle or plateau")
    patience: int = Field(10, ge=1, description="epochs without a better validation loss before a plateau stops")
    balanced: bool = Field(False, description="weigh images so that every class counts the same")
    validation_share: float = Field(0.0, ge=0, lt=1, description="share of the images that watches the training")
    precision: Precision = Field(Precision.AUTO, description="auto, float32 or mixed_bfloat16")
    rotation_deg: float = Field(10.0, ge=0, description="largest rotation either way, degrees")
    zoom: float = Field(0.1, ge=0, lt=1, description="largest change of scale either way")
    shift: float = Field(0.05, ge=0, lt=1, description="largest shift, a share of the image, on top of the random crop")


def resolve_precision(precision: Precision) -> Precision:
    """Return what ``auto`` means on this machine."""
    if precision is not Precision.AUTO:
        return precision
    cpu_path = Path("/proc/cpuinfo")
    flags = cpu_path.read_text() if cpu_path.is_file() else ""
    return Precision.BFLOAT16 if "avx512_bf16" in flags or "amx_bf16" in flags else Precision.FLOAT32
