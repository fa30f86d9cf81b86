"""A feature table in two dimensions (PCA, t-SNE), and how often nearest neighbours share actor or emotion."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from ravdess_mm.arrays import Floats, Integers

MOST_TAKES: Final = 2000
"""Takes on a map; a larger table is thinned evenly, so that neither the page nor the distances grow with it."""

FEWEST_NEIGHBOURS: Final = 20
PRINCIPAL: Final = 50
PERPLEXITY: Final = 30.0
ITERATIONS: Final = 500


@dataclass(frozen=True)
class FeatureMap:
    """A feature table projected onto two dimensions.

    Attributes
    ----------
    takes : pandas.DataFrame
        Columns take, actor, emotion: the takes that are drawn.
    points : ndarray [shape=(n, 2)]
        Principal components 1 and 2 of the standardised features.
    neighbours : ndarray [shape=(n, 2)] or None
        t-SNE of the same features, which keeps neighbours together and means nothing at a distance; None for fewer
        than `FEWEST_NEIGHBOURS` takes.
    explained : tuple of float
        Shares of the variance they carry, 0-1.
    n_features : int
        Features that vary.
    same_actor, same_emotion : float
        How often the nearest other take, by all features, is of the same actor, or of the same emotion, 0-1.
    chance_actor, chance_emotion : float
        The same for any other take picked at random.
    """

    takes: pd.DataFrame
    points: Floats
    neighbours: Floats | None
    explained: tuple[float, float]
    n_features: int
    same_actor: float
    same_emotion: float
    chance_actor: float
    chance_emotion: float


def make_feature_map(features: pd.DataFrame, *, seed: int = 0) -> FeatureMap | None:
    """Project a feature table onto its first two principal components, and by t-SNE.

    Parameters
    ----------
    features : pandas.DataFrame
        Columns take, actor, emotion and numbers.
    seed : int
        Of the t-SNE.

    Returns
    -------
    FeatureMap or None
        None where there is nothing to draw: fewer than three takes or three features that vary.

    References
    ----------
    Jolliffe IT (2002), Principal component analysis, chapter 2; van der Maaten L, Hinton G (2008), Visualizing data
    using t-SNE, JMLR 9: 2579-2605.
    """
    rows = np.unique(np.linspace(0, len(features) - 1, min(len(features), MOST_TAKES)).astype(np.int64))
    table = features.iloc[rows].reset_index(drop=True) if len(features) else features
    numbers = table.drop(columns=["take", "actor", "emotion"]).select_dtypes("number").to_numpy(np.float64)
    numbers = numbers[:, np.isfinite(numbers).all(axis=0)] if len(table) else numbers
    spread = numbers.std(axis=0) if len(table) else np.zeros(numbers.shape[1])
    varying = spread > 1e-12
    if len(table) < 3 or varying.sum() < 3:
        return None
    scaled = (numbers[:, varying] - numbers[:, varying].mean(axis=0)) / spread[varying]
    components, shares = _principal(scaled)
    nearest = _nearest(scaled)
    actors, emotions = table["actor"].to_numpy(), table["emotion"].to_numpy(dtype=np.str_)
    return FeatureMap(
        takes=table[["take", "actor", "emotion"]],
        points=components,
        neighbours=_neighbour_map(scaled, seed=seed) if len(table) >= FEWEST_NEIGHBOURS else None,
        explained=shares,
        n_features=int(varying.sum()),
        same_actor=float((actors[nearest] == actors).mean()),
        same_emotion=float((emotions[nearest] == emotions).mean()),
        chance_actor=_chance(actors),
        chance_emotion=_chance(emotions),
    )


def _principal(scaled: Floats) -> tuple[Floats, tuple[float, float]]:
    """Return the first two principal components [shape=(n, 2)] and the shares of the variance they carry."""
    from scipy.sparse.linalg import svds

    # a fixed start makes the iteration, which stops at two components, give the same figures each time
    left, singular, _ = svds(scaled, k=2, v0=np.ones(min(scaled.shape)), solver="arpack")
    components = (left * singular)[:, ::-1]
    # the sign of a component is arbitrary: the take that is farthest out is drawn on the positive side
    components = components * np.sign(components[np.abs(components).argmax(axis=0), [0, 1]])
    first, second = (singular[::-1] ** 2 / (scaled**2).sum()).tolist()
    return components, (first, second)


def _neighbour_map(scaled: Floats, *, seed: int) -> Floats:
    """Return the t-SNE [shape=(n, 2)] of standardised features, of their first principal components where many."""
    from sklearn.decomposition import PCA
    from sklearn.manifold import TSNE
    from threadpoolctl import threadpool_limits

    # sums over threads differ in their last digits, and t-SNE turns digits into places
    with threadpool_limits(1):
        kept = min(PRINCIPAL, *scaled.shape)
        reduced = PCA(kept, svd_solver="full", random_state=seed).fit_transform(scaled)
        perplexity = min(PERPLEXITY, (len(scaled) - 1) / 3)
        tsne = TSNE(2, perplexity=perplexity, init="pca", max_iter=ITERATIONS, random_state=seed, n_jobs=1)
        return np.asarray(tsne.fit_transform(reduced), dtype=np.float64)


def _nearest(scaled: Floats) -> Integers:
    squares = (scaled**2).sum(axis=1)
    distances = squares[:, None] + squares[None, :] - 2 * scaled @ scaled.T
    np.fill_diagonal(distances, np.inf)
    return np.asarray(distances.argmin(axis=1), dtype=np.int64)


def _chance(labels: npt.NDArray[np.generic]) -> float:
    """Return how often another take, picked at random, has the same label."""
    counts = np.unique(labels, return_counts=True)[1]
    n = len(labels)
    return float((counts * (counts - 1)).sum() / (n * (n - 1)))
