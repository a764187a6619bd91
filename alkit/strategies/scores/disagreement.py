"""Disagreement of posterior samples with the model's own prediction."""

from __future__ import annotations

from torch import Tensor

__all__ = ["disagreement"]


def disagreement(proba: Tensor, votes: Tensor) -> Tensor:
    """Share of posterior samples that predict another class than the model.

    Parameters
    ----------
    proba : Tensor (n, C)
        Class probabilities of the model.
    votes : Tensor (n, K, C)
        The same under K posterior samples, such as dropout masks.

    Returns
    -------
    Tensor (n,)

    References
    ----------
    Gupte, Aklilu, Nirschl & Yeung-Levy (2024), Revisiting Active Learning in the Era of Vision Foundation Models.

    Examples
    --------
    >>> import torch
    >>> from alkit.strategies.scores import disagreement
    >>> disagreement(torch.tensor([[0.9, 0.1]]), torch.tensor([[[0.4, 0.6], [0.7, 0.3]]]))
    tensor([0.5000])
    """
    differs_n_K = votes.argmax(-1) != proba.argmax(-1, keepdim=True)
    return differs_n_K.to(proba).mean(1)
