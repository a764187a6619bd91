"""Contrastive: rows that are predicted otherwise than the labelled rows nearest to them."""

from __future__ import annotations

import torch
from torch import Tensor

from alkit.strategies.scores.by_row import entropy

__all__ = ["cal"]

# numbers in one block of distances or of neighbours' probabilities: 16 MiB of float64
_BLOCK_NUMBERS = 2**21
_MOST_NEIGHBORS = 10


def cal(
    proba: Tensor,
    embedding: Tensor,
    train_proba: Tensor,
    train_embedding: Tensor,
    *,
    n_neighbors: int | None = None,
) -> Tensor:
    """Mean Kullback-Leibler divergence of a row's prediction from those of its nearest labelled rows.

    Parameters
    ----------
    proba : Tensor (n, C)
        Class probabilities.
    embedding : Tensor (n, D)
        What neighbours are found in.
    train_proba : Tensor (M, C)
        Class probabilities of the labelled rows. Without any, every score is 0, so that rows are drawn evenly.
    train_embedding : Tensor (M, D)
        Their embedding.
    n_neighbors : int, optional
        Labelled rows compared with; all of them if there are fewer. By default 10 as in the paper, or half the number
        of labelled rows per class if that is less, and at least 1: with ten labels the ten nearest are the same for
        every row, and what differs most from their mean are the rows that the model is surest of.

    Returns
    -------
    Tensor (n,)
        mean over neighbours of KL(p of the neighbour || p of the row), in nats.

    Raises
    ------
    ValueError
        If `n_neighbors` is below 1.

    References
    ----------
    Margatina, Vernikos, Barrault & Aletras (2021), Active Learning by Acquiring Contrastive Examples.

    Examples
    --------
    >>> import torch
    >>> from alkit.strategies.scores import cal
    >>> proba, labelled = torch.tensor([[0.5, 0.5], [0.9, 0.1]]), torch.tensor([[0.9, 0.1]])
    >>> cal(proba, torch.ones(2, 1), labelled, torch.ones(1, 1)).round(decimals=4)
    tensor([0.3681, 0.0000])
    """
    if n_neighbors is None:
        n_neighbors = min(_MOST_NEIGHBORS, max(1, len(train_proba) // (2 * proba.shape[1])))
    if n_neighbors < 1:
        raise ValueError(f"n_neighbors={n_neighbors}; give 1 or more")
    if not len(train_proba):
        return torch.zeros_like(proba[:, 0])
    k = min(n_neighbors, len(train_proba))
    train_proba = train_proba.to(proba)
    entropy_M = entropy(train_proba)
    # squares of float32 fit into float64
    labelled = train_embedding.to(embedding.device).double()
    n_rows = max(1, _BLOCK_NUMBERS // max(len(labelled), k * proba.shape[1]))
    divergences = []
    for rows, p in zip(embedding.split(n_rows), proba.split(n_rows), strict=True):
        nearest = torch.cdist(rows.double(), labelled).topk(k, largest=False).indices
        # KL(q || p) = -H(q) - sum q log p, and its mean over neighbours needs only the mean of q
        log_p = p.clamp_min(torch.finfo(p.dtype).tiny).log_()
        cross_entropy = -(train_proba[nearest].mean(1) * log_p).sum(1)
        divergences.append(cross_entropy - entropy_M[nearest].mean(1))
    return torch.cat(divergences).clamp_min_(0)
