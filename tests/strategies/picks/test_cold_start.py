"""Cold-start picks against brute force: typicality row by row, coverage on the full matrix of distances."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist

from alkit.strategies.picks import cold_start, geometry
from tests.strategies.picks.helpers import clumps, matrix, rng


def brute_typicality(rows, n_neighbors):
    distances = [sorted(np.linalg.norm(x - y) for j, y in enumerate(rows) if j != i) for i, x in enumerate(rows)]
    return np.array([1 / np.mean(near[:n_neighbors]) for near in distances])


def brute_typiclust(rows, labels, n_labels, k, n_neighbors):
    """The paper's loop: the typical row of the cluster with fewest labels, of these the largest; small ones last."""
    n_labels, left, picked = dict(n_labels), {c: np.flatnonzero(labels == c) for c in set(labels)}, []
    sizes = {c: len(members) + n_labels.get(c, 0) for c, members in left.items()}
    typicality = {c: brute_typicality(rows[members], n_neighbors) for c, members in left.items()}
    for _ in range(k):
        open_clusters = [c for c, members in left.items() if len(members)]
        c = min(open_clusters, key=lambda c: (sizes[c] < 5, n_labels.get(c, 0), -sizes[c]))
        best = typicality[c].argmax()
        picked.append(int(left[c][best]))
        n_labels[c] = n_labels.get(c, 0) + 1
        left[c], typicality[c] = np.delete(left[c], best), np.delete(typicality[c], best)
    return picked


def assert_greedy_cover(rows, labelled, delta, picks):
    """Every pick covers as many new rows as any could, by the full matrix."""
    near = cdist(rows, rows) <= delta
    uncovered = ~(cdist(rows, labelled) <= delta).any(1) if len(labelled) else np.ones(len(rows), bool)
    left = np.ones(len(rows), bool)
    for i, score in zip(picks.indices, picks.scores, strict=True):
        gains = near[:, uncovered].sum(1)
        assert score == gains[i] == gains[left].max()
        uncovered &= ~near[i]
        left[i] = False


PICKS = {"typiclust": cold_start.typiclust, "probcover": cold_start.probcover}


@pytest.mark.parametrize("pick", PICKS.values(), ids=PICKS)
@settings(max_examples=40)
@given(st.integers(1, 30), st.integers(0, 5), st.integers(1, 4), st.integers(1, 6), st.integers(0, 99), st.data())
def test_picks_are_distinct_whatever_the_pool(pick, n, n_labelled, d, n_distinct, seed, data):
    X = matrix(n_distinct, d, seed).float()[rng(seed).integers(n_distinct, size=n + n_labelled)]
    k = data.draw(st.integers(1, n))
    indices, scores, _ = pick(X[:n], X[n:], k=k, rng=rng(seed))
    assert len(set(indices.tolist())) == k == len(scores)
    assert set(indices.tolist()) <= set(range(n))
    assert not np.isnan(scores).any()
    assert pick(X[:n], X[n:], k=k, rng=rng(seed)).indices.tolist() == indices.tolist()


# ---- typiclust


@pytest.mark.parametrize("n_neighbors", [2, 4, 20])
@pytest.mark.parametrize("seed", range(3))
def test_typiclust_agrees_with_the_papers_loop(seed, n_neighbors):
    sizes = [4, 30, 25, 17, 11, 3]  # as many as M + k, so that k-means finds exactly these
    X, labels = clumps(sizes, seed)
    labelled = X[[4, 34]] + 0.1  # in the clusters of 30 and of 25
    expected = brute_typiclust(X.numpy(), labels, {1: 1, 2: 1}, 4, n_neighbors)
    got = cold_start.typiclust(X, labelled, k=4, rng=rng(seed), n_neighbors=n_neighbors)
    assert got.indices.tolist() == expected
    assert [labels[i] for i in expected] == [3, 4, 1, 2]
    single = cold_start.typiclust(X.float(), labelled.float(), k=4, rng=rng(seed), n_neighbors=n_neighbors)
    assert single.indices.tolist() == expected


def test_typiclust_goes_round_when_clusters_are_fewer_than_picks(monkeypatch):
    monkeypatch.setattr(cold_start, "_MAX_CLUSTERS", 3)
    sizes = [6, 9, 12]
    X, labels = clumps(sizes)
    expected = brute_typiclust(X.numpy(), labels, {}, 27, 5)
    assert cold_start.typiclust(X, X[:0], k=27, rng=rng(), n_neighbors=5).indices.tolist() == expected


def test_typiclust_scores_are_typicality():
    X, _ = clumps([40])
    got = cold_start.typiclust(X, X[:0], k=1, rng=rng(), n_neighbors=7)
    typicality = brute_typicality(X.numpy(), 7)
    assert got.indices[0] == typicality.argmax()
    assert got.scores[0] == pytest.approx(typicality.max())


# ---- probcover


@pytest.mark.parametrize("delta", [0.3, 0.8, 2.0, 100.0])
@pytest.mark.parametrize("n_labelled", [0, 1, 30])
def test_probcover_is_the_full_greedy(delta, n_labelled):
    X, L = matrix(150, 3), matrix(n_labelled, 3, 1)
    got = cold_start.probcover(X, L, k=60, rng=rng(), delta=delta)
    assert_greedy_cover(X.numpy(), L.numpy(), delta, got)


@settings(max_examples=30)
@given(st.integers(0, 10**6), st.integers(1, 40), st.sampled_from([0.0, 1.0, 2.0, 5.0]), st.booleans())
def test_probcover_counts_rows_at_exactly_delta(seed, n, delta, single):
    grid = torch.from_numpy(rng(seed).integers(-3, 4, size=(n, 2))).to(torch.float32 if single else torch.float64)
    X = grid + 1000  # a third of the pairs tie with delta; neither centring nor rounding may decide them
    got = cold_start.probcover(X, X[:1], k=n, rng=rng(seed), delta=delta)
    assert_greedy_cover(X.double().numpy(), X[:1].double().numpy(), delta, got)


def test_probcover_in_blocks_is_the_full_greedy(monkeypatch):
    monkeypatch.setattr(cold_start, "_BLOCK_ROWS", 7)
    monkeypatch.setattr(geometry, "_BLOCK_NUMBERS", 50)
    X, L = matrix(50, 2), matrix(3, 2, 1)
    assert_greedy_cover(X.numpy(), L.numpy(), 0.5, cold_start.probcover(X, L, k=50, rng=rng(), delta=0.5))


def test_probcover_goes_on_evenly_once_all_is_covered():
    X = matrix(6, 2)
    got = [cold_start.probcover(X, X, k=2, rng=rng(seed), delta=0.1) for seed in range(300)]
    assert all((picks.scores == 0).all() for picks in got)
    share = np.bincount(np.concatenate([picks.indices for picks in got]), minlength=6) / 300
    np.testing.assert_allclose(share, 1 / 3, atol=5 * np.sqrt(2 / 9 / 300))


@pytest.mark.parametrize("purity", [0.5, 0.75, 0.95])
def test_estimated_delta_has_the_purity_asked_for(purity):
    X = matrix(500, 2)
    delta = cold_start._pure_radius(X, 4, purity, rng())
    labels = geometry.k_means(X, 4, rng()).labels_  # the same draw, the same clusters
    mixed = labels[:, None] != labels[None, :]

    def share_of_pure_balls(radius):
        return 1 - (mixed & (cdist(X, X) <= radius)).any(1).mean()

    assert share_of_pure_balls(delta * (1 - 1e-9)) >= purity > share_of_pure_balls(delta * (1 + 1e-9)) - 1 / 500


def test_estimated_delta_finds_every_cluster():
    sizes = [30, 40, 50, 60]
    X, labels = clumps(sizes)
    got = cold_start.probcover(X, X[:0], k=4, rng=rng(), n_clusters=4, purity=0.95)
    assert sorted(labels[got.indices]) == [0, 1, 2, 3]


# ---- hostile input


@pytest.mark.parametrize("pick", PICKS.values(), ids=PICKS)
def test_wrong_shapes_are_refused(pick):
    with pytest.raises(ValueError, match="have 2 numbers, labelled rows 5"):
        pick(torch.ones(3, 2), torch.ones(4, 5), k=1, rng=rng())
    with pytest.raises(ValueError, match="=4, but the pool has 3 rows"):
        pick(torch.ones(3, 2), torch.ones(0, 2), k=4, rng=rng())


@pytest.mark.parametrize("delta", [-1.0, float("nan")])
def test_a_radius_below_zero_is_refused(delta):
    with pytest.raises(ValueError, match=f"delta={delta}"):
        cold_start.probcover(torch.ones(3, 2), torch.ones(0, 2), k=1, rng=rng(), delta=delta)


@pytest.mark.parametrize("purity", [-0.1, 1.5, float("nan")])
def test_a_purity_that_is_no_share_is_refused(purity):
    with pytest.raises(ValueError, match=f"purity={purity}"):
        cold_start.probcover(torch.ones(3, 2), torch.ones(0, 2), k=1, rng=rng(), purity=purity)


@pytest.mark.parametrize("pick", PICKS.values(), ids=PICKS)
def test_huge_numbers_are_scaled(pick):
    X, _ = clumps([9, 12, 7])
    expected, got = (
        pick((factor * X).float(), (factor * X[:1]).float(), k=3, rng=rng()) for factor in (2.0**10, 2.0**110)
    )
    assert got.indices.tolist() == expected.indices.tolist()
    assert np.isfinite(got.scores).all()
