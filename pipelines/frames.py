"""What the stages that look at frames have in common."""

from __future__ import annotations

from collections.abc import Iterable

from ravdess_mm.corpus.splits import Fold, restrict_folds
from ravdess_mm.errors import InputError
from ravdess_mm.run.folder import RunFolder
from ravdess_mm.video.frame_store.store import FrameStore


def frames_and_folds(
    run: RunFolder, folds: tuple[Fold, ...], *, stage: str, names: Iterable[str]
) -> tuple[FrameStore, tuple[Fold, ...]] | None:
    """Open the frames of a run, and drop the actors without any from its folds.

    Parameters
    ----------
    run : RunFolder
        The run.
    folds : tuple of Fold
        The split of all its actors.
    stage : str
        What is left out where there is nothing to look at.
    names : iterable of str
        The models whose predictions of before are then dropped.

    Returns
    -------
    tuple of FrameStore and tuple of Fold, or None
        None where there is no video, nobody to train on, or nobody to test; a message has said so.

    Raises
    ------
    InputError
        If the frames are damaged: nothing is left out, and no answer of before is dropped, for that.
    """
    answers = [run.predictions_path(name) for name in names]
    if not run.frames_card_path.is_file():
        run.skip(stage, "there is no video in the data", *answers)
        return None
    store = FrameStore.open(run.frames_dir)
    try:
        return store, restrict_folds(folds, store.index["actor"])
    except InputError as reason:
        run.skip(stage, str(reason), *answers)
        return None
