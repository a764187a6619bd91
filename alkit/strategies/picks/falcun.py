"""FALCUN: rows that are uncertain and predicted otherwise than those picked, by probabilities alone."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from alkit._tensors import read_numbers
from alkit.strategies.picks.diversity import draw_by_weight
from alkit.strategies.picks.geometry import check_matrices
from alkit.strategies.picks.single import Picks
from alkit.strategies.scores.by_row import margin

__all__ = ["falcun"]


def falcun(proba: Tensor, *, k: int, rng: np.random.Generator, gamma: float = 10.0) -> Picks:
    """Draw rows with weights (uncertainty + diversity) ** gamma, one by one.

    Uncertainty is 1 - (p1 - p2). Diversity starts as uncertainty and is, from the second row on, the smallest L1
    distance between probabilities of a row and those picked, scaled to [0, 1] at each step. Without an embedding a
    pick costs N C operations.

    Parameters
    ----------
    proba : Tensor (N, C)
        Class probabilities.
    k : int
        Number of rows.
    rng : numpy.random.Generator
        Draws the rows.
    gamma : float, default=10.0
        How far the weights matter: 0 is uniform.

    Returns
    -------
    Picks
        Scored by uncertainty + diversity when drawn.

    Raises
    ------
    ValueError
        If `gamma` is negative or not finite, or there are fewer than k rows.

    References
    ----------
    Gilhuber, Beer, Ma & Seidl (2024), FALCUN: A Simple and Efficient Deep Active Learning Strategy.

    Examples
    --------
    >>> import numpy as np, torch
    >>> from alkit.strategies.picks.falcun import falcun
    >>> proba = torch.tensor([[1.0, 0.0], [0.5, 0.5], [1.0, 0.0]])
    >>> falcun(proba, k=1, rng=np.random.default_rng(0)).indices
    array([1])
    """
    check_matrices(k, proba)
    if not 0 <= gamma < np.inf:
        raise ValueError(f"gamma={gamma}; it must be 0 or more, and finite")
    proba = proba.double()
    uncertainty = margin(proba)
    diversity = uncertainty.clone()
    left = torch.ones_like(uncertainty)
    indices, scores = np.empty(k, np.intp), []
    for t in range(k):
        relevance = uncertainty + diversity
        i = draw_by_weight(relevance.pow(gamma) * left, rng, indices[:t])
        indices[t] = i
        scores.append(relevance[i])
        left[i] = 0
        distance = (proba - proba[i]).abs().sum(1)
        diversity = _in_unit_interval(torch.minimum(diversity, distance))
    return Picks(indices, read_numbers(scores))


def _in_unit_interval(values: Tensor) -> Tensor:
    """Shift and scale values so that they reach from 0 to 1; all 0 where they are equal."""
    shifted = values - values.min()
    return shifted / shifted.max() if shifted.any() else shifted
