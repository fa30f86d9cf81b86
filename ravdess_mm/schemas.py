"""Names and versions of files that one room writes and another reads; a reader refuses what it does not know."""

from __future__ import annotations

from typing import Final

METRICS_SCHEMA: Final = "metrics/1"
"""``metrics.json`` of a run."""
FUSION_SCHEMA: Final = "fusion/1"
"""The recipe that a fusion leaves for clips of one's own."""
NOISE_SCHEMA: Final = "noise/2"
"""``noise.parquet`` of a run."""
IMPORTANCE_SCHEMA: Final = "importance/1"
"""``importance.parquet`` of a run."""
LEAK_DEMO_SCHEMA: Final = "leak-demo/1"
"""What a split that ignores actors would claim."""
CROSS_CORPUS_SCHEMA: Final = "cross-corpus/1"
"""Metrics of corpora tested by what others taught."""
