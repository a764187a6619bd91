"""One loss of several: weights learnt from how noisy each of them is, or fixed ones."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import nn

_MIN_VARIANCE = 1e-4


class UncertaintyWeightedLoss(nn.Module):
    """Sum of losses with learnt weights: L_i / s_i^2 + log s_i for each [1]_.

    With a constant loss L the minimum is at s^2 = 2 L: a loss that stays high counts little. The parameters are
    log s_i^2. As a loss goes to zero there is no minimum, so s_i^2 is kept above 1e-4, by projection: it leaves that
    bound as soon as the loss grows.

    Parameters
    ----------
    n_losses : int
        T.

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
        terms_T = losses_T * torch.exp(-self.log_variance) + self.log_variance / 2
        return (terms_T if counted_T is None else terms_T[counted_T]).sum()

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
        terms_T = losses_T * self.weights
        return (terms_T if counted_T is None else terms_T[counted_T]).sum()
