"""Simulated loops over numbers: errors that fall, rows without a number, stopping rules, searches."""

import numpy as np
import pytest
from sklearn.base import clone, is_regressor
from sklearn.datasets import load_diabetes
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.neural_network import MLPRegressor
from sklearn.utils.estimator_checks import check_regressors_train, parametrize_with_checks

from alkit import ActiveLearner, ActiveLearningRegressor, compare_strategies
from alkit.experiment import LearningCurveDisplay, evaluate_transfer, score_gain_correlation
from alkit.stopping import OverallUncertainty, StabilizingPredictions

X, y = load_diabetes(return_X_y=True)
DATA = {"X": X[::2], "y": y[::2], "X_test": X[1::2], "y_test": y[1::2]}
SMALL = {"n_initial": 6, "n_instances": 3, "n_queries": 3}


LOOP = ActiveLearningRegressor(LinearRegression(), n_initial=8, n_instances=1, n_queries=1)
TOO_FEW = {"check_regressors_train": "9 labels are too few for 10 features; it is checked below with more"}


@parametrize_with_checks([LOOP], expected_failed_checks=lambda loop: TOO_FEW)
def test_scikit_learns_checks(estimator, check):
    check(estimator)


@pytest.mark.parametrize("kind", [{}, {"readonly_memmap": True}, {"readonly_memmap": True, "X_dtype": "float32"}])
def test_scikit_learns_check_of_scores(kind):
    check_regressors_train("ActiveLearningRegressor", clone(LOOP).set_params(n_initial=20), **kind)


def test_it_is_the_loop_a_person_would_run():
    loop = ActiveLearningRegressor(Ridge(0.1), "gsx", **SMALL, random_state=0).fit(X, y)
    labelled = loop.labeled_indices_
    learner = ActiveLearner(Ridge(0.1), "gsx", X[labelled[:6]], y[labelled[:6]])
    unlabelled = np.setdiff1d(np.arange(len(X)), labelled[:6])
    for start in (6, 9, 12):
        indices, rows = learner.query(X, n_instances=3, candidates=unlabelled)
        assert indices.tolist() == labelled[start : start + 3].tolist()
        learner.teach(rows, y[indices])
        unlabelled = np.setdiff1d(unlabelled, indices)
    np.testing.assert_allclose(loop.predict(X), learner.predict(X))
    assert is_regressor(loop)
    assert [stage.shape for stage in loop.staged_predict(X)] == [(442,)] * 4
    assert not hasattr(loop, "predict_proba")


@pytest.mark.parametrize("n_outputs", [1, 2])
def test_rows_without_a_number_are_never_queried(n_outputs):
    labels = y.copy() if n_outputs == 1 else np.column_stack([y, -y])
    labels[:400, ...] = np.nan
    loop = ActiveLearningRegressor(Ridge(), missing_label=np.nan, **SMALL, random_state=0).fit(X, labels)
    assert loop.labeled_indices_.min() >= 400
    with pytest.raises(ValueError, match="Input y contains NaN in 400 of 442 rows") as raised:
        ActiveLearningRegressor(Ridge(), **SMALL).fit(X, labels)
    assert raised.value.__notes__ == ["missing_label=np.nan says that nobody can label these rows"]
    with pytest.raises(ValueError, match="all 442 numbers in y are missing_label=nan"):
        ActiveLearningRegressor(Ridge(), missing_label=np.nan).fit(X, labels * np.nan)


@pytest.mark.parametrize(
    ("params", "labels", "error", "message"),
    [
        ({}, np.where(y > 100, "high", "low"), ValueError, "y holds '(high|low)', but a regressor predicts numbers"),
        ({}, y[:-1], ValueError, "X has 442 rows, but y has 441 labels"),
        ({"initial": "stratified"}, y, ValueError, "there is no strategy 'stratified'"),
        ({"initial": "gsy"}, y, ValueError, "needs a model.* pass 'random', or a strategy that needs none"),
        ({"query_strategy": "margin"}, y, TypeError, "margin needs predict_proba.* such as std, qbc, emcm, gsx"),
    ],
)
def test_bad_input(params, labels, error, message):
    with pytest.raises(error, match=message):
        ActiveLearningRegressor(Ridge(), **SMALL | params).fit(X, labels)


def test_equal_numbers():
    loop = ActiveLearningRegressor(Ridge(), **SMALL, initial="gsx", random_state=0).fit(X, np.full(442, 3.0))
    np.testing.assert_allclose(loop.predict(X), 3)


def test_errors_that_fall_save_labels():
    scoring = "neg_root_mean_squared_error"
    process = GaussianProcessRegressor(RBF(0.3, "fixed"), alpha=0.5, normalize_y=True)
    models = {"ridge": Ridge(0.1), "process": process}
    comparison = compare_strategies(models, strategies=["igs"], **DATA, n_seeds=2, **SMALL, scoring=scoring)
    frame = comparison.to_frame()
    assert (frame["score"] < 0).all()
    summary = comparison.summary()
    # the last mean error of random picks is reached by random picks with all their labels
    assert summary.loc[("ridge", "random"), "saved"] == 0
    display = LearningCurveDisplay.from_comparison(comparison)
    assert display.ax_.get_ylabel() == "root mean squared error"
    drawn = display.lines_[0].get_ydata()
    np.testing.assert_allclose(drawn, -comparison.curves()["ridge", "random"][1].mean(0))
    transferred = evaluate_transfer(comparison, "ridge", **DATA)
    assert (transferred["score"] < 0).all()


def test_stopping_in_a_comparison():
    class AfterTwo:
        n = 0

        def update(self, model, X):
            self.n += 1
            return self.n == 2

    comparison = compare_strategies(Ridge(), strategies=["gsy"], **DATA, n_seeds=1, **SMALL, stopping=AfterTwo())
    assert comparison.to_frame().groupby("strategy")["n_labels"].max().tolist() == [9, 9]


def test_stable_predictions_of_numbers():
    stopping = StabilizingPredictions(threshold=0.9, window=1)
    first, same, other = (Ridge(alpha).fit(X, y) for alpha in (1e-3, 2e-3, 1e3))
    assert [stopping.update(model, X) for model in (first, same, other)] == [False, True, False]
    a, b = same.predict(X), other.predict(X)
    expected = 2 * np.cov(a, b, bias=True)[0, 1] / (a.var() + b.var() + (a.mean() - b.mean()) ** 2)
    np.testing.assert_allclose(stopping.agreements_[-1], expected)
    with pytest.raises(AttributeError, match="predict_proba"):
        OverallUncertainty().update(first, X)


def test_searches_choose_strategies():
    loop = ActiveLearningRegressor(Ridge(), **SMALL, random_state=0)
    grid = {"query_strategy": ["random", "gsx"], "estimator__alpha": [0.1, 1.0]}
    search = GridSearchCV(loop, grid, cv=2, scoring="neg_mean_absolute_error").fit(X, y)
    assert search.best_score_ < 0


def test_correlation_of_score_and_gain():
    model = MLPRegressor(hidden_layer_sizes=(8,), max_iter=400, tol=1e9, n_iter_no_change=1, random_state=0)
    correlation = score_gain_correlation(
        model, X, y, ["ideal_loss"], n_train=100, n_pool=60, n_groups=6, n_seeds=1, scoring="neg_mean_squared_error"
    )
    assert correlation.summary()["n"].tolist() == [6]
