"""Sample weights: kept with the labels, drawn with the rows, and handed to whichever part takes them."""

import pickle

import numpy as np
import pytest
from sklearn import config_context
from sklearn.ensemble import VotingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from alkit import ActiveLearner, Committee
from alkit._weights import weights_parameter

X = np.arange(60.0)[:, None]
Y = np.arange(60) % 2
W = np.arange(60.0)


class Sees(LogisticRegression):
    """Remembers which weight each row came with."""

    def fit(self, X, y, sample_weight=None):
        self.pairs_ = None if sample_weight is None else np.c_[X[:, 0], sample_weight]
        return super().fit(X, y, sample_weight)


def seen(learner):
    estimator = learner.estimator
    return getattr(estimator, "best_estimator_", estimator[-1] if hasattr(estimator, "steps") else estimator).pairs_


def test_weights_are_kept_from_teach_to_teach():
    learner = ActiveLearner(Sees(), "margin", X[:20], Y[:20], sample_weight=W[:20])
    learner.teach(X[20:25], Y[20:25])
    learner.teach(X[25:30], Y[25:30], sample_weight=list(W[25:30]))
    expected = np.r_[W[:20], np.ones(5), W[25:30]]
    assert seen(learner)[:, 0].tolist() == X[:30, 0].tolist()
    assert seen(learner)[:, 1].tolist() == learner.sample_weight_training.tolist() == expected.tolist()
    again = pickle.loads(pickle.dumps(learner))
    again.teach(X[30:32], Y[30:32])
    assert again.sample_weight_training.tolist() == [*expected, 1, 1]
    learner.fit(X, Y)
    assert learner.sample_weight_training is None
    assert seen(learner) is None


def test_rows_taught_before_the_first_weights_count_as_one():
    learner = ActiveLearner(Sees(), "margin", X[:20], Y[:20])
    assert seen(learner) is None
    learner.teach(X[20:22], Y[20:22], sample_weight=[5, 6])
    assert seen(learner)[:, 1].tolist() == [1] * 20 + [5, 6]


@pytest.mark.parametrize("how", ["first", "teach", "only_new", "rebag"])
def test_bootstraps_draw_weights_with_rows(how):
    learner = ActiveLearner(
        Sees(), "margin", X, Y, sample_weight=W, random_state=0, bootstrap_init=how in ("first", "rebag")
    )
    committee = Committee([learner])
    if how == "teach":
        learner.teach(X[:10], Y[:10], bootstrap=True, sample_weight=W[:10])
    if how == "only_new":
        learner.teach(X[:10], Y[:10], bootstrap=True, only_new=True, sample_weight=W[:10])
        assert len(seen(learner)) == 10
    if how == "rebag":
        committee.rebag()
    assert len(np.unique(seen(learner)[:, 0])) < len(seen(learner))
    assert (seen(learner)[:, 0] == seen(learner)[:, 1]).all()


@pytest.mark.parametrize(
    ("estimator", "name"),
    [
        (Sees(), "sample_weight"),
        (make_pipeline(StandardScaler(with_mean=False, with_std=False), Sees()), "sees__sample_weight"),
        (make_pipeline("passthrough", make_pipeline(Sees())), "pipeline__sees__sample_weight"),
    ],
)
def test_the_part_that_takes_weights_gets_them(estimator, name):
    assert weights_parameter(estimator) == name
    learner = ActiveLearner(estimator, "margin", X, Y, sample_weight=W)
    last = estimator
    while hasattr(last, "steps"):
        last = last[-1]
    assert last.pairs_[:, 1].tolist() == W.tolist()
    assert learner.sample_weight_training.tolist() == W.tolist()


def test_searches_votes_and_routing():
    search = GridSearchCV(make_pipeline(StandardScaler(), LogisticRegression()), {"logisticregression__C": [1.0]}, cv=2)
    heavy, even = (ActiveLearner(search, "margin", X, Y, sample_weight=w).predict_proba(X) for w in (W, W * 0 + 1))
    assert np.abs(heavy - even).max() > 1e-3
    ActiveLearner(VotingClassifier([("nb", GaussianNB())]), "margin", X, Y, sample_weight=W + 1)
    with config_context(enable_metadata_routing=True):
        routed = make_pipeline("passthrough", Sees().set_fit_request(sample_weight=True))
        assert seen(ActiveLearner(routed, "margin", X, Y, sample_weight=W))[:, 1].tolist() == W.tolist()


@pytest.mark.parametrize("estimator", [KNeighborsClassifier(), make_pipeline(StandardScaler(), KNeighborsClassifier())])
def test_estimators_that_take_none_say_so_and_lose_nothing(estimator):
    learner = ActiveLearner(estimator, "margin", X[:20], Y[:20])
    with pytest.raises(TypeError, match="sample_weight was given, but KNeighborsClassifier takes none"):
        learner.teach(X[20:22], Y[20:22], sample_weight=[1, 2])
    assert len(learner.X_training) == len(learner.y_training) == 20
    assert learner.sample_weight_training is None


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ([1, 2], "sample_weight has 2 values, but X has 3 rows; give one per row"),
        (2.0, "sample_weight is 2.0, but X has 3 rows"),
        ([1, -1, 2], "1 of 3 values of sample_weight are negative, NaN or infinite, the first is -1.0 for row 1"),
        ([1, 1, np.nan], "the first is nan for row 2"),
        ([[1], [1], [1]], r"sample_weight has shape \(3, 1\); give one number per row, \(3,\)"),
    ],
)
def test_bad_weights_lose_nothing(weights, message):
    learner = ActiveLearner(Sees(), "margin", X[:20], Y[:20], sample_weight=W[:20])
    for call in (learner.teach, learner.fit):
        with pytest.raises(ValueError, match=message):
            call(X[20:23], Y[20:23], sample_weight=weights)
    assert learner.sample_weight_training.tolist() == W[:20].tolist()
    assert len(learner.y_training) == 20


def test_committees_hand_weights_to_every_learner():
    committee = Committee([Sees(), GaussianNB()])
    committee.teach(X[:20], Y[:20], sample_weight=W[:20] + 1)
    committee.teach(X[20:22], Y[20:22])
    for learner in committee.learner_list:
        assert learner.sample_weight_training.tolist() == [*(W[:20] + 1), 1, 1]
    with pytest.raises(TypeError, match="KNeighborsClassifier takes none"):
        Committee([Sees(), KNeighborsClassifier()]).teach(X, Y, sample_weight=W)
