"""Signatures: which parameters of a score or pick are the strategy's, and which are refused."""

import pickle

import numpy as np
import pytest
import torch

from alkit.strategies import Picks, Strategy, picks
from alkit.strategies.signatures import HANDED_TO_PICKS, own_parameters, takes, with_values
from tests.fakes import LinearPosterior

X = np.random.default_rng(0).normal(size=(20, 3))


def gini(proba, *, power=2.0):
    return 1 - proba.pow(power).sum(-1)


def unfinished_score(proba, *, power):
    return 1 - proba.pow(power).sum(-1)


def unfinished_pick(embedding, *, k, rng, sign):
    return Picks(np.arange(k), np.zeros(k))


def thrifty(scores, *, k, rng, budget):
    return Picks(np.arange(k), scores[:k])


def late_scores(embedding, scores, *, k, rng):
    return Picks(np.arange(k), scores[:k])


def powered(scores, *, k, rng, power=9.0):
    return Picks(np.arange(k), scores[:k])


class Gini:
    def __call__(self, proba, *, power):
        return gini(proba, power=power)


def test_parameters_of_a_strategy_are_those_of_its_score_and_pick():
    assert own_parameters(None) == {}
    assert own_parameters(gini) == {"power": 2.0}
    assert own_parameters(picks.top_k_per_cost, HANDED_TO_PICKS) == {}
    both = Strategy("both", gini, ("proba",), picks.diverse, ("embedding",))
    assert both.parameters() == {"power": 2.0, "reduce": "mean", "by": "coreset", "top": 10.0}


def test_a_score_is_not_handed_what_picks_are():
    strategy = Strategy("nearest", lambda proba, *, k=3: proba[:, k], ("proba",))
    assert strategy.parameters() == {"k": 3, "reduce": "mean"}
    best = strategy.with_params(k=1).select(LinearPosterior().fit(X), X, 1)
    assert best.scores[0] == LinearPosterior().fit(X).predict_proba(X)[:, 1].max()


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        (
            {"score": unfinished_score, "needs": ("proba",)},
            "strategy mine: unfinished_score has the keyword-only parameter 'power' without a value; give it one",
        ),
        (
            {"pick": unfinished_pick, "pick_needs": ("embedding",)},
            "strategy mine: unfinished_pick has the keyword-only parameter 'sign' without a value; give it one",
        ),
        (
            {"score": lambda proba, *, rng: proba[:, 0], "needs": ("proba",)},
            "strategy mine: <lambda> has the keyword-only parameter 'rng' without a value",
        ),
    ],
    ids=["score", "pick", "rng of a score"],
)
def test_a_parameter_without_a_value_is_refused_when_the_strategy_is_made(parts, message):
    with pytest.raises(TypeError, match=message):
        Strategy("mine", **parts)
    # a value in `params` is no default: the strategy could not be made without it
    with pytest.raises(TypeError, match=message):
        Strategy("mine", **parts, params={"power": 2.0, "sign": 1.0})


def test_what_a_query_hands_to_picks_needs_no_value():
    strategy = Strategy("thrifty", gini, ("proba",), thrifty)
    assert strategy.parameters() == {"power": 2.0, "reduce": "mean"}
    model = LinearPosterior().fit(X)
    assert len(strategy.select(model, X, budget=3).indices) == 20
    assert len(strategy.select(model, X, 3).indices) == 3


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"score": torch.sum, "needs": ("proba",)}, "sum does not tell its parameters"),
        ({"score": Gini(), "needs": ("proba",)}, "strategy mine: Gini has the keyword-only parameter 'power'"),
        ({"pick": late_scores, "pick_needs": ("embedding",)}, "scores must be the first parameter of late_scores"),
        ({"score": gini, "needs": ("proba",), "pick": powered}, "'power' is a parameter twice, of gini, of powered"),
        (
            {"score": lambda samples, *, n_samples=5: samples[:, 0, 0], "needs": ("samples",)},
            "'n_samples' is a parameter twice.* of every strategy that reads samples",
        ),
    ],
    ids=["no signature", "callable object", "scores second", "two defaults", "alkit's own"],
)
def test_what_could_mean_two_things_or_nothing_is_refused(parts, message):
    with pytest.raises(TypeError, match=message):
        Strategy("mine", **parts)


def test_parameters_are_found_by_name():
    assert takes(picks.top_k, "scores")
    assert not takes(picks.badge, "scores")
    assert takes(picks.top_k_per_cost, "budget")
    assert not takes(LinearPosterior().sample_proba, "consistent")


def test_values_are_filled_in():
    filled = with_values(picks.sample_by_score, {"beta": 0.0, "kind": "softmax", "n_samples": 3}, HANDED_TO_PICKS)
    assert pickle.loads(pickle.dumps(filled)).keywords == {"beta": 0.0, "kind": "softmax"}
    assert with_values(picks.top_k, {"beta": 0.0}, HANDED_TO_PICKS) is picks.top_k
