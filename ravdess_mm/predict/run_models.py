"""The models of a finished run that its fusion chose."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ravdess_mm.errors import InputError
from ravdess_mm.fusion.recipe import FusionRecipe, read_recipe
from ravdess_mm.predict.audio import AudioModels
from ravdess_mm.predict.video import VideoModel, load_video_model
from ravdess_mm.predictions import ADAPTED
from ravdess_mm.run.folder import is_synthetic

INVENTED: Final = "models of the synthetic sample, which have never met a person: the answer says nothing"
"""Said of every answer by a run on the embedded sample corpus."""


@dataclass(frozen=True)
class RunModels:
    """What answers for a run; of a run with several folds, the models of the first.

    Attributes
    ----------
    recipe : FusionRecipe
        Which models answer, and how their answers become one.
    audio : AudioModels
        What answers to sound.
    video : VideoModel
        What answers to pictures.
    notes : tuple of str
        What a reader must know about every answer.
    """

    recipe: FusionRecipe
    audio: AudioModels
    video: VideoModel
    notes: tuple[str, ...] = ()

    @classmethod
    def load(cls, run_dir: str | Path) -> RunModels:
        """Take the models that answer for anybody.

        Raises
        ------
        InputError
            If the folder is no run that was fused.
        """
        recipe_path = Path(run_dir) / "models" / "fused" / "recipe.json"
        if not recipe_path.is_file():
            raise InputError(f"{run_dir}: not the folder of a finished run; `make fuse` makes artifacts/<run>")
        return cls._of_recipe(recipe_path)

    @classmethod
    def load_adapted(cls, run_dir: str | Path) -> RunModels:
        """Take the speaker-adapted models.

        Raises
        ------
        InputError
            If the run has none.
        """
        models = cls.load(run_dir)
        recipe_path = Path(run_dir) / "models" / f"fused{ADAPTED}" / "recipe.json"
        if recipe_path.is_file():
            models = cls._of_recipe(recipe_path)
        if not models.recipe.models.get("audio", "").endswith(ADAPTED):
            raise InputError(
                f"{run_dir}: has no speaker-adapted voice models; `make ADAPT=speaker` with the run's other variables "
                "trains them"
            )
        return models

    @classmethod
    def _of_recipe(cls, recipe_path: Path) -> RunModels:
        models_dir = recipe_path.parents[1]
        recipe, video = load_video_model(models_dir, read_recipe(recipe_path))
        notes = (INVENTED,) if is_synthetic(models_dir.parent) else ()
        return cls(recipe, AudioModels(models_dir, recipe), video, notes)
