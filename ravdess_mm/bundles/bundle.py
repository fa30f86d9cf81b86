"""A trained model on disk: what loads it, what refuses it.

A bundle is a folder of parts and a ``bundle.json`` that lists them with their SHA-256. ``bundle.json`` is written
last, so a folder without one is no bundle, however much of it is there. Loading runs no code from the folder:
scikit-learn parts are skops files whose types must be on a list fixed here, XGBoost parts are UBJ, networks are
``.keras`` files read in safe mode, from Keras' own modules only. Pickle is never read.

Parts are written without the clock and without memory addresses, so that equal models have equal bytes.
"""

from __future__ import annotations

import io
import logging
import re
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from ravdess_mm.bundles.archives import check_archive, copy_canonical
from ravdess_mm.bundles.keras_file import UnsupportedError, check_network
from ravdess_mm.corpus.identifier import EMOTIONS
from ravdess_mm.errors import BundleError, InputError, one_line, printable
from ravdess_mm.extras import need_extra
from ravdess_mm.store import UNREADABLE, hash_file, read_json, whole_file, write_json
from ravdess_mm.versions import library_versions

logger = logging.getLogger(__name__)

SCHEMA: Final = "bundle/1"
CARD_NAME: Final = "bundle.json"

SKOPS_TRUSTED: Final[tuple[str, ...]] = ("sklearn.tree._tree.Tree",)
"""Types allowed in a skops part beyond those skops itself trusts.

scikit-learn follows the node numbers of a tree without checking them, so whoever loads trees has to: see
`ravdess_mm.classifiers.guards`.
"""

PartWriter = Callable[[Path], None]
PLAIN_NAME: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,99}")
"""Names of parts and models: of a file or folder here, never of another place."""


@dataclass(frozen=True)
class Bundle:
    """A bundle whose schema and checksums have been verified.

    Attributes
    ----------
    folder : Path
        Where it is.
    kind : str
        What it holds, such as ``random-forest``.
    card : dict
        What whoever wrote it said about it: feature names, actors trained on, temperature, ...
    emotions : tuple of str
        The label of each output, in the order of the outputs.
    versions : dict
        Library versions it was written with.
    parts : tuple of str
        Names of its verified files.
    """

    folder: Path
    kind: str
    card: dict[str, Any]
    emotions: tuple[str, ...]
    versions: dict[str, str]
    parts: tuple[str, ...]

    def part(self, name: str) -> Path:
        """Return the path of a verified part.

        Raises
        ------
        BundleError
            If the bundle lists no such part.
        """
        if name not in self.parts:
            raise BundleError(f"{self.folder}: the bundle has no part {name!r}; it has {', '.join(self.parts)}")
        return self.folder / name

    def number(self, name: str, low: float, high: float) -> float:
        """Return a number of the card.

        Raises
        ------
        BundleError
            If it is missing, no number, or not from `low` to `high`.
        """
        value = self.card.get(name)
        if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
            shown = printable(repr(value))[:40]
            raise BundleError(f"{self.folder}: its {name} is {shown}; allowed: a number from {low:g} to {high:g}")
        return float(value)

    def load_sklearn(self, name: str) -> Any:
        """Load a scikit-learn object from a skops part.

        Raises
        ------
        BundleError
            If the part names a type that is not trusted, or cannot be read.
        """
        import skops.io
        from skops.io.exceptions import UntrustedTypesFoundException

        path = self.part(name)
        check_archive(path)
        try:
            return skops.io.load(path, trusted=SKOPS_TRUSTED)
        except UntrustedTypesFoundException as error:
            found = sorted(set(skops.io.get_untrusted_types(file=path)) - set(SKOPS_TRUSTED))
            raise BundleError(f"{path}: refused, it names types that are not trusted: {', '.join(found)}") from error
        except Exception as error:  # whatever a damaged archive makes skops stumble over
            raise BundleError(f"{path}: not a readable skops file ({one_line(error)})") from error

    def load_booster(self, name: str) -> Any:
        """Load an ``xgboost.Booster`` from a UBJ part.

        Raises
        ------
        BundleError
            If the part cannot be read.
        """
        need_extra("xgboost")
        import xgboost

        path = self.part(name)
        booster = xgboost.Booster()
        try:
            booster.load_model(bytearray(path.read_bytes()))
        except (xgboost.core.XGBoostError, ValueError) as error:
            raise BundleError(f"{path}: not a readable XGBoost model ({one_line(error)})") from error
        return booster

    def load_arrays(self, name: str) -> dict[str, Any]:
        """Load numpy arrays by name from an ``.npz`` part; objects are refused.

        Raises
        ------
        BundleError
            If the part cannot be read.
        """
        path = self.part(name)
        check_archive(path)
        try:
            with np.load(path, allow_pickle=False) as archive:
                return {key: archive[key] for key in archive.files}
        except (OSError, ValueError, *UNREADABLE) as error:
            raise BundleError(f"{path}: not readable arrays ({one_line(error)})") from error

    def open_network(self, name: str, *, inner: Sequence[str] = ()) -> Any:
        """Open a ``.keras`` part for answers alone, without Keras where all its layers are known.

        Parameters
        ----------
        name : str
            The part.
        inner : sequence of str
            Layers whose outputs are wanted too.

        Returns
        -------
        OnnxNetwork or keras.Model
            Has ``input_shape``, ``output_shape`` and ``predict_on_batch``, which gives the output, or, with `inner`, a
            list of theirs and the output.

        Raises
        ------
        BundleError
            If the part names anything outside Keras' own modules, or cannot be read.
        """
        path = self.part(name)
        check_network(path)
        from ravdess_mm.bundles.onnx_graph import onnx_graph
        from ravdess_mm.bundles.onnx_network import OnnxNetwork

        try:
            return OnnxNetwork(onnx_graph(path, inner=inner))
        except UnsupportedError as reason:
            logger.debug("%s: left to Keras (%s)", path, one_line(reason))
        except Exception as error:  # whatever a damaged file makes h5py and ONNX Runtime stumble over
            raise BundleError(f"{path}: not a readable Keras model ({one_line(error)})") from error
        network = self.load_network(name)
        if not inner:
            return network
        from ravdess_mm.bundles.keras_backend import keras

        try:
            outputs = [network.get_layer(layer).output for layer in inner]
        except ValueError as error:
            raise BundleError(f"{path}: {one_line(error)}") from error
        return keras.Model(network.input, [*outputs, network.output])

    def load_network(self, name: str) -> Any:
        """Load a ``keras.Model`` from a ``.keras`` part, in safe mode, not compiled.

        Raises
        ------
        BundleError
            If the part names anything outside Keras' own modules, or cannot be read.
        """
        path = self.part(name)
        check_network(path)
        from ravdess_mm.bundles.keras_backend import keras

        try:
            return keras.saving.load_model(path, compile=False, safe_mode=True)
        except Exception as error:  # Keras raises nearly anything on a damaged file
            raise BundleError(f"{path}: not a readable Keras model ({one_line(error)})") from error


def write_bundle(
    folder: str | Path,
    *,
    kind: str,
    card: Mapping[str, Any],
    files: Mapping[str, PartWriter | bytes],
) -> Bundle:
    """Write the parts of a model, each whole or not at all, and ``bundle.json`` last.

    Parameters
    ----------
    folder : str or Path
        Where to; made if it is missing. A bundle that is there is replaced, with all of its parts.
    kind : str
        What it holds, such as ``random-forest``.
    card : mapping
        What a reader has to know; plain values (see `store.plain`).
    files : mapping
        Name of each part to its bytes, or to a function that writes it to the path it is given.

    Raises
    ------
    ValueError
        If a part's name is not a plain file name.
    """
    folder = Path(folder)
    for name in files:
        if not PLAIN_NAME.fullmatch(name) or name == CARD_NAME:
            raise ValueError(f"{name!r} is not a name for a part of a bundle")
    try:
        replaced = set(read_bundle(folder).parts) - set(files)
    except BundleError:  # nothing is there, or nothing whose parts are known to be its own
        replaced = set()
    (folder / CARD_NAME).unlink(missing_ok=True)
    for name in replaced:
        (folder / name).unlink()
    for name, content in files.items():
        with whole_file(folder / name) as temporary:
            if isinstance(content, bytes):
                temporary.write_bytes(content)
            else:
                content(temporary)
    record = {
        "schema": SCHEMA,
        "kind": kind,
        "emotions": EMOTIONS,
        "versions": library_versions(),
        "files": {name: hash_file(folder / name) for name in files},
        "card": dict(card),
    }
    write_json(folder / CARD_NAME, record)
    return read_bundle(folder)


def read_bundle(folder: str | Path) -> Bundle:
    """Verify a bundle: its schema, that every part is there, and that no part was changed.

    Raises
    ------
    BundleError
        Names the first thing that is wrong.
    """
    folder = Path(folder)
    if (folder / CARD_NAME).is_symlink():
        raise BundleError(f"{folder / CARD_NAME}: is a symbolic link; the parts of a bundle are files of its folder")
    if not (folder / CARD_NAME).is_file():
        raise BundleError(f"{folder}: not a model bundle (no {CARD_NAME})")
    try:
        record = read_json(folder / CARD_NAME)
    except InputError as error:
        raise BundleError(str(error)) from error
    schema = record.get("schema") if isinstance(record, dict) else None
    if schema != SCHEMA:
        raise BundleError(f"{folder}: the bundle has schema {schema!r}; this version reads {SCHEMA!r}")
    wrong = [key for key, kind in _FIELDS.items() if not isinstance(record.get(key), kind)]
    if wrong:
        raise BundleError(f"{folder}: {CARD_NAME} has no usable {wrong[0]!r}")
    if record["emotions"] != list(EMOTIONS):
        shown = printable(", ".join(map(str, record["emotions"])))[:200]
        raise BundleError(f"{folder}: the bundle's labels are {shown}; allowed: {', '.join(EMOTIONS)}")
    for name, digest in record["files"].items():
        _check_part(folder, name, digest)
    return Bundle(
        folder=folder,
        kind=record["kind"],
        card=record["card"],
        emotions=tuple(record["emotions"]),
        versions=record["versions"],
        parts=tuple(record["files"]),
    )


_FIELDS: Final[dict[str, type]] = {"kind": str, "emotions": list, "versions": dict, "files": dict, "card": dict}


def _check_part(folder: Path, name: str, digest: Any) -> None:
    path = folder / name
    if not PLAIN_NAME.fullmatch(name):
        raise BundleError(f"{folder}: {name!r} is not a name for a part of a bundle")
    if path.is_symlink():
        raise BundleError(f"{path}: is a symbolic link; the parts of a bundle are files of its folder")
    if not path.is_file():
        raise BundleError(f"{folder}: the bundle's part {name!r} is missing")
    found = hash_file(path)
    if found != digest:
        raise BundleError(f"{path}: was changed after it was written (SHA-256 {found}, expected {digest})")


def sklearn_part(fitted: Any) -> PartWriter:
    """Return a writer of a fitted scikit-learn object as a skops file."""

    def write(path: Path) -> None:
        import skops.io

        with zipfile.ZipFile(io.BytesIO(skops.io.dumps(fitted))) as archive:
            copy_canonical(archive, path)

    return write


def booster_part(booster: Any) -> bytes:
    """Return an ``xgboost.Booster`` as UBJ."""
    return bytes(booster.save_raw(raw_format="ubj"))


def arrays_part(arrays: Mapping[str, Any]) -> PartWriter:
    """Return a writer of numpy arrays as an ``.npz`` file."""

    def write(path: Path) -> None:
        content = io.BytesIO()
        np.savez(content, **arrays)
        with zipfile.ZipFile(content) as archive:
            copy_canonical(archive, path)

    return write


def network_part(network: Any) -> PartWriter:
    """Return a writer of a ``keras.Model`` (sequential or functional) as a ``.keras`` file, without its optimizer."""

    def write(path: Path) -> None:
        # a copy that was never compiled: an optimizer is twice the weights, and named by how many came before it
        copy = type(network).from_config(network.get_config())
        for target, source in zip(copy.variables, network.variables, strict=True):
            target.assign(source)
        copy.save(path)
        with zipfile.ZipFile(io.BytesIO(path.read_bytes())) as archive:
            copy_canonical(archive, path)

    return write
