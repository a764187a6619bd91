"""Entropy of a label given others, against joint distributions enumerated label by label, in float64."""

from importlib import import_module

import numpy as np
import pytest
import torch

from alkit.strategies import scores
from alkit.strategies.scores.joint_entropy import Configurations, conditional_entropy

MODULE = import_module("alkit.strategies.scores.joint_entropy")


def dirichlet(seed, N, K, C):
    return torch.as_tensor(np.random.default_rng(seed).dirichlet(np.ones(C), size=(N, K)))


def given_row(samples_K_C):
    """Each label of one row, with what it would tell about the K models."""
    joint_C_K = samples_K_C.T / len(samples_K_C)
    weight_C = joint_C_K.sum(1)
    return Configurations(weight_C, joint_C_K / weight_C[:, None])


def reference(samples_N_K_C, other_K_C):
    """H(y, z) - H(z) by sums over all pairs of labels."""
    joint_N_C_C = torch.einsum("nkc,kd->ncd", samples_N_K_C, other_K_C) / samples_N_K_C.shape[1]
    return scores.entropy(joint_N_C_C.flatten(1)) - scores.entropy(joint_N_C_C.sum(1))


@pytest.mark.parametrize(("N", "K", "C"), [(1, 1, 2), (9, 5, 4), (30, 3, 7)])
def test_equals_the_difference_of_joint_entropies(N, K, C):
    samples, other = dirichlet(0, N, K, C), dirichlet(1, 1, K, C)[0]
    np.testing.assert_allclose(conditional_entropy(samples, given_row(other)), reference(samples, other), atol=1e-12)
    single = conditional_entropy(samples.float(), given_row(other))
    assert single.dtype == torch.float64
    np.testing.assert_allclose(single, reference(samples, other), atol=1e-5)


def test_tiles_do_not_matter(monkeypatch):
    samples, other = dirichlet(0, 9, 5, 4), dirichlet(1, 1, 5, 4)[0]
    whole = conditional_entropy(samples, given_row(other))
    monkeypatch.setattr(MODULE, "_TILE", 60)
    monkeypatch.setattr(MODULE, "_TILE_CONFIGURATIONS", 3)
    np.testing.assert_allclose(conditional_entropy(samples, given_row(other)), whole, atol=1e-12)


def test_labels_that_tell_nothing_leave_the_entropy_of_the_mean():
    samples = dirichlet(0, 9, 5, 4)
    nothing = Configurations(torch.ones(1), torch.full((1, 5), 0.2))
    np.testing.assert_allclose(conditional_entropy(samples, nothing), scores.mc_entropy(samples), atol=1e-7)


def test_labels_that_tell_the_model_leave_the_mean_of_entropies():
    samples = dirichlet(0, 9, 5, 4)
    everything = Configurations(torch.full((5,), 0.2), torch.eye(5))
    np.testing.assert_allclose(conditional_entropy(samples, everything), scores.entropy(samples).mean(1), atol=1e-7)
