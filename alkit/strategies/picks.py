"""Picks: which rows to label, chosen on the whole set.

``pick(scores, *views, k=, rng=) -> Picks``, or ``pick(*views, k=, rng=)`` for what needs no score of single rows;
`scores` is ``(n,)``, views are ``(n, ...)``.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike


class Picks(NamedTuple):
    """Rows picked for labelling, in the order chosen."""

    indices: np.ndarray
    """Positions of the rows, (k,) of int."""
    scores: np.ndarray
    """Their utilities, (k,) of float."""
    probability: np.ndarray | None = None
    """Probability with which each was selected, (k,), where the strategy draws at random and knows it."""


def top_k(scores: ArrayLike, *, k: int, rng: np.random.Generator) -> Picks:
    """Pick the k rows with the highest scores, ties broken at random.

    Parameters
    ----------
    scores : array (n,)
        Utility of each row.
    k : int
        Number of rows.
    rng : numpy.random.Generator
        Breaks ties.

    Returns
    -------
    Picks
        Highest score first.

    References
    ----------
    Settles (2009), Active Learning Literature Survey.

    Examples
    --------
    >>> import numpy as np
    >>> from alkit.strategies.picks import top_k
    >>> top_k([0.1, 0.9, 0.5], k=2, rng=np.random.default_rng(0)).indices
    array([1, 2])
    """
    scores = np.asarray(scores)
    cut = np.partition(scores, scores.size - k)[scores.size - k]
    above, ties = np.flatnonzero(scores > cut), np.flatnonzero(scores == cut)
    chosen = rng.permutation(np.concatenate([above, rng.choice(ties, k - above.size, replace=False)]))
    indices = chosen[np.argsort(-scores[chosen], kind="stable")]
    return Picks(indices, scores[indices])


def uniform(scores: ArrayLike, *, k: int, rng: np.random.Generator) -> Picks:
    """Pick k rows uniformly at random: passive learning, the baseline every strategy has to beat.

    Parameters
    ----------
    scores : array (n,)
        Only its length is used.
    k : int
        Number of rows.
    rng : numpy.random.Generator
        Draws the rows.

    Returns
    -------
    Picks
        With the selection probability k / n.

    References
    ----------
    Settles (2009), Active Learning Literature Survey.

    Examples
    --------
    >>> import numpy as np
    >>> from alkit.strategies.picks import uniform
    >>> uniform(np.zeros(4), k=2, rng=np.random.default_rng(0)).probability
    array([0.5, 0.5])
    """
    n = np.size(scores)
    return top_k(np.zeros(n), k=k, rng=rng)._replace(probability=np.full(k, k / n))
