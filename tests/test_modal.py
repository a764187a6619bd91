"""modAL's own learners and strategies after ``import alkit``; each repair has a test that fails without it."""

import pickle
import subprocess
import sys
from functools import partial
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from scipy.stats import entropy
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.compose import make_column_transformer
from sklearn.datasets import make_blobs, make_multilabel_classification
from sklearn.ensemble import VotingClassifier
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, WhiteKernel
from sklearn.linear_model import Ridge
from sklearn.multiclass import OneVsRestClassifier
from sklearn.naive_bayes import GaussianNB, MultinomialNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier

from alkit import _modal

# isort: split
# modAL after alkit: its expected_error cannot be imported otherwise
import modAL
from modAL import acquisition, batch, density, disagreement, expected_error, models, multilabel, uncertainty
from modAL.models import ActiveLearner, BayesianOptimizer, Committee, CommitteeRegressor
from modAL.utils import data

X, Y = make_blobs(40, n_features=3, centers=3, cluster_std=4.0, random_state=0)
START = np.array([*range(6), *(np.flatnonzero(label == Y)[-1] for label in range(3))])
NAMES = np.array(["ham", "spam", "eggs"])


def frame(values):
    """Rows under names and labels that are never positions."""
    return pd.DataFrame(values, columns=list("cab"), index=1000 - 7 * np.arange(len(values)))


def series(values):
    return pd.Series(values, index=1000 - 7 * np.arange(len(values)))


KINDS = {"frame": frame, "list": np.ndarray.tolist, "csr_matrix": sp.csr_matrix, "csr_array": sp.csr_array}
NEAREST = KNeighborsClassifier(3, algorithm="brute")
RANKED = batch.uncertainty_batch_sampling


def taught(kind=np.asarray, labels=None, estimator=None, **kwargs):
    """Return a learner that knows nine rows, three classes."""
    labels = Y if labels is None else labels
    return ActiveLearner(
        clone(estimator or GaussianNB()),
        X_training=kind(X[START]),
        y_training=data.retrieve_rows(labels, START),
        **kwargs,
    )


class Recorder(ClassifierMixin, BaseEstimator):
    """An estimator that remembers what it was fitted with."""

    def fit(self, X, y, **fit_kwargs):
        self.X_, self.y_, self.fit_kwargs_ = X, y, fit_kwargs
        return self


class ByDistance(ClassifierMixin, BaseEstimator):
    """Predicts the nearest class mean, and keeps its classes in the order they were given in."""

    def __init__(self, classes):
        self.classes = classes

    def fit(self, X, y):
        self.classes_ = np.asarray(self.classes)
        self.means_ = np.array([np.mean(np.asarray(X)[np.asarray(y) == label], axis=0) for label in self.classes])
        return self

    def predict_proba(self, X):
        likelihood = np.exp(-((np.asarray(X)[:, None] - self.means_) ** 2).sum(-1) / 20)
        return likelihood / likelihood.sum(1, keepdims=True)

    def predict(self, X):
        return self.classes_[self.predict_proba(X).argmax(1)]


# the stack: numpy, scikit-learn, Python


def test_import_with_warnings_as_errors_leaves_no_np_float(tmp_path):
    code = "import alkit, modAL.expected_error, numpy; assert 'float' not in vars(numpy)"
    compiled_afresh = [sys.executable, "-W", "error", "-X", f"pycache_prefix={tmp_path}", "-c", code]
    done = subprocess.run(compiled_afresh, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_np_float_of_somebody_else_stays(monkeypatch):
    monkeypatch.setitem(vars(np), "float", float)
    assert _modal._import_expected_error() is expected_error
    assert vars(np)["float"] is float


def test_teach_and_fit():
    learner = taught()
    learner.teach(X[10:12], Y[10:12])
    assert len(learner.X_training) == len(learner.y_training) == len(START) + 2
    assert learner.fit(X, Y) is learner
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        learner.teach(X[:2], Y[:3])


def test_missing_values_pass_only_on_request():
    missing = X[:4] * np.nan
    with pytest.raises(ValueError, match="NaN"):
        taught(estimator=DecisionTreeClassifier()).teach(missing, Y[:4])
    learner = taught(estimator=DecisionTreeClassifier(), force_all_finite=False)
    learner.teach(missing, Y[:4])
    assert np.isnan(learner.X_training[-4:]).all()


# rows of DataFrames, Series and lists: modAL.utils.data


def test_vstack():
    stacked = data.data_vstack([frame(X[:2]), frame(X[2:5])])
    np.testing.assert_array_equal(stacked, X[:5])
    assert list(stacked.columns) == list("cab")
    np.testing.assert_array_equal(data.data_vstack([series(Y[:2]), Y[2:5]]), Y[:5])
    with pytest.raises(ValueError, match="dimensions"):
        data.data_vstack([X[:2].tolist(), X[:2, :2].tolist()])
    with pytest.raises(TypeError, match="not supported"):
        data.data_vstack([1, 1])


def test_every_module_of_modal_sees_the_repaired_functions():
    assert modAL.models.base.data_vstack is modAL.utils.data_vstack is expected_error.data_vstack is batch.data_vstack
    assert models.learners.retrieve_rows is modAL.models.base.retrieve_rows is data.retrieve_rows


def test_hstack():
    both = data.data_hstack([frame(X), frame(2 * X)])
    np.testing.assert_array_equal(both, np.hstack([X, 2 * X]))
    np.testing.assert_array_equal(data.data_hstack([X, X]), np.hstack([X, X]))
    with pytest.raises(TypeError, match="int blocks"):
        data.data_hstack([1, 1])


def test_shape():
    assert data.data_shape(series(Y)) == (40,)
    assert data.data_shape(frame(X)) == data.data_shape(X.tolist()) == (40, 3)


def test_retrieve_rows():
    ragged = [["a"], ["b", "c"], []]
    assert data.retrieve_rows(ragged, [1, 2]) == [["b", "c"], []]
    assert data.retrieve_rows(ragged, np.int64(1)) == ["b", "c"]
    assert data.retrieve_rows(series(Y), [3, 1]).tolist() == Y[[3, 1]].tolist()
    np.testing.assert_array_equal(data.retrieve_rows(frame(X), [3]), X[[3]])
    assert data.retrieve_rows(sp.coo_matrix(X), 3).shape == (1, 3)


@pytest.mark.parametrize("dropped", [2, [0, 3]])
def test_drop_rows_by_position(dropped):
    kept = np.delete(X, dropped, axis=0)
    np.testing.assert_array_equal(data.drop_rows(frame(X), dropped), kept)
    np.testing.assert_array_equal(data.drop_rows(sp.csr_matrix(X), dropped).toarray(), kept)


def test_enumerate_rows_by_position():
    positions, rows = zip(*data.enumerate_data(frame(X)), strict=True)
    assert positions == tuple(range(40))
    np.testing.assert_array_equal(rows, X)


def test_add_row():
    mixed = pd.DataFrame({"count": [1, 2], "text": ["a", "b"], "size": [0.5, 1.5]}, index=[8, 9])
    longer = data.add_row(mixed, mixed.iloc[0])
    assert longer.iloc[2].tolist() == [1, "a", 0.5]
    assert list(longer.dtypes) == list(mixed.dtypes)
    np.testing.assert_array_equal(data.add_row(frame(X), X[0]), np.vstack([X, X[:1]]))
    np.testing.assert_array_equal(data.add_row(frame(X), frame(X[:1])), np.vstack([X, X[:1]]))
    np.testing.assert_array_equal(data.add_row(X, frame(X).iloc[0]), np.vstack([X, X[:1]]))
    images = X[:8].reshape(2, 4, 3)
    assert data.add_row(images, images[0]).shape == (3, 4, 3)
    assert data.add_row(["a", "b"], "c") == data.add_row(pd.Series(["a", "b"]), "c").tolist() == ["a", "b", "c"]
    assert data.add_row([[1, 2]], [3, 4]) == [[1, 2], [3, 4]]


# batches


@pytest.mark.parametrize("kind", KINDS)
def test_cold_start_instance(kind):
    pool = KINDS[kind](X)
    index, row = batch.select_cold_start_instance(pool, "euclidean", None)
    assert index == np.argmin(np.linalg.norm(X[:, None] - X, axis=-1).mean(0))
    assert type(row) is type(pool)
    assert data.data_shape(row) == (1, 3)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("n_jobs", [None, 2])
def test_select_instance(kind, n_jobs):
    score, mask = np.linspace(0, 1, 40), np.arange(40) % 3 > 0
    expected, *_ = batch.select_instance(X[START], X, score, mask.copy(), "euclidean", n_jobs)
    pool = KINDS[kind](X)
    index, row, left = batch.select_instance(KINDS[kind](X[START]), pool, score, mask.copy(), "euclidean", n_jobs)
    assert index == expected
    assert type(row) is type(pool)
    assert mask[index]
    assert not left[index]


@pytest.mark.parametrize("kind", KINDS)
def test_ranked_batch_picks_the_same_rows_of_every_kind(kind):
    dense, learner = (taught(k, None, NEAREST, query_strategy=RANKED) for k in (np.asarray, KINDS[kind]))
    indices, rows = learner.query(KINDS[kind](X), n_instances=7)
    assert indices.tolist() == dense.query(X, n_instances=7)[0].tolist()
    learner.teach(rows, Y[indices])
    assert data.data_shape(learner.X_training) == (len(START) + 7, 3)


def test_ranked_batch_without_training_data():
    for nothing in (None, X[:0]):
        learner = SimpleNamespace(on_transformed=False, X_training=nothing)
        score = np.zeros(40)
        assert batch.ranked_batch(learner, frame(X), score, 1, "euclidean", None) == [
            batch.select_cold_start_instance(X, "euclidean", None)[0]
        ]
    unfitted = ActiveLearner(GaussianNB(), RANKED)
    indices, rows = unfitted.query(frame(X), n_instances=3)
    np.testing.assert_array_equal(rows, X[indices])


def in_frames():
    scaler = make_column_transformer((StandardScaler(), ["a", "b"])).set_output(transform="pandas")
    return make_pipeline(scaler, GaussianNB())


BOTH = VotingClassifier([("one", in_frames()), ("two", in_frames())], voting="soft")


@pytest.mark.parametrize(("estimator", "width"), [(in_frames(), 2), (BOTH, 4)])
def test_on_transformed_frames(estimator, width):
    learner = taught(frame, estimator=estimator, query_strategy=RANKED, on_transformed=True)
    indices, rows = learner.query(frame(X), n_instances=4)
    transformed = learner.transform_without_estimating(frame(X))
    assert transformed.shape == (40, width)
    plain = SimpleNamespace(on_transformed=False, X_training=transformed.to_numpy()[START])
    score = uncertainty.classifier_uncertainty(learner, frame(X))
    assert indices.tolist() == batch.ranked_batch(plain, transformed.to_numpy(), score, 4, "euclidean", None).tolist()
    learner.teach(rows, Y[indices])


def test_committee_on_transformed_frames():
    members = [taught(frame, estimator=in_frames()), taught(frame, labels=series(Y), estimator=in_frames())]
    committee = Committee(members, RANKED, on_transformed=True)
    indices, rows = committee.query(frame(X), n_instances=5)
    assert committee.transform_without_estimating(frame(X)).shape == (40, 4)
    committee.teach(rows, Y[indices])


def test_committee_on_transformed_texts():
    texts = np.array(["a dog", "a cat", "the tree", "a house", "the dog and the cat", "no tree"], dtype=object)
    members = [
        ActiveLearner(make_pipeline(CountVectorizer(), MultinomialNB()), X_training=texts[rows], y_training=[0, 1])
        for rows in ([0, 1], [2, 3])
    ]
    committee = Committee(members, RANKED, on_transformed=True)
    indices, rows = committee.query(texts, n_instances=2)
    assert rows.tolist() == texts[indices].tolist()


# bootstrap


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("only_new", [False, True])
def test_bootstrap_draws_the_same_rows_of_every_kind(kind, only_new):
    def fitted(kind, labels):
        np.random.seed(0)
        learner = ActiveLearner(Recorder(), X_training=kind(X[:30]), y_training=labels(Y[:30]), bootstrap_init=True)
        first = learner.estimator.X_, learner.estimator.y_
        learner.teach(kind(X[30:]), labels(Y[30:]), bootstrap=True, only_new=only_new, epochs=3)
        assert learner.estimator.fit_kwargs_ == {"epochs": 3}
        return *first, learner.estimator.X_, learner.estimator.y_

    for actual, expected in zip(fitted(KINDS[kind], series), fitted(np.asarray, np.asarray), strict=True):
        np.testing.assert_array_equal(actual.toarray() if sp.issparse(actual) else actual, expected)


def test_bootstrap_draws_what_modal_drew():
    np.random.seed(0)
    learner = ActiveLearner(Recorder(), X_training=X, y_training=Y, bootstrap_init=True)
    np.random.seed(0)
    np.testing.assert_array_equal(learner.estimator.X_, X[np.random.choice(range(40), 40, replace=True)])


def test_bagging_a_committee_of_frames():
    committee = Committee([taught(frame), taught(frame)])
    committee.rebag()
    committee.fit(frame(X), series(Y), bootstrap=True)
    assert committee.score(frame(X), Y) > 0.5


# expected error


def expected_error_by_hand(pool, loss):
    """One fit for each row and label, in float64."""
    proba = GaussianNB().fit(X[START], Y[START]).predict_proba(pool)
    errors = np.zeros(len(pool))
    for i in range(len(pool)):
        for label in range(3):
            refitted = GaussianNB().fit(np.vstack([X[START], pool[i]]), np.append(Y[START], label))
            rest = refitted.predict_proba(np.delete(pool, i, axis=0))
            losses = 1 - rest.max(1) if loss == "binary" else entropy(rest, axis=1)
            errors[i] += proba[i, label] * losses.sum()
    return errors


@pytest.mark.parametrize("loss", ["binary", "log"])
@pytest.mark.parametrize("random_tie_break", [False, True])
@pytest.mark.parametrize("kind", [np.asarray, frame, np.ndarray.tolist])
def test_expected_error(loss, random_tie_break, kind):
    pool = X[10:20]
    made_at_run_time = "".join(list(loss))
    indices = expected_error.expected_error_reduction(
        taught(kind), kind(pool), made_at_run_time, n_instances=3, random_tie_break=random_tie_break
    )
    assert set(indices) == set(np.argsort(expected_error_by_hand(pool, loss))[:3])


def test_expected_error_refuses_other_losses():
    with pytest.raises(AssertionError, match="loss must be"):
        expected_error.expected_error_reduction(taught(), X, loss=42)


@pytest.mark.parametrize("labels", [NAMES[Y], NAMES[Y].astype(object), series(Y), series(NAMES[Y])])
@pytest.mark.parametrize("kind", [np.asarray, frame])
def test_expected_error_with_names_and_series_as_labels(labels, kind):
    pool = kind(X[10:20])
    known = labels.iloc[START] if isinstance(labels, pd.Series) else labels[START]
    learner = ActiveLearner(GaussianNB(), expected_error.expected_error_reduction, kind(X[START]), known)
    indices, rows = learner.query(pool, loss="log", n_instances=2)
    assert set(indices) == set(np.argsort(expected_error_by_hand(X[10:20], "log"))[:2])
    learner.teach(rows, NAMES[Y[10:20]][indices] if known.dtype.kind not in "iu" else Y[10:20][indices])
    assert len(learner.y_training) == len(START) + 2


@pytest.mark.parametrize("kind", [list, pd.Series])
def test_expected_error_of_texts(kind):
    texts = ["a dog", "a cat", "the dog", "the cat", "no dog", "no cat"]
    learner = ActiveLearner(
        make_pipeline(CountVectorizer(), MultinomialNB()), X_training=kind(texts[:2]), y_training=["dog", "cat"]
    )
    indices = expected_error.expected_error_reduction(learner, kind(texts[2:]), n_instances=4)
    assert sorted(indices) == [0, 1, 2, 3]


@pytest.mark.parametrize("kind", [sp.csr_matrix, sp.csr_array])
def test_expected_error_of_sparse_rows(kind):
    expected = expected_error.expected_error_reduction(taught(estimator=NEAREST), X[:9])
    assert expected_error.expected_error_reduction(taught(kind, estimator=NEAREST), kind(X[:9])) == expected


# learners


@pytest.mark.parametrize("learner_class", [ActiveLearner, BayesianOptimizer])
def test_parameters(learner_class):
    estimator = Ridge()
    learner = learner_class(estimator, X_training=X, y_training=Y, bootstrap_init=True)
    assert learner.get_params()["bootstrap_init"] is True
    assert learner.get_params()["estimator__alpha"] == 1.0
    assert repr(learner).startswith(f"{learner_class.__name__}(")
    assert learner_class(estimator).get_params()["bootstrap_init"] is False
    assert clone(learner).predict(X).shape == (40,)


def test_pickle_holds_the_names_of_modal():
    learner = pickle.loads(pickle.dumps(taught(query_strategy=expected_error.expected_error_reduction)))
    assert learner.query_strategy is expected_error.expected_error_reduction
    assert learner.query(X[:4])[0].shape == (1,)


@pytest.mark.parametrize("kind", [np.asarray, frame])
@pytest.mark.parametrize("labels", [Y, NAMES[Y]])
def test_loop_with_series_as_labels(kind, labels):
    pool, labels = kind(X), series(labels)
    learner = ActiveLearner(GaussianNB(), uncertainty.margin_sampling, kind(X[START]), labels.iloc[START])
    for _ in range(3):
        indices, rows = learner.query(pool, n_instances=2)
        learner.teach(rows, labels.iloc[indices])
        learner.teach(rows, labels.iloc[indices].to_numpy(), bootstrap=True)
    assert isinstance(learner.y_training, pd.Series)
    assert len(learner.y_training) == len(START) + 12


@pytest.mark.parametrize(
    "strategy", [uncertainty.uncertainty_sampling, uncertainty.margin_sampling, uncertainty.entropy_sampling]
)
def test_uncertainty_of_frames(strategy):
    indices, rows = taught(frame, query_strategy=strategy).query(frame(X), n_instances=4)
    expected, _ = taught(query_strategy=strategy).query(X, n_instances=4)
    assert indices.tolist() == expected.tolist()
    np.testing.assert_array_equal(rows, X[expected])


def test_density_of_frames():
    expected = (1 / (1 + np.linalg.norm(X[:, None] - X, axis=-1))).mean(1)
    np.testing.assert_allclose(density.information_density(frame(X)), expected, atol=1e-9)


# committees


@pytest.mark.parametrize("dtype", ["U4", object])
def test_votes_are_labels(dtype):
    labels = NAMES[Y].astype(dtype)
    members = [taught(labels=labels), taught(labels=labels, estimator=KNeighborsClassifier(3))]
    committee = Committee(members)
    votes = committee.vote(X)
    for k, member in enumerate(members):
        assert votes[:, k].tolist() == member.predict(X).tolist()
    share_N_C = (votes[:, :, None] == committee.classes_).mean(1)
    np.testing.assert_allclose(disagreement.vote_entropy(committee, X), entropy(share_N_C, axis=1))
    assert set(committee.predict(X)) <= set(NAMES)
    committee.teach(X[:5], labels[:5])
    assert committee.classes_.tolist() == sorted(NAMES)
    assert committee.query(X, n_instances=2)[0].shape == (2,)


def test_committee_learns_new_classes_of_objects():
    few = START[Y[START] < 2], START[Y[START] > 0]
    names = NAMES[Y].astype(object)
    committee = Committee([ActiveLearner(GaussianNB(), X_training=X[rows], y_training=names[rows]) for rows in few])
    assert committee.n_classes_ == 3
    assert (committee.vote_proba(X)[:, 0, list(committee.classes_).index(NAMES[2])] == 0).all()


def test_classes_of_objects_where_numpy_refuses_them():
    def refuse(committee):
        raise TypeError("The axis argument to unique is not supported for dtype object")

    committee = Committee([taught(labels=NAMES[Y].astype(object)), taught(labels=NAMES[Y].astype(object))])
    committee.classes_ = committee.n_classes_ = None
    _modal._set_classes(refuse, committee)
    assert committee.classes_.tolist() == sorted(NAMES)
    assert committee.n_classes_ == 3


def test_numbers_stay_votes():
    members = [taught(), taught(estimator=KNeighborsClassifier(3))]
    np.testing.assert_array_equal(
        Committee(members).vote(frame(X).to_numpy()), np.transpose([m.predict(X) for m in members])
    )


def test_committee_fit_returns_the_committee():
    committee = Committee([ActiveLearner(GaussianNB()), ActiveLearner(GaussianNB())])
    assert committee.fit(frame(X), series(Y)) is committee
    assert committee.classes_.tolist() == [0, 1, 2]


@pytest.mark.parametrize("orders", [([2, 0, 1], [2, 0, 1]), ([2, 0, 1], [1, 2, 0]), ([0, 1, 2], [0, 1, 2])])
def test_committee_maps_columns_by_class(orders):
    members = [taught(estimator=ByDistance(order)) for order in orders]
    committee = Committee(members)
    for k, (member, order) in enumerate(zip(members, orders, strict=True)):
        np.testing.assert_allclose(committee.vote_proba(X)[:, k], member.predict_proba(X)[:, np.argsort(order)])
    assert committee.predict(X).tolist() == members[0].predict(X).tolist()


@pytest.mark.parametrize(
    "strategy",
    [
        disagreement.vote_entropy_sampling,
        disagreement.consensus_entropy_sampling,
        disagreement.max_disagreement_sampling,
        RANKED,
    ],
)
def test_committee_loop_of_frames(strategy):
    labels = series(NAMES[Y])
    committee = Committee([taught(frame, NAMES[Y]), taught(frame, NAMES[Y], KNeighborsClassifier(3))], strategy)
    for _ in range(2):
        indices, rows = committee.query(frame(X), n_instances=3)
        committee.teach(rows, labels.iloc[indices])
    assert all(len(member.y_training) == len(START) + 6 for member in committee)
    assert repr(committee).startswith("Committee(")


def test_committee_regressor_loop():
    grid = np.linspace(0, 6, 50).reshape(-1, 1)
    wave = pd.Series(np.sin(grid.ravel()), index=np.arange(50) + 500)
    parts = [np.arange(0, 10, 3), np.arange(20, 30, 3)]
    kernel = RBF() + WhiteKernel(1e-3)
    committee = CommitteeRegressor(
        [
            ActiveLearner(GaussianProcessRegressor(kernel, optimizer=None), X_training=grid[p], y_training=wave.iloc[p])
            for p in parts
        ]
    )
    before = committee.predict(grid, return_std=True)[1].mean()
    for _ in range(4):
        indices, rows = committee.query(grid)
        committee.teach(rows, wave.iloc[indices])
    assert committee.predict(grid, return_std=True)[1].mean() < before / 4


# optimisation


@pytest.mark.parametrize(
    "strategy", [partial(acquisition.max_PI, tradeoff=0.1), acquisition.max_EI, acquisition.max_UCB]
)
@pytest.mark.parametrize("kind", [np.asarray, pd.DataFrame])
@pytest.mark.parametrize("values", [np.asarray, lambda y: pd.Series(y, index=1000 - np.arange(len(y)))])
def test_optimizer_loop(strategy, kind, values):
    grid = np.linspace(0, 1, 41).reshape(-1, 1)
    pool, heights = kind(grid), values(1 - (grid.ravel() - 0.7) ** 2)
    start = [0, 40]
    gp = GaussianProcessRegressor(RBF(0.3) + WhiteKernel(1e-6), optimizer=None, normalize_y=True)
    rows, known = data.retrieve_rows(pool, start), data.retrieve_rows(heights, start)
    optimizer = BayesianOptimizer(gp, strategy, rows, known)
    assert optimizer.y_training is known
    assert optimizer.get_max()[1] == pytest.approx(1 - 0.3**2)
    for _ in range(6):
        indices, rows = optimizer.query(pool)
        optimizer.teach(rows, data.retrieve_rows(heights, indices))
    x_max, y_max = optimizer.get_max()
    two_steps = 0.05 + 1e-9
    assert abs(np.ravel(x_max)[0] - 0.7) <= two_steps
    assert y_max >= 1 - two_steps**2


def test_optimizer_starts_from_nothing():
    optimizer = BayesianOptimizer(GaussianProcessRegressor())
    assert optimizer.get_max() == (None, -np.inf)
    assert optimizer.query_strategy is acquisition.max_EI
    optimizer.teach(X[:3], pd.Series([1.0, 3.0, 2.0], index=[5, 0, 1]))
    assert optimizer.y_max == 3.0
    np.testing.assert_array_equal(optimizer.X_max, X[1])


def test_a_subclass_may_take_the_optimizers_name(monkeypatch):
    class Named(BayesianOptimizer):
        """Old scripts with the import swapped inside modAL."""

    monkeypatch.setattr(models.learners, "BayesianOptimizer", Named)
    assert Named(Recorder(), X_training=X, y_training=X[:, 0]).y_max == X[:, 0].max()


# multilabel


@pytest.mark.parametrize(
    "strategy",
    [
        multilabel.max_loss,
        multilabel.mean_max_loss,
        multilabel.min_confidence,
        multilabel.avg_confidence,
        multilabel.max_score,
        multilabel.avg_score,
    ],
)
@pytest.mark.parametrize("random_tie_break", [False, True])
def test_multilabel_queries(strategy, random_tie_break):
    features, sets = make_multilabel_classification(60, n_classes=4, random_state=0)
    classifier = OneVsRestClassifier(GaussianNB())
    learner = ActiveLearner(classifier, strategy, features[:30], sets[:30])
    pool = pd.DataFrame(features[30:], index=np.arange(30) + 7)
    indices, rows = learner.query(pool, n_instances=3, random_tie_break=random_tie_break)
    assert len(set(indices)) == 3
    learner.teach(rows.to_numpy(), sets[30:][indices])
    assert learner.y_training.shape == (33, 4)


def test_multilabel_loss():
    features, sets = make_multilabel_classification(60, n_classes=4, random_state=0)
    classifier = OneVsRestClassifier(GaussianNB()).fit(features, sets)
    margins = (2 * classifier.predict(features) - 1) @ (2 * np.eye(4) - 1)
    expected = np.maximum(1 - margins, 0).mean(1)
    for asked in (classifier, ActiveLearner(classifier)):
        np.testing.assert_allclose(multilabel._SVM_loss(asked, features), expected)


def test_multilabel_svm_minimum():
    features, sets = make_multilabel_classification(60, n_classes=4, random_state=0)
    learner = ActiveLearner(OneVsRestClassifier(LinearSVC()), multilabel.SVM_binary_minimum, features, sets)
    index, row = learner.query(features)
    assert index == np.abs(learner.estimator.decision_function(features)).min(1).argmin()
    np.testing.assert_array_equal(row, features[index])


# stepping aside


def test_repairing_twice_changes_nothing():
    before = [data.data_vstack, batch.ranked_batch, Committee.vote, ActiveLearner._fit_to_known]
    _modal.repair()
    assert [data.data_vstack, batch.ranked_batch, Committee.vote, ActiveLearner._fit_to_known] == before


def test_what_works_is_left_to_modal():
    def answer(*args, **kwargs):
        return args, kwargs

    assert _modal._check_X_y(answer, X, Y, ensure_all_finite=False) == ((X, Y), {"ensure_all_finite": False})
    for repaired in (_modal._data_vstack, _modal._data_hstack):
        assert repaired(answer, [X, X]) == (([X, X],), {})
    sparse = sp.csr_matrix(X)
    assert _modal._retrieve_rows(answer, X, 3) == ((X, 3), {})
    assert _modal._drop_rows(answer, X, 3) == ((X, 3), {})
    assert _modal._enumerate_data(answer, X) == _modal._data_shape(answer, X) == ((X,), {})
    assert _modal._add_row(answer, sparse, sparse[0])[0][0] is sparse
    assert _modal._svm_loss(answer, SimpleNamespace(classes_=[0]), X)[0][1] is X
    assert _modal._fit_to_known(answer, "learner", epochs=3) == (("learner",), {"epochs": 3})
