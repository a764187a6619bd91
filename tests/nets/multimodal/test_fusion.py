"""Fusion: each against its formula row by row, and what is missing takes no part."""

import math

import numpy as np
import pytest
import torch

from alkit.nets.multimodal.fusion import FUSIONS, build_fusion

B, M, H = 6, 3, 4

every_fusion = pytest.mark.parametrize("name", FUSIONS)


def example(name, seed=0):
    torch.manual_seed(seed)
    fusion = build_fusion(name, M, H).double()
    present = torch.tensor([[1, 1, 1], [1, 0, 1], [0, 1, 0], [0, 0, 1], [1, 1, 0], [1, 0, 0]], dtype=torch.bool)
    encoding = torch.randn(B, M, H, dtype=torch.float64) * present[:, :, None]
    return fusion, encoding, present


def by_hand(fusion, rows, present):
    """One row of numpy arrays, over the modalities that are there, as each paper writes it."""
    there = [m for m in range(M) if present[m]]

    def linear(layer, x):
        return layer.weight.detach().numpy() @ x + layer.bias.detach().numpy()

    def softmax(z):
        e = np.exp(np.array(z) - np.max(z, axis=0))
        return e / e.sum(0)

    if type(fusion).__name__ == "ConcatFusion":
        weights = fusion.linear.weight.detach().numpy().reshape(H, M, H)
        total = sum(weights[:, m] @ rows[m] for m in there) * M / len(there)
        return np.maximum(0, total + fusion.linear.bias.detach().numpy())
    if type(fusion).__name__ == "GatedFusion":
        gates = linear(fusion.gate, np.concatenate(rows)).reshape(M, H)
        shares = softmax([gates[m] for m in there])
        return sum(
            share * np.tanh(linear(fusion.of_modality[m], rows[m])) for share, m in zip(shares, there, strict=True)
        )
    if type(fusion).__name__ == "AttentionFusion":
        x = {m: rows[m] + fusion.of_modality.detach().numpy()[m] for m in there}
        q, k, v = (
            dict(zip(there, of, strict=True))
            for of in zip(*(np.split(linear(fusion.queries_keys_values, x[m]), 3) for m in there), strict=True)
        )
        read = {m: softmax([q[m] @ k[n] / math.sqrt(H) for n in there]) for m in there}
        return np.mean([x[m] + sum(a * v[n] for a, n in zip(read[m], there, strict=True)) for m in there], axis=0)
    factors = [linear(fusion.factors[m], rows[m]) for m in there]
    return linear(fusion.output, np.prod(factors, axis=0))


@every_fusion
def test_it_is_its_formula_over_what_is_there(name):
    fusion, encoding, present = example(name)
    fused = fusion(encoding, present).detach().numpy()
    for i in range(B):
        np.testing.assert_allclose(fused[i], by_hand(fusion, encoding[i].numpy(), present[i].tolist()), atol=1e-12)


@every_fusion
def test_rows_do_not_meet(name):
    fusion, encoding, present = example(name)
    order = torch.randperm(B)
    torch.testing.assert_close(fusion(encoding, present)[order], fusion(encoding[order], present[order]))


def test_an_unknown_name():
    with pytest.raises(ValueError, match="fusion='sum' is unknown; choose one of 'concat'"):
        build_fusion("sum", 2, 4)
