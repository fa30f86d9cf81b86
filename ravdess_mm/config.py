"""One run's settings: defaults, a file, make variables; checked once, then frozen.

The words are those of the make variables. A later source wins over an earlier one: defaults, the preset of the
embedded sample (only where no ``DATA`` is given), the file named by ``CONFIG``, then ``NAME=value`` arguments.
"""

from __future__ import annotations

import re
import shlex
import tomllib
from collections.abc import Mapping, Sequence
from enum import StrEnum
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from ravdess_mm.corpus.identifier import ACTORS
from ravdess_mm.errors import InputError


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


class FeatureSet(StrEnum):
    """A named set of audio features."""

    MFCC_DELTA_RMS = "mfcc-delta-rms"
    EXTENDED = "extended"


class Adaptation(StrEnum):
    """How features are standardised: by the training set, or by each actor's own unlabelled clips."""

    NONE = "none"
    SPEAKER = "speaker"


class Augmentation(StrEnum):
    """What classifiers of the voice learn from besides the training clips."""

    NONE = "none"
    SPEED = "speed"
    """Copies that run faster and slower, for the kinds of classifiers that gain by them."""
    NOISE = "noise"
    """The same, and a twin of every model that learns from noisy copies."""


class Crop(StrEnum):
    """What part of a frame is kept."""

    NONE = "none"
    FACE = "face"


class Net(StrEnum):
    """A named network of the video branch."""

    SEED = "seed"
    COMPACT = "compact"
    MEDIUM = "medium"
    VGG19 = "vgg19"
    RESNET18 = "resnet18"


class Rule(StrEnum):
    """How the branches' probabilities become one."""

    MEAN = "mean"
    PRODUCT = "product"
    WEIGHTED = "weighted"
    STACKING = "stacking"


class Backend(StrEnum):
    """Which joblib backend spreads work over processes."""

    LOKY = "loky"
    DASK = "dask"


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class SearchSettings(_Section):
    """The budget of the search over one classifier's parameters."""

    draws: int = Field(50, ge=1, description="random draws from the search space")
    inner_folds: int = Field(3, ge=2, description="actor-grouped folds that score a draw")
    refine: bool = Field(True, description="search a smaller grid around the best draw")
    models: tuple[str, ...] = Field(
        ("random-forest", "svc", "xgboost", "logistic", "kernel-ridge", "network"),
        description="which classifiers to train; ``ridge`` is there too, not among the defaults",
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


_LONGEST_NAME: Final = 100


class Settings(_Section):
    """Everything one run depends on.

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

    data: tuple[Path, ...] = Field(
        (), description="folders of clips and action-unit tables (.csv), separated by spaces (none: the sample)"
    )
    run: str = Field("sample", description="name of the run (none: the name of the data folder)")
    protocol: Protocol = Field(Protocol.HOLDOUT, description="how actors are split: holdout, luna5, emobox6, loso")
    test_actors: tuple[int, ...] | None = Field(None, description="test actors of a holdout, such as 1,17-20")
    features: FeatureSet = Field(FeatureSet.EXTENDED, description="audio features: mfcc-delta-rms or extended")
    adapt: Adaptation = Field(Adaptation.NONE, description="standardise by the training set (none) or per speaker")
    augment: Augmentation = Field(
        Augmentation.SPEED, description="changed copies of training clips: none, speed, or noise for noisy twins too"
    )
    noise_takes: int = Field(20, ge=1, description="test takes an actor that `make noise` measures, 60 for all")
    channel: ChannelChoice = Field(ChannelChoice.SPEECH, description="vocal channel: speech, song or both")
    frame_step: int = Field(20, ge=1, description="keep every n-th frame of a clip")
    crop: Crop = Field(Crop.NONE, description="part of a frame that is kept: none (all of it) or face")
    net: Net = Field(Net.SEED, description="network of the video branch: seed, compact, medium, vgg19 or resnet18")
    fine_tune: str = Field(
        "none",
        description="start the video network from a trained face network: none, face-medium, face-compact or a folder",
    )
    rule: Rule = Field(Rule.PRODUCT, description="how branches are fused: mean, product, weighted or stacking")
    jobs: int = Field(-1, description="processes; -1 for one a core")
    backend: Backend = Field(Backend.LOKY, description="what spreads the work: loky or dask")
    seed: int = Field(20, ge=0, lt=2**32, description="seed of everything random")
    bootstrap_draws: int = Field(2000, ge=100)
    artifacts_dir: Path = Path("artifacts")
    reports_dir: Path = Path("reports")
    search: SearchSettings = SearchSettings()
    dense: DenseSettings = DenseSettings()
    cnn: CnnSettings = CnnSettings()

    @field_validator("data", mode="before")
    @classmethod
    def _split_data(cls, value: Any) -> Any:
        return tuple(shlex.split(value)) if isinstance(value, str) else value

    @field_validator("test_actors", mode="before")
    @classmethod
    def _parse_actors(cls, value: Any) -> Any:
        return parse_actors(value) if isinstance(value, str) else value

    @field_validator("run")
    @classmethod
    def _check_run(cls, value: str) -> str:
        if not re.fullmatch(rf"[A-Za-z0-9][A-Za-z0-9._-]{{0,{_LONGEST_NAME - 1}}}", value):
            raise ValueError(f"a run's name has up to {_LONGEST_NAME} letters, digits, '.', '_' and '-'")
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


MAKE_VARIABLES: Final[dict[str, str]] = {
    "DATA": "data",
    "RUN": "run",
    "PROTOCOL": "protocol",
    "TEST_ACTORS": "test_actors",
    "FEATURES": "features",
    "ADAPT": "adapt",
    "AUGMENT": "augment",
    "NOISE_TAKES": "noise_takes",
    "CHANNEL": "channel",
    "FRAME_STEP": "frame_step",
    "CROP": "crop",
    "NET": "net",
    "FINE_TUNE": "fine_tune",
    "RULE": "rule",
    "JOBS": "jobs",
    "BACKEND": "backend",
    "SEED": "seed",
}
"""Make variable to field of :class:`Settings`; ``CONFIG`` names a TOML file and is read first."""


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
        if first > last or first not in ACTORS or last not in ACTORS:
            raise ValueError(f"{part.strip()!r} is out of range; allowed: actors 1-24, lower number first")
        actors.update(range(first, last + 1))
    return tuple(sorted(actors))


def load_settings(arguments: Sequence[str] | Mapping[str, str] = ()) -> Settings:
    """Build the settings of a run from ``NAME=value`` arguments, a ``CONFIG`` file and the defaults.

    Parameters
    ----------
    arguments : sequence of str or mapping
        ``["DATA=clips", "PROTOCOL=loso"]`` or the same as a mapping. An empty value means "not given".

    Raises
    ------
    InputError
        One line that says which variable or key is wrong, what was received and what is allowed.
    """
    given = _split_arguments(arguments)
    config = given.pop("CONFIG", None)
    chosen: dict[str, Any] = {}
    if config is not None:
        chosen = _read_toml(Path(config))
    overrides = {MAKE_VARIABLES[name]: value for name, value in given.items()}
    if not (overrides.get("data") or chosen.get("data")):
        preset = tomllib.loads(files("ravdess_mm").joinpath("presets/sample.toml").read_text("utf-8"))
        if overrides.get("protocol", chosen.get("protocol", "holdout")) != "holdout":
            del preset["test_actors"]
        chosen = _merge(preset, chosen)
    merged = _merge(chosen, overrides)
    if "run" not in merged and merged.get("data"):
        merged["run"] = _run_name(merged["data"])
    try:
        return Settings.model_validate(merged)
    except ValidationError as error:
        raise InputError(_one_line(error, config)) from error


def _split_arguments(arguments: Sequence[str] | Mapping[str, str]) -> dict[str, str]:
    if isinstance(arguments, Mapping):
        pairs = dict(arguments)
    else:
        pairs = {}
        for argument in arguments:
            name, equals, value = argument.partition("=")
            if not equals:
                raise InputError(f"{argument!r} is not NAME=value; allowed names: {_variable_names()}")
            pairs[name] = value
    unknown = sorted(set(pairs) - {*MAKE_VARIABLES, "CONFIG"})
    if unknown:
        raise InputError(f"unknown variable {unknown[0]!r}; allowed: {_variable_names()}")
    return {name: value for name, value in pairs.items() if value.strip()}


def _variable_names() -> str:
    return ", ".join((*MAKE_VARIABLES, "CONFIG"))


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise InputError(f"CONFIG={path}: no such file") from error
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"CONFIG={path}: cannot be read ({error})") from error
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"CONFIG={path}: not a TOML file ({error})") from error


def _merge(base: dict[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in over.items():
        old = merged.get(key)
        merged[key] = _merge(old, value) if isinstance(old, dict) and isinstance(value, Mapping) else value
    return merged


def _run_name(data: Any) -> str:
    try:
        first = shlex.split(data)[0] if isinstance(data, str) else data[0]
    except (ValueError, IndexError, KeyError, TypeError):
        return "run"  # what is wrong with the data is said next
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", Path(str(first)).resolve().name).strip("-._")
    return name[:_LONGEST_NAME] or "run"


def _one_line(error: ValidationError, config: str | None) -> str:
    first = error.errors()[0]
    field = ".".join(str(part) for part in first["loc"])
    shown = {name: variable for variable, name in MAKE_VARIABLES.items()}.get(field, field)
    if first["type"] == "extra_forbidden":
        *section, _ = first["loc"]
        model: Any = Settings
        for part in section:
            model = model.model_fields[part].annotation
        allowed = ", ".join(model.model_fields)
        return f"{config or 'settings'}: unknown key {field!r}; allowed: {allowed}"
    reason = first["msg"].removeprefix("Value error, ")
    if first["type"] == "enum":
        reason = f"allowed: {first['ctx']['expected']}".replace("'", "").replace(" or ", ", ")
    if not field:
        return reason
    return f"{shown}={first['input']}: {reason}"
