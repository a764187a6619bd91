"""How regressors of all kinds answer for predictions, their spread and values."""

import numpy as np
import pytest
import torch
from modAL import acquisition
from sklearn.datasets import make_regression
from sklearn.ensemble import AdaBoostRegressor, BaggingRegressor, RandomForestRegressor, VotingRegressor
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF
from sklearn.linear_model import BayesianRidge, LinearRegression, LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.multioutput import MultiOutputRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from skorch import NeuralNetRegressor

from alkit import ActiveLearner, BayesianOptimizer, CommitteeRegressor, DropoutMLPRegressor, get_strategy
from alkit.strategies.quantities import Quantities
from alkit.strategies.regressors import predicts_numbers, regressors_of

X, y = make_regression(60, 3, noise=20.0, random_state=0)
X = X.astype(np.float32)
Y = np.column_stack([y, y**2])
PROCESS = GaussianProcessRegressor(RBF(2.0, "fixed"), alpha=0.1, normalize_y=True)


def read(model, *names, **kwargs):
    tensors = Quantities(model, "std", **kwargs).read(names, X)
    return tensors[names[0]].numpy() if len(names) == 1 else [tensors[name].numpy() for name in names]


@pytest.mark.parametrize("model", [PROCESS, BayesianRidge()], ids=lambda model: type(model).__name__)
def test_those_with_a_standard_deviation(model):
    model.fit(X, y)
    mean, std = model.predict(X, return_std=True)
    answers = read(model, "prediction", "std")
    np.testing.assert_allclose(answers, [mean, std])
    values = read(model, "values", n_samples=4000)
    np.testing.assert_allclose(values.mean(1), mean, atol=0.1 * std.max())
    np.testing.assert_allclose(values.std(1), std, rtol=0.05)


def test_a_process_of_several_outputs():
    model = GaussianProcessRegressor(RBF(2.0, "fixed"), alpha=0.1).fit(X, Y)
    assert read(model, "std").shape == (60, 2)
    assert read(model, "values", n_samples=5).shape == (60, 5, 2)


def test_members_are_values():
    forest = RandomForestRegressor(5, random_state=0).fit(X, y)
    expected = np.column_stack([tree.predict(X) for tree in forest.estimators_])
    np.testing.assert_allclose(read(forest, "values"), expected)
    np.testing.assert_allclose(read(forest, "std"), expected.std(1), atol=1e-9)
    bagging = BaggingRegressor(Ridge(), 4, max_features=0.7, random_state=0).fit(X, y)
    np.testing.assert_allclose(read(bagging, "values").mean(1), bagging.predict(X), rtol=1e-5)
    voting = VotingRegressor([("a", Ridge()), ("b", BayesianRidge())]).fit(X, y)
    np.testing.assert_allclose(read(voting, "values").mean(1), voting.predict(X), rtol=1e-5)
    assert len(regressors_of(AdaBoostRegressor(n_estimators=3, random_state=0).fit(X, y))) > 0


def test_several_outputs_of_a_forest_are_no_members_of_one():
    forest = RandomForestRegressor(5, random_state=0).fit(X, Y)
    assert read(forest, "values").shape == (60, 5, 2)
    assert regressors_of(MultiOutputRegressor(Ridge()).fit(X, Y)) == []


@pytest.mark.parametrize("targets", [y, y[:, None], Y])
def test_committees(targets):
    members = [ActiveLearner(model, X_training=X, y_training=targets) for model in (LinearRegression(), Ridge(50))]
    committee = CommitteeRegressor(members, "qbc", random_state=0)
    values = np.stack([member.predict(X).reshape(60, -1) for member in members], 1)
    np.testing.assert_allclose(read(committee, "values").reshape(values.shape), values)
    np.testing.assert_allclose(read(committee, "std").reshape(60, -1), values.std(1))
    spread = values.std(1).prod(1)
    assert committee.query(X, n_instances=3)[0].tolist() == np.argsort(-spread)[:3].tolist()


def test_what_a_linear_model_reads_is_its_last_layer():
    model = make_pipeline(StandardScaler(), BaggingRegressor(Ridge(), 3, random_state=0)).fit(X, y)
    np.testing.assert_allclose(read(model, "last_layer"), model[0].transform(X), rtol=1e-5)
    net = DropoutMLPRegressor(max_epochs=1, random_state=0).fit(X, y)
    np.testing.assert_allclose(read(net, "last_layer"), net.embed(X))


def test_searches_and_networks():
    search = GridSearchCV(DropoutMLPRegressor(max_epochs=1, random_state=0), {"lr": [0.01]}, cv=2).fit(X, y)
    np.testing.assert_allclose(read(search, "std"), search.best_estimator_.predict(X, return_std=True)[1])
    samples = search.best_estimator_.sample_y(X, 6, random_state=3)
    np.testing.assert_allclose(read(search, "values", n_samples=6, seed=3), samples)


def test_the_loss_of_a_number_is_its_squared_error():
    model = LinearRegression().fit(X, y)
    picks = get_strategy("ideal_loss").select(model, X, 60, y_pool=y)
    np.testing.assert_allclose(picks.scores, np.sort((model.predict(X) - y) ** 2)[::-1], rtol=1e-5)


class Duck:
    """Predicts, and is no estimator of anybody."""

    def predict(self, X):
        return X[:, 0]


def test_who_predicts_numbers():
    net = NeuralNetRegressor(torch.nn.Linear)
    for model in (Duck(), net, PROCESS, CommitteeRegressor([Ridge()]), make_pipeline(StandardScaler(), Ridge())):
        assert predicts_numbers(model)
    for model in (LogisticRegression(), StandardScaler(), object()):
        assert not predicts_numbers(model)
    assert get_strategy("gsy").select(Duck(), X, 2).indices.shape == (2,)


@pytest.mark.parametrize(
    ("strategy", "model", "message"),
    [
        ("igs", LogisticRegression(), "igs needs predictions of numbers, which LogisticRegression does not have; use"),
        ("std", Ridge(), r"std needs predict\(return_std=True\), which Ridge does not have; use alkit.NetRegressor"),
        ("qbc", Ridge(), "qbc needs sample_y, which Ridge does not have; use alkit.NetRegressor"),
        ("margin", Ridge(), "margin needs predict_proba, which Ridge.* or another strategy, such as std, qbc, emcm"),
        ("lcmd", Ridge(), "lcmd needs embed, which Ridge does not have; use alkit.NetClassifier, alkit.NetRegressor"),
    ],
)
def test_what_a_model_lacks_is_named_with_what_fits(strategy, model, message):
    labels = y > 0 if isinstance(model, LogisticRegression) else y
    with pytest.raises(TypeError, match=message):
        get_strategy(strategy).select(model.fit(X, labels), X, 1)


@pytest.mark.parametrize("name", ["max_EI", "max_PI", "max_UCB"])
def test_optimizers_by_name_pick_what_modal_picks(name):
    optimizer = BayesianOptimizer(PROCESS, name, X_training=X[:10], y_training=y[:10], random_state=0)
    by_modal = getattr(acquisition, name)(optimizer, X[10:], n_instances=1)
    assert optimizer.query(X[10:])[0].tolist() == np.ravel(by_modal).tolist()
    # the largest value is that of all that was taught
    optimizer.teach(X[10:20], y[10:20])
    by_modal = getattr(acquisition, name)(optimizer, X[20:], n_instances=1)
    assert optimizer.query(X[20:])[0].tolist() == np.ravel(by_modal).tolist()


def test_labels_of_a_regressor_are_numbers():
    learner = ActiveLearner(Ridge(), "igs", X[:10], y[:10], random_state=0)
    for bad, message in ((["high"] * 2, "y holds 'high', but"), ([1.0, np.inf], "Input y contains infinity"),
                         ([1.0, np.nan], "1 of 2 labels in y are missing")):  # fmt: skip
        with pytest.raises(ValueError, match=message):
            learner.teach(X[10:12], bad)
        assert len(learner.y_training) == 10
    learner.teach(X[10:12], [3, 4])
    assert learner.query(X, n_instances=2)[0].shape == (2,)


@pytest.mark.parametrize("strategy", ["std", "qbc", "emcm", "gsx", "gsy", "igs"])
def test_equal_labels_are_taught_and_queried_with(strategy):
    learner = ActiveLearner(RandomForestRegressor(3, random_state=0), strategy, X[:10], np.ones(10), random_state=0)
    assert len(set(learner.query(X, n_instances=5)[0])) == 5
