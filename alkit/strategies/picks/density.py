"""Density and diversity weighed against the score of single rows.

``scores`` is ``(N,)``, ``features`` ``(N, D)`` and ``train_features``, of the labelled rows, ``(M, D)``. Rows at
distance d have similarity 1 / (1 + d).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from alkit._tensors import as_array
from alkit.strategies.picks.geometry import check_matrices, distance_to, in_range, nearest_distance, row_blocks
from alkit.strategies.picks.single import Picks, check_scores, check_utilities, top_k
from alkit.strategies.picks.ties import seeded_argmax

__all__ = ["information_density", "ranked_batch"]

_REFERENCES = 10_000
"""Rows up to which a mean over the pool is exact."""


def information_density(
    scores: ArrayLike,
    features: Tensor,
    *,
    k: int,
    rng: np.random.Generator,
    beta: float = 1.0,
    n_references: int | None = _REFERENCES,
) -> Picks:
    """Pick rows that score high and resemble the rest of the pool: score x (mean similarity to the pool) ** beta.

    Parameters
    ----------
    scores : array (N,)
        Utility of each row, 0 or more.
    features : Tensor (N, D)
        Rows of the pool.
    k : int
        Number of rows.
    rng : numpy.random.Generator
        Breaks ties and draws the reference rows.
    beta : float, default=1.0
        Weight of density; 0 leaves the scores as they are.
    n_references : int or None, default=10_000
        Where the pool has more rows, similarity is averaged over that many rows drawn at random (without bias, with a
        standard error of a hundredth of the spread of similarities at 10,000). None: over all, in N^2 distances.

    Returns
    -------
    Picks
        Scored by the weighted utility, highest first.

    Raises
    ------
    ValueError
        If there are not as many scores as rows, fewer than k rows, a negative score, or no reference row.

    References
    ----------
    Settles & Craven (2008), An Analysis of Active Learning Strategies for Sequence Labeling Tasks.

    Examples
    --------
    >>> import numpy as np, torch
    >>> from alkit.strategies.picks.density import information_density
    >>> pool = torch.tensor([[0.0], [1.0], [2.0], [50.0]])
    >>> information_density([0.5, 0.5, 0.4, 0.6], pool, k=2, rng=np.random.default_rng(0)).indices
    array([1, 0])
    """
    if n_references is not None and n_references < 1:
        raise ValueError(f"n_references={n_references}; give 1 or more, or None for all rows")
    check_matrices(k, features)
    utility = check_scores(scores, len(features))
    check_utilities(utility, "weighs utility by density")
    # in place: a block of distances is the largest thing in memory here
    (features,), scale = in_range(features)
    similarity = _mean_over_pool(lambda d: d.mul_(scale).add_(1).reciprocal_(), features, rng, n_references)
    return top_k(utility * as_array(similarity) ** beta, k=k, rng=rng)


def ranked_batch(
    scores: ArrayLike, features: Tensor, train_features: Tensor, *, k: int, rng: np.random.Generator
) -> Picks:
    """Pick rows that are far from labelled and picked rows and score high: a batch ranked one by one.

    The next row has the largest ``alpha * (1 - similarity) + (1 - alpha) * score``, where similarity is that to the
    nearest labelled or picked row, and alpha the unlabelled share of all rows, picks counted as
    labelled: few labels favour distance, many the score. Without any label the row with the least mean distance to the
    pool (to 10,000 rows drawn from a larger one) comes first.

    Parameters
    ----------
    scores : array (N,)
        Utility of each row, between 0 and 1 (such as least confidence).
    features : Tensor (N, D)
        Rows of the pool.
    train_features : Tensor (M, D)
        Labelled rows; there may be none.
    k : int
        Number of rows.
    rng : numpy.random.Generator
        Breaks ties.

    Returns
    -------
    Picks
        Scored by the weighted sum; a first row without any label by 1 / (1 + mean distance).

    Raises
    ------
    ValueError
        If pool and labelled rows differ in width, there are not as many scores as rows, or fewer than k rows.

    References
    ----------
    Cardoso et al. (2017), Ranked Batch-Mode Active Learning.

    Examples
    --------
    >>> import numpy as np, torch
    >>> from alkit.strategies.picks.density import ranked_batch
    >>> pool, labelled = torch.tensor([[0.0], [1.0], [9.0], [9.5]]), torch.tensor([[0.0]])
    >>> ranked_batch([0.9, 0.5, 0.5, 0.5], pool, labelled, k=2, rng=np.random.default_rng(0)).indices
    array([3, 1])
    """
    check_matrices(k, features, train_features)
    utility = torch.from_numpy(check_scores(scores, len(features))).to(features.device)
    (features, train_features), scale = in_range(features, train_features)
    n_unlabelled, n_labelled = len(features), len(train_features)
    nearest = nearest_distance(features, train_features)
    is_picked = torch.zeros(n_unlabelled, dtype=torch.bool, device=features.device)
    indices, values = np.empty(k, np.intp), np.empty(k)
    for t in range(k):
        if n_labelled + t == 0:
            mean_distance = scale * _mean_over_pool(lambda distance: distance, features, rng, _REFERENCES)
            value = 1 / (1 + mean_distance)
        else:
            alpha = (n_unlabelled - t) / (n_unlabelled + n_labelled)
            value = alpha * (1 - 1 / (1 + scale * nearest)) + (1 - alpha) * utility
        value.masked_fill_(is_picked, -torch.inf)
        i = seeded_argmax(value, rng)
        is_picked[i] = True
        indices[t], values[t] = i, float(value[i])
        torch.minimum(nearest, distance_to(features, features[i]), out=nearest)
    return Picks(indices, values)


def _mean_over_pool(
    of: Callable[[Tensor], Tensor], features: Tensor, rng: np.random.Generator, n_references: int | None
) -> Tensor:
    """Mean of a function of the distances from each row to all rows, itself among them: (N, D) -> (N,) of float64.

    Where the pool has more than `n_references` rows, the mean is over that many drawn at random. A row of the sample
    is at distance 0 to itself, which would count too much there: it is taken out and put back with weight 1 / N.
    """
    n = len(features)
    m = n if n_references is None else min(n, n_references)
    sample = torch.from_numpy(rng.permutation(n)[:m]).to(features.device)
    # far from the origin distances would lose their digits
    origin = features[sample].double().mean(0)
    references = features[sample].double() - origin
    distances = (torch.cdist(block.double() - origin, references) for block in row_blocks(features, m))
    sums = torch.cat([of(distance).sum(1) for distance in distances])
    at_zero = of(torch.zeros(()))
    others = torch.full_like(sums, m)
    sums[sample] -= at_zero
    others[sample] -= 1
    return (at_zero + (n - 1) * sums / others.clamp_min(1)) / n
