"""Weights of a Whisper encoder, read from the published formats.

Hugging Face's safetensors (``WhisperEncoder``, or a whole ``WhisperForConditionalGeneration`` of which the encoder is
taken) and CTranslate2's ``model.bin`` (binary version 6, as ``faster-whisper`` loads it) are read; neither runs code.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from ravdess_mm.errors import InputError
from ravdess_mm.store import read_json

Array = npt.NDArray[Any]

HEAD_WIDTH: Final = 64
"""Of every published Whisper; a file that says otherwise is believed."""
_PREFIXES: Final = ("model.encoder.", "encoder.")
_CT2_VERSION: Final = 6
_CT2_TYPES: Final = {0: np.float32, 1: np.int8, 2: np.int16, 3: np.int32, 4: np.float16}
_CT2_NAMES: Final = {
    "position_encodings/encodings": "embed_positions.weight",
    "layer_norm/gamma": "layer_norm.weight",
    "layer_norm/beta": "layer_norm.bias",
}
_LAYER: Final = (
    ("self_attn.q_proj", ("width", "width"), True),
    ("self_attn.k_proj", ("width", "width"), False),
    ("self_attn.v_proj", ("width", "width"), True),
    ("self_attn.out_proj", ("width", "width"), True),
    ("fc1", ("inner", "width"), True),
    ("fc2", ("width", "inner"), True),
)
_LAYER_NORMS: Final = ("self_attn_layer_norm", "final_layer_norm")


@dataclass(frozen=True)
class EncoderWeights:
    """The parameters of a Whisper encoder, named as in Hugging Face's ``WhisperEncoder``.

    Attributes
    ----------
    arrays : dict of str to numpy.ndarray
        Floating-point arrays; every one that an encoder of this shape has, and no other.
    n_mels, width, inner, n_layers, n_heads, n_positions : int
        Mel bands, width of a state, width inside of a layer, layers, attention heads, most states in a row.
    """

    arrays: dict[str, Array]
    n_mels: int
    width: int
    inner: int
    n_layers: int
    n_heads: int
    n_positions: int

    @classmethod
    def of_arrays(
        cls, arrays: Mapping[str, Array], *, n_heads: int | None = None, source: str = "weights"
    ) -> EncoderWeights:
        """Check that the arrays are those of one encoder.

        Parameters
        ----------
        arrays : mapping of str to numpy.ndarray
            By Hugging Face's names; further ones are left out.
        n_heads : int, optional
            Attention heads; heads of `HEAD_WIDTH` by default.
        source : str
            Where they are from, for messages.

        Raises
        ------
        InputError
            If an array is missing, has another shape, or holds anything but finite floats.
        """
        n_layers = 1 + max((int(name.split(".")[1]) for name in arrays if name.startswith("layers.")), default=-1)
        first, inside = arrays.get("conv1.weight"), arrays.get("layers.0.fc1.weight")
        positions = arrays.get("embed_positions.weight")
        if first is None or inside is None or positions is None or first.ndim != 3 or inside.ndim != 2:
            raise InputError(f"{source}: no Whisper encoder (conv1, layers and embed_positions are needed)")
        width, n_mels, inner = int(first.shape[0]), int(first.shape[1]), int(inside.shape[0])
        n_heads = n_heads or max(1, width // HEAD_WIDTH)
        n_positions = int(positions.shape[0])
        kept = {}
        for name, shape in _shapes(n_mels, width, inner, n_layers, n_positions).items():
            if name not in arrays:
                raise InputError(f"{source}: the encoder has no array {name!r}; its download may be incomplete")
            array = np.asarray(arrays[name])
            if array.shape != shape or array.dtype not in (np.float16, np.float32, np.float64):
                raise InputError(
                    f"{source}: {name} is {array.dtype} of shape {array.shape}; expected floats of shape {shape}"
                )
            if not np.isfinite(array).all():
                raise InputError(f"{source}: {name} holds numbers that are not finite")
            kept[name] = array
        if width % n_heads:
            raise InputError(f"{source}: {n_heads} attention heads do not divide a width of {width}")
        return cls(kept, n_mels, width, inner, n_layers, n_heads, n_positions)


def read_encoder_weights(path: str | Path) -> EncoderWeights:
    """Read the encoder from a file, or from the folder that holds it.

    Parameters
    ----------
    path : str or Path
        A ``.safetensors`` file, a CTranslate2 ``model.bin``, or a folder with one of them (and, where Hugging Face
        wrote it, a ``config.json`` that says how many attention heads there are).

    Raises
    ------
    InputError
        If there is no such file, or it holds no whole encoder.
    """
    path = Path(path)
    n_heads = None
    if path.is_dir():
        config = path / "config.json"
        if config.is_file():
            content = read_json(config)
            n_heads = content.get("encoder_attention_heads") if isinstance(content, dict) else None
        candidates = [*sorted(path.glob("*.safetensors")), *sorted(path.glob("model.bin"))]
        if not candidates:
            raise InputError(f"{path}: no encoder in this folder; expected a .safetensors file or a model.bin")
        path = candidates[0]
    if not path.is_file():
        raise InputError(f"{path}: no such file; an encoder is a .safetensors file, a model.bin, or a folder with one")
    if path.suffix == ".safetensors":
        arrays, metadata = _read_safetensors(path)
        n_heads = n_heads or metadata
    else:
        arrays = _read_ctranslate2(path)
    if not (n_heads is None or (isinstance(n_heads, int) and 0 < n_heads <= 64)):
        raise InputError(f"{path}: {n_heads!r} attention heads; allowed: 1 to 64")
    return EncoderWeights.of_arrays(arrays, n_heads=n_heads, source=str(path))


def _shapes(n_mels: int, width: int, inner: int, n_layers: int, n_positions: int) -> dict[str, tuple[int, ...]]:
    sizes = {"width": width, "inner": inner}
    shapes: dict[str, tuple[int, ...]] = {
        "conv1.weight": (width, n_mels, 3),
        "conv1.bias": (width,),
        "conv2.weight": (width, width, 3),
        "conv2.bias": (width,),
        "embed_positions.weight": (n_positions, width),
        "layer_norm.weight": (width,),
        "layer_norm.bias": (width,),
    }
    for layer in range(n_layers):
        for name, (rows, columns), has_bias in _LAYER:
            shapes[f"layers.{layer}.{name}.weight"] = (sizes[rows], sizes[columns])
            if has_bias:
                shapes[f"layers.{layer}.{name}.bias"] = (sizes[rows],)
        for name in _LAYER_NORMS:
            shapes |= {f"layers.{layer}.{name}.{part}": (width,) for part in ("weight", "bias")}
    return shapes


def _read_safetensors(path: Path) -> tuple[dict[str, Array], int | None]:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            heads = str((file.metadata() or {}).get("heads", ""))
            names = list(file.keys())
            arrays = {_bare(name): file.get_tensor(name) for name in names if _is_encoder(name, names)}
    except (SafetensorError, OSError, TypeError) as error:
        raise InputError(f"{path}: not a readable safetensors file ({error})") from error
    return arrays, int(heads) if heads.isdecimal() else None


def _is_encoder(name: str, names: Iterable[str]) -> bool:
    whole_model = any(other.startswith(_PREFIXES) for other in names)
    return name.startswith(_PREFIXES) if whole_model else True


def _bare(name: str) -> str:
    for prefix in _PREFIXES:
        name = name.removeprefix(prefix)
    return name


def _read_ctranslate2(path: Path) -> dict[str, Array]:
    try:
        variables = dict(_ctranslate2_variables(path.read_bytes()))
    except (struct.error, ValueError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not a CTranslate2 model of binary version {_CT2_VERSION} ({error})") from error
    arrays: dict[str, Array] = {}
    for name, array in variables.items():
        if name.startswith("encoder/"):
            arrays |= _named_as_hugging_face(name.removeprefix("encoder/"), array)
    return arrays


def _ctranslate2_variables(content: bytes) -> Iterable[tuple[str, Array]]:
    """Yield the variables of a model: counts and lengths little-endian, strings with their final zero."""
    offset = 0

    def take(layout: str) -> int:
        nonlocal offset
        (value,) = struct.unpack_from("<" + layout, content, offset)
        offset += struct.calcsize(layout)
        return int(value)

    def text() -> str:
        nonlocal offset
        length = take("H")
        offset += length
        return content[offset - length : offset].rstrip(b"\0").decode()

    version = take("I")
    if version != _CT2_VERSION:
        raise ValueError(f"binary version {version}")
    text(), take("I")
    for _ in range(take("I")):
        name = text()
        shape = tuple(take("I") for _ in range(take("B")))
        kind, size = take("B"), take("I")
        if kind not in _CT2_TYPES:
            raise ValueError(f"{name} is of type {kind}; allowed: {', '.join(map(str, _CT2_TYPES))}")
        array = np.frombuffer(content[offset : offset + size], dtype=_CT2_TYPES[kind])
        offset += size
        yield name, array.reshape(shape)


def _named_as_hugging_face(name: str, array: Array) -> dict[str, Array]:
    """Return a variable of CTranslate2's WhisperSpec under Hugging Face's names; queries, keys and values apart."""
    if name in _CT2_NAMES:
        return {_CT2_NAMES[name]: array}
    ending = {"weight": "weight", "bias": "bias", "gamma": "weight", "beta": "bias"}.get(name.rsplit("/", 1)[-1])
    parts = name.split("/")
    if ending is None:
        return {}
    if parts[0] in {"conv1", "conv2"}:
        return {f"{parts[0]}.{ending}": array}
    if not parts[0].startswith("layer_") or not parts[0][6:].isdecimal():
        return {}
    layer, inside = f"layers.{parts[0][6:]}", "/".join(parts[1:-1])
    simple = {
        "self_attention/layer_norm": "self_attn_layer_norm",
        "self_attention/linear_1": "self_attn.out_proj",
        "ffn/layer_norm": "final_layer_norm",
        "ffn/linear_0": "fc1",
        "ffn/linear_1": "fc2",
    }
    if inside in simple:
        return {f"{layer}.{simple[inside]}.{ending}": array}
    if inside != "self_attention/linear_0":
        return {}
    queries, keys, values = np.split(array, 3)
    # Whisper's key projection has no bias; the third of zeros that stands for it is not needed
    named = {"q_proj": queries, "v_proj": values, **({"k_proj": keys} if ending == "weight" else {})}
    return {f"{layer}.self_attn.{projection}.{ending}": part for projection, part in named.items()}
