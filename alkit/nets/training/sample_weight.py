"""Weights of rows in the loss: they travel with the labels, and count beside the weights of classes."""

from __future__ import annotations

import copy
from typing import Any, NamedTuple

import numpy as np
import torch
from sklearn.utils.validation import check_array
from torch import Tensor, nn


class WeightedCodes(NamedTuple):
    """Labels of a batch, (n, ...), as a loss takes them, and the weight of each row, (n,)."""

    codes: Tensor
    weights: Tensor


def check_weights(sample_weight: Any, n: int) -> np.ndarray | None:
    """Return weights of n rows, scaled to a mean of one, or None if they are None.

    Parameters
    ----------
    sample_weight : array-like of shape (n,), number or None
        Weights, zero or more.
    n : int
        Number of rows.

    Returns
    -------
    ndarray of shape (n,) or None

    Raises
    ------
    ValueError
        If weights are not as many as rows, not finite, negative, or all zero.

    Examples
    --------
    >>> from alkit.nets.training.sample_weight import check_weights
    >>> check_weights([1, 3], 2)
    array([0.5, 1.5])
    """
    if sample_weight is None:
        return None
    if isinstance(sample_weight, Tensor):
        sample_weight = sample_weight.detach().cpu().numpy()
    weights = check_array(sample_weight, ensure_2d=False, dtype=np.float64, input_name="sample_weight")
    if weights.ndim == 0:
        weights = np.full(n, float(weights))
    if weights.ndim != 1:
        raise ValueError(f"Sample weights must be 1D array or scalar, got shape {weights.shape}; give each row one")
    if len(weights) != n:
        raise ValueError(
            f"sample_weight.shape == ({len(weights)},), expected ({n},)! X has {n} rows; give each row one weight"
        )
    if (weights < 0).any() or not weights.any():
        raise ValueError(
            f"sample_weight has {(weights < 0).sum()} negative and {(weights > 0).sum()} positive weights of {n}; "
            "weights are zero or more, and not all zero"
        )
    # So that a learning rate means the same whatever the weights are counted in.
    return weights / weights.mean()


def scaled_to_classes(weights: Tensor, codes: Tensor, class_weights: Tensor | None) -> Tensor:
    """Scale weights so that torch's mean over class weights divides by what the rows weigh, not by their number.

    A row of weight two then counts as two rows do, and one of weight zero as none, however heavy its class is.

    Parameters
    ----------
    weights : Tensor of shape (n,)
        Weights of all rows of a fit.
    codes : Tensor of shape (n,)
        Their labels.
    class_weights : Tensor of shape (n_classes,) or None
        Weights of the classes in the loss.

    Returns
    -------
    Tensor of shape (n,)

    Examples
    --------
    >>> import torch
    >>> from alkit.nets.training.sample_weight import scaled_to_classes
    >>> scaled_to_classes(torch.tensor([2.0, 0.0]), torch.tensor([0, 1]), torch.tensor([1.0, 3.0]))
    tensor([4., 0.])
    """
    if class_weights is None:
        return weights
    of_rows = class_weights.to(weights)[codes]
    return weights * of_rows.sum() / (weights * of_rows).sum()


def weighted_loss(criterion: nn.Module, out: Tensor, codes: Tensor, weights: Tensor) -> Tensor:
    """Return the loss of a batch whose rows have weights.

    Parameters
    ----------
    criterion : Module
        A loss with a ``reduction`` of "mean" or "sum", as torch's have; its class weights are multiplied with those of
        rows.
    out : Tensor of shape (n, ...)
        Outputs of the network.
    codes : Tensor of shape (n,), floats (n, L) of several labels, or ``(n, *S)`` of positions
        Labels.
    weights : Tensor of shape (n,)
        Weights of the rows, scaled over all rows of the fit, see `scaled_to_classes`. What the loss is divided by does
        not depend on them, so that a row counts the same in whatever batch it is.

    Returns
    -------
    Tensor ()

    Examples
    --------
    >>> import torch
    >>> from alkit.nets.training.sample_weight import weighted_loss
    >>> out, codes = torch.tensor([[0.0, 0.0], [9.0, 0.0]]), torch.tensor([0, 1])
    >>> weighted_loss(torch.nn.CrossEntropyLoss(), out, codes, torch.tensor([2.0, 0.0]))
    tensor(0.6931)
    """
    losses = _unreduced(criterion)(out, codes)
    total = (losses * weights.to(losses).view(-1, *[1] * (losses.ndim - 1))).sum()
    if criterion.reduction == "sum":
        return total
    if codes.is_floating_point():
        # the weight of the binary losses is none of classes
        return total / losses.numel()
    # torch's own mean is one over class weights, and over the positions that have a label
    counted = codes[codes != getattr(criterion, "ignore_index", None)] if codes.ndim > 1 else codes
    class_weights = getattr(criterion, "weight", None)
    return total / (len(counted) if class_weights is None else class_weights[counted].sum())


def row_losses(criterion: nn.Module, out: Tensor, codes: Tensor) -> Tensor:
    """Return the loss of each row (n,): what the criterion averages."""
    losses = _unreduced(criterion)(out, codes)
    return losses.flatten(1).mean(1) if losses.ndim > 1 else losses


def _unreduced(criterion: nn.Module) -> nn.Module:
    """Return a shallow copy of the user's criterion, with the same weights, that does not average."""
    unreduced = copy.copy(getattr(criterion, "_orig_mod", criterion))
    vars(unreduced)["reduction"] = "none"
    return unreduced


def check_has_reduction(criterion: Any) -> None:
    """Raise unless a criterion can tell the losses of single rows."""
    if not hasattr(getattr(criterion, "_orig_mod", criterion), "reduction"):
        raise TypeError(
            f"sample_weight needs a criterion with a reduction, such as CrossEntropyLoss, not "
            f"{type(criterion).__name__}, whose loss of a single row is not known"
        )


def as_tensor(weights: np.ndarray | None) -> Tensor | None:
    """Return weights as a float tensor."""
    return None if weights is None else torch.from_numpy(weights).to(torch.get_default_dtype())
