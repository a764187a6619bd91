"""Density picks against modAL, which is right on them but for a cold start, and loops written from the papers."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from modAL import batch
from modAL.density import information_density as modal_density
from scipy.spatial.distance import cdist

from alkit.strategies.picks import density
from tests.strategies.picks.helpers import matrix, rng


def brute_ranked_batch(scores, X, L, k):
    """Cardoso et al.'s loop, sets of rows kept as lists."""
    labelled, picked = list(L), []
    for _ in range(k):
        left = [i for i in range(len(X)) if i not in picked]
        if labelled:
            alpha = len(left) / (len(left) + len(labelled))
            similarity = {i: 1 / (1 + min(np.linalg.norm(X[i] - x) for x in labelled)) for i in left}
            value = {i: alpha * (1 - similarity[i]) + (1 - alpha) * scores[i] for i in left}
        else:
            value = {i: -np.mean([np.linalg.norm(X[i] - x) for x in X]) for i in left}
        picked.append(max(left, key=value.__getitem__))
        labelled.append(X[picked[-1]])
    return picked


PICKS = {
    "information_density": lambda s, X, L, **kw: density.information_density(s, X, **kw),
    "ranked_batch": density.ranked_batch,
}


@pytest.mark.parametrize("pick", PICKS.values(), ids=PICKS)
@settings(max_examples=40)
@given(st.integers(1, 30), st.integers(0, 5), st.integers(1, 4), st.integers(1, 6), st.integers(0, 99), st.data())
def test_picks_are_distinct_whatever_the_pool(pick, n, n_labelled, d, n_distinct, seed, data):
    X = matrix(n_distinct, d, seed).float()[rng(seed).integers(n_distinct, size=n + n_labelled)]
    scores, k = rng(seed).integers(3, size=n) / 2, data.draw(st.integers(1, n))
    picks = pick(scores, X[:n], X[n:], k=k, rng=rng(seed))
    assert len(set(picks.indices.tolist())) == k == len(picks.scores)
    assert set(picks.indices.tolist()) <= set(range(n))
    assert np.isfinite(picks.scores).all()
    assert pick(scores, X[:n], X[n:], k=k, rng=rng(seed)).indices.tolist() == picks.indices.tolist()


@pytest.mark.parametrize("pick", PICKS.values(), ids=PICKS)
def test_float32_agrees_and_permuting_the_pool_permutes_the_picks(pick):
    scores, X, L, order = rng().random(200), matrix(200, 5), matrix(9, 5, 1), rng(2).permutation(200)
    straight = pick(scores, X, L, k=50, rng=rng())
    single = pick(torch.from_numpy(scores).float(), X.float(), L.float(), k=50, rng=rng())
    permuted = pick(scores[order], X[order], L, k=50, rng=rng())
    assert order[permuted.indices].tolist() == single.indices.tolist() == straight.indices.tolist()
    np.testing.assert_allclose(single.scores, straight.scores, rtol=1e-5)


# ---- information density


@pytest.mark.parametrize("beta", [0, 0.5, 1, 3])
def test_information_density_weighs_scores_by_modals_density(beta):
    scores, X = rng().random(300), matrix(300, 4)
    expected = scores * modal_density(X.numpy()) ** beta
    got = density.information_density(scores, X, k=300, rng=rng(), beta=beta)
    assert got.indices.tolist() == np.argsort(-expected).tolist()
    np.testing.assert_allclose(got.scores, np.sort(expected)[::-1], rtol=1e-7)


def test_density_over_a_sample_is_unbiased():
    X = matrix(40, 2)
    exact = modal_density(X.numpy())

    def estimate(seed):
        return density.information_density(np.ones(40), X, k=40, rng=rng(seed), n_references=10)

    draws = np.empty((1000, 40))
    for seed, row in enumerate(draws):
        indices, row[indices], _ = estimate(seed)
    np.testing.assert_array_less(abs(draws.mean(0) - exact), 5 * draws.std(0) / np.sqrt(1000))


def test_density_far_from_the_origin_keeps_its_digits(monkeypatch):
    X = (matrix(500, 3) + 1e4).float()
    expected = (1 / (1 + cdist(X, X))).mean(1)
    monkeypatch.setattr("alkit.strategies.picks.geometry._BLOCK_NUMBERS", 7000)  # blocks of 14 rows
    got = density.information_density(np.ones(500), X, k=500, rng=rng(), n_references=None)
    np.testing.assert_allclose(got.scores, expected[got.indices], rtol=1e-9)


# ---- ranked batch


@pytest.mark.parametrize("n_labelled", [1, 10, 300])
def test_ranked_batch_picks_what_modal_does(n_labelled):
    scores, X, L = rng().random(150), matrix(150, 6), matrix(n_labelled, 6, 1)
    learner = SimpleNamespace(on_transformed=False, X_training=L.numpy())
    expected = batch.ranked_batch(learner, X.numpy(), scores, n_instances=150, metric="euclidean", n_jobs=None)
    assert density.ranked_batch(scores, X, L, k=150, rng=rng()).indices.tolist() == expected.tolist()


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("n_labelled", [0, 1, 20])
def test_ranked_batch_agrees_with_the_papers_loop(seed, n_labelled):
    scores, X, L = rng(seed).random(30), matrix(30, 3, seed), matrix(n_labelled, 3, seed + 9)
    expected = brute_ranked_batch(scores, X.numpy(), L.numpy(), 30)
    assert density.ranked_batch(scores, X, L, k=30, rng=rng(seed)).indices.tolist() == expected


def test_ranked_batch_never_picks_a_cold_start_twice():
    """ModAL does: its first row stays in the pool."""
    X = torch.zeros(4, 2, dtype=torch.float64)
    scores = np.array([0.9, 0.1, 0.1, 0.1])
    learner = SimpleNamespace(on_transformed=False, X_training=None)
    twice = batch.ranked_batch(learner, X.numpy(), scores, n_instances=4, metric="euclidean", n_jobs=None)
    assert len(set(twice)) < 4
    assert sorted(density.ranked_batch(scores, X, X[:0], k=4, rng=rng()).indices) == [0, 1, 2, 3]


# ---- hostile input


@pytest.mark.parametrize("pick", PICKS.values(), ids=PICKS)
def test_wrong_shapes_are_refused(pick):
    with pytest.raises(ValueError, match=r"scores have shape \(2,\), but features 3 rows"):
        pick(np.ones(2), torch.ones(3, 2), torch.ones(0, 2), k=1, rng=rng())
    with pytest.raises(ValueError, match="=4, but the pool has 3 rows"):
        pick(np.ones(3), torch.ones(3, 2), torch.ones(0, 2), k=4, rng=rng())


def test_labelled_rows_of_another_width_are_refused():
    with pytest.raises(ValueError, match="have 2 numbers, labelled rows 5"):
        density.ranked_batch(np.ones(3), torch.ones(3, 2), torch.ones(4, 5), k=1, rng=rng())


@pytest.mark.parametrize(
    ("params", "scores", "message"), [({"n_references": 0}, 1.0, "n_references=0"), ({}, -1.0, "3 of 3 are negative")]
)
def test_information_density_refuses(params, scores, message):
    with pytest.raises(ValueError, match=message):
        density.information_density(np.full(3, scores), torch.rand(3, 2), k=1, rng=rng(), **params)


def test_huge_numbers_are_scaled():
    X, scores = (2.0**110 * matrix(20, 3)).float(), rng().random(20)
    got = density.ranked_batch(scores, X, X[:0], k=20, rng=rng())
    assert sorted(got.indices) == list(range(20))
    assert np.isfinite(got.scores).all()
    assert np.isfinite(density.information_density(scores, X, k=5, rng=rng()).scores).all()
