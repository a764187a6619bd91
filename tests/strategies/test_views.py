"""How models answer: probabilities or decision values, and the error where they have neither."""

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression, LogisticRegression, Perceptron, RidgeClassifier
from sklearn.model_selection import GridSearchCV
from sklearn.multiclass import OneVsOneClassifier, OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, LinearSVC

from alkit import ActiveLearner, get_strategy
from alkit.strategies import stochastic

X = np.random.default_rng(0).normal(size=(90, 4))
Y = np.digitize(X[:, 0] + 0.5 * X[:, 1], [-0.5, 0.5])


def scores(model):
    picks = get_strategy("margin").select(model, X, len(X))
    return picks.scores[np.argsort(picks.indices)]


def lead(decisions):
    """How far the best decision value is ahead of the second."""
    if decisions.ndim == 1:
        return np.abs(decisions)
    second, best = np.sort(decisions, axis=1)[:, -2:].T
    return best - second


@pytest.mark.parametrize("labels", [Y, Y > 0, np.array(["ant", "bee", "cat"])[Y]], ids=["three", "two", "text"])
@pytest.mark.parametrize(
    "model",
    [
        LinearSVC(),
        SVC(),
        RidgeClassifier(),
        Perceptron(),
        OneVsOneClassifier(LinearSVC()),
        OneVsRestClassifier(LinearSVC()),
        make_pipeline(StandardScaler(), LinearSVC()),
        GridSearchCV(LinearSVC(), {"C": [0.1]}, cv=2),
    ],
    ids=str,
)
def test_margin_ranks_rows_by_the_lead_of_the_best_decision_value(model, labels):
    model.fit(X, labels)
    of_rows = scores(model)
    assert ((of_rows > 0) & (of_rows <= 1)).all()
    np.testing.assert_allclose(of_rows, 1 / (1 + lead(model.decision_function(X))), atol=1e-6)


@pytest.mark.parametrize("around", [lambda svc: svc, lambda svc: make_pipeline(StandardScaler(), svc)])
@pytest.mark.parametrize("labels", [Y, Y > 0, np.arange(90) % 4])
def test_one_column_per_pair_of_classes_is_not_one_per_class(around, labels):
    """Three classes have three pairs: the shape alone would not tell."""
    by_pair, by_class = (around(SVC(decision_function_shape=shape)).fit(X, labels) for shape in ("ovo", "ovr"))
    np.testing.assert_allclose(scores(by_pair), scores(by_class))
    last = by_pair[-1] if hasattr(by_pair, "steps") else by_pair
    assert last.decision_function_shape == "ovo"


def test_probabilities_come_first_and_wrappers_take_both():
    model = LogisticRegression().fit(X, Y)
    second, best = np.sort(model.predict_proba(X), axis=1)[:, -2:].T
    np.testing.assert_allclose(scores(model), 1 - (best - second), atol=1e-6)
    assert len(stochastic("margin").select(LinearSVC().fit(X, Y), X, 5, random_state=0).indices) == 5


def test_infinite_decisions_are_refused():
    class Far(LinearSVC):
        def decision_function(self, X):
            return np.where(np.arange(len(X))[:, None] == 3, np.inf, super().decision_function(X))

    with pytest.raises(ValueError, match="decision_function is NaN for 1 of 90 rows, the first is row 3"):
        scores(Far().fit(X, Y))


def test_what_a_model_lacks_is_named():
    with pytest.raises(
        TypeError,
        match="strategy margin needs predict_proba, which LinearRegression does not have; use alkit.NetClassifier, .* "
        "or one with a decision_function",
    ):
        ActiveLearner(LinearRegression(), "margin", X, Y).query(X)
    with pytest.raises(TypeError, match="strategy entropy needs predict_proba, which LinearSVC does not have"):
        ActiveLearner(LinearSVC(), "entropy", X, Y).query(X)
    with pytest.raises(TypeError, match="strategy badge needs embed, which LogisticRegression .* skorch's"):
        ActiveLearner(LogisticRegression(), "badge", X, Y).query(X)
