"""Masks must be uniform over all patterns, independent of each other, and the same whichever way is taken."""

import itertools
import math

import pytest
import torch
from torch import nn
from torch.nn import functional

from tests.nets.zoo import Lambda, sample


def masks(p: float, width: int, n_samples: int, seed: int = 0) -> torch.Tensor:
    """Masks (K, H) of a dropout layer that is the first to draw."""
    return sample(nn.Dropout(p), {"input": torch.ones(1, width)}, n_samples, seed)[0]


def test_folded_and_replayed_and_plain_outputs_agree_for_given_masks():
    torch.manual_seed(0)
    body, last = nn.Linear(6, 8).double(), nn.Linear(8, 3).double()
    x = torch.randn(20, 6, dtype=torch.float64)
    folded = nn.Sequential(body, nn.ReLU(), nn.Dropout(0.3), last)
    replayed = nn.Sequential(body, nn.ReLU(), nn.Dropout(0.3), nn.Identity(), last, nn.Flatten(), nn.Hardtanh(-99, 99))
    mask_K_H = sample(nn.Dropout(0.3), {"input": torch.ones(1, 8, dtype=torch.float64)}, 30)[0]
    with torch.no_grad():
        expected = torch.stack([last(body(x).relu() * mask) for mask in mask_K_H], 1)
    for module in (folded, replayed):
        torch.testing.assert_close(sample(module, {"input": x}, 30), expected, rtol=1e-12, atol=1e-12)


def test_masks_are_uniform_over_all_patterns():
    n_samples, width = 8000, 3
    drawn = masks(0.5, width, n_samples)
    assert set(drawn.unique().tolist()) == {0.0, 2.0}
    patterns = (drawn > 0).long() @ (2 ** torch.arange(width))
    counts = torch.bincount(patterns, minlength=2**width).double()
    expected = n_samples / 2**width
    chi_square = ((counts - expected) ** 2 / expected).sum()
    assert chi_square < 29.9  # 7 degrees of freedom: exceeded with probability 1e-4


@pytest.mark.parametrize("tail", [(), (nn.Identity(), nn.Hardtanh(-99.0, 99.0))], ids=["folded", "replayed"])
def test_outputs_are_those_of_the_enumerable_subnetworks(tail):
    torch.manual_seed(0)
    n_samples, head = 4000, nn.Linear(3, 1).double()
    x = torch.tensor([[1.0, 2.0, -1.0]], dtype=torch.float64)
    module = nn.Sequential(nn.Dropout(0.5), head, *tail)
    outputs = sample(module, {"input": x}, n_samples)[0, :, 0]
    patterns = torch.tensor(list(itertools.product([0.0, 2.0], repeat=3)), dtype=torch.float64)
    with torch.no_grad():
        possible = head(patterns * x)[:, 0]
    distance = (outputs[:, None] - possible).abs()
    assert distance.min(1).values.max() < 1e-12
    frequencies = torch.bincount(distance.argmin(1), minlength=8) / n_samples
    assert ((frequencies - 1 / 8).abs() < 5 * math.sqrt(1 / 8 * 7 / 8 / n_samples)).all()


def test_keep_rate_and_scale():
    drawn = masks(0.9, 400, 100)
    torch.testing.assert_close(drawn.unique(), torch.tensor([0.0, 10.0]))
    kept = (drawn > 0).double().mean().item()
    assert abs(kept - 0.1) < 5 * math.sqrt(0.09 / 40_000)


def test_masks_of_samples_layers_and_seeds_are_independent():
    width, n_samples = 50, 200
    module = Lambda(lambda net, x: torch.cat([functional.dropout(x, 0.5), functional.dropout(x, 0.5)], 1))
    both = sample(module, {"input": torch.ones(2, width)}, n_samples)[0] - 1
    first, second = both.split(width, dim=1)
    other_seed = masks(0.5, width, n_samples, seed=1) - 1
    limit = 5 / math.sqrt(width * n_samples)
    for a, b in [(first, second), (first[1:], first[:-1]), (first, other_seed), (first[:, 1:], first[:, :-1])]:
        assert abs((a * b).mean().item()) < limit


def test_dropout_noise_is_shared_even_where_its_rate_is_each_rows_own():
    module = Lambda(lambda net, x: torch.bernoulli(x))
    samples = sample(module, {"input": torch.tensor([[0.2], [0.5], [0.9], [0.5]])}, 2000)[..., 0]
    assert torch.equal(samples[1], samples[3])
    assert (samples[0] <= samples[1]).all()
    assert (samples[1] <= samples[2]).all()
    assert ((samples.mean(1) - torch.tensor([0.2, 0.5, 0.9, 0.5])).abs() < 0.06).all()
