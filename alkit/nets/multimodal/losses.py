"""The total of several losses, with weights learnt from how noisy each of them is, or fixed ones."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import nn

_MIN_VARIANCE = 1e-4


class UncertaintyWeightedLoss(nn.Module):
    """Sum of losses with learnt weights: L_i / s_i^2 + log s_i for each [1]_.

    With a constant loss L the minimum is at s^2 = 2 L: a loss that stays high counts little. The parameters are
    log s_i^2. At a loss of zero there is no minimum, so before each total s_i^2 is set to 1e-4 or more; a gradient
    still reaches it there, and it grows again with the loss.

    Parameters
    ----------
    n_losses : int
        Number of losses T.

    References
    ----------
    .. [1] A. Kendall, Y. Gal and R. Cipolla, "Multi-Task Learning Using Uncertainty to Weigh Losses for Scene Geometry
       and Semantics", CVPR 2018.

    Examples
    --------
    >>> import torch
    >>> from alkit.nets.multimodal.losses import UncertaintyWeightedLoss
    >>> total = UncertaintyWeightedLoss(2)
    >>> total(torch.tensor([0.5, 2.0])).item(), total.weights.tolist()
    (2.5, [1.0, 1.0])
    """

    def __init__(self, n_losses: int):
        super().__init__()
        self.log_variance = nn.Parameter(torch.zeros(n_losses))

    def forward(self, losses_T: torch.Tensor, counted_T: torch.Tensor | None = None) -> torch.Tensor:
        """Return the total of losses (T,), or of those counted, a bool mask (T,)."""
        with torch.no_grad():
            self.log_variance.clamp_(min=math.log(_MIN_VARIANCE))
        precision_T = torch.exp(-self.log_variance)
        terms_T = losses_T * precision_T + self.log_variance / 2
        return _total(terms_T, counted_T)

    @property
    def weights(self) -> torch.Tensor:
        """1 / s^2 of each loss, (T,)."""
        return torch.exp(-self.log_variance.detach().clamp(min=math.log(_MIN_VARIANCE)))


class FixedWeightLoss(nn.Module):
    """Sum of losses with fixed weights (T,).

    Examples
    --------
    >>> import torch
    >>> from alkit.nets.multimodal.losses import FixedWeightLoss
    >>> FixedWeightLoss([1.0, 0.5])(torch.tensor([0.5, 2.0]))
    tensor(1.5000)
    """

    weights: torch.Tensor

    def __init__(self, weights: Sequence[float]):
        super().__init__()
        self.register_buffer("weights", torch.tensor(weights, dtype=torch.get_default_dtype()))

    def forward(self, losses_T: torch.Tensor, counted_T: torch.Tensor | None = None) -> torch.Tensor:
        """Return the total of losses (T,), or of those counted, a bool mask (T,)."""
        return _total(losses_T * self.weights, counted_T)


def _total(terms_T: torch.Tensor, counted_T: torch.Tensor | None) -> torch.Tensor:
    """Sum up the terms of all losses, or of those counted."""
    if counted_T is not None:
        terms_T = terms_T[counted_T]
    return terms_T.sum()
