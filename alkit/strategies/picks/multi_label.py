"""Picks among rows with several labels, yes or no each: by where a row ranks for each label, in the whole pool."""

from __future__ import annotations

import numpy as np
import torch
from scipy.stats import rankdata
from torch import Tensor

from alkit._tensors import as_array
from alkit.strategies.picks.single import Picks, top_k
from alkit.strategies.scores.by_row import entropy

__all__ = ["cvirs"]

_PAIRS = 2**20
"""Pairs of a row and a labelled one that are compared at a time."""


def cvirs(label_proba: Tensor, y_train: Tensor, *, k: int, rng: np.random.Generator) -> Picks:
    """Pick rows whose labels are unsure by rank, and unlike the label sets taught: category vector inconsistency.

    For each label, rows are ranked by how close their probability is to 1/2, and ranks are averaged over labels
    (Borda's count). That is multiplied by the mean distance of a row's predicted label set to those taught: the
    normalised entropy distance of two sets, or 1 where they differ in every label.

    Parameters
    ----------
    label_proba : Tensor (N, L)
        Probability that each label is on.
    y_train : Tensor (M, L)
        Labels taught, 0 or 1. Without any (M = 0) ranks decide alone.
    k : int
        Number of rows.
    rng : numpy.random.Generator
        Breaks ties.

    Returns
    -------
    Picks
        Highest product first, between 0 and 1.

    References
    ----------
    Reyes, Morell & Ventura (2018), Effective Active Learning Strategy for Multi-Label Learning.

    Examples
    --------
    >>> import numpy as np, torch
    >>> from alkit.strategies.picks.multi_label import cvirs
    >>> proba = torch.tensor([[0.9, 0.1, 0.1], [0.6, 0.4, 0.6], [0.1, 0.9, 0.9]])
    >>> taught = torch.tensor([[1, 0, 0], [1, 0, 1]])
    >>> cvirs(proba, taught, k=1, rng=np.random.default_rng(0)).indices
    array([1])
    """
    scores = _ranked_scores(label_proba)
    if len(y_train):
        scores = scores * _inconsistency(label_proba > 0.5, y_train.reshape(len(y_train), -1) > 0)
    return top_k(scores, k=k, rng=rng)


def _ranked_scores(label_proba: Tensor) -> np.ndarray:
    """Return Borda's count of each row over labels, (N,), 1 for a row that is the least sure of every label."""
    n = len(label_proba)
    if n == 1:
        return np.ones(1)
    certainty = as_array((2 * label_proba - 1).abs())
    # rows that are equally sure share a rank, so that their order in the pool does not matter
    ranks = rankdata(certainty, axis=0)
    return ((n - ranks) / (n - 1)).mean(1)


def _inconsistency(predicted: Tensor, taught: Tensor) -> np.ndarray:
    """Return the mean distance of each row's predicted labels (N, L) to the label sets taught (M, L)."""
    taught = taught.double()
    blocks = predicted.double().split(max(1, _PAIRS // len(taught)))
    return as_array(torch.cat([_distances(block, taught).mean(1) for block in blocks]))


def _distances(a: Tensor, b: Tensor) -> Tensor:
    """Return the normalised entropy distance of each pair of label sets, (N, M), or 1 where all labels differ."""
    n_labels = a.shape[1]
    both, only_a, only_b = a @ b.T, a @ (1 - b).T, (1 - a) @ b.T
    neither = n_labels - both - only_a - only_b
    joint = entropy(torch.stack([both, only_a, only_b, neither], dim=-1) / n_labels)
    alone = [entropy(torch.stack([on, 1 - on], dim=-1)) for on in (a.mean(1), b.mean(1))]
    # of two sets with all labels or none, no entropy is left to compare
    distance = (2 * joint - alone[0][:, None] - alone[1]) / joint.clamp_min(torch.finfo(joint.dtype).tiny)
    return torch.where(only_a + only_b == n_labels, 1.0, distance.clamp(0, 1))
