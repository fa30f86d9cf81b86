from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ravdess_mm.audio.encoder_weights import EncoderWeights, read_encoder_weights
from ravdess_mm.errors import InputError
from tests.audio.encoders import random_arrays, write_safetensors


def test_safetensors_of_an_encoder_and_of_a_whole_model(tmp_path: Path) -> None:
    arrays = random_arrays()
    alone = read_encoder_weights(write_safetensors(tmp_path / "alone", arrays))
    whole = read_encoder_weights(write_safetensors(tmp_path / "whole", arrays, prefix="model.encoder."))
    for weights in (alone, whole):
        assert (weights.n_mels, weights.width, weights.inner, weights.n_layers) == (12, 16, 24, 2)
        assert weights.n_heads == 2
        np.testing.assert_array_equal(weights.arrays["layers.1.fc2.weight"], arrays["layers.1.fc2.weight"])


def test_the_configuration_says_how_many_heads(tmp_path: Path) -> None:
    folder = write_safetensors(tmp_path / "alone", random_arrays())
    (folder / "config.json").write_text(json.dumps({"encoder_attention_heads": 4}))
    assert read_encoder_weights(folder).n_heads == 4
    (folder / "config.json").write_text(json.dumps({"encoder_attention_heads": 3}))
    with pytest.raises(InputError, match="3 attention heads do not divide a width of 16"):
        read_encoder_weights(folder)
    (folder / "config.json").write_text(json.dumps({"encoder_attention_heads": "many"}))
    with pytest.raises(InputError, match="'many' attention heads"):
        read_encoder_weights(folder)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"layers.1.fc1.bias": None}, r"no array 'layers\.1\.fc1\.bias'"),
        ({"layers.0.self_attn.k_proj.weight": np.zeros((16, 15), np.float32)}, r"of shape \(16, 15\); expected"),
        ({"conv2.bias": np.full(16, np.nan, np.float32)}, "conv2.bias holds numbers that are not finite"),
        ({"conv2.bias": np.zeros(16, np.int64)}, "conv2.bias is int64"),
        ({"conv1.weight": None}, "no Whisper encoder"),
    ],
)
def test_what_is_not_whole_is_refused(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    arrays = {name: array for name, array in (random_arrays() | change).items() if array is not None}
    with pytest.raises(InputError, match=message):
        read_encoder_weights(write_safetensors(tmp_path / "broken", arrays))


def test_no_encoder_in_a_folder_or_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no encoder in this folder"):
        read_encoder_weights(tmp_path)
    with pytest.raises(InputError, match="no such file"):
        read_encoder_weights(tmp_path / "model.bin")
    (tmp_path / "model.safetensors").write_bytes(b"\x08\0\0\0\0\0\0\0{}      ")
    with pytest.raises(InputError, match="no Whisper encoder"):
        read_encoder_weights(tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"nothing of the kind")
    with pytest.raises(InputError, match="not a readable safetensors file"):
        read_encoder_weights(tmp_path)


def test_ctranslate2s_form_is_the_same_encoder(tmp_path: Path) -> None:
    arrays = random_arrays()
    path = tmp_path / "model.bin"
    path.write_bytes(ctranslate2_model(arrays))
    weights = read_encoder_weights(path)
    expected = EncoderWeights.of_arrays(arrays)
    assert weights.arrays.keys() == expected.arrays.keys()
    for name, array in expected.arrays.items():
        np.testing.assert_array_equal(weights.arrays[name], array, err_msg=name)
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(InputError, match="not a CTranslate2 model of binary version 6"):
        read_encoder_weights(path)


def ctranslate2_model(arrays: dict[str, np.ndarray[Any, Any]]) -> bytes:
    """A model in CTranslate2's binary form: what its converter writes of a Whisper encoder."""
    renamed = {"encoder/num_heads": np.array(2, np.int32), "decoder/other": np.zeros(3, np.float32)}
    simple = {
        "self_attn_layer_norm": "self_attention/layer_norm",
        "self_attn.out_proj": "self_attention/linear_1",
        "final_layer_norm": "ffn/layer_norm",
        "fc1": "ffn/linear_0",
        "fc2": "ffn/linear_1",
    }
    for name, array in arrays.items():
        owner, part = name.rsplit(".", 1)
        if owner == "embed_positions":
            renamed["encoder/position_encodings/encodings"] = array
            continue
        if owner.endswith("layer_norm"):
            part = {"weight": "gamma", "bias": "beta"}[part]
        if not owner.startswith("layers."):
            renamed[f"encoder/{owner}/{part}"] = array
            continue
        _, layer, inside = owner.split(".", 2)
        if inside in simple:
            renamed[f"encoder/layer_{layer}/{simple[inside]}/{part}"] = array
    for layer in range(2):
        own = f"layers.{layer}.self_attn"
        parts = [arrays[f"{own}.{which}_proj.weight"] for which in "qkv"]
        renamed[f"encoder/layer_{layer}/self_attention/linear_0/weight"] = np.concatenate(parts)
        parts = [arrays[f"{own}.q_proj.bias"], np.zeros(16, np.float32), arrays[f"{own}.v_proj.bias"]]
        renamed[f"encoder/layer_{layer}/self_attention/linear_0/bias"] = np.concatenate(parts)
    types = {np.dtype(np.float32): 0, np.dtype(np.int32): 3}

    def text(value: str) -> bytes:
        return struct.pack("<H", len(value) + 1) + value.encode() + b"\0"

    content = struct.pack("<I", 6) + text("WhisperSpec") + struct.pack("<II", 3, len(renamed))
    for name, array in renamed.items():
        content += text(name) + struct.pack("<B", array.ndim) + struct.pack(f"<{array.ndim}I", *array.shape)
        content += struct.pack("<BI", types[array.dtype], array.nbytes) + array.tobytes()
    return content
