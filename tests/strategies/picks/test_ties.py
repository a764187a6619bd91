"""Ties: every tied row is as likely as any other, whatever its place."""

import numpy as np
import torch

from alkit.strategies.picks.ties import largest, largest_key, seeded_argmax


def test_the_largest_come_in_order():
    assert largest(np.array([3.0, 9.0, 5.0]), 2, np.random.default_rng(0)).tolist() == [1, 2]


def test_tied_rows_are_equally_likely_to_be_in_and_to_come_first():
    rng, n = np.random.default_rng(0), 4000
    drawn = np.array([largest(np.array([1.0, 1, 0, 1, 1]), 2, rng) for _ in range(n)])
    np.testing.assert_allclose(np.bincount(drawn.ravel(), minlength=5) / n, [0.5, 0.5, 0, 0.5, 0.5], atol=0.04)
    np.testing.assert_allclose(np.bincount(drawn[:, 0], minlength=5) / n, [0.25, 0.25, 0, 0.25, 0.25], atol=0.035)


def test_one_of_the_largest_is_drawn():
    rng, n = np.random.default_rng(0), 4000
    drawn = [seeded_argmax(torch.tensor([7.0, 1.0, 7.0]), rng) for _ in range(n)]
    np.testing.assert_allclose(np.bincount(drawn) / n, [0.5, 0, 0.5], atol=0.04)


def test_keys_decide_among_the_tied_alone():
    assert largest_key(np.array([0, 3, 4]), np.array([0.1, 0.9, 0.9, 0.8, 0.2])) == 3
