"""One process that meets mutants one after the other: a number a line in, a line of JSON out."""

from __future__ import annotations

import contextlib
import io
import json
import math
import os
import sys
import tempfile
import time
import traceback
from functools import cache
from pathlib import Path
from typing import Any

import click
import numpy as np
import typer

from ravdess_mm.bundles.bundle import read_bundle
from ravdess_mm.bundles.pretrained import PRETRAINED_DIR
from ravdess_mm.classifiers.trained import Kind, load_classifier
from ravdess_mm.cli.main import app
from ravdess_mm.predict import predictor
from ravdess_mm.run.entry import guarded
from ravdess_mm.run.settings import load_settings
from ravdess_mm.video.face_bundle import KIND as FACE_KIND
from ravdess_mm.video.face_bundle import open_face_network
from tests.fuzz.mutants import mutate

command = typer.main.get_command(app)


def load(folder: str) -> None:
    """Load a model and ask it for one answer."""
    bundle = read_bundle(folder)
    if bundle.kind in set(Kind):
        model = load_classifier(folder)
        answer = model.predict_proba(np.zeros((1, len(model.feature_names))))[0]
    elif bundle.kind == FACE_KIND:
        network = open_face_network(folder)
        answer = network.model.predict_on_batch(np.zeros((1, *network.model.input_shape[1:])))[-1][0]
    else:
        return
    sys.stdout.write(json.dumps([{"probabilities": dict(enumerate(map(float, answer)))}]))


def meet(words: list[str]) -> tuple[int, str, str]:
    """Run a command in this process; return exit status, output and messages."""
    out, said = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(said):
        try:
            if words[0] == "settings":
                status = guarded(lambda: load_settings([f"CONFIG={words[1]}"]))
            elif words[0] == "load":
                status = guarded(lambda: load(words[1]))
            else:
                status = command.main(args=words, standalone_mode=False)
        except (SystemExit, click.exceptions.Exit) as end:
            status = end.code if isinstance(end, SystemExit) else end.exit_code
        except click.ClickException as error:
            status = error.exit_code
            error.show(said)
        except BaseException:
            status = -1
            traceback.print_exc(file=said)
    return int(status or 0), out.getvalue(), said.getvalue()


def judge(words: list[str], status: int, out: str, said: str) -> tuple[str, str]:
    """Say what became of a mutant: used, refused or crashed; and why."""
    if "unexpected" in said or "Traceback" in said or status not in (0, 1, 2):
        return "crashed", said[-600:]
    if "--json" in words or words[0] == "load":
        try:
            answers = json.loads(out) if out.strip() else []
        except ValueError:
            return "crashed", f"no JSON: {out[:200]}"
        for answer in answers if words[0] in ("predict", "load") else ():
            values = list(answer["probabilities"].values())
            if not all(math.isfinite(v) and v >= 0 for v in values) or abs(sum(values) - 1) > 1e-3:
                return "crashed", f"an answer of {values}"
    if status == 2 and not said.strip():
        return "crashed", "refused without a word"
    return ("refused" if status == 2 else "used"), said[-300:]


def memory(what: str) -> float:
    """Return ``VmRSS`` or ``VmHWM`` of this process, in MB."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(what))
    return int(line.split()[1]) / 1024


def main() -> None:
    """Answer numbers from standard input."""
    seed = int(sys.argv[1])
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    whole = predictor.Predictor.from_run.__func__  # type: ignore[attr-defined]
    kept = cache(lambda: whole(predictor.Predictor, PRETRAINED_DIR))

    def from_run(cls: Any, run: Any, **options: Any) -> Any:
        is_plain = Path(run) == PRETRAINED_DIR and not any(value is not None for value in options.values())
        return kept() if is_plain else whole(cls, run, **options)

    predictor.Predictor.from_run = classmethod(from_run)  # type: ignore[assignment,method-assign]
    answers.write("ready\n")
    for line in sys.stdin:
        with tempfile.TemporaryDirectory(prefix="mutant-") as folder:
            words = mutate(int(line), seed, Path(folder))
            Path("/proc/self/clear_refs").write_text("5")
            before, began = memory("VmRSS"), time.process_time()
            status, out, said = meet(words)
            outcome, why = judge(words, status, out, said)
            grown = memory("VmHWM") - before
        record = {
            "number": int(line), "verb": words[0], "outcome": outcome, "why": why.replace(folder, ""),
            "mb": round(grown), "cpu_s": round(time.process_time() - began, 1),
        }  # fmt: skip
        answers.write(json.dumps(record) + "\n")


if __name__ == "__main__":
    main()
