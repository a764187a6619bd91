"""Gradients of the last layer: how far a row's label would change the network."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["egl"]


def egl(proba: Tensor, embedding: Tensor) -> Tensor:
    """Expected gradient length: mean length of the loss's gradient in the last layer's weights, over labels.

    The gradient under label y is the outer product of ``proba - onehot(y)`` and the embedding, whose length is the
    product of theirs: nothing of size C x D is made.

    Parameters
    ----------
    proba : Tensor (n, C)
        Class probabilities.
    embedding : Tensor (n, D)
        What the last layer reads.

    Returns
    -------
    Tensor (n,)
        ``sum_y p(y) |p - onehot(y)| |h|``.

    References
    ----------
    Settles, Craven & Ray (2008), Multiple-Instance Active Learning.

    Examples
    --------
    >>> import torch
    >>> from alkit.strategies.scores import egl
    >>> egl(torch.tensor([[0.5, 0.5], [1.0, 0.0]]), torch.tensor([[3.0, 4.0], [3.0, 4.0]]))
    tensor([3.5355, 0.0000])
    """
    # differences of squares, and squares of any float32, need float64
    p = proba.double()
    squares = p.square()
    of_others = (squares.sum(1, keepdim=True) - squares).clamp_min_(0)
    error_length = (of_others + (1 - p).square()).sqrt_()
    length = torch.linalg.vector_norm(embedding.double(), dim=1)
    return ((p * error_length).sum(1) * length).to(embedding)
