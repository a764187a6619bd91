"""Simulated loops, comparisons, correlations and stopping rules where rows have several answers."""

import warnings

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score
from sklearn.model_selection import GridSearchCV
from sklearn.multiclass import OneVsRestClassifier
from torch import nn

from alkit import ActiveLearningClassifier, DropoutMLPClassifier, NetClassifier, compare_strategies
from alkit.experiment import score_gain_correlation
from alkit.experiment.hidden_labels import first_other_row, first_rows_of_classes, is_missing
from alkit.stopping import OverallUncertainty, StabilizingPredictions
from tests.several import CLASSES_AT, PICTURES, PixelNet, X, Y

SHORT = {"n_initial": 12, "n_instances": 6, "n_queries": 2}
MLP = DropoutMLPClassifier((8,), max_epochs=3)


def test_a_loop_acquires_rows_of_labels():
    loop = ActiveLearningClassifier(MLP, "cvirs", random_state=0, **SHORT).fit(X, Y)
    assert loop.n_labels_.tolist() == [12, 18, 24]
    assert len(np.unique(loop.labeled_indices_)) == 24
    assert loop.classes_.tolist() == [0, 1, 2, 3]
    assert loop.predict(X).shape == loop.predict_proba(X).shape == Y.shape
    assert loop.score(X, Y) == (loop.predict(X) == Y).all(1).mean()
    again = ActiveLearningClassifier(MLP, "cvirs", random_state=0, **SHORT).fit(X, Y)
    assert again.labeled_indices_.tolist() == loop.labeled_indices_.tolist()


@pytest.mark.parametrize("strategy", ["cvirs", "max_score"])
def test_networks_of_torch_are_known_to_learn_several_labels(strategy):
    network = NetClassifier(nn.Linear(X.shape[1], Y.shape[1]), max_epochs=1)
    assert ActiveLearningClassifier(network, strategy, random_state=0, **SHORT).fit(X, Y).n_labels_[-1] == 24


def test_strategies_are_compared_by_any_scorer_of_several_labels():
    test = {"X_test": X[60:], "y_test": Y[60:]}
    with warnings.catch_warnings():
        # of few labels, none may be predicted
        warnings.simplefilter("ignore")
        comparison = compare_strategies(
            MLP, X[:60], Y[:60], ["margin", "max_score"], **test, scoring="f1_micro", n_seeds=2, **SHORT
        )
    assert comparison.summary().index.tolist() == ["random", "margin", "max_score"]
    run = comparison.runs[0]
    labelled = run.labeled_indices
    assert run.n_labels.tolist() == [12, 18, 24]
    assert ((run.score >= 0) & (run.score <= 1)).all()
    assert len(labelled) == 24


def test_searches_over_strategies():
    loop = ActiveLearningClassifier(OneVsRestClassifier(LogisticRegression()), random_state=0, **SHORT)
    search = GridSearchCV(loop, {"query_strategy": ["random", "entropy"]}, cv=2, scoring="f1_micro").fit(X, Y)
    expected = f1_score(Y, search.predict(X), average="micro")
    assert search.score(X, Y) == pytest.approx(expected)


def test_first_rows():
    assert first_other_row(np.array([[0, 1], [0, 1], [1, 1]])) == 2
    assert first_other_row(np.array([3, 3])) == 2
    assert first_rows_of_classes(np.array([2, 2, 1, 2, 0])).tolist() == [0, 2, 4]
    labels = np.array([[0, 0, 0], [1, 0, 0], [1, 0, 1]])
    assert first_rows_of_classes(labels).tolist() == [1, 2]  # the second label is never on
    assert first_rows_of_classes(CLASSES_AT).tolist() == [0]
    stratified = ActiveLearningClassifier(MLP, initial="stratified", random_state=0, **SHORT | {"n_initial": 4})
    first = stratified.fit(X, Y).labeled_indices_[:4]
    assert Y[first].any(0).all()


def test_rows_that_nobody_can_label():
    y = Y.astype(float)
    y[::5, 2] = np.nan
    loop = ActiveLearningClassifier(MLP, missing_label=np.nan, random_state=0, **SHORT).fit(X, y)
    assert not np.isin(loop.labeled_indices_, np.arange(0, 90, 5)).any()
    assert is_missing(np.full((2, 3, 3), -100), -100).all()
    partly = np.full((2, 3, 3), -100)
    partly[:, 0] = 1
    assert not is_missing(partly, -100).any()
    with pytest.raises(ValueError, match="y has 1 class: ..0, 1.."):
        ActiveLearningClassifier(MLP).fit(X, np.tile([0, 1], (90, 1)))


def test_positions_in_a_loop():
    net = NetClassifier(PixelNet, task="positions", max_epochs=2)
    masked = np.where(np.arange(6) == 0, -100, CLASSES_AT)
    loop = ActiveLearningClassifier(net, "entropy", 6, 3, 2, random_state=0).fit(PICTURES, masked)
    assert loop.n_labels_.tolist() == [6, 9, 12]
    assert loop.predict_proba(PICTURES).shape == (24, 3, 5, 6)
    assert loop.score(PICTURES, masked) == loop.estimator_.score(PICTURES, masked)


def test_scores_and_gains_of_several_labels():
    correlation = score_gain_correlation(
        NetClassifier(nn.Linear(6, 4), max_epochs=3, lr=0.05), X, Y, ["margin", "ideal_loss"],
        n_train=20, n_pool=40, n_groups=4, n_seeds=1,
    )  # fmt: skip
    assert correlation.summary()["n"].tolist() == [4, 4]


def test_stopping_rules_see_each_label():
    model = OneVsRestClassifier(LogisticRegression()).fit(X, Y)
    p = model.predict_proba(X)
    rule = OverallUncertainty()
    rule.update(model, X)
    expected = -(p * np.log2(p) + (1 - p) * np.log2(1 - p)).mean()
    assert rule.uncertainties_ == pytest.approx([expected])
    stable = StabilizingPredictions(window=1)
    assert not stable.update(model, X)
    assert stable.update(model, X)
    other = OneVsRestClassifier(LogisticRegression(C=0.01)).fit(X[:30], Y[:30])
    assert not stable.update(other, X)
