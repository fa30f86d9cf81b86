"""The frozen Whisper encoder: the states of every layer, for sound that is not padded to 30 s.

What it computes is defined by Radford A et al. (2022), "Robust speech recognition via large-scale weak supervision",
arXiv 2212.04356. ONNX Runtime does it; see `ravdess_mm.audio.encoder_graph`.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np

from ravdess_mm.arrays import Singles
from ravdess_mm.audio.decoding import Samples
from ravdess_mm.audio.encoder_graph import HOP_LENGTH, INPUT, N_FFT, SR, encoder_graph
from ravdess_mm.audio.encoder_weights import EncoderWeights, read_encoder_weights
from ravdess_mm.bundles.bundle import read_bundle
from ravdess_mm.errors import BundleError, MediaError

KIND: Final = "speech-encoder"
GRAPH_PART: Final = "encoder.onnx"
SHIPPED_DIR: Final = Path(__file__).parents[1] / "pretrained" / "speech-encoder"
"""Whisper's ``tiny.en``, which comes with the package."""

SAMPLES_PER_STATE: Final = 2 * HOP_LENGTH
"""There are 50 states a second."""
BLOCK_S: Final = 30.0
"""Longest sound that is heard at once: what Whisper was trained on, and has positions for."""
SHORTEST_S: Final = 0.1


class Encoder:
    """A Whisper encoder in ONNX Runtime.

    Parameters
    ----------
    graph : bytes
        See :func:`ravdess_mm.audio.encoder_graph.encoder_graph`.
    threads : int
        Processor threads of one call; results do not depend on it beyond the last digits.

    Attributes
    ----------
    n_layers : int
        Layers whose states are returned: the convolutions, every block, and the last block normalised.
    width : int
        Numbers in a state.
    """

    def __init__(self, graph: bytes, *, threads: int = 1) -> None:
        import onnxruntime

        self._graph, self._threads = graph, threads
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self._session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
        _, self.n_layers, _, self.width = self._session.get_outputs()[0].shape

    @classmethod
    def load(cls, folder: str | Path | None = None, *, threads: int = 1) -> Encoder:
        """Open the encoder that ships, or another one.

        Parameters
        ----------
        folder : str or Path, optional
            A folder, or a file, of another Whisper encoder: see
            :func:`ravdess_mm.audio.encoder_weights.read_encoder_weights`. None for the one that ships.
        threads : int
            As for the class.

        Raises
        ------
        BundleError
            If what ships was damaged.
        InputError
            If the other one is not there or not whole.
        """
        if folder is not None:
            return cls(encoder_graph(read_encoder_weights(folder)), threads=threads)
        bundle = read_bundle(SHIPPED_DIR)
        if bundle.kind != KIND:
            raise BundleError(f"{SHIPPED_DIR}: the bundle holds a {bundle.kind!r}; expected {KIND!r}")
        return cls(bundle.part(GRAPH_PART).read_bytes(), threads=threads)

    def __reduce__(self) -> tuple[type[Encoder], tuple[bytes]]:
        return Encoder, (self._graph,)

    def states(self, y: Samples) -> Singles:
        """Return the states of every layer for a clip of at most `BLOCK_S`.

        Parameters
        ----------
        y : numpy.ndarray [shape=(n,)], float32
            Mono at 16 kHz, from `SHORTEST_S` to `BLOCK_S` long.

        Returns
        -------
        numpy.ndarray [shape=(n_layers, ceil(n // 160 / 2), width)], float32

        Raises
        ------
        MediaError
            If the sound is shorter.
        """
        states: Singles = self.states_of_batch(y[np.newaxis])[0]
        return states

    def states_of_batch(self, batch: Singles) -> Singles:
        """Return states [shape=(n_clips, n_layers, t, width)] of clips of one length [shape=(n_clips, n)]."""
        if batch.shape[1] < SHORTEST_S * SR:
            raise MediaError(
                f"too short: {1000 * batch.shape[1] / SR:.0f} ms; at least {1000 * SHORTEST_S:.0f} ms are needed"
            )
        (states,) = self._session.run(None, {INPUT: np.stack([power_spectrum(y) for y in batch])})
        return np.asarray(states)

    def blocks(self, y: Samples) -> Iterator[Singles]:
        """Yield the states of sound of any length, block by block of at most `BLOCK_S`, holding one at a time."""
        longest = round(BLOCK_S * SR)
        n_blocks = max(1, -(-len(y) // longest))
        edges = np.linspace(0, len(y), n_blocks + 1).astype(int)
        for start, stop in itertools.pairwise(edges):
            yield self.states(y[start:stop])


def power_spectrum(y: Samples) -> Singles:
    """Return the power spectra of a clip, as Whisper takes them.

    Parameters
    ----------
    y : numpy.ndarray [shape=(n,)], float32
        Mono at 16 kHz, more than 200 samples.

    Returns
    -------
    numpy.ndarray [shape=(201, n // 160)], float32
        Hann windows of 400 samples every 160, centred, the clip reflected at its ends; the last one is dropped.
    """
    padded = np.pad(y.astype(np.float32, copy=False), N_FFT // 2, mode="reflect")
    frames = np.lib.stride_tricks.sliding_window_view(padded, N_FFT)[::HOP_LENGTH][: len(y) // HOP_LENGTH]
    # the periodic window, as for a spectrum and not for a filter
    window = np.hanning(N_FFT + 1)[:-1].astype(np.float32)
    spectra = np.fft.rfft(frames * window, axis=1)
    return np.ascontiguousarray((spectra.real**2 + spectra.imag**2).T, dtype=np.float32)


def write_shipped(weights: EncoderWeights, folder: str | Path, *, origin: str) -> None:
    """Write an encoder as a bundle, in half precision, with its model card and OpenAI's licence.

    Parameters
    ----------
    weights : EncoderWeights
        What to write.
    folder : str or Path
        Where to.
    origin : str
        File that the weights are from and its SHA-256, for the card.
    """
    from ravdess_mm.bundles.bundle import write_bundle

    halves = {name: array.astype(np.float16) for name, array in weights.arrays.items()}
    graph = encoder_graph(EncoderWeights.of_arrays(halves, n_heads=weights.n_heads))
    shape = {"n_mels": weights.n_mels, "width": weights.width, "n_layers": weights.n_layers, "n_heads": weights.n_heads}
    write_bundle(
        folder,
        kind=KIND,
        card={**shape, "origin": origin},
        files={
            GRAPH_PART: graph,
            "MODEL_CARD.md": _CARD.format(origin=origin, size=len(graph) / 1e6, **shape).encode(),
            "LICENSE": MIT_NOTICE.encode(),
        },
    )


_CARD: Final = """# Speech encoder

The encoder of OpenAI's Whisper (`tiny.en` as it ships): {n_layers} transformer blocks of width {width}, {n_heads}
heads, {n_mels} mel bands, {size:.1f} MB in half precision. It is frozen: nothing here was trained further.

- What it was trained on: 680 000 hours of speech with transcripts from the web (`tiny.en`: the English part), which
  OpenAI does not publish (Radford A et al. (2022), arXiv 2212.04356). Whether RAVDESS or any other emotional corpus is
  among them is not known; emotion labels are not.
- What it is used for here: the states of all its layers, pooled over time, are what the `audio-embedding` models know
  of a sentence. Nothing is transcribed.
- Origin: {origin}

Make it again, from Hugging Face's safetensors or CTranslate2's `model.bin`:

    python -m pipelines.speech_encoder WEIGHTS=whisper-tiny.en-encoder.safetensors OUT=folder

Licence: MIT, Copyright (c) 2022 OpenAI (the file `LICENSE` beside this one).
"""

MIT_NOTICE: Final = """MIT License

Copyright (c) 2022 OpenAI

Permission is hereby granted, free of charge, to any person obtaining a copy
of this software and associated documentation files (the "Software"), to deal
in the Software without restriction, including without limitation the rights
to use, copy, modify, merge, publish, distribute, sublicense, and/or sell
copies of the Software, and to permit persons to whom the Software is
furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all
copies or substantial portions of the Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR
IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY,
FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE
AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER
LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM,
OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE
SOFTWARE.
"""
