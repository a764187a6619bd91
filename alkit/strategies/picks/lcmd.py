"""LCMD: the row farthest from its centre in the largest cluster around labelled and picked rows."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from alkit._tensors import read_numbers
from alkit.strategies.picks.geometry import check_matrices, distance_to, in_range, nearest_centre
from alkit.strategies.picks.single import Picks
from alkit.strategies.picks.ties import seeded_argmax

__all__ = ["lcmd"]


def lcmd(embedding: Tensor, train_embedding: Tensor, *, k: int, rng: np.random.Generator) -> Picks:
    """Pick from the largest cluster the row farthest from its centre, k times: largest cluster maximum distance.

    Every row of the pool belongs to the nearest labelled or picked row; the size of a cluster is the sum of the squared
    distances in it. So rows are picked that are both far from those known and in the midst of many others.

    Parameters
    ----------
    embedding : Tensor (N, D)
        Rows of the pool.
    train_embedding : Tensor (M, D)
        Labelled rows. Without any (M = 0) the first is the row of the largest norm.
    k : int
        Number of rows.
    rng : numpy.random.Generator
        Breaks ties.

    Returns
    -------
    Picks
        Scored by the distance to the centre when picked, infinite where there was none.

    Raises
    ------
    ValueError
        If pool and labelled rows differ in width, or there are fewer than k rows.

    References
    ----------
    Holzmueller, Zaverkin, Kaestner & Steinwart (2023), A Framework and Benchmark for Deep Batch Active Learning for
    Regression.

    Examples
    --------
    >>> import numpy as np, torch
    >>> from alkit.strategies.picks.lcmd import lcmd
    >>> pool = torch.tensor([[1.0], [3.0], [3.0], [3.0], [14.0]])
    >>> lcmd(pool, torch.tensor([[0.0], [10.0]]), k=2, rng=np.random.default_rng(0)).indices[1]
    np.int64(4)
    """
    check_matrices(k, embedding, train_embedding)
    (embedding, train_embedding), scale = in_range(embedding, train_embedding)
    distance, centre = nearest_centre(embedding, train_embedding)
    left = torch.ones(len(embedding), dtype=torch.bool, device=embedding.device)
    indices, scores = np.empty(k, np.intp), []
    for t in range(k):
        if t == 0 and not len(train_embedding):
            i = seeded_argmax(torch.linalg.vector_norm(embedding, dim=1), rng)
        else:
            i = seeded_argmax(_distance_in_largest(distance, centre, left), rng)
        indices[t] = i
        scores.append(distance[i])
        left[i] = False
        to_picked = distance_to(embedding, embedding[i])
        # a row as near to an older centre stays with it
        is_nearer = to_picked < distance
        distance = torch.where(is_nearer, to_picked, distance)
        centre[is_nearer] = len(train_embedding) + t
    return Picks(indices, scale * read_numbers(scores))


def _distance_in_largest(distance: Tensor, centre: Tensor, left: Tensor) -> Tensor:
    """Return the distances of the rows left in the largest cluster, minus infinity for all others."""
    sizes = torch.bincount(centre, weights=distance.double().square())
    size = sizes[centre]
    # a cluster all of whose rows are picked has nothing to offer, however large it is
    in_largest = left & (size == size[left].max())
    return distance.where(in_largest, -torch.inf)
