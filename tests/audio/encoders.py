"""A Whisper encoder of random weights, and one in plain numpy to hold the real one against."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import scipy.special

Arrays = dict[str, np.ndarray[Any, Any]]


def random_arrays(
    *, n_mels: int = 12, width: int = 16, inner: int = 24, n_layers: int = 2, n_positions: int = 1500
) -> Arrays:
    random = np.random.default_rng(3)

    def draw(*shape: int) -> np.ndarray[Any, Any]:
        return (random.standard_normal(shape) * 0.2).astype(np.float32)

    arrays = {
        "conv1.weight": draw(width, n_mels, 3),
        "conv1.bias": draw(width),
        "conv2.weight": draw(width, width, 3),
        "conv2.bias": draw(width),
        "embed_positions.weight": draw(n_positions, width),
        "layer_norm.weight": 1 + draw(width),
        "layer_norm.bias": draw(width),
    }
    for layer in range(n_layers):
        name = f"layers.{layer}"
        for projection in "qvk":
            arrays[f"{name}.self_attn.{projection}_proj.weight"] = draw(width, width)
        for projection in ("q_proj", "v_proj", "out_proj"):
            arrays[f"{name}.self_attn.{projection}.bias"] = draw(width)
        arrays[f"{name}.self_attn.out_proj.weight"] = draw(width, width)
        arrays |= {f"{name}.fc1.weight": draw(inner, width), f"{name}.fc1.bias": draw(inner)}
        arrays |= {f"{name}.fc2.weight": draw(width, inner), f"{name}.fc2.bias": draw(width)}
        for norm in ("self_attn_layer_norm", "final_layer_norm"):
            arrays |= {f"{name}.{norm}.weight": 1 + draw(width), f"{name}.{norm}.bias": draw(width)}
    return arrays


def write_safetensors(folder: Path, arrays: Arrays, *, n_heads: int = 2, prefix: str = "") -> Path:
    from safetensors.numpy import save_file

    folder.mkdir(parents=True, exist_ok=True)
    named = {prefix + name: np.ascontiguousarray(array) for name, array in arrays.items()}
    save_file(named, folder / "model.safetensors", metadata={"heads": str(n_heads)})
    return folder


def reference_states(arrays: Arrays, y: np.ndarray[Any, Any], *, n_heads: int) -> np.ndarray[Any, Any]:
    """Whisper's encoder, written down from the paper: float64, one clip, loops where loops are plain."""
    import librosa

    weights = {name: array.astype(np.float64) for name, array in arrays.items()}
    width, n_mels, _ = weights["conv1.weight"].shape
    spectrum = librosa.stft(y.astype(np.float64), n_fft=400, hop_length=160, window="hann", pad_mode="reflect")
    mel = librosa.filters.mel(sr=16_000, n_fft=400, n_mels=n_mels) @ np.abs(spectrum[:, :-1]) ** 2
    logs = np.log10(np.maximum(mel, 1e-10))
    x = (np.maximum(logs, logs.max() - 8) + 4) / 4
    for name, stride in (("conv1", 1), ("conv2", 2)):
        padded = np.pad(x, ((0, 0), (1, 1)))
        columns = [padded[:, start : start + 3] for start in range(0, x.shape[1], stride)]
        x = np.stack([np.einsum("oik,ik->o", weights[f"{name}.weight"], part) for part in columns], axis=1)
        x = gelu(x + weights[f"{name}.bias"][:, None])
    x = x.T + weights["embed_positions.weight"][: x.shape[1]]
    states = [x]
    n_layers = 1 + max(int(name.split(".")[1]) for name in weights if name.startswith("layers."))
    for layer in range(n_layers):
        own = {name.removeprefix(f"layers.{layer}."): array for name, array in weights.items()}
        normed = norm(x, own, "self_attn_layer_norm")
        queries, keys, values = (dense(normed, own, f"self_attn.{kind}_proj") for kind in "qkv")
        mixed = []
        for head in range(n_heads):
            part = slice(head * width // n_heads, (head + 1) * width // n_heads)
            scores = queries[:, part] @ keys[:, part].T / np.sqrt(width // n_heads)
            mixed.append(scipy.special.softmax(scores, axis=1) @ values[:, part])
        x = x + dense(np.concatenate(mixed, axis=1), own, "self_attn.out_proj")
        x = x + dense(gelu(dense(norm(x, own, "final_layer_norm"), own, "fc1")), own, "fc2")
        states.append(x)
    return np.stack([*states, norm(x, weights, "layer_norm")])


def gelu(x: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    return x * scipy.special.ndtr(x)


def dense(x: np.ndarray[Any, Any], weights: Arrays, name: str) -> np.ndarray[Any, Any]:
    return x @ weights[f"{name}.weight"].T + weights.get(f"{name}.bias", 0.0)


def norm(x: np.ndarray[Any, Any], weights: Arrays, name: str) -> np.ndarray[Any, Any]:
    centred = x - x.mean(axis=1, keepdims=True)
    scaled = centred / np.sqrt((centred**2).mean(axis=1, keepdims=True) + 1e-5)
    return scaled * weights[f"{name}.weight"] + weights[f"{name}.bias"]
