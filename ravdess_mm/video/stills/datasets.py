"""The still-face corpora that face networks are trained on: FER2013 and CK+48.

FER2013: Goodfellow IJ et al. (2013), Challenges in representation learning, ICONIP, LNCS 8228: 117-124. Read from the
original CSV (``emotion,pixels,Usage``), from Kaggle's image folders (``train/<class>/``, ``test/<class>/``), or from
a zip of either. CK+48: the 48x48 faces cut from the extended Cohn-Kanade set (Lucey P et al. 2010, CVPR Workshops),
read from folders ``<class>/S###_....png`` or a zip of them. Both are for research, not for sale.
"""

from __future__ import annotations

import csv
import io
import re
import zipfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from ravdess_mm.corpus.identifier import EMOTIONS
from ravdess_mm.errors import InputError, MediaError
from ravdess_mm.store import UNREADABLE

SIZE_PX: Final = 48
"""Width and height of every image of both corpora."""
FER_CLASSES: Final[tuple[str, ...]] = tuple(emotion for emotion in EMOTIONS if emotion != "calm")
"""The seven classes of FER2013, in this package's words and order; it has no calm."""
CK_CLASSES: Final[tuple[str, ...]] = (*FER_CLASSES, "contempt")
"""The classes of CK+48 are these less neutral, which the folders leave out."""
USAGES: Final[tuple[str, ...]] = ("Training", "PublicTest", "PrivateTest")
"""The official parts of FER2013, as its CSV spells them."""

# the order of the codes 0-6 in the original CSV
_CSV_CODES: Final = ("angry", "disgust", "fearful", "happy", "sad", "surprised", "neutral")
_CLASS_WORDS: Final = {
    **{name: name for name in CK_CLASSES},
    **{"anger": "angry", "fear": "fearful", "surprise": "surprised", "sadness": "sad", "happiness": "happy"},
}
_FER_NAME: Final = re.compile(r"(Training|PublicTest|PrivateTest)_\d+")
_CK_NAME: Final = re.compile(r"(S\d{3})_\d{3}_\d{8}")
_IMAGE_SUFFIXES: Final = (".jpg", ".jpeg", ".png")
_LARGEST_IMAGE_BYTES: Final = 1 << 20  # a 48x48 image has a few kB; a zip may claim anything


@dataclass(frozen=True)
class Stills:
    """Labelled still faces.

    Attributes
    ----------
    images : numpy.ndarray [shape=(n, 48, 48), dtype=uint8]
        Gray, 0-255.
    labels : numpy.ndarray [shape=(n,), dtype=int64]
        Positions in `classes`.
    groups : numpy.ndarray [shape=(n,), dtype=str]
        What must not be on both sides of a fit and a score: the subject in CK+48. FER2013 does not tell who is shown;
        its group is the official part.
    classes : tuple of str
        Names of the classes.
    rejected : pandas.DataFrame
        Columns path and reason: files or rows that could not be used.
    """

    images: npt.NDArray[np.uint8]
    labels: npt.NDArray[np.int64]
    groups: npt.NDArray[np.str_]
    classes: tuple[str, ...]
    rejected: pd.DataFrame

    def __len__(self) -> int:
        return len(self.labels)

    def select(self, rows: npt.NDArray[np.bool_] | npt.NDArray[np.int64]) -> Stills:
        """Return some of the images, by mask or by position."""
        return Stills(self.images[rows], self.labels[rows], self.groups[rows], self.classes, self.rejected)

    def part(self, usage: str) -> Stills:
        """Return an official part of FER2013.

        Raises
        ------
        InputError
            If there is no such part in this copy (Kaggle's folders lack one or the other).
        """
        rows = self.groups == usage
        if not rows.any():
            allowed = ", ".join(sorted(set(self.groups.tolist())))
            raise InputError(f"no images of part {usage!r}; this copy has: {allowed}")
        return self.select(rows)


def read_fer2013(path: str | Path) -> Stills:
    """Read FER2013 with its official parts (28709 Training, 3589 PublicTest, 3589 PrivateTest).

    Parameters
    ----------
    path : str or Path
        The original ``.csv``, a folder with ``train`` and ``test``, or a ``.zip`` of either. Which part an image
        belongs to is read from ``Usage`` or from the file's name (``PublicTest_....jpg``), never from the folder:
        Kaggle's ``test`` mixes both test halves.

    Raises
    ------
    InputError
        If there is no such path or no image in it can be used.
    """
    path = Path(path)
    if path.suffix.lower() == ".csv":
        with _open_text(path) as lines:
            return _read_fer_csv(lines, str(path))
    if path.suffix.lower() == ".zip":
        with _open_zip(path) as archive:
            tables = [name for name in sorted(archive.namelist()) if name.lower().endswith(".csv")]
            if tables:
                return _read_fer_csv(_lines_in(archive, tables[0]), f"{path}:{tables[0]}")
    return _read_images(path, classes=FER_CLASSES, group_of=_fer_usage)


def read_ckplus48(path: str | Path) -> Stills:
    """Read CK+48, each image with its subject.

    Parameters
    ----------
    path : str or Path
        A folder with ``<class>/S###_....png`` below it, or a ``.zip`` of one.

    Raises
    ------
    InputError
        If there is no such path or no image in it can be used.
    """
    return _read_images(Path(path), classes=CK_CLASSES, group_of=_ck_subject)


def subject_folds(stills: Stills, *, n_folds: int = 10) -> npt.NDArray[np.int64]:
    """Return the fold of each image [shape=(n,)], 0 to `n_folds` - 1: no subject is in two folds.

    The subjects, sorted, are dealt out in turn, the usual protocol of the CK+ literature (such as Liu M et al. 2014,
    ACCV). It needs no seed.

    Raises
    ------
    InputError
        If there are fewer subjects than folds, or fewer than two folds.
    """
    subjects = np.unique(stills.groups)
    if not 2 <= n_folds <= len(subjects):
        raise InputError(f"{n_folds} folds of {len(subjects)} subjects; allowed: 2 to {len(subjects)}")
    return np.searchsorted(subjects, stills.groups) % n_folds


def find_duplicates(stills: Stills, among: Stills) -> npt.NDArray[np.bool_]:
    """Return which images [shape=(n,)] of `stills` are pixel for pixel in `among` too, whatever their labels."""
    contents = {image.tobytes() for image in among.images}
    return np.array([image.tobytes() in contents for image in stills.images], dtype=np.bool_)


def _fer_usage(name: str) -> str:
    match = _FER_NAME.fullmatch(name)
    if match is None:
        raise MediaError(f"{name!r} does not say its part; allowed: Training_<n>, PublicTest_<n>, PrivateTest_<n>")
    return match[1]


def _ck_subject(name: str) -> str:
    match = _CK_NAME.fullmatch(name)
    if match is None:
        raise MediaError(f"{name!r} does not say its subject; allowed: S###_###_########")
    return match[1]


def _read_images(path: Path, *, classes: tuple[str, ...], group_of: Callable[[str], str]) -> Stills:
    images: list[npt.NDArray[np.uint8]] = []
    labels: list[int] = []
    groups: list[str] = []
    rejected: list[tuple[str, str]] = []
    for name, content in _iter_files(path):
        inner = PurePosixPath(name)
        try:
            label = _CLASS_WORDS.get(inner.parent.name.lower())
            if label not in classes:
                raise MediaError(f"folder {inner.parent.name!r} is no class; allowed: {', '.join(classes)}")
            group = group_of(inner.stem)
            images.append(_decode_image(content()))
        except (MediaError, OSError, *UNREADABLE) as error:
            rejected.append((f"{path}:{name}", str(error)))
            continue
        labels.append(classes.index(label))
        groups.append(group)
    return _stills(images, labels, groups, classes, rejected, source=str(path))


def _iter_files(path: Path) -> Iterator[tuple[str, Callable[[], bytes]]]:
    """Yield name and content of each image below a folder or in a zip, in the order of names."""
    if path.is_dir():
        for file in sorted(path.rglob("*")):
            if file.suffix.lower() in _IMAGE_SUFFIXES and file.is_file():
                yield file.relative_to(path).as_posix(), file.read_bytes
        return
    with _open_zip(path) as archive:
        for entry in sorted(archive.infolist(), key=lambda entry: entry.filename):
            if entry.filename.lower().endswith(_IMAGE_SUFFIXES):
                yield entry.filename, partial(_read_entry, archive, entry)


def _read_entry(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bytes:
    if entry.file_size > _LARGEST_IMAGE_BYTES:
        raise MediaError(f"{entry.file_size} bytes are too many for a 48x48 image")
    return archive.read(entry)


def _lines_in(archive: zipfile.ZipFile, name: str) -> Iterator[str]:
    with archive.open(name) as handle:
        yield from io.TextIOWrapper(handle, "utf-8")


def _decode_image(content: bytes) -> npt.NDArray[np.uint8]:
    import cv2

    image = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_GRAYSCALE) if content else None
    if image is None:
        raise MediaError("not a readable image")
    if image.shape != (SIZE_PX, SIZE_PX):
        raise MediaError(f"is {image.shape[1]}x{image.shape[0]} pixels; allowed: {SIZE_PX}x{SIZE_PX}")
    return np.asarray(image, dtype=np.uint8)


def _read_fer_csv(lines: Iterable[str], source: str) -> Stills:
    try:
        return _parse_fer_csv(lines, source)
    except (UnicodeDecodeError, csv.Error, *UNREADABLE) as error:
        raise InputError(f"{source}: not a CSV table ({error})") from error


def _parse_fer_csv(lines: Iterable[str], source: str) -> Stills:
    images: list[npt.NDArray[np.uint8]] = []
    labels: list[int] = []
    groups: list[str] = []
    rejected: list[tuple[str, str]] = []
    table = csv.DictReader(lines, skipinitialspace=True)
    missing = {"emotion", "pixels", "Usage"} - set(table.fieldnames or ())
    if missing:
        raise InputError(f"{source}: no column {', '.join(sorted(missing))}; FER2013 has emotion, pixels, Usage")
    for row in table:
        try:
            image, label, usage = _parse_fer_row(row)
        except MediaError as error:
            rejected.append((f"{source}:{table.line_num}", str(error)))
            continue
        images.append(image)
        labels.append(label)
        groups.append(usage)
    return _stills(images, labels, groups, FER_CLASSES, rejected, source=source)


def _parse_fer_row(row: dict[str, str]) -> tuple[npt.NDArray[np.uint8], int, str]:
    code, usage = (row["emotion"] or "").strip(), (row["Usage"] or "").strip()
    if not re.fullmatch("[0-6]", code):
        raise MediaError(f"emotion is {code!r}; allowed: 0 to 6")
    if usage not in USAGES:
        raise MediaError(f"Usage is {usage!r}; allowed: {', '.join(USAGES)}")
    try:
        pixels = np.array((row["pixels"] or "").split(), dtype=np.int64)
    except (ValueError, OverflowError) as error:
        raise MediaError(f"pixels are not whole numbers from 0 to 255 ({error})") from error
    if len(pixels) != SIZE_PX**2 or pixels.min() < 0 or pixels.max() > 255:
        raise MediaError(f"{len(pixels)} pixels; allowed: {SIZE_PX**2} from 0 to 255")
    image = pixels.astype(np.uint8).reshape(SIZE_PX, SIZE_PX)
    return image, FER_CLASSES.index(_CSV_CODES[int(code)]), usage


def _stills(
    images: list[npt.NDArray[np.uint8]],
    labels: list[int],
    groups: list[str],
    classes: tuple[str, ...],
    rejected: list[tuple[str, str]],
    *,
    source: str,
) -> Stills:
    if not images:
        reason = f"; the first of {len(rejected)}: {rejected[0][1]}" if rejected else ""
        raise InputError(f"{source}: no usable 48x48 face images{reason}")
    return Stills(
        images=np.stack(images),
        labels=np.array(labels, dtype=np.int64),
        groups=np.array(groups),
        classes=classes,
        rejected=pd.DataFrame(rejected, columns=["path", "reason"], dtype="str"),
    )


@contextmanager
def _open_text(path: Path) -> Iterator[IO[str]]:
    try:
        handle = path.open(newline="", encoding="utf-8-sig")
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from error
    with handle:
        yield handle


@contextmanager
def _open_zip(path: Path) -> Iterator[zipfile.ZipFile]:
    if not path.exists():
        raise InputError(f"{path}: no such file or folder")
    try:
        archive = zipfile.ZipFile(path)
    except (OSError, *UNREADABLE) as error:
        raise InputError(f"{path}: neither a folder of faces nor a readable zip ({error})") from error
    with archive:
        yield archive
