"""The simulated loop: it acquires the labels that the strategy picks, hides the others, and can be searched over."""

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn import config_context
from sklearn.datasets import load_iris
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.naive_bayes import GaussianNB, MultinomialNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC
from sklearn.utils.estimator_checks import parametrize_with_checks

from alkit import ActiveLearner, ActiveLearningClassifier, NetClassifier, get_strategy

X, y = load_iris(return_X_y=True)
X = X.astype(np.float32)
names = np.array(["setosa", "versicolor", "virginica"])[y]


def loop(estimator=None, **kwargs):
    settings = {"n_initial": 6, "n_instances": 3, "n_queries": 4, "random_state": 0} | kwargs
    return ActiveLearningClassifier(estimator or GaussianNB(), **settings)


class Net(torch.nn.Sequential):
    def __init__(self, n_features, n_classes):
        super().__init__(torch.nn.Linear(n_features, 8), torch.nn.Dropout(0.2), torch.nn.Linear(8, n_classes))


def small_net():
    return NetClassifier(Net, max_epochs=2)


@parametrize_with_checks([ActiveLearningClassifier(LogisticRegression(), n_initial=8, n_instances=1, n_queries=1)])
def test_scikit_learns_checks(estimator, check):
    check(estimator)


def test_it_is_the_loop_a_person_would_run():
    model = loop(GaussianNB(), query_strategy="margin").fit(X, y)
    labelled = model.labeled_indices_
    assert model.n_labels_.tolist() == [6, 9, 12, 15, 18]
    assert len(np.unique(labelled)) == 18
    learner = ActiveLearner(GaussianNB(), "margin", X[labelled[:6]], y[labelled[:6]])
    for n in (6, 9, 12, 15):
        left = np.setdiff1d(np.arange(150), labelled[:n])
        scores = learner.query(X, n_instances=len(left), candidates=left, return_metrics=True)
        worst_picked = min(s for i, s in zip(scores[0], scores[2], strict=True) if i in labelled[n : n + 3])
        assert worst_picked >= scores[2][2]
        learner.teach(X[labelled[n : n + 3]], y[labelled[n : n + 3]])
    np.testing.assert_allclose(learner.predict_proba(X), model.predict_proba(X))


def test_hidden_labels_are_not_read():
    model = loop().fit(X, y)
    lies = y.copy()
    never = np.setdiff1d(np.arange(150), model.labeled_indices_)
    lies[never] = (y[never] + 1) % 3
    assert loop().fit(X, lies).labeled_indices_.tolist() == model.labeled_indices_.tolist()


def test_stages():
    model = loop().fit(X, names)
    stages = list(model.staged_predict(X))
    assert len(stages) == len(list(model.staged_predict_proba(X))) == 5
    np.testing.assert_array_equal(stages[-1], model.predict(X))
    assert model.score(X, names) == np.mean(stages[-1] == names)
    first = GaussianNB().fit(X[model.labeled_indices_[:6]], names[model.labeled_indices_[:6]])
    np.testing.assert_array_equal(stages[0], first.predict(X))


def test_networks_are_seeded_and_told_of_all_classes():
    first, second = (loop(small_net(), query_strategy="bald").fit(X, names) for _ in range(2))
    np.testing.assert_array_equal(first.predict_proba(X), second.predict_proba(X))
    assert first.labeled_indices_.tolist() == second.labeled_indices_.tolist()
    assert first.estimator_.classes_.tolist() == first.classes_.tolist()
    piped = loop(make_pipeline(StandardScaler(), small_net()), n_initial=2).fit(X, names)
    assert piped.estimator_[-1].classes_.tolist() == first.classes_.tolist()


def test_classes_without_labels_are_zero_columns():
    rare = np.where(np.arange(150) == 149, "rare", names)
    model = loop(n_queries=0).fit(X, rare)
    proba = model.predict_proba(X)
    assert proba.shape == (150, 4)
    assert not proba[:, list(model.classes_).index("rare")].any()
    np.testing.assert_allclose(proba.sum(1), 1, rtol=1e-5)


def test_random_start_goes_on_until_there_are_two_classes():
    lopsided = np.where(np.arange(150) < 3, "spam", "ham")
    model = loop(n_initial=1, n_queries=0).fit(X, lopsided)
    labelled = lopsided[model.labeled_indices_]
    assert set(labelled) == {"spam", "ham"}
    assert len(set(labelled[:-1])) == 1
    assert model.n_labels_.tolist() == [len(labelled)]


@pytest.mark.parametrize(("n_initial", "n_classes"), [(2, 2), (3, 3), (10, 3)])
def test_stratified_start_covers_as_many_classes_as_fit(n_initial, n_classes):
    model = loop(n_initial=n_initial, initial="stratified", n_queries=0).fit(X, names)
    assert len(model.labeled_indices_) == n_initial
    assert len(set(names[model.labeled_indices_])) == n_classes


def test_a_strategy_as_start():
    model = loop(initial=get_strategy("random"), n_initial=30, n_queries=0).fit(X, y)
    assert len(model.labeled_indices_) == 30


@pytest.mark.parametrize(
    ("labels", "missing"), [(y.tolist(), -1), (y.tolist(), np.nan), (names.tolist(), "?"), (names.tolist(), np.nan)]
)
@pytest.mark.parametrize("kind", [list, lambda labels: np.array(labels, object), pd.Series])
def test_rows_nobody_can_label_are_never_queried(labels, missing, kind):
    labels = kind([missing if i % 2 == 0 else label for i, label in enumerate(labels)])
    fitted = loop(missing_label=missing).fit(X, labels)
    assert (fitted.labeled_indices_ % 2 == 1).all()
    assert len(fitted.classes_) == 3


class StopsAtOnce:
    def update(self, model, X):
        return True


def test_any_object_may_stop_the_loop():
    model = loop(stopping=StopsAtOnce()).fit(X, y)
    assert model.stopped_
    assert model.n_labels_.tolist() == [6]


@pytest.mark.parametrize(("picked", "n", "distinct"), [([], 0, 0), ([0, 0, 0], 3, 1), ([0, 1, 2, 3], 4, 4), (0, 1, 1)])
def test_a_callable_must_pick_as_many_rows_as_asked(picked, n, distinct):
    message = f"picked {n} rows, {distinct} of them different, but n_instances=3 were asked for"
    with pytest.raises(ValueError, match=message):
        loop(query_strategy=lambda learner, X, n_instances: np.array(picked, int)).fit(X, y)
    one = loop(query_strategy=lambda learner, X, n_instances: 0, n_instances=1).fit(X, y)  # as some of modAL's do
    assert one.n_labels_.tolist() == [6, 7, 8, 9, 10]


def test_probabilities_are_offered_where_the_estimator_has_them():
    without = loop(LinearSVC(), query_strategy="random").fit(X, y)
    assert not hasattr(without, "predict_proba")
    assert not hasattr(without, "staged_predict_proba")
    assert without.score(X, y) > 0.5
    assert hasattr(loop(), "predict_proba")


def test_a_start_that_needs_a_model():
    with pytest.raises(
        ValueError, match="initial is margin, which needs a model, but there is none yet; pass 'random'"
    ):
        loop(initial="margin").fit(X, y)
    with pytest.raises(TypeError, match="initial is <function .* pass 'random'"):
        loop(initial=lambda learner, X, n_instances: range(n_instances)).fit(X, y)


def test_the_pool_runs_out():
    with pytest.warns(UserWarning, match="the pool ran out: 150 labels acquired of the 206 asked for"):
        model = loop(n_instances=50).fit(X, y)
    assert model.n_labels_.tolist() == [6, 56, 106, 150]
    with pytest.warns(UserWarning, match="n_initial=999, but only 150 rows"):
        assert loop(n_initial=999, n_queries=0).fit(X, y).n_labels_.tolist() == [150]


def test_searches_choose_strategies_and_parameters():
    grid = {"query_strategy": ["random", "margin", get_strategy("bald", n_samples=5)], "estimator__lr": [0.01, 0.1]}
    searches = [GridSearchCV(loop(small_net(), n_queries=2), grid, cv=3, n_jobs=n).fit(X, names) for n in (None, 2)]
    results = [s.cv_results_["mean_test_score"] for s in searches]
    np.testing.assert_array_equal(*results)
    assert searches[0].best_params_ == searches[1].best_params_
    assert results[0].max() == searches[0].best_score_
    assert "bald(n_samples=5)" in map(str, searches[0].cv_results_["param_query_strategy"])


def test_texts_and_frames():
    texts = [f"{'long ' * int(a)} {'wide ' * int(b)}" for a, b in X[:, :2]]
    piped = loop(make_pipeline(CountVectorizer(), MultinomialNB()), query_strategy="entropy")
    assert piped.fit(texts, names).predict(texts[:3]).shape == (3,)
    frame = pd.DataFrame(X, columns=list("abcd"), index=np.arange(150) * 2)
    model = loop().fit(frame, pd.Series(names, index=frame.index))
    assert model.feature_names_in_.tolist() == list("abcd")
    assert cross_val_score(loop(), frame, names).mean() > 0.6


def test_metadata_follows_the_labelled_rows():
    weight = np.random.default_rng(0).random(150)
    with config_context(enable_metadata_routing=True):
        model = loop(LogisticRegression(C=0.1).set_fit_request(sample_weight=True)).fit(X, y, sample_weight=weight)
        labelled = model.labeled_indices_
        expected = LogisticRegression(C=0.1).fit(X[labelled], y[labelled], sample_weight=weight[labelled])
        np.testing.assert_allclose(model.predict_proba(X), expected.predict_proba(X))
        asks_nothing = loop(LogisticRegression().set_fit_request(sample_weight=False))
        with pytest.raises(TypeError, match="sample_weight"):
            asks_nothing.fit(X, y, sample_weight=weight)
    with pytest.raises(ValueError, match="enable_metadata_routing"):
        loop().fit(X, y, sample_weight=weight)


@pytest.mark.parametrize(
    ("params", "labels", "message"),
    [
        ({"n_initial": 0}, y, "n_initial == 0, must be >= 1"),
        ({"n_instances": -1}, y, "n_instances == -1, must be >= 1"),
        ({"n_queries": -1}, y, "n_queries == -1, must be >= 0"),
        ({}, y[:3], "X has 150 rows, but y has 3 labels"),
        ({}, np.zeros(150, int), "y has 1 class"),
        ({}, np.where(np.arange(150) == 3, np.nan, y), "NaN"),
        ({"query_strategy": "margn"}, y, "did you mean 'margin'"),
        ({"initial": "sorted"}, y, "no strategy 'sorted'"),
    ],
)
def test_bad_input(params, labels, message):
    with pytest.raises(ValueError, match=message):
        loop(**params).fit(X, labels)


class TakesCodes(GaussianNB):
    """As xgboost's classifiers: labels are 0 to C - 1, each of them there."""

    def fit(self, X, y):
        classes = np.unique(y)
        if not np.array_equal(classes, np.arange(len(classes))):
            raise ValueError(f"invalid classes {classes}")
        return super().fit(X, y)


@pytest.mark.parametrize("labels", [y * 3, names, np.where(y == 0, 7, y)], ids=["gaps", "texts", "order"])
def test_classifiers_that_take_codes_alone_learn_from_what_was_acquired(labels):
    plain = loop(GaussianNB(), n_initial=2).fit(X, labels)
    coded = loop(TakesCodes(), n_initial=2).fit(X, labels)
    assert coded.labeled_indices_.tolist() == plain.labeled_indices_.tolist()
    np.testing.assert_array_equal(coded.predict(X), plain.predict(X))
    np.testing.assert_allclose(coded.predict_proba(X), plain.predict_proba(X))
    assert coded.estimator_.classes_.tolist() == np.unique(labels).tolist()


def test_other_errors_of_a_fit_stay_what_they_are():
    class Refuses(GaussianNB):
        def fit(self, X, y):
            raise ValueError(f"none of {sorted(set(y))}")

    with pytest.raises(ValueError, match=r"none of \[.*9"):
        loop(Refuses()).fit(X, np.where(y == 2, 9, y))
