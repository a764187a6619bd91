"""Fusion of modalities: from their encodings (B, M, H) and which rows have them (B, M), to one vector per row (B, H).

Encodings are zeros where a modality is missing. A missing modality takes no part: the result comes from those present
alone, and has the scale that it would have from all of them.
"""

from __future__ import annotations

import torch
from torch import nn


def masked_softmax(scores_B_M_H: torch.Tensor, present_B_M: torch.Tensor) -> torch.Tensor:
    """Softmax over the modalities present: (B, M, H), (B, M) -> (B, M, H), zeros where missing."""
    missing_B_M_1 = ~present_B_M[:, :, None]
    return scores_B_M_H.masked_fill(missing_B_M_1, -torch.inf).softmax(1)


class ConcatFusion(nn.Module):
    """A linear layer and ReLU on all encodings side by side.

    The layer sums over modalities; where some are missing, encodings are scaled by M over the number present.
    """

    def __init__(self, n_modalities: int, width: int):
        super().__init__()
        self.linear = nn.Linear(n_modalities * width, width)

    def forward(self, encoding_B_M_H: torch.Tensor, present_B_M: torch.Tensor) -> torch.Tensor:
        """Fuse: (B, M, H), (B, M) -> (B, H)."""
        n_modalities = present_B_M.shape[1]
        scale_B_1 = n_modalities / present_B_M.sum(1, keepdim=True)
        return torch.relu(self.linear(encoding_B_M_H.flatten(1) * scale_B_1))


class GatedFusion(nn.Module):
    """A gated multimodal unit [1]_: each unit of the result is a mean over modalities, weighted by gates that read all.

    References
    ----------
    .. [1] J. Arevalo et al., "Gated Multimodal Units for Information Fusion", ICLR workshop 2017.
    """

    def __init__(self, n_modalities: int, width: int):
        super().__init__()
        self.of_modality = nn.ModuleList([nn.Linear(width, width) for _ in range(n_modalities)])
        self.gate = nn.Linear(n_modalities * width, n_modalities * width)

    def forward(self, encoding_B_M_H: torch.Tensor, present_B_M: torch.Tensor) -> torch.Tensor:
        """Fuse: (B, M, H), (B, M) -> (B, H)."""
        values = [torch.tanh(linear(encoding_B_M_H[:, m])) for m, linear in enumerate(self.of_modality)]
        values_B_M_H = torch.stack(values, 1)
        gates_B_M_H = self.gate(encoding_B_M_H.flatten(1)).unflatten(1, encoding_B_M_H.shape[1:])
        weights_B_M_H = masked_softmax(gates_B_M_H, present_B_M)
        return (weights_B_M_H * values_B_M_H).sum(1)


class AttentionFusion(nn.Module):
    """Self-attention [1]_ between the modalities present, averaged over them.

    References
    ----------
    .. [1] A. Vaswani et al., "Attention Is All You Need", NeurIPS 2017.
    """

    def __init__(self, n_modalities: int, width: int):
        super().__init__()
        self.of_modality = nn.Parameter(torch.randn(n_modalities, width) / width**0.5)
        self.queries_keys_values = nn.Linear(width, 3 * width)

    def forward(self, encoding_B_M_H: torch.Tensor, present_B_M: torch.Tensor) -> torch.Tensor:
        """Fuse: (B, M, H), (B, M) -> (B, H)."""
        # A learnt vector per modality, as for positions in a text: attention itself does not know which is which.
        encoding_B_M_H = encoding_B_M_H + self.of_modality
        query_B_M_H, key_B_M_H, value_B_M_H = self.queries_keys_values(encoding_B_M_H).chunk(3, dim=-1)
        # Keys come first, since the softmax is over axis 1 and masks missing keys there.
        scores_B_K_Q = key_B_M_H @ query_B_M_H.mT / key_B_M_H.shape[-1] ** 0.5
        attention_B_Q_K = masked_softmax(scores_B_K_Q, present_B_M).mT
        attended_B_M_H = encoding_B_M_H + attention_B_Q_K @ value_B_M_H
        present_B_M_1 = present_B_M[:, :, None]
        return (attended_B_M_H * present_B_M_1).sum(1) / present_B_M_1.sum(1)


class BilinearFusion(nn.Module):
    """Low-rank bilinear (multilinear) pooling [1]_ [2]_: products of one factor per modality, summed over the rank.

    Factors are linear in an encoding with a one appended, so that products of fewer modalities are among the terms. The
    factor of a missing modality is one.

    References
    ----------
    .. [1] J.-H. Kim et al., "Hadamard Product for Low-rank Bilinear Pooling", ICLR 2017.
    .. [2] Z. Liu et al., "Efficient Low-rank Multimodal Fusion with Modality-Specific Factors", ACL 2018.
    """

    def __init__(self, n_modalities: int, width: int):
        super().__init__()
        factors = [nn.Linear(width, width) for _ in range(n_modalities)]
        # Factors near one at first: a product of factors near zero would have hardly any gradient.
        for factor in factors:
            nn.init.ones_(factor.bias)
        self.factors = nn.ModuleList(factors)
        self.output = nn.Linear(width, width)

    def forward(self, encoding_B_M_H: torch.Tensor, present_B_M: torch.Tensor) -> torch.Tensor:
        """Fuse: (B, M, H), (B, M) -> (B, H)."""
        factors = [factor(encoding_B_M_H[:, m]) for m, factor in enumerate(self.factors)]
        missing_B_M_1 = ~present_B_M[:, :, None]
        factor_B_M_R = torch.stack(factors, 1).masked_fill(missing_B_M_1, 1)
        return self.output(factor_B_M_R.prod(1))


FUSIONS: dict[str, type[nn.Module]] = {
    "concat": ConcatFusion,
    "gated": GatedFusion,
    "attention": AttentionFusion,
    "bilinear": BilinearFusion,
}


def build_fusion(fusion: str, n_modalities: int, width: int) -> nn.Module:
    """Build a fusion by its name."""
    if fusion not in FUSIONS:
        raise ValueError(f"fusion={fusion!r} is unknown; choose one of {', '.join(map(repr, FUSIONS))}")
    return FUSIONS[fusion](n_modalities, width)
