"""From prediction tables to figures a reader can trust: metrics, intervals over actors, paired tests, slices."""

from ravdess_mm.evaluation.comparison import Comparison, PermutationTest, compare, compare_all, permutation_test
from ravdess_mm.evaluation.intervals import Estimate
from ravdess_mm.evaluation.metrics import HUMAN_ACCURACY, HUMAN_SOURCE, Metrics, evaluate, evaluate_many
from ravdess_mm.evaluation.scores import reliability
from ravdess_mm.evaluation.slices import slices, worst_slice

__all__ = [
    "HUMAN_ACCURACY",
    "HUMAN_SOURCE",
    "Comparison",
    "Estimate",
    "Metrics",
    "PermutationTest",
    "compare",
    "compare_all",
    "evaluate",
    "evaluate_many",
    "permutation_test",
    "reliability",
    "slices",
    "worst_slice",
]
