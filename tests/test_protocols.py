"""Protocols: plain classes and functions that offer no more than they say are all that is needed."""

import inspect

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

import alkit
from alkit import protocols, rows, stopping
from alkit.strategies import Picks, Strategy, class_balanced, get_strategy, stochastic
from alkit.strategies.table import TABLE
from tests.fakes import softmax

X = np.random.default_rng(0).normal(size=(40, 3))


class OnlyPosterior:
    """Nothing but the method: no base class, no `classes_`, no registration."""

    def sample_proba(self, X, n_samples=20, random_state=None):
        weights = np.random.default_rng(random_state).normal(size=(n_samples, X.shape[1], 4))
        return softmax(np.einsum("nd,kdc->nkc", X, weights))


class OnlyProbabilities:
    def predict_proba(self, X):
        return softmax(np.c_[X, np.zeros(len(X))])


class OnlyEmbedding:
    def embed(self, X):
        return X[:, :2]


class OnlyLoss:
    def predict_loss(self, X):
        return X[:, 0]


MODELS = {
    "samples": OnlyPosterior(),
    "target_samples": OnlyPosterior(),
    "proba": OnlyProbabilities(),
    "embedding": OnlyEmbedding(),
    "train_embedding": OnlyEmbedding(),
    "loss": OnlyLoss(),
}


def strategies_that_read(*quantities):
    return [s for s in TABLE if {*s.needs, *s.pick_needs} and {*s.needs, *s.pick_needs} <= set(quantities)]


@pytest.mark.parametrize("strategy", strategies_that_read("samples", "target_samples"), ids=str)
def test_a_method_is_all_a_posterior_needs(strategy):
    for wrapped in (strategy, *([stochastic(strategy)] if strategy.name == "bald" else [])):
        picks = [wrapped.select(OnlyPosterior(), X, 9, random_state=0, chunk_bytes=size) for size in (2**26, 300)]
        assert len(set(picks[0].indices)) == 9
        assert picks[0].indices.tolist() == picks[1].indices.tolist()  # one seed for all chunks of a query


def test_a_posterior_gets_the_number_of_samples_and_an_int_to_seed_them():
    asked = []

    class Noting(OnlyPosterior):
        def sample_proba(self, X, n_samples=20, random_state=None):
            asked.append((n_samples, type(random_state)))
            return super().sample_proba(X, n_samples, random_state)

    get_strategy("bald", n_samples=7).select(Noting(), X, 3)
    assert asked == [(7, int)]


@pytest.mark.parametrize(
    "strategy", strategies_that_read("proba") + strategies_that_read("embedding", "train_embedding", "loss"), ids=str
)
def test_a_method_is_all_other_models_need(strategy):
    model = MODELS[(*strategy.needs, *strategy.pick_needs)[0]]
    assert len(set(strategy.select(model, X, 9, random_state=0).indices)) == 9


def test_what_lacks_the_method_is_refused_by_name():
    with pytest.raises(TypeError, match="strategy bald needs sample_proba, which OnlyEmbedding does not have"):
        get_strategy("bald").select(OnlyEmbedding(), X, 3)


@pytest.mark.parametrize(
    ("protocol", "has", "lacks"),
    [
        (protocols.Estimator, OnlyProbabilities(), OnlyLoss()),
        (protocols.Estimator, LogisticRegression(), stopping.OverallUncertainty()),
        (protocols.Posterior, OnlyPosterior(), LogisticRegression()),
        (protocols.Posterior, alkit.DropoutMLPClassifier(), OnlyProbabilities()),
        (protocols.Embedding, OnlyEmbedding(), OnlyPosterior()),
        (protocols.LossPredictor, OnlyLoss(), OnlyEmbedding()),
        (protocols.StoppingRule, stopping.StabilizingPredictions(), OnlyLoss()),
        (protocols.StoppingRule, stopping.OverallUncertainty(), LogisticRegression()),
        (protocols.RowFunctions, rows, protocols),
    ],
)
def test_isinstance_sees_the_method(protocol, has, lacks):
    assert isinstance(has, protocol)
    assert not isinstance(lacks, protocol)


@pytest.mark.parametrize("protocol", [protocols.Score, protocols.Pick])
def test_functions_are_not_told_apart_by_isinstance(protocol):
    with pytest.raises(TypeError, match="runtime_checkable"):
        isinstance(len, protocol)


def test_a_score_and_a_pick_are_any_callables():
    class Gini:
        def __call__(self, proba, *, power=2.0):
            return 1 - proba.pow(power).sum(-1)

    class Last:
        def __call__(self, scores, embedding, *, k, rng):
            return Picks(np.arange(len(scores))[-k:], scores[-k:])

    class Both(OnlyProbabilities, OnlyEmbedding):
        pass

    strategy = Strategy("mine", Gini(), ("proba",), Last(), ("embedding",))
    assert strategy.parameters() == {"power": 2.0, "reduce": "mean"}
    assert strategy.select(Both(), X, 2).indices.tolist() == [38, 39]


def test_labels_are_compared_by_classes():
    class Named(OnlyProbabilities):
        classes_ = np.array(list("abcd"))
        X_training, y_training = X[:3], np.array(["a", "a", "d"])

    picks = class_balanced("margin").select(Named(), X, 5, random_state=0)
    assert len(set(picks.indices)) == 5


@pytest.mark.parametrize("name", protocols.__all__)
def test_each_is_documented_with_an_example(name):
    protocol = getattr(protocols, name)
    assert ">>> " in inspect.getdoc(protocol)
    methods = [m for m in vars(protocol).values() if inspect.isfunction(m) and m.__qualname__ == f"{name}.{m.__name__}"]
    assert methods
    for method in methods:
        assert inspect.getdoc(method)


@pytest.mark.parametrize("strategy", TABLE, ids=str)
def test_what_the_table_holds_keeps_to_the_protocols(strategy):
    for function in (strategy.score, strategy.pick):
        if function is not None:
            parameters = inspect.signature(function).parameters
            assert all(p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY) for p in parameters.values())
