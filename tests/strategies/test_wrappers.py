"""Strategies made from strategies: same scores, other picks, and every promise each of them makes."""

import pickle

import numpy as np
import pandas as pd
import pytest
from modAL.uncertainty import uncertainty_sampling
from sklearn.linear_model import LogisticRegression

from alkit import ActiveLearner, get_strategy
from alkit.strategies import (
    Strategy,
    class_balanced,
    cost_aware,
    diversified,
    mixed,
    stochastic,
    subsample,
)
from tests.fakes import LinearPosterior

X = np.random.default_rng(0).normal(size=(80, 3))
y = np.arange(80) % 4


class Cost:
    """What each label costs, with a name that is the same in every process."""

    def __call__(self, X):
        return 1 + np.abs(X[:, 0])

    def __repr__(self):
        return "Cost()"


MADE = [
    stochastic("margin"),
    stochastic("margin", kind="softmax", beta=5.0),
    stochastic("bald", kind="softrank"),
    mixed("entropy", random_share=0.5),
    cost_aware("margin", cost=Cost()),
    class_balanced("entropy"),
    diversified("margin"),
    diversified("margin", by="kmeans", top=3),
    subsample("bald", size=30),
    subsample("badge", size=30),
]


def model():
    return LinearPosterior().fit(X)


@pytest.mark.parametrize("strategy", MADE, ids=str)
@pytest.mark.parametrize("k", [1, 9, 80])
def test_picks_are_distinct(strategy, k):
    got = strategy.select(model(), X, k, random_state=0)
    assert len(np.unique(got.indices)) == len(got.scores) == k
    again = strategy.select(model(), X, k, random_state=0)
    assert got.indices.tolist() == again.indices.tolist()


@pytest.mark.parametrize("strategy", [s for s in MADE if "cost" not in s.name], ids=str)
def test_they_are_values_and_run_on_duplicates(strategy):
    assert pickle.loads(pickle.dumps(strategy)) == strategy
    assert hash(pickle.loads(pickle.dumps(strategy))) == hash(strategy)
    assert strategy != strategy.of
    same = np.repeat(X[:1], 20, axis=0)
    assert sorted(strategy.select(model(), same, 20, random_state=0).indices) == list(range(20))


@pytest.mark.parametrize("wrap", [stochastic, mixed, cost_aware, class_balanced, diversified], ids=lambda w: w.__name__)
def test_what_does_not_pick_by_scores_is_refused(wrap):
    for inner in ("badge", "random", "batch_bald", stochastic("bald")):
        with pytest.raises(TypeError, match="needs a strategy that picks by the scores of single rows, which"):
            wrap(inner)
    with pytest.raises(TypeError, match="is no Strategy"):
        wrap(uncertainty_sampling)


def test_parameters_of_one_name_are_refused():
    tempered = Strategy("tempered", lambda proba, *, beta=2.0: proba[:, 0] ** beta, ("proba",))
    with pytest.raises(TypeError, match="stochastic and tempered both have a parameter 'beta'"):
        stochastic(tempered)


@pytest.mark.parametrize("wrap", [stochastic, cost_aware, class_balanced], ids=lambda w: w.__name__)
def test_negative_scores_are_not_multiplied(wrap):
    negative = Strategy("negative", lambda proba: proba[:, 0] - 1, ("proba",))
    with pytest.raises(ValueError, match="needs scores of 0 or more, but 80 of 80 are negative"):
        wrap(negative).select(model(), X, 5, **({"costs": np.ones(80)} if wrap is cost_aware else {}))


def test_names_and_parameters_of_the_inner_strategy_go_through():
    wrapped = stochastic(get_strategy("bald", n_samples=7), beta=2.0)
    assert repr(wrapped) == "stochastic(bald(n_samples=7), beta=2.0, kind='power')"
    assert wrapped.parameters()["n_samples"] == 7
    assert repr(subsample("bald", size=30)) == "subsample(bald, size=30)"
    assert subsample("bald", size=30) != subsample("bald", size=31)


def test_learners_take_them():
    learner = ActiveLearner(LogisticRegression(), class_balanced("margin"), X[:8], y[:8], random_state=0)
    assert learner.query(X, n_instances=5)[0].shape == (5,)


# ---- costs


def test_costs_come_from_a_column_a_callable_or_the_query():
    frame = pd.DataFrame({"a": X[:, 0], "price": 1 + np.arange(80.0)})
    estimator = LogisticRegression(max_iter=1000).fit(frame, y)
    by_column = cost_aware("margin", cost="price").select(estimator, frame, 5, random_state=0)
    by_callable = cost_aware("margin", cost=lambda X: X["price"]).select(estimator, frame, 5, random_state=0)
    by_query = cost_aware("margin").select(estimator, frame, 5, costs=frame["price"], random_state=0)
    assert by_column.indices.tolist() == by_callable.indices.tolist() == by_query.indices.tolist()
    utility = get_strategy("margin").select(estimator, frame, 80, random_state=0)
    ratio = utility.scores / frame["price"].to_numpy()[utility.indices]
    assert by_column.indices.tolist() == utility.indices[np.argsort(-ratio)[:5]].tolist()
    within = cost_aware("margin", cost="price").select(estimator, frame, budget=10, candidates=np.arange(40))
    assert frame["price"].to_numpy()[within.indices].sum() <= 10


def test_bad_costs():
    priced = cost_aware("margin", cost=lambda X: np.ones(len(X)))
    with pytest.raises(ValueError, match="n_instances=5 and budget=3 are both given"):
        priced.select(model(), X, 5, budget=3)
    with pytest.raises(ValueError, match="the cheapest of 80 rows costs 1; raise it"):
        priced.select(model(), X, budget=0.5)
    with pytest.raises(TypeError, match="margin takes no budget; wrap it"):
        get_strategy("margin").select(model(), X, budget=3)
    with pytest.raises(TypeError, match="typiclust takes no budget; ask for n_instances, among the rows"):
        get_strategy("typiclust").select(model(), X, budget=3)
    with pytest.raises(TypeError, match=r"cost is a ndarray.*pass what each row costs to the query"):
        cost_aware("margin", cost=np.ones(80))
    with pytest.raises(ValueError, match="needs costs; pass cost="):
        cost_aware("margin").select(model(), X, 5)
    with pytest.raises(ValueError, match="costs has 3 values, but the pool has 80 rows"):
        cost_aware("margin").select(model(), X, 5, costs=[1, 2, 3])
    for bad in (0.0, -1.0, np.inf, np.nan):
        with pytest.raises(ValueError, match=f"1 of 80 costs are not positive numbers, the first is {bad} of row 7"):
            cost_aware("margin").select(model(), X, 5, costs=np.where(np.arange(80) == 7, bad, 1.0))
    with pytest.raises(ValueError, match="costs is 3.0, but the pool has 80 rows"):
        cost_aware("margin").select(model(), X, 5, costs=3.0)
    with pytest.raises(ValueError, match="budget=nan, but the cheapest of 80 rows"):
        priced.select(model(), X, budget=np.nan)


# ---- parts


def test_only_a_part_is_scored():
    asked = []

    class Counting(LinearPosterior):
        def predict_proba(self, X):
            asked.append(len(X))
            return super().predict_proba(X)

    counting = Counting().fit(X)
    assert subsample("margin", size=30).select(counting, X, 5).indices.shape == (5,)
    assert subsample("margin", size=30).select(counting, X, 40, candidates=np.arange(50)).indices.max() < 50
    assert asked == [30, 40]
    priced = subsample(cost_aware("margin", cost=lambda X: np.ones(len(X))), size=30)
    assert len(priced.select(counting, X, budget=4).indices) == 4
    assert len(priced.select(counting, X, budget=100).indices) == 30
    assert asked == [30, 40, 30, 30]
    with pytest.raises(ValueError, match="size=0"):
        subsample("margin", size=0)


@pytest.mark.parametrize("strategy", [subsample("random", size=30), subsample(mixed("margin"), size=30)], ids=str)
def test_a_row_must_be_in_the_part_to_be_picked(strategy):
    rng, drawn, n = np.random.default_rng(0), [], 1500
    for _ in range(n):
        got = strategy.select(model(), X, 20, random_state=rng)
        drawn.append(np.sum(1 / got.probability) / 80)
    assert np.mean(drawn) == pytest.approx(1, abs=5 * np.std(drawn) / np.sqrt(n) + 1e-12)
