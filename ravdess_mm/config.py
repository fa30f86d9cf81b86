"""One run's settings: what can be chosen, the defaults, what is allowed; checked once, then frozen.

`settings` builds them from make variables and files.
"""

from __future__ import annotations

import re
import shlex
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

PRIOR_CLIPS: Final = 4.0
"""How many clips the average training speaker is worth beside a speaker's own."""
FEWEST_CLIPS: Final = 2
"""One clip says nothing about a speaker that its emotion does not: with fewer, nothing is adapted."""


class Protocol(StrEnum):
    """A named way to split actors; see ``docs/protocols.md``."""

    HOLDOUT = "holdout"
    LUNA5 = "luna5"
    EMOBOX6 = "emobox6"
    LOSO = "loso"


class ChannelChoice(StrEnum):
    """Which vocal channels a run uses."""

    SPEECH = "speech"
    SONG = "song"
    BOTH = "both"

    @property
    def channel_names(self) -> tuple[str, ...]:
        """The channels meant."""
        return ("speech", "song") if self is ChannelChoice.BOTH else (self.value,)


class Adaptation(StrEnum):
    """How features are standardised: by the training set, or by each actor's own unlabelled clips."""

    NONE = "none"
    SPEAKER = "speaker"


class Crop(StrEnum):
    """What part of a frame is kept."""

    NONE = "none"
    FACE = "face"


class Rows(StrEnum):
    """What one row of a table of answers stands for."""

    CLIPS = "clips"
    SEGMENTS = "segments"
    FRAMES = "frames"
    FACES = "faces"


class FaceDetector(StrEnum):
    """What finds the faces of a frame."""

    HAAR = "haar"
    MTCNN = "mtcnn"


class Net(StrEnum):
    """A named network of the video branch."""

    SEED = "seed"
    COMPACT = "compact"
    VGG19 = "vgg19"
    RESNET18 = "resnet18"


class Rule(StrEnum):
    """How the branches' probabilities become one."""

    MEAN = "mean"
    PRODUCT = "product"
    WEIGHTED = "weighted"
    STACKING = "stacking"
    POOL = "pool"


class Backend(StrEnum):
    """Which joblib backend spreads work over processes."""

    LOKY = "loky"
    DASK = "dask"


def split_paths(text: str) -> tuple[str, ...]:
    """Return the words of a text; the whole of it where that is a path, blanks and apostrophes and all.

    Raises
    ------
    ValueError
        If a quotation mark is not closed.
    """
    try:
        if Path(text).exists():
            return (text,)
    except OSError:  # too long for a name
        pass
    return tuple(shlex.split(text))


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class SearchSettings(_Section):
    """The budget of the search over one classifier's parameters."""

    draws: int = Field(20, ge=1, description="random draws from the search space, after what needs no search")
    inner_folds: int = Field(3, ge=2, description="actor-grouped folds that score a draw")
    refine: bool = Field(True, description="search a smaller grid around the best draw")
    models: tuple[str, ...] = Field(
        ("random-forest", "svc", "xgboost", "logistic", "network"),
        min_length=1,
        description="which classifiers to train; ``ridge`` and ``kernel-ridge`` are there too, not among the defaults",
    )
    ensemble: Rule = Field(Rule.WEIGHTED, description="how the classifiers of one run become ``audio-ensemble``")


class DenseSettings(_Section):
    """The dense network behind ``audio-network``."""

    epochs: int = Field(300, ge=1)
    patience: int = Field(30, ge=1)
    batch_size: int = Field(32, ge=1)
    learning_rate: float = Field(1e-3, gt=0)


class CnnSettings(_Section):
    """Training of the video network."""

    epochs: int = Field(50, ge=1)
    steps_per_epoch: int = Field(25, ge=1)
    batch_size: int = Field(32, ge=1)
    learning_rate: float = Field(1e-3, gt=0)
    patience: int = Field(12, ge=1, description="epochs without a better validation loss before training stops")
    validation_share: float = Field(0.2, gt=0, lt=1, description="share of training actors held for validation")
    augment: bool = True
    ten_crop: bool = Field(False, description="answer with the mean over ten crops of a frame instead of the whole")


LAST_ACTOR: Final = 24
"""Actors have the numbers from 1 to this one."""
LONGEST_NAME: Final = 100
"""Most letters in the name of a run, which names folders."""


class Settings(_Section):
    """Everything one run depends on; what a make variable means stands in ``run/stages.mk``.

    Attributes
    ----------
    data : tuple of Path
        Folders of clips and action-unit tables; empty for the embedded sample corpus.
    run : str
        Name of the run: ``artifacts/<run>/`` and ``reports/<run>/``.
    protocol : Protocol
        How actors are split.
    test_actors : tuple of int or None
        Test actors of a holdout; None for 21-24.
    """

    data: tuple[Path, ...] = ()
    run: str = "sample"
    protocol: Protocol = Protocol.HOLDOUT
    test_actors: tuple[int, ...] | None = None
    adapt: Adaptation = Adaptation.NONE
    noise_takes: int = Field(20, ge=1)
    corpora: tuple[str, ...] = ()
    encoder: Path | None = None
    channel: ChannelChoice = ChannelChoice.SPEECH
    frame_step: int = Field(20, ge=1)
    crop: Crop = Crop.NONE
    detector: FaceDetector = FaceDetector.HAAR
    net: Net = Net.SEED
    fine_tune: str = "none"
    rule: Rule = Rule.POOL
    jobs: int = -1
    backend: Backend = Backend.LOKY
    seed: int = Field(20, ge=0, lt=2**32)
    bootstrap_draws: int = Field(2000, ge=100)
    artifacts_dir: Path = Path("artifacts")
    reports_dir: Path = Path("reports")
    search: SearchSettings = SearchSettings()
    dense: DenseSettings = DenseSettings()
    cnn: CnnSettings = CnnSettings()

    @field_validator("data", "corpora", mode="before")
    @classmethod
    def _split_words(cls, value: Any) -> Any:
        return split_paths(value) if isinstance(value, str) else value

    @field_validator("corpora")
    @classmethod
    def _check_corpora(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for text in value:
            name, _, folder = text.partition("=")
            if not (name and folder):
                raise ValueError(f"{text!r} is not name=folder, such as emodb=data/wav")
        return value

    @field_validator("test_actors", mode="before")
    @classmethod
    def _parse_actors(cls, value: Any) -> Any:
        return parse_actors(value) if isinstance(value, str) else value

    @field_validator("run")
    @classmethod
    def _check_run(cls, value: str) -> str:
        if not re.fullmatch(rf"[A-Za-z0-9][A-Za-z0-9._-]{{0,{LONGEST_NAME - 1}}}", value):
            raise ValueError(f"a run's name has up to {LONGEST_NAME} letters, digits, '.', '_' and '-'")
        return value

    @field_validator("jobs")
    @classmethod
    def _check_jobs(cls, value: int) -> int:
        if value == 0:
            raise ValueError("allowed: 1 or more, or -1 for one a core")
        return value

    @model_validator(mode="after")
    def _check_actors(self) -> Settings:
        if self.test_actors is not None and self.protocol is not Protocol.HOLDOUT:
            raise ValueError(f"TEST_ACTORS belongs to PROTOCOL=holdout; got PROTOCOL={self.protocol.value}")
        return self

    @property
    def corpus_folders(self) -> tuple[tuple[str, Path], ...]:
        """Name and folder of each of the other corpora."""
        pairs = (text.partition("=") for text in self.corpora)
        return tuple((name, Path(folder)) for name, _, folder in pairs)

    @property
    def is_sample(self) -> bool:
        """Whether the run uses the embedded synthetic sample corpus."""
        return not self.data

    @property
    def run_dir(self) -> Path:
        """Folder of the run's files."""
        return self.artifacts_dir / self.run

    @property
    def report_path(self) -> Path:
        """The report of the run."""
        return self.reports_dir / self.run / "index.html"


def parse_actors(text: str) -> tuple[int, ...]:
    """Read a list of actors such as ``21-24`` or ``1,17-20``.

    Returns
    -------
    tuple of int
        Sorted, each once, 1-24.

    Raises
    ------
    ValueError
        If the text is not such a list or an actor is out of range.
    """
    actors: set[int] = set()
    for part in text.split(","):
        match = re.fullmatch(r"\s*(\d{1,2})\s*(?:-\s*(\d{1,2})\s*)?", part)
        if match is None:
            raise ValueError(f"{text!r} is not a list of actors; allowed: numbers 1-24 and ranges, such as 1,17-20")
        first, last = int(match[1]), int(match[2] or match[1])
        if not 1 <= first <= last <= LAST_ACTOR:
            raise ValueError(f"{part.strip()!r} is out of range; allowed: actors 1-24, lower number first")
        actors.update(range(first, last + 1))
    return tuple(sorted(actors))
