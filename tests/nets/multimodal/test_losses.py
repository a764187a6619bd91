"""Weights of losses: the formula, where they settle, and that they stay within bounds."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from alkit.nets.multimodal.losses import FixedWeightLoss, UncertaintyWeightedLoss


def settled(losses, steps=1500, lr=0.05):
    total = UncertaintyWeightedLoss(len(losses))
    optimizer = torch.optim.Adam(total.parameters(), lr=lr)
    for _ in range(steps):
        optimizer.zero_grad()
        total(torch.tensor(losses)).backward()
        optimizer.step()
    return total


@given(st.lists(st.tuples(st.floats(0, 50), st.floats(-5, 5)), min_size=1, max_size=4))
def test_it_is_the_papers(pairs):
    losses, log_s = np.array(pairs).T
    total = UncertaintyWeightedLoss(len(pairs)).double()
    with torch.no_grad():
        total.log_variance.copy_(torch.from_numpy(2 * log_s.clip(math.log(1e-4) / 2 + 1e-6)))
    s = total.log_variance.detach().exp().sqrt().numpy()
    assert total(torch.from_numpy(losses)).item() == pytest.approx(
        (losses / s**2 + np.log(s)).sum(), rel=1e-9, abs=1e-9
    )


def test_constant_losses_settle_at_twice_the_loss():
    losses = [0.01, 0.3, 1.0, 40.0]
    variance = 1 / settled(losses).weights
    np.testing.assert_allclose(variance, 2 * np.array(losses), rtol=1e-3)


def test_a_loss_of_zero_ends_at_the_bound_and_comes_back():
    total = settled([0.0], steps=1000)
    assert total.weights.item() == pytest.approx(1e4)
    assert math.isfinite(total(torch.tensor([0.0])).item())
    optimizer = torch.optim.SGD(total.parameters(), lr=1e-4)
    total(torch.tensor([1.0])).backward()
    optimizer.step()
    assert total.weights.item() < 5e3


def test_what_is_not_counted_changes_nothing():
    total = UncertaintyWeightedLoss(3)
    loss = total(torch.tensor([1.0, 5.0, 2.0]), torch.tensor([True, False, True]))
    loss.backward()
    assert loss.item() == 3.0
    assert total.log_variance.grad.tolist() == [-0.5, 0.0, -1.5]


def test_known_noise_is_ordered_and_measured():
    """Least squares on targets of known noise: the mean squared error is the variance, and s^2 twice that."""
    noise = np.array([0.2, 1.0, 3.0])
    rng = np.random.default_rng(0)
    X = rng.normal(size=(2000, 5))
    Y = X @ rng.normal(size=(5, 3)) + noise * rng.normal(size=(2000, 3))
    X, Y = torch.from_numpy(X), torch.from_numpy(Y)
    model, total = torch.nn.Linear(5, 3).double(), UncertaintyWeightedLoss(3).double()
    optimizer = torch.optim.Adam([*model.parameters(), *total.parameters()], lr=0.05)
    for _ in range(1000):
        optimizer.zero_grad()
        total((model(X) - Y).square().mean(0)).backward()
        optimizer.step()
    np.testing.assert_allclose(1 / total.weights.numpy(), 2 * noise**2, rtol=0.1)


def test_fixed_weights():
    total = FixedWeightLoss([1.0, 0.5])
    assert total(torch.tensor([2.0, 4.0])).item() == 4.0
    assert total(torch.tensor([2.0, 4.0]), torch.tensor([False, True])).item() == 2.0
    assert list(total.parameters()) == []
