"""Last-layer Laplace of networks that predict numbers, against dense references."""

import numpy as np
import pytest
import torch
from scipy.stats import multivariate_normal
from sklearn.datasets import make_regression
from sklearn.linear_model import BayesianRidge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks
from torch import nn

from alkit import ActiveLearner, DropoutMLPClassifier, DropoutMLPRegressor, LaplaceRegressor, NetRegressor
from alkit.nets.laplace_regressor import regression_evidence
from tests.nets.checks import run

X, y = make_regression(60, 3, noise=20.0, random_state=0)
X = X.astype(np.float32)
Y = np.column_stack([y, 1000 + 5 * np.abs(y)])


def network(**params):
    return DropoutMLPRegressor(
        **{"hidden_layer_sizes": (8,), "dropout": 0.0, "max_epochs": 30, "random_state": 0} | params
    )


def features(model, rows):
    """Embedding with a 1 for the bias, in float64."""
    return np.column_stack([model.embed(rows), np.ones(len(rows))]).astype(float)


def covariances(model, rows):
    """Covariance of each output's weights, scaled as the network has learnt it, by its definition."""
    phi, scale = features(model, rows), model.estimator_.net_.scale_.std
    precisions = [phi.T @ phi / noise**2 for noise in model.noise_std_ / scale]
    return [np.linalg.inv(precision + model.prior_precision_ * np.eye(phi.shape[1])) for precision in precisions]


@pytest.mark.parametrize("targets", [y, Y], ids=["one output", "two outputs"])
def test_spread_is_that_of_the_dense_posterior(targets):
    model = LaplaceRegressor(network()).fit(X, targets)
    mean, std = model.predict(3 * X, return_std=True)
    np.testing.assert_allclose(mean, model.estimator_.predict(3 * X))
    scale, phi = model.estimator_.net_.scale_.std, features(model, 3 * X)
    expected = [s * np.sqrt(np.sum(phi @ c * phi, 1)) for s, c in zip(scale, covariances(model, X), strict=True)]
    np.testing.assert_allclose(std.reshape(60, -1), np.transpose(expected), rtol=1e-4)
    np.testing.assert_array_equal(model.predict(3 * X), mean)

    samples = model.sample_y(3 * X, 4000, random_state=0)
    assert samples.shape == (60, 4000, *targets.shape[1:])
    np.testing.assert_allclose(samples.mean(1), mean, atol=0.1 * std.max())
    np.testing.assert_allclose(samples.std(1), std, rtol=0.1)


def test_evidence_is_the_density_of_the_numbers_where_the_weights_are_the_best():
    rng = np.random.default_rng(0)
    phi, targets, prior, noise = rng.normal(size=(20, 4)), rng.normal(size=20), 2.0, 0.3
    precision = phi.T @ phi / noise + prior * np.eye(4)
    weights = np.linalg.solve(precision, phi.T @ targets / noise)
    errors = np.sum((targets - phi @ weights) ** 2)
    eigen = np.linalg.eigvalsh(phi.T @ phi)

    def found(noise, weights, errors):
        tensors = [torch.tensor(values) for values in (weights[None], eigen, [errors])]
        return regression_evidence(*tensors, 20, prior, torch.tensor([noise]))

    density = multivariate_normal(np.zeros(20), noise * np.eye(20) + phi @ phi.T / prior).logpdf(targets)
    assert found(noise, weights, errors) - 10 * np.log(2 * np.pi) == pytest.approx(density)


def test_noise_and_prior_are_those_of_a_bayesian_ridge():
    """A network of one layer, trained until its weights are the best, is Bayesian linear regression."""
    linear = NetRegressor(nn.Linear(3, 1), max_epochs=400, lr=0.05, batch_size=-1, random_state=0)
    model = LaplaceRegressor(linear).fit(X, y)
    ridge = BayesianRidge(fit_intercept=False, alpha_1=0, alpha_2=0, lambda_1=0, lambda_2=0)
    ridge.fit(np.column_stack([X, np.ones(60)]), (y - y.mean()) / y.std())
    assert model.noise_std_[0] == pytest.approx(y.std() / np.sqrt(ridge.alpha_), rel=0.01)
    assert model.prior_precision_ == pytest.approx(ridge.lambda_, rel=0.05)


def test_weights_count_rows():
    twice = np.where(np.arange(60) < 20, 2, 1)
    whole = {"max_epochs": 3, "batch_size": -1}
    weighted = LaplaceRegressor(network(**whole), 1.0).fit(X, y, sample_weight=twice)
    repeated = LaplaceRegressor(network(**whole), 1.0).fit(np.repeat(X, twice, 0), np.repeat(y, twice))
    assert weighted.noise_std_ == pytest.approx(repeated.noise_std_, rel=1e-3)
    for of_weighted, of_repeated in zip(weighted.predict(X, True), repeated.predict(X, True), strict=True):
        np.testing.assert_allclose(of_weighted, of_repeated, rtol=1e-3)


def test_rows_far_from_those_taught_are_the_least_sure():
    learner = ActiveLearner(LaplaceRegressor(network()), "std", X[:40], y[:40], random_state=0)
    pool = np.concatenate([X[40:], 50 * X[:1]])
    assert learner.query(pool)[0].tolist() == [20]


@pytest.mark.parametrize("strategy", ["std", "gsy", "igs", "lcmd", "emcm"])
def test_strategies_in_a_pipeline(strategy):
    model = make_pipeline(StandardScaler(), LaplaceRegressor(network(max_epochs=2)))
    learner = ActiveLearner(model, strategy, X[:30], y[:30], random_state=0)
    assert len(set(learner.query(X, 5)[0])) == 5


@pytest.mark.parametrize("targets", [np.ones(60), np.column_stack([y, np.full(60, 1e6)])], ids=["one", "one of two"])
def test_an_output_that_never_changes_is_predicted_without_doubt(targets):
    mean, std = LaplaceRegressor(network()).fit(X, targets).predict(X, return_std=True)
    assert np.isfinite(mean).all()
    assert std.reshape(60, -1)[:, -1].max() == 0


def test_other_losses_estimators_and_priors():
    with pytest.raises(
        TypeError, match="that of squared errors, but the network was trained with L1Loss; use criterion"
    ):
        LaplaceRegressor(NetRegressor(nn.Linear(3, 1), criterion=nn.L1Loss, max_epochs=1)).fit(X, y)
    with pytest.raises(TypeError, match="needs a NetRegressor or a DropoutMLPRegressor, not a DropoutMLPClassifier"):
        LaplaceRegressor(DropoutMLPClassifier()).fit(X, y)
    with pytest.raises(ValueError, match="give a positive number or 'evidence'"):
        LaplaceRegressor(network(), prior_precision=0).fit(X, y)
    with pytest.raises(ValueError, match="n_samples is 0"):
        LaplaceRegressor(network(max_epochs=1)).fit(X, y).sample_y(X, 0)


@parametrize_with_checks([LaplaceRegressor(DropoutMLPRegressor(max_epochs=30, lr=0.01))])
def test_scikit_learns_checks(estimator, check):
    run(check, estimator, estimator__dropout=0.0, estimator__batch_size=-1)
