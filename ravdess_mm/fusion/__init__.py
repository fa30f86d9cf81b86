"""From the probabilities of several branches to one answer a take, learned without the actors it is scored on."""

from ravdess_mm.fusion.folds import FittedCombiner, FoldRecipe
from ravdess_mm.fusion.late_fusion import FusionResult, fuse
from ravdess_mm.fusion.missing import fuse_missing_curve

__all__ = ["FittedCombiner", "FoldRecipe", "FusionResult", "fuse", "fuse_missing_curve"]
