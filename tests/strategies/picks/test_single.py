"""Picks: the right rows, in order, with ties broken fairly."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alkit.strategies import picks


@given(st.lists(st.integers(0, 5), min_size=1, max_size=40), st.data())
def test_top_k_picks_the_best_in_order(scores, data):
    k = data.draw(st.integers(1, len(scores)))
    got = picks.top_k(np.array(scores, float), k=k, rng=np.random.default_rng(0))
    assert got.scores.tolist() == sorted(scores, reverse=True)[:k]
    assert len(set(got.indices.tolist())) == k
    assert got.scores.tolist() == [scores[i] for i in got.indices]


def test_top_k_breaks_ties_uniformly():
    rng = np.random.default_rng(0)
    scores = np.array([2.0, 1, 1, 1, 1, 0])
    drawn = np.bincount(np.concatenate([picks.top_k(scores, k=3, rng=rng).indices for _ in range(4000)]), minlength=6)
    assert drawn[0] == 4000
    assert drawn[5] == 0
    np.testing.assert_allclose(drawn[1:5] / 4000, 0.5, atol=5 * np.sqrt(0.25 / 4000))


def test_top_k_orders_ties_at_random():
    firsts = {int(picks.top_k(np.zeros(4), k=4, rng=np.random.default_rng(s)).indices[0]) for s in range(40)}
    assert firsts == {0, 1, 2, 3}


def test_top_k_takes_infinite_scores():
    got = picks.top_k([-np.inf, 0.0, np.inf, -np.inf], k=3, rng=np.random.default_rng(0))
    assert got.indices[:2].tolist() == [2, 1]


def test_uniform_ignores_scores_and_knows_its_probability():
    rng = np.random.default_rng(0)
    drawn = np.concatenate([picks.uniform([9.0, 0, 0, 0], k=2, rng=rng).indices for _ in range(4000)])
    np.testing.assert_allclose(np.bincount(drawn) / 4000, 0.5, atol=5 * np.sqrt(0.25 / 4000))
    assert picks.uniform(np.zeros(8), k=2, rng=rng).probability == pytest.approx([0.25, 0.25])


# ---- sample_by_score


@pytest.mark.parametrize(
    ("kind", "weights"),
    [("power", [1, 4, 9]), ("softmax", np.exp([2.0, 4, 6])), ("softrank", [1 / 9, 1 / 4, 1])],
)
def test_first_draws_follow_the_weights(kind, weights):
    rng = np.random.default_rng(0)
    firsts = [picks.sample_by_score([1.0, 2.0, 3.0], k=2, rng=rng, kind=kind, beta=2.0).indices[0] for _ in range(6000)]
    expected = np.array(weights) / np.sum(weights)
    error = 5 * np.sqrt(expected * (1 - expected) / 6000)
    assert (np.abs(np.bincount(firsts, minlength=3) / 6000 - expected) < error).all()


def test_infinite_beta_is_top_k_and_zero_scores_come_last():
    rng = np.random.default_rng(0)
    assert picks.sample_by_score([3.0, 1.0, 2.0], k=3, rng=rng, beta=1e6).indices.tolist() == [0, 2, 1]
    assert all(picks.sample_by_score([0.0, 0, 0.1], k=1, rng=rng).indices[0] == 2 for _ in range(50))
    with pytest.raises(ValueError, match="the lowest is -1"):
        picks.sample_by_score([-1.0, 1], k=1, rng=rng)
    for beta in (-1.0, np.inf, np.nan):
        with pytest.raises(ValueError, match=f"beta={beta}; it must be 0 or more"):
            picks.sample_by_score([1.0, 2], k=1, rng=rng, beta=beta)
    with pytest.raises(ValueError, match="choose 'power'"):
        picks.sample_by_score([1.0], k=1, rng=rng, kind="flat")


# ---- top_k_and_uniform


def test_inclusion_probabilities_are_those_of_the_draw():
    scores, rng = np.array([5.0, 4, 3, 2, 1, 0]), np.random.default_rng(0)
    draws = [picks.top_k_and_uniform(scores, k=4, rng=rng, random_share=0.5) for _ in range(6000)]
    drawn = np.bincount(np.concatenate([d.indices for d in draws]), minlength=6) / 6000
    assert drawn[:2].tolist() == [1, 1]
    np.testing.assert_allclose(drawn[2:], 0.5, atol=5 * np.sqrt(0.25 / 6000))
    assert draws[0].probability.tolist() == [1, 1, 0.5, 0.5]
    # weighting by the inverse makes the mean over the pool unbiased
    estimates = [np.sum(scores[d.indices] / d.probability) / 6 for d in draws]
    assert np.mean(estimates) == pytest.approx(scores.mean(), abs=5 * np.std(estimates) / np.sqrt(6000))


@pytest.mark.parametrize(("k", "random_share"), [(1, 0.3), (4, 0.4), (2, 0.2), (6, 0.25)])
def test_a_share_that_is_no_whole_number_is_kept_in_the_long_run(k, random_share):
    scores, rng, n = np.array([5.0, 4, 3, 2, 1, 0]), np.random.default_rng(0), 6000
    drawn, probability = np.zeros(6), np.zeros(6)
    estimates = []
    for _ in range(n):
        got = picks.top_k_and_uniform(scores, k=k, rng=rng, random_share=random_share)
        assert len(set(got.indices)) == k
        drawn[got.indices] += 1 / n
        probability[got.indices] = got.probability
        estimates.append(np.sum(scores[got.indices] / got.probability) / 6)
    np.testing.assert_allclose(drawn, probability, atol=5 * np.sqrt(0.25 / n))
    assert np.mean(estimates) == pytest.approx(scores.mean(), abs=5 * np.std(estimates) / np.sqrt(n) + 1e-12)


def test_all_or_none_at_random():
    rng = np.random.default_rng(0)
    assert picks.top_k_and_uniform([1.0, 2, 3], k=2, rng=rng, random_share=0).indices.tolist() == [2, 1]
    assert picks.top_k_and_uniform([1.0, 2, 3], k=3, rng=rng, random_share=1).probability.tolist() == [1, 1, 1]
    with pytest.raises(ValueError, match="random_share=2"):
        picks.top_k_and_uniform([1.0], k=1, rng=rng, random_share=2)


# ---- top_k_per_cost


@settings(max_examples=50)
@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0.1, 5)), min_size=1, max_size=20), st.floats(5, 20))
def test_a_budget_is_kept_and_used_up(rows, budget):
    utility, cost = map(np.array, zip(*rows, strict=True))
    got = picks.top_k_per_cost(utility, cost, k=len(rows), rng=np.random.default_rng(0), budget=budget)
    spent = cost[got.indices].sum()
    assert spent <= budget + 1e-9
    left = np.delete(cost, got.indices)
    assert not left.size or left.min() > budget - spent - 1e-9
    ratio = (utility / cost)[got.indices]
    assert (np.diff(ratio) <= 1e-12).all()


# ---- balance_classes


def test_classes_short_of_labels_are_preferred():
    rng = np.random.default_rng(0)
    proba = np.where(np.arange(100)[:, None] < 90, [0.9, 0.1], [0.1, 0.9])
    got = picks.balance_classes(np.ones(100), proba, np.zeros(20, int), k=10, rng=rng)
    assert (got.indices >= 90).sum() == 10
    even = picks.balance_classes(np.ones(100), proba, [], k=10, rng=rng)
    assert (even.indices >= 90).sum() == 5
