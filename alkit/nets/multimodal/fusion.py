"""Fusion of modalities: from their encodings (B, M, H) and which rows have them (B, M), to one vector per row (B, H).

Encodings are zeros where a modality is missing; it takes no part: what is present decides alone, at the scale it
would have with all others.
"""

from __future__ import annotations

import torch
from torch import nn


def masked_softmax(scores_B_M_H: torch.Tensor, present_B_M: torch.Tensor) -> torch.Tensor:
    """Softmax over modalities, those present: (B, M, H), (B, M) -> (B, M, H), zeros where missing."""
    return scores_B_M_H.masked_fill(~present_B_M[:, :, None], -torch.inf).softmax(1)


class ConcatFusion(nn.Module):
    """A linear layer and ReLU on all encodings side by side.

    The sum over modalities that the layer makes is scaled up by M over how many are present.
    """

    def __init__(self, n_modalities: int, width: int):
        super().__init__()
        self.linear = nn.Linear(n_modalities * width, width)

    def forward(self, encoding_B_M_H: torch.Tensor, present_B_M: torch.Tensor) -> torch.Tensor:
        """Fuse: (B, M, H), (B, M) -> (B, H)."""
        scale_B_1 = present_B_M.shape[1] / present_B_M.sum(1, keepdim=True)
        return torch.relu(self.linear(encoding_B_M_H.flatten(1) * scale_B_1))


class GatedFusion(nn.Module):
    """A gated multimodal unit [1]_: each unit of the result is a mean over modalities, weighted by a gate of all.

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
        read = [torch.tanh(linear(encoding_B_M_H[:, m])) for m, linear in enumerate(self.of_modality)]
        gates_B_M_H = self.gate(encoding_B_M_H.flatten(1)).unflatten(1, encoding_B_M_H.shape[1:])
        return (masked_softmax(gates_B_M_H, present_B_M) * torch.stack(read, 1)).sum(1)


class AttentionFusion(nn.Module):
    """Self-attention [1]_ between modalities: each reads those present; the result is the mean of what they make of it.

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
        encoding_B_M_H = encoding_B_M_H + self.of_modality
        query_B_M_H, key_B_M_H, value_B_M_H = self.queries_keys_values(encoding_B_M_H).chunk(3, dim=-1)
        scores_B_K_Q = key_B_M_H @ query_B_M_H.mT / key_B_M_H.shape[-1] ** 0.5
        read_B_M_H = encoding_B_M_H + masked_softmax(scores_B_K_Q, present_B_M).mT @ value_B_M_H
        present_B_M_1 = present_B_M[:, :, None]
        return (read_B_M_H * present_B_M_1).sum(1) / present_B_M_1.sum(1)


class BilinearFusion(nn.Module):
    """Low-rank bilinear (multilinear) pooling [1]_ [2]_: products of one factor a modality, summed over the rank.

    Factors are linear in an encoding with a one appended, so that sums are among the products; the factor of a missing
    modality is one.

    References
    ----------
    .. [1] J.-H. Kim et al., "Hadamard Product for Low-rank Bilinear Pooling", ICLR 2017.
    .. [2] Z. Liu et al., "Efficient Low-rank Multimodal Fusion with Modality-Specific Factors", ACL 2018.
    """

    def __init__(self, n_modalities: int, width: int):
        super().__init__()
        factors = [nn.Linear(width, width) for _ in range(n_modalities)]
        for factor in factors:
            nn.init.ones_(factor.bias)
        self.factors = nn.ModuleList(factors)
        self.output = nn.Linear(width, width)

    def forward(self, encoding_B_M_H: torch.Tensor, present_B_M: torch.Tensor) -> torch.Tensor:
        """Fuse: (B, M, H), (B, M) -> (B, H)."""
        factors = [factor(encoding_B_M_H[:, m]) for m, factor in enumerate(self.factors)]
        factor_B_M_R = torch.stack(factors, 1).masked_fill(~present_B_M[:, :, None], 1)
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
