"""Early fusion: the features of voice and face in one row, for one model on both.

Late fusion combines answers, so it cannot use what only shows in voice and face together; early fusion can, but has to
learn it from few actors. It stands beside late fusion as a model of its own and takes no part in it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from ravdess_mm.errors import InputError

if TYPE_CHECKING:
    from ravdess_mm.video.frames import FrameStore

NAME: Final = "early-fusion"
"""Name of the model and its prediction table."""
KIND: Final = "kernel-ridge"
"""Its kind of classifier: of those that bear many features and few takes, the best one on out-of-fold voices."""
EARLY_SCHEMA: Final = "early-fusion/1"
KEYS: Final[tuple[str, ...]] = ("take", "actor", "emotion")
POOLED_PX: Final = 16
"""Width and height to which a frame is pooled where the face has no other features."""


def join_features(voice: pd.DataFrame, face: pd.DataFrame) -> pd.DataFrame:
    """Put two feature tables side by side, for the takes that both have, so that both weigh alike.

    A classifier standardises its columns, after which each counts as much as any other: 35 action units would drown
    among thousands of voice features. So the columns of the smaller table are repeated until there are about as many
    of them, which is the same as a weight on that table.

    Parameters
    ----------
    voice, face : pandas.DataFrame
        Columns take, actor, emotion and numeric features; one row a take.

    Returns
    -------
    pandas.DataFrame
        Columns take, actor, emotion, ``voice_...`` and ``face_...``, where repeated with a number (``face_x_2``);
        sorted by take.

    Raises
    ------
    InputError
        If no take is in both, or the tables contradict each other about a take.
    """
    widest = max(len(voice.columns), len(face.columns)) - len(KEYS)
    named = [_named(table, branch, widest) for branch, table in (("voice", voice), ("face", face))]
    common = set(voice["take"]) & set(face["take"])
    if not common:
        raise InputError("no take has features of both voice and face")
    joined = named[0].merge(named[1], on=list(KEYS), how="inner").sort_values("take", ignore_index=True)
    if len(joined) < len(common):
        bad = sorted(common - set(joined["take"]))[0]
        raise InputError(f"take {bad}: voice and face disagree about its actor or emotion")
    return joined


def _named(table: pd.DataFrame, branch: str, widest: int) -> pd.DataFrame:
    """Return a table whose features carry the name of their branch and are repeated to about `widest` columns."""
    own = table.drop(columns=list(KEYS))
    copies = max(1, round(widest / max(1, own.shape[1])))
    repeated = pd.concat([own] * copies, axis=1)
    ends = [""] + [f"_{copy}" for copy in range(2, copies + 1)]
    repeated.columns = pd.Index([f"{branch}_{name}{end}" for end in ends for name in own.columns])
    return pd.concat([table[list(KEYS)], repeated], axis=1)


def pooled_frames(store: FrameStore) -> pd.DataFrame:
    """Summarise the frames of each take: mean and deviation over time of coarse pixels.

    Parameters
    ----------
    store : FrameStore
        The sampled frames, uint8 [shape=(n, 256, 256)].

    Returns
    -------
    pandas.DataFrame
        Columns take, actor, emotion, ``mean_rr_cc`` and ``std_rr_cc`` (gray level 0-1 of the block of pixels in row
        rr and column cc of 16, over the frames of the take); sorted by take.

    Raises
    ------
    InputError
        If the store is empty.
    """
    if store.n_frames == 0:
        raise InputError("the frame store holds no frames")
    about = store.index.reset_index(names="row")
    facts, values = [], []
    for take, own in about.groupby("take", sort=True):
        coarse = np.stack([_pool(store.read([int(row)])[0]) for row in own["row"]])
        facts.append((str(take), int(own["actor"].iloc[0]), str(own["emotion"].iloc[0])))
        values.append(np.concatenate([coarse.mean(axis=0), coarse.std(axis=0)]))
    places = [f"{row:02d}_{column:02d}" for row in range(POOLED_PX) for column in range(POOLED_PX)]
    names = [f"{statistic}_{place}" for statistic in ("mean", "std") for place in places]
    return pd.concat([pd.DataFrame(facts, columns=list(KEYS)), pd.DataFrame(np.array(values), columns=names)], axis=1)


def _pool(image: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64]:
    """Return the mean gray level of each block of a square image, 0-1 [shape=(POOLED_PX ** 2,)]."""
    block = image.shape[0] // POOLED_PX
    blocks = image.reshape(POOLED_PX, block, POOLED_PX, block)
    return np.asarray(blocks.mean(axis=(1, 3)).ravel() / 255.0)
