"""Diversity: picks whose rows differ from each other, and from those labelled.

``proba`` is ``(N, C)``, ``embedding`` ``(N, D)`` and ``train_embedding``, of the labelled rows, ``(M, D)``.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from alkit._tensors import as_array, read_numbers
from alkit.strategies.picks.geometry import (
    check_matrices,
    distance_to,
    in_range,
    k_means,
    nearest_distance,
    rank_within,
)
from alkit.strategies.picks.single import Picks, top_k
from alkit.strategies.picks.ties import seeded_argmax

__all__ = ["badge", "coreset", "diverse", "kmeans"]


def coreset(embedding: Tensor, train_embedding: Tensor, *, k: int, rng: np.random.Generator) -> Picks:
    """Pick the row farthest from all labelled and picked rows, k times: greedy k-centre.

    The largest distance of a row to its nearest centre ends within twice the smallest possible. Costs one product of
    pool and labelled rows, in blocks, and one pass over the pool per pick.

    Parameters
    ----------
    embedding : Tensor (N, D)
        Rows of the pool.
    train_embedding : Tensor (M, D)
        Labelled rows. Without any (M = 0) the first centre is a random row.
    k : int
        Number of rows.
    rng : numpy.random.Generator
        Breaks ties.

    Returns
    -------
    Picks
        Scored by the distance to the nearest centre when picked, infinite where there was none.

    Raises
    ------
    ValueError
        If pool and labelled rows differ in width, or there are fewer than k rows.

    References
    ----------
    Sener & Savarese (2018), Active Learning for Convolutional Neural Networks: A Core-Set Approach; Gonzalez (1985),
    Clustering to Minimize the Maximum Intercluster Distance.

    Examples
    --------
    >>> import numpy as np, torch
    >>> from alkit.strategies.picks.diversity import coreset
    >>> pool, labelled = torch.tensor([[1.0], [2.0], [9.0], [5.0]]), torch.tensor([[0.0]])
    >>> coreset(pool, labelled, k=2, rng=np.random.default_rng(0)).indices
    array([2, 3])
    """
    check_matrices(k, embedding, train_embedding)
    (embedding, train_embedding), scale = in_range(embedding, train_embedding)
    nearest = nearest_distance(embedding, train_embedding)
    picks = farthest_first(nearest, lambda i: distance_to(embedding, embedding[i]), k, rng)
    return picks._replace(scores=scale * picks.scores)


def farthest_first(
    nearest: Tensor,
    distance_to_row: Callable[[int], Tensor],
    k: int,
    rng: np.random.Generator,
    first: int | None = None,
) -> Picks:
    """Pick the row farthest from all centres k times; a picked row is a centre for those after it.

    Parameters
    ----------
    nearest : Tensor (N,)
        Distance of each row to its nearest centre; changed in place.
    distance_to_row : callable
        Returns the distances (N,) of all rows to one of them.
    k, rng
        As for a pick.
    first : int, optional
        The row to pick first; by default the farthest.

    Returns
    -------
    Picks
        Scored by the distance to the nearest centre when picked.
    """
    indices, scores = np.empty(k, np.intp), []
    for t in range(k):
        i = seeded_argmax(nearest, rng) if t or first is None else first
        indices[t] = i
        # asked for first, so that a GPU has work while the host goes on
        distance = distance_to_row(i)
        scores.append(nearest[i].clone())
        torch.minimum(nearest, distance, out=nearest)
        # not by an assignment, which would wait for a GPU
        nearest[i].fill_(-torch.inf)
    return Picks(indices, read_numbers(scores))


def badge(proba: Tensor, embedding: Tensor, *, k: int, rng: np.random.Generator) -> Picks:
    """Pick rows by k-means++ among gradients of the last layer: large (uncertain) and far apart (diverse).

    A row's gradient under its most probable label is the outer product of ``proba - onehot(argmax proba)`` and its
    embedding. As in the authors' code the largest one is picked first; each further row is drawn with probability
    proportional to the squared distance to the nearest picked gradient. Gradients stay factored: a pick costs a pass
    over the two factors, and memory stays at a few numbers per row.

    Parameters
    ----------
    proba : Tensor (N, C), or (N, A, C) of several answers per row
        Class probabilities. A row's gradient then has a part for each answer.
    embedding : Tensor (N, D)
        What the last layer reads.
    k : int
        Number of rows.
    rng : numpy.random.Generator
        Draws the rows. Once every row left repeats a picked gradient, rows are drawn evenly.

    Returns
    -------
    Picks
        Scored by the squared distance to the nearest picked gradient when drawn, the first by its squared length.

    Raises
    ------
    ValueError
        If there are not as many probabilities as embeddings, or fewer than k rows.

    References
    ----------
    Ash et al. (2020), Deep Batch Active Learning by Diverse, Uncertain Gradient Lower Bounds.

    Examples
    --------
    >>> import numpy as np, torch
    >>> from alkit.strategies.picks.diversity import badge
    >>> proba = torch.tensor([[1.0, 0.0], [0.5, 0.5], [0.5, 0.5], [0.0, 1.0]])
    >>> embedding = torch.tensor([[9.0], [2.0], [-1.0], [9.0]])
    >>> badge(proba, embedding, k=2, rng=np.random.default_rng(0)).indices
    array([1, 2])
    """
    check_matrices(k, proba.flatten(1))
    check_matrices(k, embedding)
    if len(proba) != len(embedding):
        raise ValueError(f"proba has {len(proba)} rows, but embedding has {len(embedding)}; pass both of the same rows")
    (embedding,), scale = in_range(embedding)
    most_probable = proba.argmax(-1, keepdim=True)
    error = proba.scatter_add(-1, most_probable, -torch.ones_like(proba[..., :1])).flatten(1)
    # the squared length of an outer product is the product of the squared lengths
    squares = error.square().sum(1) * embedding.square().sum(1)
    nearest = squares
    indices, scores = np.empty(k, np.intp), []
    for t in range(k):
        i = seeded_argmax(squares, rng) if t == 0 else draw_by_weight(nearest, rng, indices[:t])
        indices[t] = i
        scores.append(nearest[i].clone())
        distance = _squared_gradient_distance(error, embedding, squares, i)
        nearest = distance if t == 0 else torch.minimum(nearest, distance)
    return Picks(indices, scale**2 * read_numbers(scores))


def kmeans(embedding: Tensor, *, k: int, rng: np.random.Generator) -> Picks:
    """Pick from each of k k-means clusters the row nearest its centre.

    Clusters are found by Lloyd's algorithm, by mini-batches from 50,000 rows on. Where fewer than k are found (fewer
    distinct rows), the second nearest rows follow, and so on.

    Parameters
    ----------
    embedding : Tensor (N, D)
        Rows of the pool.
    k : int
        Number of rows.
    rng : numpy.random.Generator
        Seeds k-means and breaks ties.

    Returns
    -------
    Picks
        Largest cluster first, scored by minus the distance to the centre.

    Raises
    ------
    ValueError
        If there are fewer than k rows.

    References
    ----------
    Zhdanov (2019), Diverse Mini-Batch Active Learning.

    Examples
    --------
    >>> import numpy as np, torch
    >>> from alkit.strategies.picks.diversity import kmeans
    >>> pool = torch.tensor([[0.0], [1.0], [2.0], [3.0], [4.0], [90.0], [91.0], [92.0]])
    >>> kmeans(pool, k=2, rng=np.random.default_rng(0)).indices
    array([2, 6])
    """
    return nearest_to_centres(embedding, k, rng)


def nearest_to_centres(embedding: Tensor, k: int, rng: np.random.Generator, weights: np.ndarray | None = None) -> Picks:
    """Pick from each of k clusters, of rows that may be weighted, the row nearest its centre: see `kmeans`."""
    check_matrices(k, embedding)
    (embedding,), scale = in_range(embedding)
    clusters = k_means(embedding, k, rng, weights)
    labels = clusters.labels_.astype(np.intp)
    distance = as_array(nearest_distance(embedding, torch.from_numpy(clusters.cluster_centers_)))
    ranks = rank_within(labels, distance, rng)
    sizes = np.bincount(labels)
    # the nearest rows of all clusters before any second nearest; among them the larger clusters first
    indices = np.lexsort((-sizes[labels], ranks))[:k]
    return Picks(indices, -scale * distance[indices])


def diverse(
    scores: ArrayLike, embedding: Tensor, *, k: int, rng: np.random.Generator, by: str = "coreset", top: float = 10.0
) -> Picks:
    """Pick rows that are spread over the best-scored part of the pool.

    Parameters
    ----------
    scores : array (N,)
        Utility of each row.
    embedding : Tensor (N, D)
        What distances between rows are measured in.
    k : int
        Number of rows.
    rng : numpy.random.Generator
        Breaks ties.
    by : {"coreset", "kmeans"}, default="coreset"
        How they are spread.
    top : float, default=10.0
        Size of that part, in multiples of k.

    Returns
    -------
    Picks
        `scores` are the utilities.

    References
    ----------
    Zhdanov (2019), Diverse Mini-Batch Active Learning.

    Examples
    --------
    >>> import numpy as np, torch
    >>> from alkit.strategies.picks.diversity import diverse
    >>> embedding = torch.tensor([[0.0], [0.1], [5.0], [99.0]])
    >>> picks = diverse([1.0, 0.9, 0.8, 0.0], embedding, k=2, rng=np.random.default_rng(0), top=1.5)
    >>> 2 in picks.indices, 3 in picks.indices
    (True, False)
    """
    if by not in ("coreset", "kmeans"):
        raise ValueError(f"by={by!r}; choose 'coreset' or 'kmeans'")
    if top < 1:
        raise ValueError(f"top={top}; it must be at least 1, so that there are k rows to pick from")
    scores = as_array(scores)
    size = min(scores.size, int(top * k))
    part = top_k(scores, k=size, rng=rng).indices
    rows = embedding[torch.from_numpy(part).to(embedding.device)]
    if by == "kmeans":
        spread = kmeans(rows, k=k, rng=rng)
    else:
        spread = coreset(rows, rows[:0], k=k, rng=rng)
    indices = part[spread.indices]
    return Picks(indices, scores[indices])


def _squared_gradient_distance(error: Tensor, embedding: Tensor, squares: Tensor, i: int) -> Tensor:
    """Squared distance of each row's gradient, error x embedding, to row i's: (N, C), (N, D), (N,) -> (N,)."""
    scale = squares + squares[i]
    distance = scale - 2 * (error @ error[i]) * (embedding @ embedding[i])
    # A small difference of large numbers has few digits left. There, the distance is expanded in the differences of
    # the factors instead, which are exact, and exactly zero for duplicates.
    is_close = distance <= 0.01 * scale
    distance[i].zero_()
    if is_close.sum() <= 1:
        return distance.clamp_min_(0)
    close = is_close.nonzero()[:, 0]
    e, d_e = error[i], error[close] - error[i]
    h, d_h = embedding[close], embedding[close] - embedding[i]
    of_errors = d_e.square().sum(1) * h.square().sum(1)
    of_embeddings = (e @ e) * d_h.square().sum(1)
    cross = 2 * (d_e @ e) * (h * d_h).sum(1)
    distance[close] = of_errors + of_embeddings + cross
    return distance.clamp_min_(0)


def draw_by_weight(weights: Tensor, rng: np.random.Generator, drawn: np.ndarray) -> int:
    """Draw a position with probability proportional to its weight, never one of weight zero.

    Where all weights are zero, those not yet drawn are as probable as each other.
    """
    share = rng.random()
    position = _position_of_share(weights, share)
    if position < len(weights):
        return position
    left = torch.ones_like(weights)
    left[torch.from_numpy(drawn)] = 0
    return _position_of_share(left, share)


def _position_of_share(weights: Tensor, share: float) -> int:
    """Where the cumulative weights exceed a share of their sum; n where all are zero."""
    cumulative = weights.cumsum(0, dtype=torch.float64)
    # to the right of equal sums, which passes over weights of zero
    return int(torch.searchsorted(cumulative, share * cumulative[-1:], right=True))
