"""Learners: any rows, any labels, seeded, and nothing lost when something fails."""

import pickle
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import torch
from modAL.disagreement import vote_entropy_sampling
from modAL.models import ActiveLearner as ModalLearner
from modAL.uncertainty import margin_sampling, uncertainty_sampling
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.datasets import load_iris
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.exceptions import NotFittedError
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LinearRegression, LogisticRegression, SGDClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC
from skorch.helper import SliceDict
from torch.utils.data import TensorDataset

from alkit import ActiveLearner, BayesianOptimizer, Committee, CommitteeRegressor, NetClassifier, get_strategy
from alkit.rows import n_rows, take

X, y = load_iris(return_X_y=True)
X = X.astype(np.float32)
names = np.array(["setosa", "versicolor", "virginica"])[y]
start = np.arange(0, 150, 10)


class Net(torch.nn.Module):
    """Takes an array as X, or the same four features by the names of a dict."""

    def __init__(self, n_features=4, n_classes=3):
        super().__init__()
        self.layers = torch.nn.Sequential(
            torch.nn.Linear(4, 16), torch.nn.ReLU(), torch.nn.Dropout(0.5), torch.nn.Linear(16, n_classes)
        )

    def forward(self, X=None, left=None, right=None):
        return self.layers(torch.cat([left, right], 1) if X is None else X)


KINDS = {
    "array": X,
    "csr": sp.csr_matrix(X),
    "frame": pd.DataFrame(X, columns=list("abcd"), index=np.arange(150) + 1000),
    "tensor": torch.from_numpy(X),
    "list": X.tolist(),
    "dict": {"left": X[:, :2], "right": X[:, 2:]},
    "slicedict": SliceDict(left=X[:, :2], right=X[:, 2:]),
    "dataset": TensorDataset(torch.from_numpy(X)),
}
LABELS = {
    "int": y,
    "str": names,
    "list": y.tolist(),
    "series": pd.Series(names, index=np.arange(150) + 1000),
    "tensor": torch.from_numpy(y),
}


def net(**kwargs):
    return NetClassifier(Net, max_epochs=2, random_state=0, **kwargs)


def learner(estimator=None, strategy="margin", **kwargs):
    estimator = LogisticRegression(max_iter=500) if estimator is None else estimator
    return ActiveLearner(estimator, strategy, X[start], y[start], **kwargs)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("strategy", ["margin", "bald", "random"])
def test_every_kind_of_rows_goes_round_the_loop(kind, strategy):
    pool = KINDS[kind]
    model = ActiveLearner(net(), strategy, take(pool, start), y[start], random_state=0)
    indices, instances, scores = model.query(pool, n_instances=4, return_metrics=True)
    assert indices.shape == scores.shape == (4,)
    assert n_rows(instances) == 4
    model.teach(instances, y[indices])
    assert n_rows(model.X_training) == len(model.y_training) == 19
    model.fit(take(pool, start), y[start])
    assert n_rows(model.X_training) == 15
    assert model.predict(pool).shape == (150,)
    candidates = np.arange(150) % 2 == 0
    indices, _ = model.query(pool, n_instances=75, candidates=candidates)
    assert sorted(indices) == list(range(0, 150, 2))


@pytest.mark.parametrize("kind", LABELS)
def test_every_kind_of_labels(kind):
    labels = LABELS[kind]
    for estimator in (net(), LogisticRegression(max_iter=500)):
        model = ActiveLearner(estimator, "margin", X[start], take(labels, start), random_state=0)
        indices, instances = model.query(X, n_instances=4)
        model.teach(instances, take(labels, indices))
        assert len(model.y_training) == 19
        assert model.classes_.tolist() == np.unique(np.asarray(labels)).tolist()
        assert set(model.predict(X).tolist()) <= set(np.asarray(labels).tolist())


def test_texts_through_a_pipeline():
    texts = [f"{name} flower" for name in names]
    pipeline = make_pipeline(TfidfVectorizer(), NetClassifier(torch.nn.LazyLinear, module__out_features=3))
    model = ActiveLearner(pipeline, "entropy", take(texts, start), names[start], random_state=0)
    indices, instances = model.query(texts, n_instances=2)
    assert instances == [texts[i] for i in indices]
    model.teach(instances, names[indices])
    assert len(model.X_training) == 17


def test_seeded_queries_replay_and_go_on():
    first, second = learner(strategy="random", random_state=0), learner(strategy="random", random_state=0)
    once, twice = first.query(X, n_instances=5)[0], first.query(X, n_instances=5)[0]
    assert once.tolist() != twice.tolist()
    assert second.query(X, n_instances=5)[0].tolist() == once.tolist()
    again = pickle.loads(pickle.dumps(second))
    assert again.query(X, n_instances=5)[0].tolist() == twice.tolist()


def test_queries_do_not_touch_the_global_generator():
    model = learner(strategy="random")
    before = np.random.get_state()[1].tolist()
    model.query(X, n_instances=5)
    assert np.random.get_state()[1].tolist() == before


def test_modal_callables_run_as_they_are():
    modal = ModalLearner(LogisticRegression(max_iter=500), margin_sampling, X[start], y[start])
    model = learner(strategy=margin_sampling)
    assert model.query(X, n_instances=5)[0].tolist() == modal.query(X, n_instances=5)[0].tolist()
    assert modal.query(X)[1].shape == (1, 4)
    indices, instances = model.query(X, n_instances=5, candidates=np.arange(100, 150))
    assert indices.min() >= 100
    np.testing.assert_array_equal(instances, X[indices])
    with pytest.raises(TypeError, match="return_metrics"):
        model.query(X, return_metrics=True)


def test_alkit_strategies_serve_modal_learners():
    modal = ModalLearner(LogisticRegression(max_iter=500), get_strategy("margin"), X[start], y[start])
    assert modal.query(X, n_instances=3)[0].shape == (3,)


def test_a_callable_that_returns_a_tuple():
    model = learner(strategy=lambda learner, X: (np.array([1]), X[[1]]))
    with pytest.warns(DeprecationWarning, match="indices alone"):
        indices, instances = model.query(X)
    assert indices.tolist() == [1]
    with pytest.warns(DeprecationWarning, match="indices alone"):
        assert model.query(X, candidates=[7, 8])[0].tolist() == [8]


def test_the_strategy_can_be_changed_and_parametrised_by_query():
    model = learner(net(), "bald", random_state=0)
    assert model.query(X, n_instances=2, n_samples=3)[0].shape == (2,)
    model.query_strategy = "entropy"
    assert model.query(X)[0].shape == (1,)


def test_what_scikit_learn_does_with_estimators():
    model = learner()
    assert model.get_params(deep=False)["query_strategy"] == "margin"
    assert model.get_params()["estimator__max_iter"] == 500
    assert repr(model) == "ActiveLearner(LogisticRegression(max_iter=500), 'margin', labels=15)"
    with pytest.raises(TypeError, match="search over alkit.ActiveLearningClassifier"):
        clone(model)
    committee = Committee([learner(), learner()])
    assert committee.get_params()["query_strategy"] == "vote_entropy"
    assert repr(committee).startswith("Committee([ActiveLearner(")


def test_bootstrap_is_seeded_and_only_new_trains_on_the_new():
    forests = [learner(RandomForestClassifier(5, random_state=0), random_state=s) for s in (0, 0, 1)]
    for forest in forests:
        forest.teach(X[:50:7], y[:50:7], bootstrap=True)
    probas = [forest.predict_proba(X) for forest in forests]
    np.testing.assert_array_equal(probas[0], probas[1])
    assert (probas[0] != probas[2]).any()
    model = learner()
    model.teach(X[[60, 110]], y[[60, 110]], only_new=True)
    assert model.classes_.tolist() == [1, 2]
    assert len(model.y_training) == 17


# ---- committees


@pytest.mark.parametrize("kind", ["array", "csr", "frame", "list", "tensor"])
def test_committees_take_every_kind(kind):
    pool = KINDS[kind]
    members = [ActiveLearner(net(), X_training=take(pool, start), y_training=names[start]) for _ in range(2)]
    committee = Committee(members, "vote_entropy", random_state=0)
    assert committee.vote(pool).shape == (150, 2)
    assert committee.vote_proba(pool).shape == (150, 2, 3)
    indices, instances = committee.query(pool, n_instances=3)
    committee.teach(instances, names[indices])
    assert committee.fit(take(pool, start), names[start]) is committee
    committee.rebag()


def test_committee_columns_follow_labels_not_positions():
    class Backwards(LogisticRegression):
        """Knows its classes in reverse order."""

        def predict_proba(self, X):
            return super().predict_proba(X)[:, ::-1]

        @property
        def classes_(self):
            return vars(self)["sorted_"][::-1]

        @classes_.setter
        def classes_(self, value):
            vars(self)["sorted_"] = value

    plain = learner()
    reverse = ActiveLearner(Backwards(max_iter=500), X_training=X[start], y_training=y[start])
    few = ActiveLearner(LogisticRegression(max_iter=500), X_training=X[100:140:13], y_training=np.r_[0, 2, 2, 2])
    p = Committee([plain, reverse, few]).vote_proba(X)
    np.testing.assert_allclose(p[:, 0], p[:, 1])
    np.testing.assert_allclose(p[:, 2, [0, 2]], few.predict_proba(X))
    assert not p[:, 2, 1].any()


def test_estimators_become_learners_of_a_committee():
    committee = Committee([LogisticRegression(max_iter=500), net(), make_pipeline(StandardScaler(), LinearSVC())])
    committee.teach(X[start], names[start])
    assert committee.classes_.tolist() == ["setosa", "versicolor", "virginica"]
    indices, instances = committee.query(X, n_instances=3)
    committee.teach(instances, names[indices])
    assert [len(member.y_training) for member in committee.learner_list] == [18, 18, 18]
    fitted = Committee([LogisticRegression(max_iter=500).fit(X, y), DummyClassifier().fit(X, y)], "max_disagreement")
    assert fitted.query(X, n_instances=3)[0].shape == (3,)
    regressors = CommitteeRegressor([LinearRegression(), learner(LinearRegression())])
    regressors.teach(X[start], y[start])
    assert regressors.predict(X).shape == (150,)


def test_objects_like_learners_stay_members_as_they_are():
    members = [
        SimpleNamespace(
            estimator=SimpleNamespace(classes_=[0, 1]),
            query_strategy=None,
            fit=None,
            predict=None,
            predict_proba=lambda X, p=p: np.tile([p, 1 - p], (len(X), 1)),
        )
        for p in (0.2, 0.6)
    ]
    committee = Committee(members)
    assert committee.learner_list == members
    np.testing.assert_allclose(committee.vote_proba(X[:1]), [[[0.2, 0.8], [0.6, 0.4]]])


@pytest.mark.parametrize(
    "members", [[], LogisticRegression(), None, ["forest"], [LogisticRegression], [StandardScaler()]]
)
def test_what_cannot_be_a_member_of_a_committee(members):
    with pytest.raises(TypeError, match="learner_list (is|holds) .*; pass"):
        Committee(members)


def test_committee_notices_learners_taught_behind_its_back():
    committee = Committee([learner(), ActiveLearner(LogisticRegression(max_iter=500))])
    with pytest.raises(NotFittedError, match="not all 2 learners"):
        committee.query(X)
    committee.learner_list[1].teach(X[:60:7], y[:60:7])
    assert committee.vote_proba(X).shape == (150, 2, 3)


def test_modal_strategies_serve_committees_with_text_labels():
    members = [ActiveLearner(LogisticRegression(C=c), X_training=X[start], y_training=names[start]) for c in (0.01, 1)]
    committee = Committee(members, vote_entropy_sampling)
    assert committee.vote(X).dtype.kind == "U"
    assert committee.query(X, n_instances=2)[0].shape == (2,)
    assert committee.score(X, names) > 0.6


def test_committee_regressor_and_optimizer():
    halves = start[:7], start[7:]
    members = [ActiveLearner(LinearRegression(), X_training=X[s, :1], y_training=X[s, 1]) for s in halves]
    committee = CommitteeRegressor(members)
    indices, instances = committee.query(X[:, :1])
    committee.teach(instances, X[indices, 1])
    assert committee.predict(sp.csr_matrix(X[:, :1])).shape == (150,)
    with pytest.raises(TypeError, match="needs predict_proba, which CommitteeRegressor does not have"):
        CommitteeRegressor(members, "margin").query(X[:, :1])


# ---- what goes wrong


class Mirror(ClassifierMixin, BaseEstimator):
    """Fits in place, fails or diverges on demand, and keeps a nested estimator."""

    def __init__(self, inner=None):
        self.inner = inner

    def fit(self, X, y):
        self.memory_ = getattr(self, "memory_", [])
        self.memory_.append(len(X))
        self.inner.fit(X, y)
        if len(X) > 15:
            raise RuntimeError("diverged")
        return self


def test_a_failed_teach_changes_nothing():
    inner = SGDClassifier(warm_start=True, random_state=0)
    estimator = Mirror(inner)
    model = ActiveLearner(estimator, "random", X[start], y[start], random_state=0)
    coef = inner.coef_.copy()
    with pytest.raises(RuntimeError, match="diverged"):
        model.teach(X[:5], y[:5], bootstrap=True)
    assert model.estimator is estimator
    assert estimator.inner is inner
    assert estimator.memory_ == [15]
    np.testing.assert_array_equal(inner.coef_, coef)
    assert len(model.X_training) == len(model.y_training) == 15
    fresh = ActiveLearner(Mirror(SGDClassifier()), "random", X[start], y[start], random_state=0)
    assert model.query(X, n_instances=5)[0].tolist() == fresh.query(X, n_instances=5)[0].tolist()
    with pytest.raises(RuntimeError, match="diverged"):
        model.fit(X, y)
    assert len(model.X_training) == 15


def test_a_diverged_network_leaves_the_one_before():
    model = ActiveLearner(net(), "margin", X[start], y[start])
    before = model.predict_proba(X)
    model.estimator.set_params(lr=1e30)
    with pytest.raises((ValueError, FloatingPointError)):
        model.teach(X * 1e30, y)
    assert len(model.y_training) == 15
    np.testing.assert_array_equal(model.predict_proba(X), before)


def test_a_failed_committee_changes_no_member():
    good, bad = learner(), ActiveLearner(Mirror(SGDClassifier()), "random", X[start], y[start])
    committee = Committee([good], "random")
    committee.learner_list.append(bad)
    coef = good.estimator.coef_.copy()
    with pytest.raises(RuntimeError, match="diverged"):
        committee.teach(X[:5], y[:5])
    assert [len(member.y_training) for member in committee.learner_list] == [15, 15]
    np.testing.assert_array_equal(good.estimator.coef_, coef)


@pytest.mark.parametrize(
    ("rows", "labels", "message"),
    [
        (X[:3], y[:4], "X has 3 rows, but y has 4 labels"),
        (X[:0], y[:0], "X has 0 rows"),
        (X[:3, :2], y[:3], "X has 2 features, but the learner was taught rows with 4 features"),
        (X[0], y[:4], "X is 1-D with 4 numbers"),
        (X[:2] * np.nan, y[:2], "2 of 2 rows of X hold NaN or infinity, the first is row 0"),
        (X[:2] * np.inf, y[:2], "2 of 2 rows of X hold NaN or infinity"),
        (X[:2], [1.0, np.nan], "1 of 2 labels in y are missing"),
        (X[:2], ["a", None], "1 of 2 labels in y are missing"),
        (X[:2], ["a", "b"], "y holds labels such as 'a', but the labels taught are such as 0"),
        (pd.DataFrame(X[:2], columns=list("abca")), y[:2], r"names occur twice: \['a'\]"),
    ],
)
def test_bad_rows_and_labels(rows, labels, message):
    model = learner()
    with pytest.raises(ValueError, match=message):
        model.teach(rows, labels)
    assert len(model.X_training) == len(model.y_training) == 15
    assert model.score(X, y) > 0.8


@pytest.mark.parametrize(
    ("pool", "kwargs", "error", "message"),
    [
        (X[:, :2], {}, ValueError, "X has 2 features, but the learner was taught rows with 4 features"),
        (X[0], {}, ValueError, "X is 1-D with 4 numbers"),
        (X, {"n_instances": 151}, ValueError, "n_instances=151, but the pool has 150 rows; ask for 1 to 150"),
        (X, {"candidates": np.ones(3, bool)}, ValueError, "mask of shape .3,., but the pool has 150 rows"),
        (X, {"candidates": [0, 150]}, ValueError, "run from 0 to 150, but the pool has rows 0 to 149"),
        (X, {"candidates": [1, 1]}, ValueError, "name 2 rows, but only 1 different"),
        (X, {"candidates": [0.5]}, ValueError, "pass a mask or positions"),
        (X, {"temperature": 2}, TypeError, "margin has no parameter 'temperature'; its parameters: reduce='mean'"),
    ],
)
def test_bad_queries(pool, kwargs, error, message):
    with pytest.raises(error, match=message):
        learner().query(pool, **kwargs)


def test_bad_learners():
    with pytest.raises(ValueError, match="did you mean 'margin'"):
        learner(strategy="margn")
    with pytest.raises(TypeError, match="pass a name, a Strategy or a modAL callable"):
        learner(strategy=3)
    with pytest.raises(NotFittedError):
        ActiveLearner(LogisticRegression()).query(X)
    with pytest.raises(TypeError, match="strategy bald needs sample_proba, which LogisticRegression does not have"):
        learner(strategy="bald").query(X)
    with pytest.raises(ValueError, match="class"):
        ActiveLearner(LogisticRegression(), X_training=X[:5], y_training=y[:5])


def test_NaN_where_the_estimator_takes_it_or_the_user_asks():
    holes = X.copy()
    holes[3, 1] = np.nan
    trees = ActiveLearner(HistGradientBoostingClassifier(max_iter=2), "margin", holes, y)
    assert trees.query(holes, n_instances=150)[0].shape == (150,)
    trees.teach(X[:2] * np.inf, y[:2])  # a threshold splits infinity like any number
    assert len(trees.y_training) == 152
    lax = ActiveLearner(make_pipeline(Zeros(), LogisticRegression()), "margin", holes, y, force_all_finite=False)
    lax.teach(X[:2] * np.inf, y[:2])
    assert lax.query(holes, n_instances=150)[0].shape == (150,)


class Zeros(StandardScaler):
    """Puts zeros where there is nothing."""

    def fit(self, X, y=None):
        return super().fit(np.nan_to_num(X, posinf=0))

    def transform(self, X):
        return super().transform(np.nan_to_num(X, posinf=0))


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("estimator", [net(), LogisticRegression(max_iter=500), make_pipeline(StandardScaler(), net())])
def test_rows_the_estimator_refuses_are_named_as_the_pool_numbers_them(estimator, value):
    holes = X.copy()
    holes[[70, 77], 1] = value
    model = ActiveLearner(estimator, "entropy", X[start], y[start], random_state=0)
    before = model.predict_proba(X)
    for chunk_bytes in (2**26, 200):
        with pytest.raises(ValueError, match="rows of the pool hold NaN or infinity, the first is row 70,"):
            model.query(holes, chunk_bytes=chunk_bytes)
        with pytest.raises(ValueError, match="rows of the pool hold NaN or infinity, the first is row 77,"):
            model.query(holes, candidates=np.arange(149, 70, -2), chunk_bytes=chunk_bytes)
    with pytest.raises(ValueError, match="2 of 50 rows of X hold NaN or infinity, the first is row 20,"):
        model.teach(holes[50:100], y[50:100])
    assert len(model.X_training) == len(model.y_training) == 15
    np.testing.assert_array_equal(model.predict_proba(X), before)


def test_other_errors_are_not_blamed_on_NaN():
    class Upset(HistGradientBoostingClassifier):
        def fit(self, X, y):
            raise ValueError("no more memory")

    holes = X.copy()
    holes[3, 1] = np.nan
    with pytest.raises(ValueError, match="^no more memory$"):
        ActiveLearner(Upset(), "margin", holes, y)


class ReplacesNaN(Net):
    def forward(self, X):
        return super().forward(torch.nan_to_num(X))


@pytest.mark.parametrize("around", [lambda model: model, lambda model: make_pipeline("passthrough", model)])
@pytest.mark.parametrize("strategy", ["margin", "bald", "badge"])
def test_networks_that_take_NaN_get_it_where_the_user_says_so(strategy, around):
    holes = X.copy()
    holes[::7, 1] = np.nan
    model = around(NetClassifier(ReplacesNaN, max_epochs=1, random_state=0))
    lax = ActiveLearner(model, strategy, holes[start], y[start], force_all_finite=False, random_state=0)
    indices, instances = lax.query(holes, n_instances=4)
    lax.teach(instances, y[indices])
    with pytest.raises(ValueError, match="NaN or infinity"):
        ActiveLearner(model, strategy, holes, y)


def test_optimizer_keeps_the_maximum_of_series():
    values = pd.Series(np.arange(20.0), index=np.arange(20) + 50)
    optimizer = BayesianOptimizer(
        LinearRegression(), uncertainty_sampling, X_training=X[:5, :1], y_training=values.iloc[:5]
    )
    optimizer.teach(X[5:10, :1], values.iloc[5:10])
    assert optimizer.get_max()[1] == 9


# ---- rare estimators, rows and answers


class Logs(torch.nn.Module):
    """Keeps an activation, as attention maps and feature hooks do: a tensor with a graph cannot be copied."""

    def __init__(self, n_features, n_classes):
        super().__init__()
        self.first, self.last = torch.nn.Linear(n_features, 8), torch.nn.Linear(8, n_classes)

    def forward(self, X):
        self.hidden = self.first(X)
        return self.last(torch.nn.functional.dropout(self.hidden, 0.5, self.training))


def test_networks_that_keep_activations_survive_a_failed_teach():
    model = ActiveLearner(NetClassifier(Logs, max_epochs=2, warm_start=True), "bald", X[start], names[start])
    before = model.predict_proba(X)
    model.estimator.set_params(lr=1e20, max_epochs=10)
    with pytest.raises(ValueError, match="diverged"):
        model.teach(X[:3], names[:3])
    np.testing.assert_array_equal(model.predict_proba(X), before)


def test_parameters_are_the_same_objects_after_a_failure():
    module = Net()
    model = ActiveLearner(NetClassifier(module, max_epochs=2, warm_start=True), "margin", X[start], y[start])
    model.estimator.set_params(lr=1e30)
    with pytest.raises(ValueError, match="diverged"):
        model.teach(X * 1e30, y)
    assert model.estimator.module is module


@pytest.mark.parametrize("strategy", ["margin", uncertainty_sampling])
@pytest.mark.parametrize("n", [0, -1, 151])
def test_counts_are_checked_for_modal_callables_too(strategy, n):
    with pytest.raises(ValueError, match=f"n_instances={n}, but the pool has 150 rows"):
        learner(strategy=strategy).query(X, n_instances=n)


def test_labels_filled_in_gradually():
    gradually = np.array([None] * 150, dtype=object)
    gradually[start] = y[start].tolist()
    model = learner(net())
    model.teach(X[start], gradually[start])
    model.teach(X[start], tuple(y[start]))
    model.teach(X[start], pd.Categorical(y[start]))
    assert model.y_training.dtype.kind == "i"
    with pytest.raises(ValueError, match="give one label per row"):
        model.teach(X[:1], np.int64(1))
    with pytest.raises(ValueError, match="y is None; give one label per row"):
        ActiveLearner(LogisticRegression(), "margin", X)


def test_a_failed_query_does_not_move_the_generator():
    model, other = learner(strategy="random", random_state=0), learner(strategy="random", random_state=0)
    with pytest.raises(ValueError, match="n_instances"):
        model.query(X, n_instances=999)
    assert model.query(X, n_instances=9)[0].tolist() == other.query(X, n_instances=9)[0].tolist()


def test_committees_follow_the_NaN_policy_of_their_members():
    holes = X.copy()
    holes[3, 1] = np.nan
    trees = [ActiveLearner(HistGradientBoostingClassifier(max_iter=2), X_training=holes, y_training=y) for _ in "ab"]
    assert Committee(trees).query(holes, n_instances=3)[0].shape == (3,)


def test_scripts_that_break_ties_and_committees_that_cannot_say_how_sure():
    assert learner().query(X, random_tie_break=True)[0].shape == (1,)
    members = [ActiveLearner(LinearSVC(), X_training=X[start], y_training=y[start])]
    with pytest.raises(TypeError, match="strategy consensus_entropy needs sample_proba, which Committee does not have"):
        Committee(members, "consensus_entropy").query(X)


def test_answers_that_are_not_probabilities():
    class Logits(LogisticRegression):
        """Forgets its softmax."""

        def predict_proba(self, X):
            return self.decision_function(X) * 10

    with pytest.raises(ValueError, match="of Logits returned values from .*, which are not probabilities"):
        ActiveLearner(Logits(max_iter=500), "margin", X, y).query(X)


def test_datasets_grow_flat():
    data = KINDS["dataset"]
    model = ActiveLearner(DummyClassifier(), "random", take(data, start), y[start])
    for row in range(400):
        model._add_training_data(take(data, [row % 150]), y[[row % 150]])
    assert len(pickle.dumps(model.X_training)) > 0
    assert n_rows(model.X_training) == 415


def test_nested_pipelines_are_seen_through():
    nested = make_pipeline(StandardScaler(), make_pipeline(StandardScaler(), net()))
    assert ActiveLearner(nested, "bald", X[start], y[start], random_state=0).query(X)[0].shape == (1,)


class Untagged:
    """A classifier that has no more than modAL asks for."""

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        return self

    def predict(self, X):
        return np.full(len(X), self.classes_[0])

    def predict_proba(self, X):
        return np.full((len(X), len(self.classes_)), 1 / len(self.classes_))


def test_estimators_without_scikit_learns_tags():
    learner = ActiveLearner(Untagged(), "margin", X[start], names[start], random_state=0)
    indices, rows = learner.query(X, n_instances=3)
    learner.teach(rows, names[indices])
    assert n_rows(learner.X_training) == len(start) + 3


class ReadsTokens(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding, self.head = torch.nn.Embedding(9, 4, padding_idx=0), torch.nn.Linear(4, 2)

    def forward(self, tokens):
        return self.head(torch.nn.functional.dropout(self.embedding(tokens).sum(1), training=self.training))


@pytest.mark.parametrize("make", [np.asarray, torch.from_numpy])
@pytest.mark.parametrize("strategy", ["margin", "bald", "badge"])
def test_tokens_of_other_lengths_in_a_matrix(make, strategy):
    rng = np.random.default_rng(0)
    short, long = make(rng.integers(1, 9, (30, 5))), make(rng.integers(1, 9, (30, 8)))
    labels = np.arange(30) % 2
    learner = ActiveLearner(NetClassifier(ReadsTokens, max_epochs=1), strategy, short, labels, random_state=0)
    indices, rows = learner.query(long, n_instances=3)
    before = learner.predict_proba(long)
    learner.teach(rows, labels[indices])
    learner.teach(short[:2], labels[:2])
    taught = np.asarray(learner.X_training)
    assert taught.shape == (35, 8)
    np.testing.assert_array_equal(taught[:30], np.pad(np.asarray(short), [(0, 0), (0, 3)]))
    np.testing.assert_array_equal(taught[30:33], np.asarray(long)[indices])
    assert before.shape == (30, 2)


class ReadsSequences(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.head = torch.nn.Linear(3, 2)

    def forward(self, x):
        return self.head(torch.nn.functional.dropout(x.mean(1), training=self.training))


@pytest.mark.parametrize("strategy", ["margin", "bald", "badge", "random"])
def test_longer_sequences_of_vectors_are_asked_of_the_network(strategy):
    rng = np.random.default_rng(0)
    short, long = rng.normal(size=(30, 4, 3)), rng.normal(size=(30, 7, 3))
    labels = np.arange(30) % 2
    learner = ActiveLearner(NetClassifier(ReadsSequences, max_epochs=1), strategy, short, labels, random_state=0)
    _, rows = learner.query(long, n_instances=3)
    assert rows.shape == (3, 7, 3)
    with pytest.raises(ValueError, match=r"X has shape \(7, 3\), but the learner was taught rows with shape \(4, 3\)"):
        learner.teach(rows, labels[:3])
    assert learner.X_training is short
    with pytest.raises(ValueError, match="taught rows with shape"):
        learner.query(long[:, 0])


def test_plain_integers_are_as_many_as_those_taught():
    rows = np.arange(120).reshape(30, 4)
    learner = ActiveLearner(NetClassifier(torch.nn.Linear(4, 2), max_epochs=1), "random", rows, np.arange(30) % 2)
    with pytest.raises(ValueError, match="X has 3 features, but the learner was taught rows with 4"):
        learner.query(rows[:, :3])
