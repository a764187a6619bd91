"""Herding against brute force on the full matrix of similarities, and against scikit-activeml where it is installed."""

import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist

from alkit import get_strategy
from alkit.strategies.picks import geometry, herding
from tests.fakes import LinearPosterior
from tests.strategies.picks.helpers import matrix, rng


def kernel(X, Y, bandwidth, normalize):
    if normalize:
        X, Y = (rows / np.linalg.norm(rows, axis=1, keepdims=True) for rows in (X, Y))
    return np.exp(-((cdist(X, Y) / bandwidth) ** 2))


def assert_greedy(X, L, weights, bandwidth, picks, normalize=True, tolerance=1e-6):
    """Every pick adds as much to the weighted mean coverage as any row could."""
    similar = kernel(X, X, bandwidth, normalize)
    covered = kernel(X, L, bandwidth, normalize).max(1) if len(L) else np.zeros(len(X))
    left = np.ones(len(X), bool)
    for i, score in zip(picks.indices, picks.scores, strict=True):
        gains = (weights[:, None] * np.maximum(similar - covered[:, None], 0)).mean(0)
        assert left[i]
        assert gains[left].max() - tolerance <= gains[i]
        assert score == pytest.approx(gains[i], abs=tolerance)
        covered = np.maximum(covered, similar[:, i])
        left[i] = False


@pytest.mark.parametrize("bandwidth", [0.05, 0.4, 1.0, 10.0])
@pytest.mark.parametrize("n_labelled", [0, 1, 20])
def test_max_herding_is_the_full_greedy(bandwidth, n_labelled):
    X, L = matrix(120, 3), matrix(n_labelled, 3, 1)
    got = herding.max_herding(X, L, k=60, rng=rng(), bandwidth=bandwidth)
    assert_greedy(X.numpy(), L.numpy(), np.ones(120), bandwidth, got)


@pytest.mark.parametrize("single", [True, False])
def test_without_normalizing_far_from_the_origin(single):
    X, L = 1000 + matrix(80, 3), 1000 + matrix(4, 3, 1)
    if single:
        X, L = X.float(), L.float()
    got = herding.max_herding(X, L, k=40, rng=rng(), bandwidth=0.7, normalize=False)
    assert_greedy(X.double().numpy(), L.double().numpy(), np.ones(80), 0.7, got, normalize=False)


def test_in_blocks(monkeypatch):
    monkeypatch.setattr(geometry, "_BLOCK_NUMBERS", 50)
    monkeypatch.setattr(herding, "_FIRST_LOOK", 2)
    monkeypatch.setattr(herding, "_LARGEST_LOOK", 5)
    X, L = matrix(50, 2), matrix(3, 2, 1)
    got = herding.max_herding(X, L, k=50, rng=rng())
    assert_greedy(X.numpy(), L.numpy(), np.ones(50), 1.0, got)


def test_uncertainty_herding_is_the_full_greedy():
    X, L, weights = matrix(100, 4), matrix(6, 4, 1), rng(2).random(100)
    got = herding.uncertainty_herding(weights, X, L, k=50, rng=rng(), bandwidth=0.5)
    assert_greedy(X.numpy(), L.numpy(), weights, 0.5, got)


def test_the_bandwidth_is_the_smallest_distance_of_labelled_rows_that_differ():
    X, weights = matrix(60, 3), rng(2).random(60)
    L = matrix(5, 3, 1)
    units = (L / L.norm(dim=1, keepdim=True)).numpy()
    smallest = cdist(units, units)[np.triu_indices(5, 1)].min()
    got = herding.uncertainty_herding(weights, X, L.repeat(2, 1), k=20, rng=rng())
    assert_greedy(X.numpy(), L.numpy(), weights, smallest, got)
    for none in (L[:0], L[:1], L[:1].repeat(3, 1)):
        got = herding.uncertainty_herding(weights, X, none, k=20, rng=rng())
        assert_greedy(X.numpy(), none.numpy(), weights, 1.0, got)


def test_a_narrow_kernel_samples_by_uncertainty_alone():
    X, weights = matrix(40, 8), rng(1).random(40)
    got = herding.uncertainty_herding(weights, X, X[:0], k=40, rng=rng(), bandwidth=1e-4)
    assert got.indices.tolist() == np.argsort(-weights).tolist()


def test_a_sample_of_references_estimates_gains_without_bias():
    X, L = matrix(300, 3), matrix(3, 3, 1)
    labelled = herding.unit_rows(L), torch.ones(300)
    exact = herding._Coverage(herding.unit_rows(X), *labelled, None, rng()).gains
    sampled = [herding._Coverage(herding.unit_rows(X), *labelled, 40, rng(s)).gains for s in range(60)]
    error = torch.stack(sampled) - exact
    # in units of the standard error of the mean of 60 draws
    deviation = error.mean(0) / (error.std(0) / 60**0.5)
    assert deviation.abs().max() < 6
    assert deviation.square().mean() == pytest.approx(1, abs=0.9)


def test_rows_of_the_sample_are_not_preferred():
    # a kernel so narrow that a row covers itself alone: each gain is 1 / N, in the sample or not
    coverage = herding._Coverage(1e4 * matrix(50, 3), torch.empty(0, 3), torch.ones(50), 10, rng())
    np.testing.assert_allclose(coverage.gains, 1 / 50, rtol=1e-6)


def test_duplicates_share_their_gain():
    X = matrix(4, 2).repeat(6, 1)
    got = herding.max_herding(X, X[:0], k=24, rng=rng(), bandwidth=0.01)
    assert sorted(got.indices) == list(range(24))
    assert sorted(got.indices[:4] % 4) == [0, 1, 2, 3]
    np.testing.assert_allclose(got.scores, np.repeat([0.25, 0], [4, 20]), atol=1e-6)


@pytest.mark.parametrize("factor", [1e-30, 1e30])
def test_rows_of_any_size(factor):
    X = matrix(30, 3)
    expected = herding.max_herding(X, X[:2], k=10, rng=rng())
    got = herding.max_herding((X * factor).float(), (X[:2] * factor).float(), k=10, rng=rng())
    assert got.indices.tolist() == expected.indices.tolist()
    zeros = herding.max_herding(torch.zeros(5, 3), torch.zeros(0, 3), k=5, rng=rng())
    assert sorted(zeros.indices) == list(range(5))


def test_what_makes_no_sense_is_refused():
    X = torch.ones(3, 2)
    for bandwidth in (0.0, -1.0, float("nan")):
        with pytest.raises(ValueError, match=f"bandwidth={bandwidth}; it is a distance above 0"):
            herding.max_herding(X, X[:0], k=1, rng=rng(), bandwidth=bandwidth)
    with pytest.raises(ValueError, match="n_references=0"):
        herding.max_herding(X, X[:0], k=1, rng=rng(), n_references=0)
    with pytest.raises(ValueError, match="have 2 numbers, labelled rows 5"):
        herding.max_herding(X, torch.ones(4, 5), k=1, rng=rng())
    with pytest.raises(ValueError, match="1 of 3 are negative"):
        herding.uncertainty_herding([1.0, -1.0, 1.0], X, X[:0], k=1, rng=rng())
    with pytest.raises(ValueError, match=r"scores have shape \(2,\)"):
        herding.uncertainty_herding([1.0, 1.0], X, X[:0], k=1, rng=rng())


def test_a_query_hands_over_margins():
    X = matrix(40, 3).numpy()
    model = LinearPosterior().fit(X)
    proba = np.sort(model.predict_proba(X))
    margins = 1 - (proba[:, -1] - proba[:, -2])
    got = get_strategy("uncertainty_herding").select(model, X, 10, random_state=0)
    assert_greedy(X.astype(np.float32).astype(float), X[:0], margins, 1.0, got)


@pytest.mark.filterwarnings("ignore")
def test_picks_are_those_of_scikit_activeml():
    pool = pytest.importorskip("skactiveml.pool")
    X, L = matrix(150, 4).numpy(), matrix(10, 4, 1).numpy()
    y = np.r_[np.full(150, np.nan), np.zeros(10)]
    # its gamma is 1 / bandwidth^2, 1 / D by default
    theirs = pool.MaxHerding(metric_dict={"gamma": 1.0}, random_state=0).query(np.r_[X, L], y, batch_size=20)
    ours = herding.max_herding(torch.from_numpy(X), torch.from_numpy(L), k=20, rng=rng())
    assert ours.indices.tolist() == theirs.tolist()
