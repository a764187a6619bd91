"""Diversity picks against references written from the papers: brute force in float64, gradients materialised."""

from itertools import combinations, pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist

from alkit.strategies.picks import badge, coreset, diversity, kmeans
from tests.strategies.picks.helpers import rng


def matrix(n, d, seed=0, dtype=torch.float64):
    return torch.from_numpy(rng(seed).normal(size=(n, d))).to(dtype)


def simplex(n, c, seed=0, dtype=torch.float64):
    return (3 * matrix(n, c, seed)).softmax(1).to(dtype)


def brute_k_centre(rows, centres, k):
    centres, picked, radii = list(centres), [], []
    for _ in range(k):
        nearest = [-1.0 if i in picked else min(np.linalg.norm(x - c) for c in centres) for i, x in enumerate(rows)]
        picked.append(int(np.argmax(nearest)))
        radii.append(max(nearest))
        centres.append(rows[picked[-1]])
    return picked, radii


def gradients(proba, embedding):
    """Gradients of the cross-entropy at the predicted label, for the last layer's weights: (N, C x D)."""
    onehot = np.eye(proba.shape[1])[proba.argmax(1)]
    return np.einsum("nc,nd->ncd", proba - onehot, embedding).reshape(len(proba), -1)


def brute_badge(proba, embedding, k, draws):
    """k-means++ on materialised gradients, given the same uniform draws."""
    g = gradients(proba, embedding)
    picked = [int(np.argmax((g**2).sum(1)))]
    for u in draws:
        weights = ((g[:, None] - g[None, picked]) ** 2).sum(-1).min(1)
        weights[picked] = 0
        picked.append(int(np.argmax(np.cumsum(weights) > u * weights.sum())))
    return picked[:k]


def badge_draws(k, seed):
    """The draws badge makes: one to break the tie for the first row, then one uniform number per row."""
    generator = rng(seed)
    generator.integers(1)
    return generator.random(k - 1)


POOL_PICKS = {
    "coreset": lambda X, k, seed: diversity.coreset(X, X[:0], k=k, rng=rng(seed)),
    "badge": lambda X, k, seed: diversity.badge((X - X.mean(1, keepdim=True)).softmax(1), X, k=k, rng=rng(seed)),
    "kmeans": lambda X, k, seed: diversity.kmeans(X, k=k, rng=rng(seed)),
}


@pytest.mark.parametrize("pick", POOL_PICKS.values(), ids=POOL_PICKS)
@settings(max_examples=40)
@given(st.integers(1, 30), st.integers(1, 4), st.integers(1, 5), st.integers(0, 99), st.booleans(), st.data())
def test_picks_are_distinct_whatever_the_pool(pick, n, d, n_distinct, seed, single, data):
    distinct = matrix(n_distinct, d, seed, torch.float32 if single else torch.float64)
    X = distinct[rng(seed).integers(n_distinct, size=n)]
    k = data.draw(st.integers(1, n))
    indices, scores, probability = pick(X, k, seed)
    assert len(set(indices.tolist())) == k == len(scores)
    assert set(indices.tolist()) <= set(range(n))
    assert not np.isnan(scores).any()
    if k <= len(np.unique(X, axis=0)) and pick is not POOL_PICKS["badge"]:  # gradients of different rows may be equal
        assert len(np.unique(X[indices], axis=0)) == k
    assert pick(X, k, seed).indices.tolist() == indices.tolist()


# ---- coreset


@pytest.mark.parametrize("n_labelled", [1, 5, 40])
def test_coreset_agrees_with_brute_force(n_labelled):
    X, L = matrix(60, 3), matrix(n_labelled, 3, 1)
    picked, radii = brute_k_centre(X.numpy(), L.numpy(), 20)
    got = diversity.coreset(X, L, k=20, rng=rng())
    assert got.indices.tolist() == picked
    np.testing.assert_allclose(got.scores, radii, rtol=1e-12)
    assert diversity.coreset(X.float(), L, k=20, rng=rng()).indices.tolist() == picked


def test_coreset_without_labels_starts_anywhere():
    X = matrix(5, 2)
    starts = {int(diversity.coreset(X, X[:0], k=1, rng=rng(seed)).indices[0]) for seed in range(50)}
    assert starts == set(range(5))
    got = diversity.coreset(X, X[:0], k=5, rng=rng())
    assert got.indices[1:].tolist() == brute_k_centre(X.numpy(), X[got.indices[:1]].numpy(), 4)[0]
    assert np.isinf(got.scores[0])


@settings(max_examples=30)
@given(st.integers(0, 10**6), st.integers(1, 4), st.integers(4, 9))
def test_coreset_covers_within_twice_the_best_radius(seed, k, n):
    X = matrix(n, 2, seed).numpy()
    got = diversity.coreset(torch.from_numpy(X), torch.empty(0, 2), k=k, rng=rng(seed)).indices
    distances = cdist(X, X)
    best = min(distances[:, list(centres)].min(1).max() for centres in combinations(range(n), k))
    assert distances[:, got].min(1).max() <= 2 * best + 1e-12


def test_coreset_follows_the_rows_when_they_are_permuted():
    X, L, order = matrix(200, 4), matrix(7, 4, 1), rng(2).permutation(200)
    straight, permuted = (diversity.coreset(Y, L, k=50, rng=rng()).indices for Y in (X, X[order]))
    assert order[permuted].tolist() == straight.tolist()


def test_coreset_far_from_the_origin_keeps_its_digits():
    X, L = matrix(500, 8) + 1e4, matrix(30, 8, 1) + 1e4
    single = X.float(), L.float()
    expected = brute_k_centre(single[0].double().numpy(), single[1].double().numpy(), 10)[0]
    assert diversity.coreset(*single, k=10, rng=rng()).indices.tolist() == expected


# ---- badge


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(("c", "d"), [(2, 1), (5, 7), (1000, 2)])
def test_badge_draws_as_k_means_plus_plus_on_materialised_gradients(seed, c, d):
    proba, h = simplex(40, c, seed), matrix(40, d, seed + 100)
    expected = brute_badge(proba.numpy(), h.numpy(), 15, badge_draws(15, seed))
    assert diversity.badge(proba, h, k=15, rng=rng(seed)).indices.tolist() == expected


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_badge_scores_are_squared_distances_of_gradients(dtype):
    proba, h = simplex(50, 4, dtype=dtype), matrix(50, 6, 1, dtype)
    h[1:25], proba[1:25] = h[0], proba[0] + 1e-5 * simplex(24, 4, 2, dtype)  # nearly the same gradients
    got = diversity.badge(proba, h, k=50, rng=rng())
    g = gradients(proba.double().numpy(), h.double().numpy())
    exact = cdist(g, g)[got.indices][:, got.indices] ** 2
    nearest = [(g[got.indices[0]] ** 2).sum(), *(exact[t, :t].min() for t in range(1, 50))]
    tolerance = {"rtol": 2e-3, "atol": 1e-12} if dtype == torch.float32 else {"rtol": 1e-9}
    np.testing.assert_allclose(got.scores, nearest, **tolerance)


def test_badge_draws_in_proportion_to_squared_distance():
    proba, h = simplex(6, 3, 3), matrix(6, 2, 4)
    n = 2000
    g = gradients(proba.numpy(), h.numpy())
    first = (g**2).sum(1).argmax()
    expected = ((g - g[first]) ** 2).sum(1)
    drawn = [diversity.badge(proba, h, k=2, rng=rng(seed)).indices for seed in range(n)]
    assert {i for i, _ in drawn} == {first}
    share = np.bincount([j for _, j in drawn], minlength=6) / n
    np.testing.assert_allclose(share, expected / expected.sum(), atol=5 * np.sqrt(0.25 / n))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_badge_leaves_duplicates_for_last_and_draws_them_evenly(dtype):
    proba, h = simplex(3, 4, dtype=dtype).repeat(4, 1), 100 * matrix(3, 9, 1, dtype).repeat(4, 1)
    fourth = np.zeros(12)
    for seed in range(600):
        indices = diversity.badge(proba, h, k=4, rng=rng(seed)).indices
        assert sorted(indices[:3] % 3) == [0, 1, 2]
        fourth[indices[3]] += 1
    assert (fourth > 0).all()
    np.testing.assert_allclose(fourth / 600, 1 / 12, atol=5 * np.sqrt(1 / 12 / 600))


def test_badge_takes_certain_predictions():
    certain = torch.eye(3)[torch.arange(30) % 3]
    assert sorted(diversity.badge(certain, matrix(30, 2, dtype=torch.float32), k=30, rng=rng()).indices) == [*range(30)]
    firsts = {int(diversity.badge(certain, torch.ones(30, 2), k=1, rng=rng(seed)).indices[0]) for seed in range(99)}
    assert len(firsts) > 20


# ---- kmeans


def test_kmeans_finds_the_middle_of_separate_clusters():
    centres = 100 * matrix(5, 2)
    sizes = [3, 9, 15, 21, 27]
    X = torch.cat([centre + matrix(n, 2, n) for n, centre in zip(sizes, centres, strict=True)])
    starts = np.cumsum([0, *sizes])
    middles = [
        start + (X[start:end] - X[start:end].mean(0)).norm(dim=1).argmin().item() for start, end in pairwise(starts)
    ]
    assert diversity.kmeans(X, k=5, rng=rng()).indices.tolist() == middles[::-1]
    assert diversity.kmeans(X.float(), k=5, rng=rng()).indices.tolist() == middles[::-1]


def test_kmeans_picks_the_second_nearest_when_clusters_run_out():
    X = torch.tensor([[0.0]] * 3 + [[9.0]] * 5)
    ones = diversity.kmeans(X, k=4, rng=rng()).indices
    assert [int(X[i, 0]) for i in ones] == [9, 0, 9, 0]


@pytest.mark.parametrize("n_distinct", [1, 3, 40])
def test_kmeans_by_mini_batches_picks_distinct_rows(monkeypatch, n_distinct):
    monkeypatch.setattr("alkit.strategies.picks.geometry._MINI_BATCH_FROM", 0)
    X = matrix(n_distinct, 2).float().repeat(3, 1)
    for k in (1, 5, 3 * n_distinct):
        k = min(k, 3 * n_distinct)
        assert len(set(diversity.kmeans(X, k=k, rng=rng()).indices.tolist())) == k


# ---- diverse


def test_diverse_spreads_over_the_best_part():
    scores = np.r_[np.ones(10), np.zeros(90)]
    embedding = np.r_[np.linspace(0, 1, 10), np.full(90, 50.0)].reshape(-1, 1)
    for by in ("coreset", "kmeans"):
        got = diversity.diverse(scores, torch.from_numpy(embedding), k=2, rng=np.random.default_rng(0), by=by, top=5)
        assert got.indices.max() < 10
        assert np.ptp(embedding[got.indices]) >= 0.4
    with pytest.raises(ValueError, match="choose 'coreset' or 'kmeans'"):
        diversity.diverse(scores, torch.from_numpy(embedding), k=2, rng=np.random.default_rng(0), by="luck")


# ---- hostile input


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: diversity.coreset(torch.ones(3, 2), torch.ones(4, 5), k=1, rng=rng()), "have 2 numbers.*rows 5"),
        (lambda: diversity.coreset(torch.ones(3, 2), torch.ones(0, 2), k=4, rng=rng()), "=4, but the pool has 3 rows"),
        (lambda: diversity.coreset(torch.ones(3), torch.ones(0, 1), k=1, rng=rng()), r"shape \(3,\)"),
        (lambda: diversity.badge(torch.ones(3, 2), torch.ones(4, 5), k=1, rng=rng()), "3 rows, but embedding has 4"),
        (lambda: diversity.kmeans(torch.ones(3, 2), k=0, rng=rng()), "ask for 1 to 3"),
    ],
)
def test_wrong_shapes_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize("power", [40, 63, 100])
def test_sizes_whose_squares_overflow_change_no_pick(power):
    rng = np.random.default_rng(0)
    small = torch.from_numpy(rng.normal(size=(40, 3)).astype(np.float32))
    proba = torch.from_numpy(rng.dirichlet(np.ones(4), 40).astype(np.float32))
    # a power of two rounds nothing
    large = small * 2.0**power
    for pick, of in (
        (badge, lambda rows: (proba, rows)),
        (coreset, lambda rows: (rows[5:], rows[:5])),
        (kmeans, lambda rows: (rows,)),
    ):
        expected = pick(*of(small), k=6, rng=np.random.default_rng(0))
        picks = pick(*of(large), k=6, rng=np.random.default_rng(0))
        assert picks.indices.tolist() == expected.indices.tolist()
        assert not np.isnan(picks.scores).any()
