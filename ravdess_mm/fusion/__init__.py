"""From the probabilities of several branches to one answer a take, learned without the actors it is scored on."""

from ravdess_mm.fusion.folds import FoldRecipe, Lesson
from ravdess_mm.fusion.fuse import FusionResult, fuse
from ravdess_mm.fusion.missing import fuse_missing_curve
from ravdess_mm.fusion.selection import Selection, select_best

__all__ = ["FoldRecipe", "FusionResult", "Lesson", "Selection", "fuse", "fuse_missing_curve", "select_best"]
