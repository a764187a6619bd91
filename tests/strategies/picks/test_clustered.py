"""Uncertain rows spread over clusters: against the papers' algorithms written out with scikit-learn and scipy."""

import numpy as np
import pytest
import torch
from scipy.cluster.hierarchy import fcluster, linkage
from sklearn.cluster import KMeans

from alkit.strategies.picks import clustered
from tests.strategies.picks.helpers import clumps, matrix, rng

# ---- clue


def test_clue_picks_what_is_nearest_the_weighted_mean_of_its_cluster():
    X, labels = clumps([9, 14, 11])
    weights = rng(1).random(34)
    expected = set()
    for c in range(3):
        members = np.flatnonzero(labels == c)
        centre = np.average(X[members].numpy(), axis=0, weights=weights[members])
        expected.add(members[np.linalg.norm(X[members].numpy() - centre, axis=1).argmin()])
    got = clustered.clue(weights, X, k=3, rng=rng())
    assert set(got.indices) == expected
    assert got.scores.tolist() == weights[got.indices].tolist()


@pytest.mark.parametrize("weights", [np.zeros(12), np.r_[1.0, np.zeros(11)], np.full(12, 1e300)])
def test_clue_where_nothing_or_one_row_is_uncertain(weights):
    X = matrix(12, 2)
    assert sorted(clustered.clue(weights, X, k=12, rng=rng()).indices) == list(range(12))
    assert len(set(clustered.clue(weights, X, k=4, rng=rng()).indices)) == 4


# ---- drop_query


def test_drop_query_clusters_rows_above_the_threshold():
    X, labels = clumps([8, 12, 10, 7])
    # no row of the last cluster is a candidate, and half of the others
    scores = np.where((labels < 3) & (rng(1).random(37) < 0.5), 0.8, 0.5)
    candidates = np.flatnonzero(scores > 0.5)
    expected = set()
    for c in range(3):
        members = candidates[labels[candidates] == c]
        distance = (X[members] - X[members].mean(0)).norm(dim=1)
        expected.add(members[int(distance.argmin())])
    got = clustered.drop_query(scores, X, k=3, rng=rng())
    assert set(got.indices) == expected


def test_drop_query_without_enough_candidates_takes_the_best_scored():
    scores = np.array([0.1, 0.6, 0.4, 0.3, 0.0])
    got = clustered.drop_query(scores, matrix(5, 2), k=3, rng=rng())
    assert set(got.indices) == {1, 2, 3}


# ---- cluster_margin


def brute_round_robin(scores, X, k, top, cluster_size):
    """The paper's algorithm, in which clusters of the candidates take turns, the smallest first; clusters picked."""
    candidates = np.argsort(-scores)[: int(top * k)]
    labels = fcluster(linkage(X[candidates], "average"), round(len(candidates) / cluster_size), "maxclust")
    queues = sorted(((labels == c).sum(), c) for c in np.unique(labels))
    left, picked = {c: size for size, c in queues}, []
    while len(picked) < k:
        for size, c in queues:
            if left[c] and len(picked) < k:
                left[c] -= 1
                picked.append(size)
    return picked, dict(zip(candidates, [int((labels == c).sum()) for c in labels], strict=True))


@pytest.mark.parametrize("seed", range(4))
def test_cluster_margin_takes_turns_from_small_to_large(seed):
    X, scores = matrix(200, 3, seed), rng(seed).random(200)
    sizes, size_of = brute_round_robin(scores, X.numpy(), 12, 5.0, 6.0)
    got = clustered.cluster_margin(scores, X, k=12, rng=rng(), top=5.0, cluster_size=6.0)
    assert [size_of[i] for i in got.indices] == sizes
    assert len(set(got.indices)) == 12


def test_cluster_margin_of_more_rows_than_are_linked(monkeypatch):
    monkeypatch.setattr(clustered, "_LINKED_ROWS", 40)
    X, labels = clumps([60, 20, 40, 30])
    got = clustered.cluster_margin(np.ones(150), X, k=8, rng=rng(), top=100.0, cluster_size=37.5)
    # four clusters, the smallest first, twice
    assert labels[got.indices].tolist() == [1, 3, 2, 0, 1, 3, 2, 0]


def test_cluster_margin_draws_evenly_within_a_cluster():
    X, scores = matrix(5, 2), np.ones(5)
    drawn = [clustered.cluster_margin(scores, X, k=1, rng=rng(seed)).indices[0] for seed in range(500)]
    np.testing.assert_allclose(np.bincount(drawn, minlength=5) / 500, 0.2, atol=5 * np.sqrt(0.16 / 500))


# ---- hostile input


@pytest.mark.parametrize("pick", [clustered.clue, clustered.drop_query, clustered.cluster_margin])
def test_duplicates_huge_numbers_and_wrong_shapes(pick):
    scores = rng().random(20)
    assert sorted(pick(scores, torch.ones(20, 3), k=20, rng=rng()).indices) == list(range(20))
    huge = (matrix(20, 3) * 1e30).float()
    assert len(set(pick(scores, huge, k=7, rng=rng()).indices)) == 7
    assert pick(scores[:1], huge[:1], k=1, rng=rng()).indices.tolist() == [0]
    with pytest.raises(ValueError, match=r"scores have shape \(3,\)"):
        pick(scores[:3], huge, k=2, rng=rng())


def test_what_makes_no_sense_is_refused():
    with pytest.raises(ValueError, match=r"top=0\.5; it must be at least 1"):
        clustered.cluster_margin([1.0], torch.ones(1, 1), k=1, rng=rng(), top=0.5)
    with pytest.raises(ValueError, match=r"cluster_size=0\.0; it must be at least 1"):
        clustered.cluster_margin([1.0], torch.ones(1, 1), k=1, rng=rng(), cluster_size=0.0)
    with pytest.raises(ValueError, match="1 of 2 are negative"):
        clustered.clue([1.0, -1.0], torch.ones(2, 1), k=1, rng=rng())


def test_weights_reach_k_means():
    # the reference of `clue` above has clusters far apart; here weights decide where centres are
    X, weights = matrix(60, 2), rng(3).random(60) ** 8
    got = clustered.clue(weights, X, k=4, rng=rng())
    inertia = KMeans(4, n_init=20, random_state=0).fit(X.numpy(), sample_weight=weights).inertia_
    centres = X[torch.from_numpy(got.indices)].numpy()
    nearest = np.square(X.numpy()[:, None] - centres).sum(2).min(1)
    # rows near centres cost more than centres, though not much
    assert inertia <= (weights * nearest).sum() < 4 * inertia
