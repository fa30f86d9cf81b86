"""All stages up to the fused answers, under one protocol or several, and the figures of every model."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from typing import Final

from ravdess_mm.config import Settings
from ravdess_mm.errors import InputError
from ravdess_mm.run.entry import stage_main
from ravdess_mm.run.folder import RunFolder
from ravdess_mm.run.protocols import ProtocolRuns, adopt_features, load_protocol_runs, metrics_frame
from ravdess_mm.store import read_json, write_text

from .audio_embedding import audio_embedding
from .audio_models import audio_models
from .features import features
from .fuse import fuse
from .video_action_units import video_action_units
from .video_cnn import video_cnn
from .video_embedding import video_embedding

logger = logging.getLogger("ravdess_mm.pipelines.evaluate")

MODELS: Final[tuple[Callable[[Settings], None], ...]] = (
    audio_models,
    audio_embedding,
    video_cnn,
    video_embedding,
    video_action_units,
    fuse,
)
"""What follows the features, in order."""


def evaluate(campaign: ProtocolRuns) -> None:
    """Run all stages under PROTOCOL, print the figures of every model and write them beside metrics.json.

    PROTOCOL is holdout, luna5, emobox6 or loso; several of them, separated by commas; or all: every one that the data
    has test actors for. With several, each is a run of its own (such as sample-luna5). What is finished, fold by fold,
    is not done again.
    """
    done: list[RunFolder] = []
    for settings in campaign.runs:
        run = RunFolder(settings)
        if done:
            adopt_features(done[0], run)
        try:
            features(settings)
        except InputError as reason:
            if not campaign.take_what_works or (settings is campaign.runs[-1] and not done):
                raise
            logger.warning("%s: left out; %s", settings.protocol.value, reason)
            continue
        for stage in MODELS:
            stage(settings)
        done.append(run)
    results = {run.settings.protocol.value: read_json(run.metrics_path) for run in done}
    show(results)
    for run, one in zip(done, results.values(), strict=True):
        write_text(run.root / "metrics.csv", metrics_frame({run.settings.protocol.value: one}).to_csv(index=False))
        sys.stdout.write(f"figures: {run.root / 'metrics.csv'}\n")
    if campaign.table_path is not None:
        write_text(campaign.table_path, metrics_frame(results).to_csv(index=False))
        sys.stdout.write(f"side by side: {campaign.table_path}\n")


def show(results: dict[str, dict[str, object]]) -> None:
    """Print the figures: one table a protocol, and accuracies side by side where there are several."""
    from ravdess_mm.cli.command import console
    from ravdess_mm.cli.tables import overview_table, side_by_side_table

    for protocol, one in results.items():
        console().print(overview_table(one, title=protocol))
    if len(results) > 1:
        console().print(side_by_side_table(results))


if __name__ == "__main__":
    sys.exit(stage_main(evaluate, load=load_protocol_runs))
