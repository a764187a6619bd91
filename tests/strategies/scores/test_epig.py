"""EPIG against the paper's definition, enumerated in float64, and closed forms."""

from importlib import import_module
from math import log

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from alkit.strategies import scores
from alkit.strategies.scores.epig import epig

MODULE = import_module("alkit.strategies.scores.epig")


def reference(samples, target_samples):
    """Mean over targets of KL(p(y, y*) || p(y) p(y*)), term by term."""
    K = samples.shape[1]
    result = []
    for row in samples:
        total = 0.0
        for target in target_samples:
            joint = sum(np.outer(row[k], target[k]) for k in range(K)) / K
            independent = np.outer(row.mean(0), target.mean(0))
            possible = joint > 0
            total += (joint[possible] * np.log(joint[possible] / independent[possible])).sum()
        result.append(total / len(target_samples))
    return np.array(result)


def dirichlet(seed, N, K, C, alpha=1.0):
    return torch.as_tensor(np.random.default_rng(seed).dirichlet(np.full(C, alpha), size=(N, K)))


@given(
    st.integers(0, 2**31), st.integers(1, 6), st.integers(1, 5), st.integers(1, 6), st.integers(1, 4),
    st.sampled_from([0.05, 1.0]),
)  # fmt: skip
def test_equals_the_definition(seed, n, M, K, C, alpha):
    samples, targets = dirichlet(seed, n, K, C, alpha), dirichlet(seed + 1, M, K, C, alpha)
    want = reference(samples.numpy(), targets.numpy())
    np.testing.assert_allclose(epig(samples, targets), want, atol=1e-12)
    np.testing.assert_allclose(epig(samples.float(), targets.float()), want, atol=3e-6)
    assert (epig(samples, targets) <= scores.bald(samples) + 1e-12).all()  # y* tells no more than the model


def test_what_contradicts_alike_is_worth_ln_2():
    torn = torch.eye(2)[[0, 1, 0, 1]]
    assert epig(torn[None], torn[None, :, [1, 0]]).item() == pytest.approx(log(2))


def test_what_has_nothing_to_do_with_the_targets_is_worth_nothing():
    torn, other = torch.eye(2)[[0, 1, 0, 1]], torch.eye(2)[[0, 0, 1, 1]]
    assert epig(torn[None], other[None]).item() == pytest.approx(0, abs=1e-6)
    assert epig(dirichlet(0, 5, 7, 3), dirichlet(1, 4, 1, 3).expand(4, 7, 3)).max() < 1e-12


def test_targets_are_averaged_whatever_the_blocks(monkeypatch):
    samples, targets = dirichlet(0, 9, 5, 4), dirichlet(1, 7, 5, 4)
    one_by_one = torch.stack([epig(samples, target[None]) for target in targets]).mean(0)
    torch.testing.assert_close(epig(samples, targets), one_by_one)
    monkeypatch.setattr(MODULE, "_TARGET_NUMBERS", 2 * 5 * 4)
    torch.testing.assert_close(epig(samples, targets), one_by_one)


@pytest.mark.parametrize("alpha", [0.01, 1.0])
def test_a_thousand_classes(alpha):
    samples, targets = dirichlet(0, 3, 4, 1000, alpha), dirichlet(1, 2, 4, 1000, alpha)
    want = reference(samples.numpy(), targets.numpy())
    np.testing.assert_allclose(epig(samples, targets), want, atol=1e-10)
    np.testing.assert_allclose(epig(samples.float(), targets.float()), want, atol=1e-5)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_keeps_the_type_and_the_input(dtype):
    samples = dirichlet(0, 5, 1, 3).to(dtype)
    before = samples.clone()
    got = epig(samples, samples)
    assert got.dtype == dtype
    assert got.abs().max() < 1e-6
    assert torch.equal(samples, before)
    assert epig(samples[:0], samples).shape == (0,)
