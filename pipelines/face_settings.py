"""What one run of the command that trains face networks depends on, from words to settings and back."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final, Literal

from pydantic import Field, ValidationError

from ravdess_mm.errors import InputError
from ravdess_mm.settings_words import read_words
from ravdess_mm.video.still_settings import StillSettings

NOTHING: Final = "none"
"""What says that no other network takes part."""


class FaceSettings(StillSettings):
    """What one run of this command depends on; every field is an argument NAME=value in capitals."""

    corpus: Literal["fer2013", "ckplus48"] = Field("fer2013", description="fer2013 or ckplus48")
    faces: Path = Field(description="the corpus: a folder, a zip, or FER2013's original CSV")
    out: Path = Field(Path("artifacts/face-network"), description="folder of the bundle and of scores.json")
    net: str = Field(
        "compact", description="compact, medium, pair, vgg19, resnet18, vgg16, efficientnetb0 or pca-dense"
    )
    weights: str = Field("imagenet", description="what vgg16 and efficientnetb0 start from: imagenet, none, a .h5 file")
    teacher: str = Field(
        NOTHING,
        description="bundles of face networks, with commas between, whose answers are learned from too; or none",
    )
    start: str = Field(
        NOTHING,
        description="bundle of a face network to go on from, by name or folder; two, with a comma between, for a pair",
    )
    more: Path | None = Field(None, description="CK+48, to be learned from beside FER2013: a folder or a zip")
    more_times: int = Field(6, ge=1, description="how often an epoch shows each of those images")
    limit: int = Field(0, ge=0, description="a smoke run of so many training and test images; 0 for all")
    seed: int = Field(20, ge=0, lt=2**32)

    @property
    def teachers(self) -> tuple[str, ...]:
        """The bundles that TEACHER names."""
        return _names(self.teacher)

    @property
    def starts(self) -> tuple[str, ...]:
        """The bundles that START names."""
        return _names(self.start)


def _names(bundles: str) -> tuple[str, ...]:
    return () if bundles == NOTHING else tuple(name.strip() for name in bundles.split(","))


def read_settings(arguments: Sequence[str]) -> FaceSettings:
    """Read ``NAME=value`` arguments.

    Raises
    ------
    InputError
        One line that says which argument is wrong, what was received and what is allowed.
    """
    given = read_words(arguments, (name.upper() for name in FaceSettings.model_fields))
    try:
        return FaceSettings.model_validate({name.lower(): value for name, value in given.items()})
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0]).upper()
        if first["type"] == "missing":
            raise InputError(f"{name}=... is missing: {FaceSettings.model_fields[name.lower()].description}") from error
        raise InputError(f"{name}={first['input']}: {first['msg']}") from error


def command_of(settings: FaceSettings) -> str:
    """Return the command that repeats a run; the path of the corpus is shortened to its name."""
    given = settings.model_dump(mode="json", exclude_defaults=True)
    given |= {"faces": settings.faces.name, "epochs": settings.epochs, "seed": settings.seed}
    for name, bundles in (("start", settings.starts), ("teacher", settings.teachers)):
        if bundles:
            given[name] = ",".join(Path(bundle).name for bundle in bundles)
    if settings.more:
        given["more"] = settings.more.name
    given.pop("out", None)
    return "python -m pipelines.face_network " + " ".join(f"{name.upper()}={value}" for name, value in given.items())
