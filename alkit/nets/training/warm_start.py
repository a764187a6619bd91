"""Warm starts by shrink and perturb: from the last fit's weights, without their overconfidence."""

from __future__ import annotations

from copy import deepcopy

import torch
from torch import nn


@torch.no_grad()
def shrink_perturb(module: nn.Module, fresh: nn.Module, shrink: float = 0.4, perturb: float = 0.1) -> nn.Module:
    """Blend trained weights with freshly initialised ones, in place of the latter.

    Parameters
    ----------
    module : Module
        The trained network; unchanged.
    fresh : Module
        The same architecture newly initialised: its weights are the noise, so each kind of parameter gets noise of its
        own scale. Its buffers (BatchNorm's running statistics) stay as they are.
    shrink : float, default=0.4
        Factor of the trained weights: 1 is a plain warm start (with ``perturb=0``).
    perturb : float, default=0.1
        Factor of the fresh weights: 1 is a plain new start (with ``shrink=0``).

    Returns
    -------
    Module
        `fresh`, each parameter ``shrink * trained + perturb * fresh``.

    References
    ----------
    .. [1] J. Ash and R. P. Adams, "On Warm-Starting Neural Network Training", NeurIPS 2020. Defaults are those of the
       authors' code.

    Examples
    --------
    >>> import torch
    >>> from alkit.nets.training.warm_start import shrink_perturb
    >>> trained, fresh = torch.nn.Linear(2, 1), torch.nn.Linear(2, 1)
    >>> expected = 0.4 * trained.weight + 0.1 * fresh.weight
    >>> torch.allclose(shrink_perturb(trained, fresh).weight, expected)
    True
    """
    for new, old in zip(fresh.parameters(), module.parameters(), strict=True):
        new.mul_(perturb).add_(old.to(new.device), alpha=shrink)
    return fresh


def reinitialised(module: nn.Module) -> nn.Module:
    """Copy a network and draw its weights anew, in every layer that knows how to (``reset_parameters``)."""
    fresh = deepcopy(module)
    for layer in fresh.modules():
        # torch's MultiheadAttention and Transformer have it under the private name alone.
        reset = getattr(layer, "reset_parameters", None) or getattr(layer, "_reset_parameters", None)
        if callable(reset):
            reset()
    return fresh
