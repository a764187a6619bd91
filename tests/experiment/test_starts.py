"""How loops start: given rows, a start per strategy, and what is refused before the first fit."""

import numpy as np
import pytest
from sklearn.datasets import load_iris
from sklearn.ensemble import RandomForestClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import GridSearchCV
from sklearn.multiclass import OneVsRestClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from alkit import ActiveLearningClassifier, DropoutMLPClassifier, compare_strategies, get_strategy
from tests.experiment.helpers import DATA, compare, names, small_net

X, y = load_iris(return_X_y=True)
SMALL = {"n_initial": 6, "n_instances": 3, "n_queries": 2}


def test_given_rows_come_first():
    rows = [3, 60, 120]
    loop = ActiveLearningClassifier(GaussianNB(), initial=rows, n_instances=3, n_queries=2, random_state=0).fit(X, y)
    assert loop.labeled_indices_[:3].tolist() == rows
    assert loop.n_labels_.tolist() == [3, 6, 9]
    comparison = compare(initial=np.array([3, 30, 60]), n_seeds=2)
    assert all(run.labeled_indices[:3].tolist() == [3, 30, 60] for run in comparison.runs)
    mask = np.isin(np.arange(75), [3, 30, 60])
    assert compare(initial=mask, n_seeds=1).runs[0].labeled_indices[:3].tolist() == [3, 30, 60]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([], "initial has 0 rows"),
        ([1, 150], "pool has rows 0 to 149"),
        ([1, 1], "1 different"),
        ([0, 7], "1 cannot be"),
    ],
)
def test_given_rows_that_cannot_be(rows, message):
    labels = np.where(np.arange(150) == 7, -1, y)
    loop = ActiveLearningClassifier(GaussianNB(), initial=rows, missing_label=-1)
    with pytest.raises(ValueError, match=message):
        loop.fit(X, labels)


def test_starts_and_strategies_in_one_call():
    entries = ["margin", ("typiclust", "margin"), ("typiclust", "random")]
    comparison = compare(strategies=entries)
    assert comparison.strategies == ["random", "margin", "typiclust, then margin", "typiclust, then random"]
    assert comparison.baseline == "random"
    runs = {run[1:3]: run for run in comparison.runs}
    for seed in range(3):
        starts = {name: runs[name, seed].labeled_indices[:6].tolist() for name in comparison.strategies}
        assert starts["random"] == starts["margin"] != starts["typiclust, then margin"]
        assert starts["typiclust, then margin"] == starts["typiclust, then random"]
    alone = ActiveLearningClassifier(
        GaussianNB(), "margin", 6, 3, 4, initial="typiclust", random_state=comparison.seeds[0]
    ).fit(DATA["X"], DATA["y"])
    assert runs["typiclust, then margin", 0].labeled_indices.tolist() == alone.labeled_indices_.tolist()
    # the first round of other starts counts
    n_rounds = len(runs["random", 0].score)
    shares = comparison.penalty_matrix().to_numpy() * n_rounds
    assert np.allclose(shares, shares.round())


def test_starts_by_name_and_given_rows():
    entries = {"cold": (get_strategy("max_herding"), "random"), "given": ([0, 30, 60], "margin")}
    runs = {run.strategy: run for run in compare(strategies=entries, n_seeds=1).runs}
    assert runs["given"].labeled_indices[:3].tolist() == [0, 30, 60]
    assert len(runs["cold"].labeled_indices) == 6 + 4 * 3


def test_a_start_goes_on_until_there_are_two_classes():
    rare = np.where(np.arange(150) == 149, "rare", "common")
    loop = ActiveLearningClassifier(GaussianNB(), "margin", 4, 1, 0, initial="typiclust", random_state=0).fit(X, rare)
    assert loop.labeled_indices_[-1] == 149
    assert len(loop.labeled_indices_) > 4


class Counting(GaussianNB):
    """Counts its fits, of all copies."""

    fits = 0

    def fit(self, X, y, sample_weight=None):
        Counting.fits += 1
        return super().fit(X, y, sample_weight)


@pytest.mark.parametrize(
    ("kwargs", "error", "message"),
    [
        ({"strategies": ["margin", "bald"]}, TypeError, "strategy bald needs sample_proba, which Counting does not"),
        ({"strategies": ["badge"]}, TypeError, "badge needs embed"),
        ({"strategies": ["gsy"]}, TypeError, "gsy needs predictions of numbers"),
        ({"strategies": ["learning_loss"]}, TypeError, "needs predict_loss"),
        ({"strategies": ["max_loss"]}, TypeError, "max_loss needs several_labels"),
        ({"estimator": {"a": Counting(), "b": LinearSVC()}, "strategies": ["entropy"]}, TypeError, "LinearSVC"),
        ({"estimator": make_pipeline(StandardScaler(), Counting()), "strategies": ["bald"]}, TypeError, "bald needs"),
        ({"strategies": ["margin", ("entropy", "margin")]}, ValueError, "initial is entropy, which needs a model"),
        ({"strategies": [("typiclst", "margin")]}, ValueError, "did you mean 'typiclust'"),
        ({"strategies": [("typiclust", "margin", "bald")]}, ValueError, "a tuple of 3"),
        ({"initial": lambda learner, X, n_instances=1: [0]}, TypeError, "takes a model, but there is none"),
    ],
)
def test_what_cannot_be_played_is_refused_before_the_first_fit(kwargs, error, message):
    Counting.fits = 0
    with pytest.raises(error, match=message):
        compare(**{"estimator": Counting()} | kwargs)
    assert Counting.fits == 0


def test_strategies_for_one_label_are_refused_for_several():
    several = np.stack([y == 0, y == 1, y > 0], axis=1).astype(int)
    model = OneVsRestClassifier(GaussianNB())
    with pytest.raises(TypeError, match="falcun needs one label per row"):
        compare_strategies(model, X, several, ["falcun"], cv=2, **SMALL)


@pytest.mark.parametrize(
    ("estimator", "strategy"),
    [
        (RandomForestClassifier(3), "bald"),
        (GridSearchCV(RandomForestClassifier(3), {"max_depth": [1, 2]}, cv=2), "bald"),
        (small_net(), "badge"),
        (make_pipeline(StandardScaler(), DropoutMLPClassifier((4,), max_epochs=2)), "bait"),
        (LinearSVC(), "margin"),
    ],
)
def test_what_only_a_fit_tells_is_not_refused(estimator, strategy):
    comparison = compare(estimator, [strategy], n_seeds=1, n_initial=12, n_queries=1, initial="stratified")
    assert comparison.strategies == ["random", strategy]


def test_a_fitted_model_may_start():
    fitted = FrozenEstimator(GaussianNB().fit(X, names))
    loop = ActiveLearningClassifier(fitted, "margin", **SMALL, initial="margin", random_state=0).fit(X, names)
    assert loop.n_labels_.tolist() == [6, 9, 12]
