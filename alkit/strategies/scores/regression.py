"""Scores of single rows from what a regressor says of them: pure functions, higher is more useful.

``prediction`` and ``std`` are ``(n,)``, ``values``, predictions of K members or posterior samples, ``(n, K)``; with T
outputs per row ``(n, T)`` and ``(n, K, T)``. Each function returns ``(n,)``.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

__all__ = [
    "committee_spread",
    "expected_improvement",
    "expected_model_change",
    "predictive_std",
    "probability_of_improvement",
    "upper_confidence_bound",
]

# ---- how sure a prediction is


def predictive_std(std: Tensor) -> Tensor:
    """Standard deviation of a prediction; of several outputs their geometric mean, which no unit changes.

    Parameters
    ----------
    std : Tensor (n,) or (n, T)

    Returns
    -------
    Tensor (n,)

    References
    ----------
    MacKay (1992), Information-Based Objective Functions for Active Data Selection.

    Examples
    --------
    >>> import torch
    >>> from alkit.strategies.scores import predictive_std
    >>> predictive_std(torch.tensor([[1.0, 4.0], [3.0, 3.0]]))
    tensor([2., 3.])
    """
    return _over_outputs(std)


def committee_spread(values: Tensor) -> Tensor:
    """Standard deviation of what members predict: query by committee, for numbers.

    Parameters
    ----------
    values : Tensor (n, K) or (n, K, T)
        Predictions of K members. Of several outputs, the geometric mean of the deviations counts.

    Returns
    -------
    Tensor (n,)

    References
    ----------
    RayChaudhuri & Hamey (1995), Minimisation of Data Collection by Active Learning; Burbidge, Rowland & King (2007),
    Active Learning for Regression Based on Query by Committee.

    Examples
    --------
    >>> import torch
    >>> from alkit.strategies.scores import committee_spread
    >>> committee_spread(torch.tensor([[1.0, 3.0], [2.0, 2.0]]))
    tensor([1., 0.])
    """
    return _over_outputs(values.std(dim=1, correction=0))


def expected_model_change(prediction: Tensor, values: Tensor, last_layer: Tensor) -> Tensor:
    """Length of the gradient step that a row's label would cause, if it were what a member predicts; mean over members.

    The gradient of the squared error in the weights of the last layer is (f(x) - y) (h(x), 1), up to a constant.

    Parameters
    ----------
    prediction : Tensor (n,) or (n, T)
        f(x), of the model.
    values : Tensor (n, K) or (n, K, T)
        What K members, of which each may be right, predict for y.
    last_layer : Tensor (n, D)
        h(x), what the last layer reads: of a linear model, the features.

    Returns
    -------
    Tensor (n,)

    References
    ----------
    Cai, Zhang & Zhou (2013), Maximizing Expected Model Change for Active Learning in Regression.

    Examples
    --------
    >>> import torch
    >>> from alkit.strategies.scores import expected_model_change
    >>> prediction, values = torch.tensor([2.0, 2.0]), torch.tensor([[1.0, 3.0], [1.0, 3.0]])
    >>> expected_model_change(prediction, values, torch.tensor([[0.0], [3.0]]).sqrt())
    tensor([1., 2.])
    """
    n, n_members = values.shape[:2]
    errors = (values - prediction.unsqueeze(1)).reshape(n, n_members, -1)
    mean_error = torch.linalg.vector_norm(errors, dim=2).mean(1)
    # the last layer has a bias, whose input is one
    ones = torch.ones_like(last_layer[:, :1])
    return mean_error * torch.linalg.vector_norm(torch.cat([last_layer, ones], 1), dim=1)


# ---- where a function may have its maximum


def expected_improvement(prediction: Tensor, std: Tensor, y_train: Tensor, *, tradeoff: float = 0.0) -> Tensor:
    """Mean of what a row's value is expected to exceed the largest value taught by.

    Parameters
    ----------
    prediction, std : Tensor (n,)
        Mean and standard deviation of the value.
    y_train : Tensor (M,)
        Values taught; without any, every row is an infinite improvement.
    tradeoff : float, default=0.0
        What must be exceeded in addition: the larger, the more is explored.

    Returns
    -------
    Tensor (n,)

    Raises
    ------
    ValueError
        If there are several outputs per row.

    References
    ----------
    Jones, Schonlau & Welch (1998), Efficient Global Optimization of Expensive Black-Box Functions.

    Examples
    --------
    >>> import torch
    >>> from alkit.strategies.scores import expected_improvement
    >>> expected_improvement(torch.tensor([2.0, 1.0]), torch.tensor([0.0, 1.0]), torch.tensor([1.0]))
    tensor([1.0000, 0.3989])
    """
    lead = _lead(prediction, y_train, tradeoff)
    z = lead / std
    density = torch.exp(-z.square() / 2) / math.sqrt(2 * math.pi)
    improvement = lead * torch.special.ndtr(z) + std * density
    # what is known for sure improves by its lead, or by nothing; where nothing was taught, the lead is infinite
    is_sure = (std == 0) | lead.isinf()
    return torch.where(is_sure, lead.clamp_min(0), improvement)


def probability_of_improvement(prediction: Tensor, std: Tensor, y_train: Tensor, *, tradeoff: float = 0.0) -> Tensor:
    """Probability that a row's value exceeds the largest value taught.

    Parameters
    ----------
    prediction, std, y_train, tradeoff
        As in `expected_improvement`.

    Returns
    -------
    Tensor (n,)

    Raises
    ------
    ValueError
        If there are several outputs per row.

    References
    ----------
    Kushner (1964), A New Method of Locating the Maximum Point of an Arbitrary Multipeak Curve in the Presence of Noise.

    Examples
    --------
    >>> import torch
    >>> from alkit.strategies.scores import probability_of_improvement
    >>> probability_of_improvement(torch.tensor([2.0, 1.0]), torch.tensor([0.0, 1.0]), torch.tensor([1.0]))
    tensor([1.0000, 0.5000])
    """
    lead = _lead(prediction, y_train, tradeoff)
    is_better = (lead > 0).to(lead.dtype)
    return torch.where(std == 0, is_better, torch.special.ndtr(lead / std))


def upper_confidence_bound(prediction: Tensor, std: Tensor, *, beta: float = 1.0) -> Tensor:
    """What a row's value may well be: its mean and some standard deviations more.

    Parameters
    ----------
    prediction, std : Tensor (n,)
        Mean and standard deviation of the value.
    beta : float, default=1.0
        How many deviations.

    Returns
    -------
    Tensor (n,)

    Raises
    ------
    ValueError
        If there are several outputs per row.

    References
    ----------
    Srinivas, Krause, Kakade & Seeger (2010), Gaussian Process Optimization in the Bandit Setting.

    Examples
    --------
    >>> import torch
    >>> from alkit.strategies.scores import upper_confidence_bound
    >>> upper_confidence_bound(torch.tensor([2.0, 1.0]), torch.tensor([0.0, 3.0]))
    tensor([2., 4.])
    """
    _check_one_output(prediction)
    return prediction + beta * std


def _over_outputs(spread: Tensor) -> Tensor:
    """Return the geometric mean over outputs, (n,) or (n, T) -> (n,): it ranks as the entropy of a Gaussian does."""
    if spread.ndim == 1:
        return spread
    return torch.exp(spread.log().mean(1))


def _lead(prediction: Tensor, y_train: Tensor, tradeoff: float) -> Tensor:
    """Return how far each prediction is above the largest value taught."""
    _check_one_output(prediction)
    best = float(y_train.max()) if len(y_train) else -math.inf
    return prediction - best - tradeoff


def _check_one_output(prediction: Tensor) -> None:
    if prediction.ndim > 1:
        raise ValueError(
            f"the model predicts {prediction.shape[1]} numbers per row, which have no one maximum; optimize one "
            "number, such as a weighted sum of them"
        )
