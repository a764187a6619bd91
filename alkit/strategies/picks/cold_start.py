"""Cold start: picks from features alone, for the first labels, when no model knows anything yet.

``features`` is ``(N, D)``, ``train_features``, of the labelled rows, ``(M, D)``, M = 0 at the start.
"""

from __future__ import annotations

import numpy as np
import torch
from sklearn.neighbors import NearestNeighbors
from torch import Tensor

from alkit._tensors import as_array
from alkit.strategies.picks.geometry import (
    check_matrices,
    in_range,
    k_means,
    nearest_distance,
    rank_within,
    row_blocks,
)
from alkit.strategies.picks.single import Picks
from alkit.strategies.picks.ties import seeded_argmax

__all__ = ["probcover", "typiclust"]

_SMALL_CLUSTER = 5
"""Clusters of fewer rows are outliers, as in the paper: they come last."""
_MAX_CLUSTERS = 500
"""As in the paper: more clusters would be too small to tell what is typical."""
_PURITY_SAMPLE = 2000
"""Number of balls on which purity is estimated."""
_BLOCK_ROWS = 1024
"""Rows whose distances to a block of others are held at a time."""


def typiclust(
    features: Tensor, train_features: Tensor, *, k: int, rng: np.random.Generator, n_neighbors: int = 20
) -> Picks:
    """Pick the most typical row of each of the largest clusters without a label.

    Pool and labelled rows together are cut into M + k clusters (at most 500) by k-means, by mini-batches from 50,000
    rows on; a row is typical of its cluster if its nearest neighbours there are near. The cluster with the fewest
    labels is next, of these the largest; clusters of fewer than 5 rows come last.

    Parameters
    ----------
    features : Tensor (N, D)
        Rows of the pool.
    train_features : Tensor (M, D)
        Labelled rows; there may be none.
    k : int
        Number of rows.
    rng : numpy.random.Generator
        Seeds k-means and breaks ties.
    n_neighbors : int, default=20
        Neighbours in the pool that typicality is measured by.

    Returns
    -------
    Picks
        Scored by typicality: 1 / mean distance to the nearest neighbours; infinite among duplicates, 0 alone.

    Raises
    ------
    ValueError
        If pool and labelled rows differ in width, or there are fewer than k rows.

    References
    ----------
    Hacohen, Dekel & Weinshall (2022), Active Learning on a Budget: Opposite Strategies Suit High and Low Budgets.

    Examples
    --------
    >>> import numpy as np, torch
    >>> from alkit.strategies.picks.cold_start import typiclust
    >>> pool = torch.tensor([[-3.0], [-1], [0], [1], [3], [94], [96], [98], [99], [100], [102]])
    >>> typiclust(pool, torch.empty(0, 1), k=2, rng=np.random.default_rng(0), n_neighbors=2).indices
    array([8, 2])
    """
    check_matrices(k, features, train_features)
    (features, train_features), scale = in_range(features, train_features.to(features))
    rows = as_array(torch.cat([features, train_features]))
    n_clusters = min(len(train_features) + k, _MAX_CLUSTERS)
    labels = k_means(rows, n_clusters, rng).labels_.astype(np.intp)
    own = labels[: len(features)]
    sizes = np.bincount(labels)
    n_labels = np.bincount(labels[len(features) :], minlength=len(sizes))
    typicality = np.empty(len(features))
    for cluster in np.unique(own):
        members = np.flatnonzero(own == cluster)
        typicality[members] = _typicality(rows[members], n_neighbors)
    # how many labels the cluster of a row has by the time it is the row's turn
    labels_before = n_labels[own] + rank_within(own, -typicality, rng)
    # lexsort sorts by its last column first: outliers last, then fewest labels, then largest cluster
    is_outlier = sizes[own] < _SMALL_CLUSTER
    indices = np.lexsort((-sizes[own], labels_before, is_outlier))[:k]
    return Picks(indices, typicality[indices] / scale)


def probcover(
    features: Tensor,
    train_features: Tensor,
    *,
    k: int,
    rng: np.random.Generator,
    delta: float | None = None,
    n_clusters: int = 10,
    purity: float = 0.75,
) -> Picks:
    """Pick the row whose ball of radius delta covers most of the pool not covered yet, k times.

    No neighbours are stored. The rows each ball covers are counted once, and each row, when covered, is taken off the
    counts of the balls it lies in: the picks of the full greedy, in at most 2 N^2 distances and the memory of a few
    copies of the features. 100,000 rows of 64 numbers take a minute or two; thin out a larger pool first.

    Parameters
    ----------
    features : Tensor (N, D)
        Rows of the pool.
    train_features : Tensor (M, D)
        Labelled rows, whose balls are covered from the start; there may be none.
    k : int
        Number of rows.
    rng : numpy.random.Generator
        Breaks ties, seeds the estimate of `delta`; once all is covered, rows are drawn evenly.
    delta : float, optional
        Radius of the balls. By default estimated as in the paper, without labels: the largest radius at which a share
        `purity` of the balls hold rows of one k-means cluster only. (On 2,000 balls: the 1 - `purity` quantile of the
        distance from a row to the nearest row of another cluster.)
    n_clusters : int, default=10
        Clusters for that estimate: about as many as there are classes.
    purity : float, default=0.75
        Share of pure balls. The paper takes 0.95, which suits self-supervised features that part into clusters; k-means
        also cuts through dense regions, and on raw features the balls then came out too small.

    Returns
    -------
    Picks
        Scored by the number of rows newly covered.

    Raises
    ------
    ValueError
        If pool and labelled rows differ in width, `delta` is negative, `purity` no share, or there are fewer than k
        rows.

    References
    ----------
    Yehuda, Dekel, Hacohen & Weinshall (2022), Active Learning Through a Covering Lens.

    Examples
    --------
    >>> import numpy as np, torch
    >>> from alkit.strategies.picks.cold_start import probcover
    >>> pool = torch.tensor([[0.0], [1.0], [2.0], [10.0], [11.0]])
    >>> probcover(pool, torch.tensor([[11.5]]), k=1, rng=np.random.default_rng(0), delta=1.0).indices
    array([1])
    """
    check_matrices(k, features, train_features)
    if not 0 <= purity <= 1:
        raise ValueError(f"purity={purity}; it is a share of balls, between 0 and 1")
    (features, train_features), scale = in_range(features, train_features)
    if delta is not None:
        delta /= scale
    else:
        delta = _pure_radius(features, n_clusters, purity, rng)
    if not delta >= 0:
        raise ValueError(f"delta={scale * delta}, but the radius of a ball is 0 or more; pass None to estimate it")
    # far from the origin squared distances would lose their digits
    origin = features.mean(0)
    rows, labelled = features.double() - origin, train_features.to(features.device).double() - origin
    uncovered = _count_within(rows, labelled, delta) == 0
    gains = _count_within(rows, rows[uncovered], delta)
    indices, scores = np.empty(k, np.intp), np.empty(k)
    for t in range(k):
        i = seeded_argmax(gains, rng)
        indices[t], scores[t] = i, float(gains[i])
        covered = uncovered & (_count_within(rows, rows[i, None], delta) > 0)
        gains -= _count_within(rows, rows[covered], delta)
        gains[i] = -torch.inf
        uncovered &= ~covered
    return Picks(indices, scores)


def _typicality(rows: np.ndarray, n_neighbors: int) -> np.ndarray:
    """Return 1 / mean distance of each row to its nearest neighbours among the others: (n, D) -> (n,)."""
    if len(rows) == 1:
        return np.zeros(1)
    neighbors = NearestNeighbors(n_neighbors=min(n_neighbors, len(rows) - 1)).fit(rows)
    with np.errstate(divide="ignore"):
        return 1 / neighbors.kneighbors()[0].mean(1)


def _count_within(rows: Tensor, others: Tensor, delta: float) -> Tensor:
    """Count the others within delta of each row: (N, D), (M, D) -> (N,) of float.

    Distances count as equal to delta within 1e-6 of the rows' extent, so that rounding decides no tie.
    """
    half_squares = rows.square().sum(1) / 2
    other_halves = others.square().sum(1) / 2
    thresholds = half_squares - delta**2 / 2 - 1e-12 * half_squares.max()
    counts = torch.zeros_like(half_squares)
    for block, half in zip(others.split(_BLOCK_ROWS), other_halves.split(_BLOCK_ROWS), strict=True):
        parts = (row_blocks(of_rows, len(block)) for of_rows in (rows, thresholds, counts))
        for part, at_least, count in zip(*parts, strict=True):
            # |x - y| <= delta is the same as x.y - |y|^2 / 2 >= (|x|^2 - delta^2) / 2
            products = torch.addmm(half, part, block.T, beta=-1)
            count += products.ge_(at_least[:, None]).sum(1)
    return counts


def _pure_radius(features: Tensor, n_clusters: int, purity: float, rng: np.random.Generator) -> float:
    """Estimate the largest radius at which a share `purity` of balls hold rows of one k-means cluster only."""
    clusters = k_means(features, min(n_clusters, len(features)), rng)
    labels = torch.from_numpy(clusters.labels_).to(features.device)
    sample = torch.from_numpy(rng.permutation(len(features))[:_PURITY_SAMPLE]).to(features.device)
    to_other = [
        nearest_distance(features[sample[labels[sample] == cluster]], features[labels != cluster])
        for cluster in labels[sample].unique()
    ]
    distances = as_array(torch.cat(to_other))
    return float(np.quantile(distances, 1 - purity, method="lower"))
