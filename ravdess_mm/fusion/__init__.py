"""From the probabilities of several branches to one answer a take, learned without the actors it is scored on."""

from ravdess_mm.fusion.folds import FoldRecipe, Lesson
from ravdess_mm.fusion.fuse import FusionResult, fuse
from ravdess_mm.fusion.missing import fuse_missing_curve

__all__ = ["FoldRecipe", "FusionResult", "Lesson", "fuse", "fuse_missing_curve"]
