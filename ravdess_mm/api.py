"""The functions of the front door: what ``import ravdess_mm`` offers, each resting on the room that does the work."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Final

from ravdess_mm.errors import InputError

if TYPE_CHECKING:
    import numpy.typing as npt
    import pandas as pd

    from ravdess_mm.config import Rule
    from ravdess_mm.corpus.identifier import Identifier
    from ravdess_mm.evaluation import Metrics
    from ravdess_mm.predict.prediction import Prediction
    from ravdess_mm.predict.predictor import Predictor

    Table = pd.DataFrame | str | Path

SEED: Final = 20
"""Of the bootstrap and of the deal of actors, as for the command."""


def predict(
    source: str | Path | npt.ArrayLike | None = None,
    *,
    sr: int | None = None,
    frames: Sequence[npt.ArrayLike] | npt.ArrayLike | None = None,
    fps: float | None = None,
    run: str | Path | None = None,
    speaker: str | Path | None = None,
) -> Prediction:
    """Say which emotion voice and face of a clip express; of a long recording, segment by segment too.

    Parameters
    ----------
    source : str, path or array-like [shape=(n,)], optional
        A sound or a film; or mono samples, floats of full scale -1 to 1. Without it, `frames` are silent.
    sr : int, optional
        Sampling rate of samples, in Hz; a file says its own.
    frames : array-like [shape=(n, height, width, 3) or (n, height, width), dtype=uint8], optional
        Pictures in memory: blue, green, red, as OpenCV reads them, or gray.
    fps : float, optional
        Their number a second.
    run, speaker
        As for `load_predictor`. The last two predictors are kept: where a run or a speaker's clips change on disk, load
        one anew.

    Raises
    ------
    InputError
        If samples or frames have no rate or another shape or type, a file has a rate or frames, nothing is given, or
        as `load_predictor`.
    MediaError
        If the clip cannot be used; the message says why.

    Examples
    --------
    >>> rm.predict("holiday.mp4").label  # doctest: +SKIP
    'happy'
    >>> rm.predict(samples, sr=16_000, frames=pictures, fps=25)  # doctest: +SKIP
    """
    if isinstance(source, str | Path):
        if sr is not None or frames is not None or fps is not None:
            raise InputError(f"sr, frames or fps beside a file, {source}; allowed: with samples or frames in memory")
        return _loaded(_absolute(run), _absolute(speaker)).predict(source)
    if (source is None) != (sr is None):
        raise InputError("samples without sr, or sr without samples; allowed: their sampling rate in Hz, as sr=16_000")
    if (frames is None) != (fps is None):
        raise InputError("frames without fps, or fps without frames; allowed: both, such as fps=25")
    if frames is not None and fps is not None:
        predictor = _loaded(_absolute(run), _absolute(speaker))
        return predictor.predict_frames(frames, fps, samples=source, sr=sr or 0)
    if source is not None and sr is not None:
        return _loaded(_absolute(run), _absolute(speaker)).predict_samples(source, sr)
    raise InputError("nothing to answer for; allowed: a file, samples with sr, frames with fps")


def load_predictor(run: str | Path | None = None, *, speaker: str | Path | None = None) -> Predictor:
    """Load models once, for many clips: ``load_predictor().predict_many(paths)``.

    Parameters
    ----------
    run : str or path, optional
        Folder of a finished run, such as ``artifacts/mine``; by default the models that ship answer.
    speaker : str or path, optional
        The one person in every clip: a folder of their clips, one long recording, or what ``ravdess-mm enrol`` wrote.
        Speaker-adapted models answer then. Errors are those of :meth:`ravdess_mm.predict.predictor.Predictor.from_run`.
    """
    from ravdess_mm.predict.predictor import PRETRAINED_DIR, Predictor

    return Predictor.from_run(run or PRETRAINED_DIR, speaker=speaker)


@lru_cache(maxsize=2)
def _loaded(run: Path | None, speaker: Path | None) -> Predictor:
    return load_predictor(run, speaker=speaker)


def _absolute(path: str | Path | None) -> Path | None:
    return None if path is None else Path(path).absolute()


def parse_identifier(name: str | PurePath) -> Identifier:
    """Decode the name of a RAVDESS file, with or without folders and suffix; `IdentifierError` where it is none.

    Examples
    --------
    >>> parse_identifier("02-01-06-01-02-01-12.mp4").emotion.label
    'fearful'
    """
    from ravdess_mm.corpus.identifier import Identifier

    return Identifier.parse(name)


def evaluate(table: Table) -> Metrics:
    """Score a prediction table: accuracy, UAR and macro F1 with intervals over actors, recalls, confusion, calibration.

    Parameters
    ----------
    table : pandas.DataFrame or path
        A prediction table, or the file of one (``.parquet`` or ``.csv``). Its rows of role ``test`` count; it must have
        some and be sound, else `InputError` is raised.
    """
    from ravdess_mm.evaluation import evaluate as score

    found, name = _read(table, "the prediction table")
    return score(found, seed=SEED, source=name)


def fuse(tables: Sequence[Table] | Mapping[str, Table], *, rule: Rule | str = "pool") -> pd.DataFrame:
    """Fuse prediction tables into one, whose column ``sources`` has the names of the tables an answer rests on.

    Parameters
    ----------
    tables : sequence, or mapping of str, of pandas.DataFrame or path
        Two or more prediction tables or files of them. Their names are the keys, else those of the files, else
        ``table-1``, ``table-2`` and so on by place.
    rule : Rule or str
        ``pool``, ``mean``, ``product``, ``weighted`` or ``stacking``; learned from other actors than it scores.

    Raises
    ------
    InputError, LeakageError
        As :func:`ravdess_mm.fusion.late_fusion`; also if there are fewer than two tables, or two of the same name.
    """
    from ravdess_mm.fusion import fuse as fuse_tables

    if isinstance(tables, Mapping):
        named = {name: _read(table, name)[0] for name, table in tables.items()}
    else:
        read = [_read(table, f"table-{place}") for place, table in enumerate(tables, 1)]
        named = {name: table for table, name in read}
    if len(named) < 2 or len(named) < len(tables):
        raise InputError(f"fusion needs two or more tables with different names; got {len(named)}")
    return fuse_tables(named, rule=rule, seed=SEED, cross_fit_test=True).table


def _read(table: Table, name: str) -> tuple[pd.DataFrame, str]:
    """Return a table and its name, that of its file where it is one."""
    if not isinstance(table, str | Path):
        return table, name
    from ravdess_mm.predictions import read_predictions

    return read_predictions(Path(table)), Path(table).stem
