"""From signal-to-noise ratios and out-of-fold answers to whether a poor clip should be believed less."""

from __future__ import annotations

import logging
import sys
from typing import Any

import pandas as pd

from ravdess_mm.config import Settings
from ravdess_mm.corpus.catalog import CATALOG_SCHEMA
from ravdess_mm.entry import stage_main
from ravdess_mm.errors import InputError, MediaError
from ravdess_mm.predictions import read_predictions, rows_out_of_fold
from ravdess_mm.runs import RunFolder
from ravdess_mm.store import read_table, write_json, write_table

logger = logging.getLogger("ravdess_mm.pipelines.quality")

SCHEMA = "quality/1"
RATE_HZ = 16_000


def snr_of(path: str) -> float | None:
    """Return the signal-to-noise ratio of a clip in dB, or None where it cannot be read or is too short."""
    from ravdess_mm.audio.decode import decode_audio
    from ravdess_mm.audio.quality import estimate_snr

    try:
        return estimate_snr(*decode_audio(path, sr=RATE_HZ))
    except (MediaError, InputError):
        return None


def measure(run: RunFolder) -> pd.DataFrame:
    """Measure the voice of every take; returns take and ``snr_db``."""
    path = run.root / "quality.parquet"

    def work() -> None:
        from ravdess_mm.progress import map_parallel

        clips = read_table(run.catalog_path, schema=CATALOG_SCHEMA)
        voices = clips[clips["voice"].astype(bool)].drop_duplicates("take").sort_values("take")
        ratios = map_parallel(
            snr_of, [str(one) for one in voices["path"]], description="signal to noise", jobs=run.settings.jobs
        )
        table = pd.DataFrame({"take": list(voices["take"]), "snr_db": list(ratios)}).astype({"snr_db": "float64"})
        unknown = int(table["snr_db"].isna().sum())
        if unknown:
            logger.warning("%d voices have no signal-to-noise ratio: unreadable or too short", unknown)
        write_table(path, table.dropna().reset_index(drop=True), schema=SCHEMA)

    run.refresh("quality", work=work, inputs={}, files=[run.catalog_path], outputs=[path], source=["audio/quality.py"])
    return read_table(path, schema=SCHEMA)


def quality(settings: Settings) -> None:
    """Ask out-of-fold rows whether a voice model's temperature should depend on the clip's signal-to-noise ratio.

    Needs the predictions of voice models (`make audio-models`). Test rows are not looked at, and fusion stays as it is.
    """
    from ravdess_mm.fusion.quality import quality_experiment

    run = RunFolder(settings)
    run.need(run.catalog_path, stage="features")
    tables = {path.stem: read_predictions(path) for path in sorted(run.predictions_dir.glob("audio-*.parquet"))}
    tables = {name: table for name, table in tables.items() if len(rows_out_of_fold(table))}
    if not tables:
        sys.stdout.write("quality: nothing to do; no voice model has out-of-fold rows\n")
        return
    measured = measure(run)
    ratios = dict(zip(measured["take"], measured["snr_db"], strict=True))
    results: dict[str, Any] = {}
    for name, table in tables.items():
        found = quality_experiment(table, ratios, seed=settings.seed, draws=settings.bootstrap_draws)
        results[name] = found.to_dict()
        gain = found.gain
        sys.stdout.write(
            f"{name}: log-loss {found.loss_constant:.4f} at one temperature, {found.loss_dependent:.4f} where it "
            f"depends on the signal-to-noise ratio; gain {gain.value:+.4f} [{gain.low:+.4f}, {gain.high:+.4f}]: "
            f"{'worth it' if found.wins else 'not worth it'}\n"
        )
    spread = measured["snr_db"].quantile([0.05, 0.5, 0.95]).round(1).tolist()
    write_json(run.root / "quality.json", {"schema": SCHEMA, "snr_db": spread, "models": results})
    sys.stdout.write(
        f"signal to noise: 5 % of the voices below {spread[0]} dB, half below {spread[1]}, 5 % above {spread[2]}\n"
    )


if __name__ == "__main__":
    sys.exit(stage_main(quality))
