"""Which columns a family looks at where there are very many.

Trees pay for every column at every split, and of the three thousand columns of the extended set most say what others
say. They get those that together say most of what all of them say: QR decomposition with column pivoting takes, again
and again, the column of which the columns taken so far explain least (Golub GH, Van Loan CF (2013), Matrix
computations, 4th ed., 5.5.6). It looks at training rows only, inside each fold of a search and again for the final
model, and never at their labels: the columns that separate the emotions best one by one are hundreds of versions of the
same few facts, and a forest that was given those lost ten points.
"""

from __future__ import annotations

import numpy as np

from ravdess_mm.arrays import Floats, Integers


def distinct_columns(X: Floats, limit: int | None) -> Integers | None:
    """Return the places of the columns that say most of what all say, in their order, or None where all are kept.

    Parameters
    ----------
    X : numpy.ndarray of float [shape=(n, n_features)]
        Training rows.
    limit : int or None
        How many to keep at most; None for all.
    """
    from scipy.linalg import qr

    if limit is None or X.shape[1] <= limit:
        return None
    centred = X - X.mean(axis=0)
    deviations = centred.std(axis=0)
    standardised = np.divide(centred, deviations, out=np.zeros_like(centred), where=deviations > 0)
    _, order = qr(standardised.astype(np.float32), mode="r", pivoting=True, check_finite=False)
    return np.sort(np.asarray(order[:limit], dtype=np.int64))
