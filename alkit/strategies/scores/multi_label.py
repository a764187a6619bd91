"""Scores of rows with several labels, yes or no each: pure functions, higher is more useful.

``label_proba`` is ``(n, L)``: the probability that each label is on. Each function returns ``(n,)``. The names are
modAL's. Where its functions do not compute what the papers that they cite say, these follow the papers:

- its confidence of a label is the probability that it is on, so that the label most surely off is the least confident;
  here it is how far that is from 1/2, and `avg_confidence` prefers the least confident rows, not the most;
- its scores of labels that are predicted off fall with their probability; here they rise with it throughout;
- its losses read predictions alone, and `mean_max_loss` takes the hinge of a sum in place of the sum of hinges.

Scores of single answers, such as ``margin`` and ``entropy``, serve rows with several labels as well, see
`alkit.strategies.answers`.
"""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["avg_confidence", "avg_score", "max_loss", "max_score", "mean_max_loss", "min_confidence"]


def min_confidence(label_proba: Tensor) -> Tensor:
    """How unsure the least sure label is: 1 - min abs(2 p - 1).

    Parameters
    ----------
    label_proba : Tensor (n, L)

    Returns
    -------
    Tensor (n,)

    References
    ----------
    Esuli & Sebastiani (2009), Active Learning Strategies for Multi-Label Text Classification.

    Examples
    --------
    >>> import torch
    >>> from alkit.strategies.scores import min_confidence
    >>> min_confidence(torch.tensor([[0.0, 1.0], [0.25, 1.0]]))
    tensor([0.0000, 0.5000])
    """
    return 1 - _signed(label_proba).abs().amin(1)


def avg_confidence(label_proba: Tensor) -> Tensor:
    """How unsure labels are on average: 1 - mean abs(2 p - 1).

    Parameters
    ----------
    label_proba : Tensor (n, L)

    Returns
    -------
    Tensor (n,)

    References
    ----------
    Esuli & Sebastiani (2009), Active Learning Strategies for Multi-Label Text Classification.

    Examples
    --------
    >>> import torch
    >>> from alkit.strategies.scores import avg_confidence
    >>> avg_confidence(torch.tensor([[0.0, 1.0], [0.25, 1.0]]))
    tensor([0.0000, 0.2500])
    """
    return 1 - _signed(label_proba).abs().mean(1)


def max_score(label_proba: Tensor) -> Tensor:
    """Probability of the most probable label: rows that have one for sure, which rare labels are learnt from.

    Parameters
    ----------
    label_proba : Tensor (n, L)

    Returns
    -------
    Tensor (n,)

    References
    ----------
    Esuli & Sebastiani (2009), Active Learning Strategies for Multi-Label Text Classification.

    Examples
    --------
    >>> import torch
    >>> from alkit.strategies.scores import max_score
    >>> max_score(torch.tensor([[0.0, 0.25], [0.5, 1.0]]))
    tensor([0.2500, 1.0000])
    """
    return label_proba.amax(1)


def avg_score(label_proba: Tensor) -> Tensor:
    """Mean probability of labels: rows with many of them.

    Parameters
    ----------
    label_proba : Tensor (n, L)

    Returns
    -------
    Tensor (n,)

    References
    ----------
    Esuli & Sebastiani (2009), Active Learning Strategies for Multi-Label Text Classification.

    Examples
    --------
    >>> import torch
    >>> from alkit.strategies.scores import avg_score
    >>> avg_score(torch.tensor([[0.0, 0.25], [0.5, 1.0]]))
    tensor([0.1250, 0.7500])
    """
    return label_proba.mean(1)


def max_loss(label_proba: Tensor) -> Tensor:
    """Loss if the most probable label were the only one: the sum over labels of max(0, 1 - m f).

    With f = 2 p - 1 in place of the decision value of an SVM, m = 1 for that label and -1 for all others.

    Parameters
    ----------
    label_proba : Tensor (n, L)

    Returns
    -------
    Tensor (n,)

    References
    ----------
    Li, Wang & Sung (2004), Multilabel SVM Active Learning for Image Classification.

    Examples
    --------
    >>> import torch
    >>> from alkit.strategies.scores import max_loss
    >>> max_loss(torch.tensor([[0.0, 1.0], [0.5, 1.0], [1.0, 1.0]]))
    tensor([0., 1., 2.])
    """
    return _losses_if_alone(label_proba).gather(1, label_proba.argmax(1, keepdim=True))[:, 0]


def mean_max_loss(label_proba: Tensor) -> Tensor:
    """Mean over the predicted labels of the loss if each were the only one, see `max_loss`.

    Of a row that no label is predicted for, it is that of the most probable one.

    Parameters
    ----------
    label_proba : Tensor (n, L)

    Returns
    -------
    Tensor (n,)

    References
    ----------
    Li, Wang & Sung (2004), Multilabel SVM Active Learning for Image Classification.

    Examples
    --------
    >>> import torch
    >>> from alkit.strategies.scores import mean_max_loss
    >>> mean_max_loss(torch.tensor([[0.0, 1.0], [0.75, 1.0]]))
    tensor([0., 2.])
    """
    predicted = (label_proba > 0.5).scatter(1, label_proba.argmax(1, keepdim=True), True)
    losses = _losses_if_alone(label_proba)
    return torch.where(predicted, losses, 0).sum(1) / predicted.sum(1)


def _signed(label_proba: Tensor) -> Tensor:
    """Return how sure labels are to be on (up to 1) or off (down to -1)."""
    return 2 * label_proba - 1


def _losses_if_alone(label_proba: Tensor) -> Tensor:
    """Return the hinge loss of all labels of a row if each alone were on, (n, L).

    Of |f| <= 1 every hinge is 1 - m f, so that the sum over the others is that over all labels but one.
    """
    sure = _signed(label_proba)
    if_off = 1 + sure
    return if_off.sum(1, keepdim=True) - if_off + (1 - sure)
