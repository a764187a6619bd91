"""Tensors in place of arrays: what estimators of alkit answer on the device they compute on, and what picks read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch


def tensor_method(estimator: Any, name: str) -> Callable[..., Any]:
    """Return a method of an estimator, or the one that gives the same as a tensor on the device it computes on.

    That is ``_<name>_tensor``, of the class that has the method. A subclass or object with a method of its own is asked
    that one: it may answer otherwise.

    Parameters
    ----------
    estimator : estimator that has the method
    name : str

    Returns
    -------
    callable

    Examples
    --------
    >>> from torch import nn
    >>> from alkit import NetClassifier
    >>> from alkit._tensors import tensor_method
    >>> class Sharpened(NetClassifier):
    ...     def predict_proba(self, X):
    ...         return super().predict_proba(X).round()
    >>> [tensor_method(of(nn.Linear), "predict_proba").__name__ for of in (NetClassifier, Sharpened)]
    ['_predict_proba_tensor', 'predict_proba']
    """
    of_tensor = f"_{name}_tensor"
    for owner in (estimator, *type(estimator).__mro__):
        if name in vars(owner):
            return getattr(estimator, of_tensor if of_tensor in vars(owner) else name)
    return getattr(estimator, name)


def as_tensor(values: Any) -> torch.Tensor:
    """Return a tensor as it is; an array as a float tensor over the same memory, where that can be."""
    if isinstance(values, torch.Tensor):
        return values.to(torch.promote_types(values.dtype, torch.float32))
    values = np.asarray(values)
    # integers and half precision become float
    return torch.from_numpy(np.require(values, np.result_type(values, np.float32), ["C", "W"]))


def as_array(values: Any) -> np.ndarray:
    """Return an array as it is; a tensor on any device as an array on the host."""
    return values.cpu().numpy() if isinstance(values, torch.Tensor) else np.asarray(values)


def in_memory_order(values: torch.Tensor) -> torch.Tensor:
    """Return values whose axes lie in memory the other way round, with their axes in that order; others as they are."""
    backwards = values.permute(tuple(range(values.ndim - 1, -1, -1)))
    return backwards if backwards.is_contiguous() and not values.is_contiguous() else values


def reduced(values: torch.Tensor, axis: int, reduction: Callable[[torch.Tensor, int], torch.Tensor]) -> torch.Tensor:
    """Reduce along an axis, in the order that the axes have in memory.

    Posterior samples (n, K, C) may lie there as (C, K, n), see `alkit.nets.mc_dropout.tail`. torch would give the
    result memory in the order of its axes, and go through those of the samples out of order.

    Parameters
    ----------
    values : Tensor
    axis : int
    reduction : callable
        Takes a tensor and an axis, which it leaves out, such as ``torch.sum``.

    Returns
    -------
    Tensor

    Examples
    --------
    >>> import torch
    >>> from alkit._tensors import reduced
    >>> samples = torch.arange(24.0).view(4, 3, 2).permute(2, 1, 0)
    >>> sums = reduced(samples, -1, torch.sum)
    >>> torch.equal(sums, samples.sum(-1)), sums.stride()
    (True, (1, 2))
    """
    in_order = in_memory_order(values)
    if in_order is values:
        return reduction(values, axis)
    backwards = range(values.ndim - 1, -1, -1)
    return reduction(in_order, backwards[axis]).permute(tuple(backwards[1:]))


def read_numbers(values: list[torch.Tensor]) -> np.ndarray:
    """Return numbers of a device as float64, all at once, as each read by itself would wait for the device."""
    return torch.stack(values).double().cpu().numpy()
