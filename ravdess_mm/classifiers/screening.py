"""Which columns a family looks at where there are very many.

Trees pay for every column at every split, and of the three thousand columns of the extended set most say what others
say. They get the columns with the largest ratio of the variance between emotions to the variance within (F of a
one-way analysis of variance: Fisher RA (1925), Statistical methods for research workers), chosen on training rows:
inside each fold of a search, again for the final model.
"""

from __future__ import annotations

import numpy as np

from ravdess_mm.classifiers.family import Floats, Integers


def strongest_columns(X: Floats, y: Integers, limit: int | None) -> Integers | None:
    """Return the places of the strongest columns, in their order, or None where all are kept.

    Parameters
    ----------
    X : numpy.ndarray of float [shape=(n, n_features)]
        Training rows.
    y : numpy.ndarray of int [shape=(n,)]
        Their classes.
    limit : int or None
        How many to keep at most; None for all.
    """
    if limit is None or X.shape[1] <= limit:
        return None
    return np.sort(np.argsort(-f_ratios(X, y), kind="stable")[:limit])


def f_ratios(X: Floats, y: Integers) -> Floats:
    """Return F of each column [shape=(n_features,)]; 0 for a constant column."""
    classes, codes = np.unique(y, return_inverse=True)
    members = np.eye(len(classes))[codes]
    counts = members.sum(axis=0)
    centred = X - X.mean(axis=0)
    means = members.T @ centred / counts[:, None]
    between = counts @ means**2 / (len(classes) - 1)
    within = np.einsum("ij,ij->j", centred - means[codes], centred - means[codes]) / max(len(X) - len(classes), 1)
    return np.asarray(np.divide(between, within, out=np.zeros(X.shape[1]), where=within > 0))
