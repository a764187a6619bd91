"""Distances, clusters and ranks against plain loops over all pairs, in float64."""

import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist

from alkit.strategies.picks import geometry
from alkit.strategies.picks.geometry import (
    check_matrices,
    distance_to,
    k_means,
    nearest_distance,
    rank_within,
    row_blocks,
)
from tests.strategies.picks.helpers import rng


def matrix(n, d, seed=0, dtype=torch.float64):
    return torch.from_numpy(rng(seed).normal(size=(n, d))).to(dtype)


def test_nearest_distance_in_blocks_is_exact():
    X, L = matrix(3000, 5), matrix(3000, 5, 1)  # three blocks
    X[:10] = L[:10]
    np.testing.assert_allclose(nearest_distance(X, L), cdist(X, L).min(1), rtol=1e-12)
    assert nearest_distance(X.float(), L.float())[:10].tolist() == [0] * 10


def test_nearest_distance_to_nothing_is_infinite():
    assert nearest_distance(matrix(3, 2), matrix(0, 2)).tolist() == [np.inf] * 3


@pytest.mark.parametrize("block_numbers", [1, 10, 2**21])
def test_distance_to_one_row_is_exact_whatever_the_blocks(monkeypatch, block_numbers):
    monkeypatch.setattr(geometry, "_BLOCK_NUMBERS", block_numbers)
    X = matrix(50, 5)
    distance = distance_to(X, X[7])
    np.testing.assert_allclose(distance, cdist(X, X[7:8])[:, 0], rtol=1e-12)
    assert distance[7] == 0


def test_blocks_hold_all_rows_and_at_least_one_each(monkeypatch):
    monkeypatch.setattr(geometry, "_BLOCK_NUMBERS", 10)
    assert [len(block) for block in row_blocks(torch.arange(7), 4)] == [2, 2, 2, 1]
    assert [len(block) for block in row_blocks(torch.arange(3), 99)] == [1, 1, 1]


@pytest.mark.parametrize("mini_batch_from", [0, 50_000])
def test_k_means_finds_separate_clusters(monkeypatch, mini_batch_from):
    monkeypatch.setattr(geometry, "_MINI_BATCH_FROM", mini_batch_from)
    X = torch.cat([matrix(20, 2), matrix(20, 2) + 100, matrix(20, 2) - 100])
    labels = k_means(X, 3, rng()).labels_.reshape(3, 20)
    assert (labels == labels[:, :1]).all()
    assert len(set(labels[:, 0])) == 3


def test_ranks_within_groups():
    groups, cost = np.array([1, 0, 1, 0, 1]), np.array([5.0, 2.0, 3.0, 1.0, 4.0])
    assert rank_within(groups, cost, rng()).tolist() == [2, 1, 0, 0, 1]


def test_ranks_of_equal_cost_are_drawn():
    firsts = [int(rank_within(np.zeros(3, int), np.ones(3), rng(seed)).argmin()) for seed in range(600)]
    np.testing.assert_allclose(np.bincount(firsts) / 600, 1 / 3, atol=0.1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((4, torch.ones(3, 2)), "=4, but the pool has 3 rows"),
        ((1, torch.ones(3)), r"shape \(3,\); pass a matrix, one row of numbers per item"),
        ((1, torch.ones(3, 2), torch.ones(2, 3)), "rows of the pool have 2 numbers, labelled rows 3; embed both"),
    ],
)
def test_matrices_that_cannot_be_picked_from(arguments, message):
    with pytest.raises(ValueError, match=message):
        check_matrices(*arguments)
