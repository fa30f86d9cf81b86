"""What one run of the command that trains face networks depends on, from words to settings and back."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError

from ravdess_mm.errors import InputError
from ravdess_mm.run.settings import read_words
from ravdess_mm.video.stills.settings import StillSettings


class FaceSettings(StillSettings):
    """What one run of this command depends on; every field is an argument NAME=value in capitals."""

    corpus: Literal["fer2013", "ckplus48"] = Field("fer2013", description="fer2013 or ckplus48")
    faces: Path = Field(description="the corpus: a folder, a zip, or FER2013's original CSV")
    out: Path = Field(Path("artifacts/face-network"), description="folder of the bundle and of scores.json")
    net: str = Field("compact", description="compact, vgg19, resnet18, vgg16, efficientnetb0 or pca-dense")
    weights: str = Field("imagenet", description="what vgg16 and efficientnetb0 start from: imagenet, none, a .h5 file")
    limit: int = Field(0, ge=0, description="a smoke run of so many training and test images; 0 for all")
    seed: int = Field(20, ge=0, lt=2**32)


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
    """Return the command that repeats a run; paths are shortened to their names."""
    given = settings.model_dump(mode="json", exclude_defaults=True, exclude={"faces", "out"})
    words = [f"{name.upper()}={given.pop(name)}" for name in ("net", "seed") if name in given]
    others = " ".join(f"{name.upper()}={value}" for name, value in given.items())
    return " ".join(
        ["make face-network", f"FACES={settings.faces.name}", *words, *([f'ARGS="{others}"'] if others else [])]
    )
