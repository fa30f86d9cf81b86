"""From published weights of a Whisper encoder to the bundle that ships."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from ravdess_mm.errors import InputError
from ravdess_mm.run.entry import stage_main
from ravdess_mm.run.settings import read_words


def read_paths(arguments: Sequence[str]) -> tuple[Path, Path]:
    """Read ``WEIGHTS=file`` and ``OUT=folder`` (default: where the package looks for what ships)."""
    from ravdess_mm.audio.encoder import SHIPPED_DIR

    words = read_words(arguments, ("WEIGHTS", "OUT"))
    if "WEIGHTS" not in words:
        raise InputError("WEIGHTS=... is missing: safetensors or model.bin")
    return Path(words["WEIGHTS"]), Path(words.get("OUT") or SHIPPED_DIR)


def speech_encoder(job: tuple[Path, Path]) -> None:
    """Convert the weights and write the bundle."""
    from ravdess_mm.audio.encoder import write_shipped
    from ravdess_mm.audio.encoder_weights import read_encoder_weights
    from ravdess_mm.store import hash_file

    source, out = job
    weights = read_encoder_weights(source)
    origin = f"`{source.name}`" + (f", SHA-256 `{hash_file(source)}`" if source.is_file() else "")
    write_shipped(weights, out, origin=origin)
    sys.stdout.write(f"{out}\n")


if __name__ == "__main__":
    sys.exit(stage_main(speech_encoder, load=read_paths))
