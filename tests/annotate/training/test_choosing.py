"""BestCandidate: the candidate that does best on the labels is taken, as often as labels call for it."""

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.base import clone
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score
from sklearn.model_selection import cross_val_predict
from sklearn.neighbors import KNeighborsClassifier

from alkit.annotate.training.choosing import BestCandidate

RNG = np.random.default_rng(0)
X = RNG.normal(size=(200, 4))
Y = np.where(X[:, 0] > 0, "yes", "no")
CANDIDATES = [("constant", DummyClassifier()), ("linear", LogisticRegression()), ("nearest", KNeighborsClassifier())]


def fitted(n, **given):
    return BestCandidate(CANDIDATES, random_state=0).fit(X[:n], Y[:n], **given)


def test_few_labels_take_the_first():
    model = fitted(19)
    assert (model.chosen_, model.scores_, model.n_compared_on_) == ("constant", {}, 0)


def test_the_best_by_cross_validation_is_taken():
    model = fitted(200)
    expected = {
        name: f1_score(Y, cross_val_predict(estimator, X, Y, cv=3), average="macro") for name, estimator in CANDIDATES
    }
    assert model.chosen_ == max(expected, key=expected.get) == "linear"
    assert model.scores_ == pytest.approx(expected, abs=0.06)
    np.testing.assert_array_equal(model.predict(X), LogisticRegression().fit(X, Y).predict(X))


def test_candidates_are_compared_again_once_labels_have_grown_by_half():
    model = fitted(40)
    for n, compared_on in ((59, 40), (60, 60), (89, 60), (90, 90)):
        assert model.fit(X[:n], Y[:n]).n_compared_on_ == compared_on


def test_a_choice_that_stands_keeps_its_weights():
    model = BestCandidate([("linear", LogisticRegression(warm_start=True))], random_state=0).fit(X[:40], Y[:40])
    before = model.best_estimator_
    assert model.fit(X[:80], Y[:80]).best_estimator_ is before


@pytest.mark.parametrize("kind", ["dense", "sparse", "dict"])
def test_copies_of_a_row_are_on_one_side(kind):
    # labels are noise: only who has seen a copy of a row can tell them
    rows = np.repeat(RNG.normal(size=(30, 3)), 4, axis=0)
    y = np.repeat(RNG.integers(0, 2, 30), 4)
    kinds = {"dense": rows, "sparse": sp.csr_matrix(rows), "dict": {"a": rows[:, :1], "b": sp.csr_matrix(rows)}}

    class Nearest(KNeighborsClassifier):
        def fit(self, X, y):
            return super().fit(X["b"] if isinstance(X, dict) else X, y)

        def predict(self, X):
            return super().predict(X["b"] if isinstance(X, dict) else X)

    model = BestCandidate([("nearest", Nearest(1))], random_state=0).fit(kinds[kind], y)
    assert model.scores_["nearest"] < 0.75


def test_weights_reach_candidates_and_scores():
    weights = np.where(np.arange(200) < 100, 1.0, 0.0)
    flipped = np.where(np.arange(200) < 100, Y, np.where(Y == "yes", "no", "yes"))
    candidates = [("linear", LogisticRegression()), ("constant", DummyClassifier())]
    model = BestCandidate(candidates, random_state=0).fit(X, flipped, sample_weight=weights)
    assert model.chosen_ == "linear"
    assert model.scores_["linear"] > 0.9
    assert np.mean(model.predict(X) == Y) > 0.9


@pytest.mark.parametrize(
    "y", [["a"] * 40 + ["b"], ["a"] * 41, [f"c{i}" for i in range(41)]], ids=["rare", "one", "all"]
)
def test_labels_that_allow_no_comparison_take_the_first(y):
    assert BestCandidate(CANDIDATES, random_state=0).fit(X[:41], y).chosen_ == "constant"


def test_a_clone_is_unfitted_and_seeds_repeat():
    model = clone(fitted(100))
    assert not hasattr(model, "chosen_")
    assert model.fit(X[:100], Y[:100]).scores_ == fitted(100).scores_
