"""Uncertain rows, spread over clusters of the model's embedding.

``scores`` is ``(N,)``, ``embedding`` ``(N, D)``.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import ArrayLike
from scipy.cluster.hierarchy import fcluster, linkage
from sklearn.neighbors import NearestNeighbors
from torch import Tensor

from alkit.strategies.picks.diversity import nearest_to_centres
from alkit.strategies.picks.geometry import check_matrices, in_range, rank_within
from alkit.strategies.picks.single import Picks, check_scores, check_utilities, top_k

__all__ = ["clue", "cluster_margin", "drop_query"]

_LINKED_ROWS = 5_000
"""Rows that hierarchical clustering takes at most: their distances are 100 MB, four times that for twice the rows."""


def clue(scores: ArrayLike, embedding: Tensor, *, k: int, rng: np.random.Generator) -> Picks:
    """Pick from each of k clusters the row nearest its centre, in k-means where a row counts as much as its score.

    Centres are drawn to where uncertain rows are dense. Otherwise as `kmeans`.

    Parameters
    ----------
    scores : array (N,)
        Uncertainty of each row, 0 or more: entropy in the paper, of a model that may be tempered.
    embedding : Tensor (N, D)
        Rows of the pool.
    k : int
        Number of rows.
    rng : numpy.random.Generator
        Seeds k-means and breaks ties.

    Returns
    -------
    Picks
        Largest cluster first, scored by the uncertainties.

    Raises
    ------
    ValueError
        If there are not as many scores as rows, a score is negative, or there are fewer than k rows.

    References
    ----------
    Prabhu, Chandrasekaran, Saenko & Hoffman (2021), Active Domain Adaptation via Clustering Uncertainty-weighted
    Embeddings.

    Examples
    --------
    >>> import numpy as np, torch
    >>> from alkit.strategies.picks.clustered import clue
    >>> pool = torch.tensor([[0.0], [1.0], [2.0], [9.0], [10.0]])
    >>> sorted(clue([0.0, 0.1, 0.9, 0.1, 0.5], pool, k=2, rng=np.random.default_rng(0)).indices.tolist())
    [2, 4]
    """
    check_matrices(k, embedding)
    weights = check_scores(scores, len(embedding))
    check_utilities(weights, "weighs rows by uncertainty")
    # rows of weight zero would leave clusters without a centre; where all are certain, all count alike
    smallest = weights.max() * 1e-9 or 1.0
    picks = nearest_to_centres(embedding, k, rng, np.maximum(weights, smallest))
    return Picks(picks.indices, weights[picks.indices])


def drop_query(
    scores: ArrayLike, embedding: Tensor, *, k: int, rng: np.random.Generator, threshold: float = 0.5
) -> Picks:
    """Pick from each of k clusters the row nearest its centre, among rows whose prediction dropout changes.

    Parameters
    ----------
    scores : array (N,)
        Share of posterior samples that predict another class than the model, see `scores.disagreement`.
    embedding : Tensor (N, D)
        Rows of the pool.
    k : int
        Number of rows.
    rng : numpy.random.Generator
        Seeds k-means and breaks ties.
    threshold : float, default=0.5
        Rows above it are clustered, and at least the k rows with the highest scores. The paper has three dropout masks
        on the features of a frozen network, which erase three quarters of them. Milder dropout changes fewer
        predictions: a lower threshold then leaves a choice.

    Returns
    -------
    Picks
        Largest cluster first, scored by the scores.

    Raises
    ------
    ValueError
        If there are not as many scores as rows, or fewer than k rows.

    References
    ----------
    Gupte, Aklilu, Nirschl & Yeung-Levy (2024), Revisiting Active Learning in the Era of Vision Foundation Models.

    Examples
    --------
    >>> import numpy as np, torch
    >>> from alkit.strategies.picks.clustered import drop_query
    >>> pool = torch.tensor([[0.0], [1.0], [2.0], [9.0]])
    >>> sorted(drop_query([0.0, 0.8, 0.2, 0.7], pool, k=2, rng=np.random.default_rng(0)).indices.tolist())
    [1, 3]
    """
    check_matrices(k, embedding)
    values = check_scores(scores, len(embedding))
    size = max(k, int((values > threshold).sum()))
    candidates = top_k(values, k=size, rng=rng).indices
    spread = nearest_to_centres(embedding[torch.from_numpy(candidates).to(embedding.device)], k, rng)
    indices = candidates[spread.indices]
    return Picks(indices, values[indices])


def cluster_margin(
    scores: ArrayLike,
    embedding: Tensor,
    *,
    k: int,
    rng: np.random.Generator,
    top: float = 10.0,
    cluster_size: float = 10.0,
) -> Picks:
    """Pick one row from each cluster of the best-scored part of the pool in turn, small clusters first.

    Clusters are found by average linkage. The paper clusters the whole pool once, beforehand; here it is the part that
    rows are picked from, with the model's current embedding. Of more than 5,000 rows, so many drawn at random are
    clustered, and the others join the cluster of the nearest one.

    Parameters
    ----------
    scores : array (N,)
        Uncertainty of each row: the margin in the paper.
    embedding : Tensor (N, D)
        Rows of the pool.
    k : int
        Number of rows.
    rng : numpy.random.Generator
        Draws from clusters and breaks ties.
    top : float, default=10.0
        Size of the part that is clustered, in multiples of k.
    cluster_size : float, default=10.0
        Mean number of rows in a cluster, as in the paper.

    Returns
    -------
    Picks
        `scores` are the uncertainties.

    Raises
    ------
    ValueError
        If there are not as many scores as rows, fewer than k rows, or `top` or `cluster_size` is below 1.

    References
    ----------
    Citovsky, DeSalvo, Gentile, Karydas, Rajagopalan, Rostamizadeh & Kumar (2021), Batch Active Learning at Scale.

    Examples
    --------
    >>> import numpy as np, torch
    >>> from alkit.strategies.picks.clustered import cluster_margin
    >>> pool = torch.tensor([[0.0], [0.1], [0.2], [7.0], [50.0]])
    >>> scores = [0.9, 0.9, 0.9, 0.8, 0.0]
    >>> picks = cluster_margin(scores, pool, k=2, rng=np.random.default_rng(0), top=2.0, cluster_size=2.0)
    >>> picks.indices.tolist()[0]
    3
    """
    for name, value in (("top", top), ("cluster_size", cluster_size)):
        if not value >= 1:
            raise ValueError(f"{name}={value}; it must be at least 1")
    check_matrices(k, embedding)
    values = check_scores(scores, len(embedding))
    candidates = top_k(values, k=min(len(values), int(top * k)), rng=rng).indices
    n_clusters = max(1, round(len(candidates) / cluster_size))
    labels = _linked(embedding[torch.from_numpy(candidates).to(embedding.device)], n_clusters, rng)
    # in turn: the first row of each cluster, then the second ones; within a cluster in random order
    turns = rank_within(labels, np.zeros(len(labels)), rng)
    sizes = np.bincount(labels)
    # clusters of equal size in random order, the same in every round
    places = np.lexsort((rng.permutation(len(sizes)), sizes)).argsort()
    indices = candidates[np.lexsort((places[labels], turns))[:k]]
    return Picks(indices, values[indices])


def _linked(rows: Tensor, n_clusters: int, rng: np.random.Generator) -> np.ndarray:
    """Return clusters by average linkage, numbered from 0, (n, D) -> (n,) of int."""
    (rows,), _ = in_range(rows)
    X = rows.cpu().numpy().astype(float)
    linked = rng.permutation(len(X))[:_LINKED_ROWS]
    if len(linked) == 1:
        return np.zeros(len(X), np.intp)
    labels = fcluster(linkage(X[linked], "average"), n_clusters, "maxclust") - 1
    if len(linked) < len(X):
        nearest = NearestNeighbors(n_neighbors=1).fit(X[linked]).kneighbors(X, return_distance=False)[:, 0]
        return labels[nearest].astype(np.intp)
    of_all = np.empty(len(X), np.intp)
    of_all[linked] = labels
    return of_all
