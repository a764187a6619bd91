"""Scores against references written from the papers, row by row in plain float64 Python, and closed forms."""

from math import log

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from alkit.strategies import scores


def H(p):
    return -sum(x * log(x) for x in p if x > 0)


def mean(samples):
    return [sum(column) / len(samples) for column in zip(*samples, strict=True)]


def top_two(p):
    first, second, *_ = [*sorted(p, reverse=True), 0.0]
    return first, second


def votes(samples):
    counts = [0.0] * len(samples[0])
    for p in samples:
        counts[max(range(len(p)), key=lambda c: (p[c], -c))] += 1 / len(samples)
    return counts


def std(column):
    m = sum(column) / len(column)
    return (sum((x - m) ** 2 for x in column) / len(column)) ** 0.5


def kl(p, q):
    return sum(a * log(a / b) for a, b in zip(p, q, strict=True) if a > 0)


OF_PROBA = {
    scores.least_confident: lambda p: 1 - max(p),
    scores.margin: lambda p: 1 - (top_two(p)[0] - top_two(p)[1]),
    scores.entropy: H,
}
OF_SAMPLES = {
    scores.mc_least_confident: lambda s: 1 - max(mean(s)),
    scores.mc_margin: lambda s: 1 - (top_two(mean(s))[0] - top_two(mean(s))[1]),
    scores.mc_entropy: lambda s: H(mean(s)),
    scores.bald: lambda s: H(mean(s)) - sum(H(p) for p in s) / len(s),
    scores.mean_std: lambda s: sum(std(column) for column in zip(*s, strict=True)) / len(s[0]),
    scores.variation_ratio: lambda s: 1 - max(votes(s)),
    scores.vote_entropy: lambda s: H(votes(s)),
    scores.max_disagreement: lambda s: max(kl(p, mean(s)) for p in s),
}
REFERENCES = OF_PROBA | OF_SAMPLES


def simplex(rng, shape, sharpness=1.0):
    p = rng.dirichlet(np.full(shape[-1], 1 / sharpness), size=shape[:-1])
    return p / p.sum(-1, keepdims=True)


def shape_for(score, n, K, C):
    return (n, K, C) if score in OF_SAMPLES else (n, C)


@pytest.mark.parametrize("score", REFERENCES, ids=lambda s: s.__name__)
@pytest.mark.parametrize(("K", "C", "sharpness"), [(1, 2, 1), (5, 2, 20), (20, 10, 1), (7, 30, 50)])
def test_agrees_with_the_reference(score, K, C, sharpness):
    p = simplex(np.random.default_rng(K * C), shape_for(score, 50, K, C), sharpness)
    expected = [REFERENCES[score](row.tolist()) for row in p]
    np.testing.assert_allclose(score(torch.from_numpy(p)).numpy(), expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("score", REFERENCES, ids=lambda s: s.__name__)
def test_float32_agrees_with_float64(score):
    p = torch.from_numpy(simplex(np.random.default_rng(0), shape_for(score, 200, 20, 10), 5)).float()
    np.testing.assert_allclose(score(p), score(p.double()), atol=2e-6)


@pytest.mark.parametrize("score", REFERENCES, ids=lambda s: s.__name__)
def test_certainty_scores_nothing_and_NaN_scores_NaN(score):
    certain = torch.zeros(shape_for(score, 3, 4, 1000), dtype=torch.float64)
    certain[..., 7] = 1
    assert torch.equal(score(certain), torch.zeros(3, dtype=torch.float64))
    certain[1] = torch.nan
    assert score(certain).isnan().tolist() == [False, True, False]


@pytest.mark.parametrize("score", REFERENCES, ids=lambda s: s.__name__)
def test_no_rows_and_one_class(score):
    assert score(torch.empty(shape_for(score, 0, 4, 3))).shape == (0,)
    assert score(torch.ones(shape_for(score, 2, 4, 1))).tolist() == [0, 0]


@pytest.mark.parametrize("C", [2, 3, 1000])
def test_uniform_predictions_are_most_uncertain(C):
    flat = torch.full((1, C), 1 / C, dtype=torch.float64)
    assert scores.entropy(flat).item() == pytest.approx(log(C))
    assert scores.margin(flat).item() == 1
    assert scores.least_confident(flat).item() == pytest.approx(1 - 1 / C)


def test_confident_opposed_samples():
    opposed = torch.tensor([[[1.0, 0.0], [0.0, 1.0]]], dtype=torch.float64)
    for score in (scores.bald, scores.vote_entropy, scores.mc_entropy, scores.max_disagreement):
        assert score(opposed).item() == pytest.approx(log(2), abs=1e-15)
    assert scores.variation_ratio(opposed).item() == 0.5
    assert scores.mean_std(opposed).item() == 0.5


def test_equal_samples_agree_whatever_they_say():
    p = torch.from_numpy(simplex(np.random.default_rng(1), (100, 1, 5))).expand(-1, 8, -1)
    for score in (scores.bald, scores.vote_entropy, scores.mean_std, scores.max_disagreement):
        assert score(p).abs().max() < 1e-12


@settings(max_examples=60)
@given(arrays(np.float64, st.tuples(*[st.integers(1, 6)] * 3), elements=st.floats(0, 1)))
def test_bald_is_bounded_by_the_entropy_of_the_mean_and_of_the_samples(weights):
    p = torch.from_numpy((weights + 1e-9) / (weights + 1e-9).sum(-1, keepdims=True))
    bald, K = scores.bald(p), p.shape[1]
    assert (bald >= 0).all()
    assert (bald <= scores.mc_entropy(p) + 1e-12).all()
    assert (bald <= log(K) + 1e-12).all()
