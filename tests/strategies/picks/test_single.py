"""Picks: the right rows, in order, with ties broken fairly."""

import numpy as np
import pytest
from hypothesis import given
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
