"""Last-layer Laplace against dense references, and as a posterior for strategies."""

import pickle

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks
from torch import nn

from alkit import ActiveLearner, DropoutMLPClassifier, LaplaceClassifier, NetClassifier
from alkit.nets.laplace import log_evidence
from tests.nets.checks import run
from tests.nets.networks import MLP, blobs, net, rng_states

X, Y = blobs()


@pytest.fixture(scope="module")
def fitted():
    return LaplaceClassifier(net()).fit(X, Y)


def features(model, X):
    """Embedding with a 1 for the bias, in float64."""
    return np.concatenate([model.embed(X), np.ones((len(X), 1))], 1).astype(float)


def dense_precision(model, X):
    """Precision of the weights (C * D), row by row of the weight matrix, as its definition says."""
    phi, p = features(model, X), model.estimator_.predict_proba(X).astype(float)
    A = sum(np.outer(f, f) for f in phi)
    G = sum(np.diag(q) - np.outer(q, q) for q in p) / len(X)
    return np.kron(G, A) + model.prior_precision_ * np.eye(G.shape[0] * A.shape[0])


class TestPosterior:
    def test_variances_of_logits(self, fitted):
        covariance = np.linalg.inv(dense_precision(fitted, X))
        phi = features(fitted, X[:7])
        expected = [[np.kron(np.eye(3)[c], f) @ covariance @ np.kron(np.eye(3)[c], f) for c in range(3)] for f in phi]
        np.testing.assert_allclose(fitted.posterior_.variance(torch.from_numpy(phi)), expected, rtol=1e-4)

    def test_draws_have_the_covariance(self, fitted):
        posterior = fitted.posterior_
        centred = (posterior.draw(20_000, seed=0) - posterior.mean).flatten(1).numpy()
        expected = np.linalg.inv(dense_precision(fitted, X))
        np.testing.assert_allclose(centred.T @ centred / 20_000, expected, atol=0.05 * expected.max())

    def test_one_row_is_the_exact_hessian(self):
        model = LaplaceClassifier(net(classes=[0, 1, 2], max_epochs=1), 1.0).fit(X[:1], Y[:1])
        phi = torch.from_numpy(features(model, X[:1]))[0]
        mean, target = model.posterior_.mean, torch.tensor(int(Y[0]))
        hessian = torch.autograd.functional.hessian(
            lambda w: nn.functional.cross_entropy(w @ phi, target), mean
        ).reshape(51, 51)
        np.testing.assert_allclose(
            dense_precision(model, X[:1]) - model.prior_precision_ * np.eye(51), hessian.numpy(), atol=1e-6
        )

    def test_evidence_is_a_ratio_of_determinants_and_its_best_is_found(self, fitted):
        posterior = fitted.posterior_
        curvature = posterior.precision - fitted.prior_precision_
        grid = np.exp(np.linspace(-8, 8, 400))
        values = [log_evidence(posterior.mean, curvature, tau) for tau in grid]
        dense = dense_precision(fitted, X) - fitted.prior_precision_ * np.eye(curvature.numel())
        tau = grid[100]
        expected = (
            0.5 * curvature.numel() * np.log(tau)
            - 0.5 * tau * float((posterior.mean**2).sum())
            - 0.5 * np.linalg.slogdet(dense + tau * np.eye(len(dense)))[1]
        )
        assert values[100] == pytest.approx(expected, rel=1e-3)
        assert log_evidence(posterior.mean, curvature, fitted.prior_precision_) >= max(values) - 1e-6

    def test_a_strong_prior_leaves_the_network_as_it_is(self):
        model = LaplaceClassifier(net(), prior_precision=1e12).fit(X, Y)
        np.testing.assert_allclose(model.predict_proba(X), model.estimator_.predict_proba(X), atol=1e-4)
        samples = model.sample_proba(X, 5)
        np.testing.assert_allclose(samples, samples[:, :1].repeat(5, 1), atol=1e-3)


class TestClassifier:
    def test_it_learns_and_is_unsure_far_away(self, fitted):
        assert fitted.score(X, Y) > 0.9
        samples = fitted.sample_proba(X, 30, random_state=0)
        assert samples.shape == (90, 30, 3)
        np.testing.assert_allclose(samples.sum(-1), 1, rtol=1e-5)
        far = fitted.posterior_.variance(torch.from_numpy(features(fitted, 100 * X)))
        assert far.mean() > 100 * fitted.posterior_.variance(torch.from_numpy(features(fitted, X))).mean()

    def test_draws_are_of_the_seed_whatever_the_rows(self, fitted):
        before, whole = rng_states(), fitted.sample_proba(X, 4, random_state=1)
        part = fitted.sample_proba(X[40:41], 4, random_state=1)
        np.testing.assert_allclose(part[0], whole[40], atol=1e-5)
        assert not np.allclose(whole, fitted.sample_proba(X, 4, random_state=2))
        assert np.array_equal(pickle.loads(pickle.dumps(fitted)).sample_proba(X, 4, random_state=1), whole)
        assert rng_states() == before

    @pytest.mark.parametrize("strategy", ["bald", "batch_bald", "epig", "badge"])
    def test_strategies_in_a_pipeline(self, strategy):
        model = make_pipeline(StandardScaler(), LaplaceClassifier(net(max_epochs=2)))
        learner = ActiveLearner(model, strategy, X[:30], np.array(["a", "b", "c"])[Y[:30]], random_state=0)
        assert len(set(learner.query(X, 5)[0])) == 5

    @pytest.mark.parametrize(
        "module", [nn.Linear(4, 3), nn.Linear(4, 3, bias=False), nn.Sequential(nn.Flatten(), nn.Linear(4, 3))]
    )
    def test_small_networks_sparse_rows_and_declared_classes(self, module):
        assert LaplaceClassifier(net(module)).fit(X, Y).sample_proba(X[:1], 2).shape == (1, 2, 3)
        sparse = LaplaceClassifier(DropoutMLPClassifier(classes=[0, 1, 2, 9], max_epochs=2)).fit(sp.csr_matrix(X), Y)
        assert sparse.predict_proba(sp.csr_matrix(X)).shape == (90, 4)

    @parametrize_with_checks([LaplaceClassifier(DropoutMLPClassifier(max_epochs=30, lr=0.01))])
    def test_scikit_learns_checks(self, estimator, check):
        run(check, estimator, estimator__dropout=0.0, estimator__batch_size=-1)


class TestErrors:
    def test_networks_that_do_not_end_in_a_linear_layer(self):
        module = nn.Sequential(nn.Linear(4, 3), nn.Tanh())
        with pytest.raises(ValueError, match="Sequential does not end in a linear layer"):
            LaplaceClassifier(NetClassifier(module, max_epochs=1)).fit(X, Y)

    def test_logits_that_are_changed_in_place(self):
        class Tempered(MLP):
            def forward(self, x):
                return super().forward(x).div_(5.0)

        with pytest.raises(ValueError, match="Tempered changes the output of its last linear layer in place"):
            LaplaceClassifier(net(Tempered)).fit(X, Y)

    @pytest.mark.parametrize("prior", [np.int64(2), np.float32(2), 2.0])
    def test_priors_of_a_grid_of_numpy(self, prior):
        assert LaplaceClassifier(net(max_epochs=1), prior).fit(X, Y).prior_precision_ == 2.0

    def test_other_losses_estimators_and_priors(self):
        with pytest.raises(TypeError, match="trained with MultiMarginLoss"):
            LaplaceClassifier(net(criterion=nn.MultiMarginLoss)).fit(X, Y)
        with pytest.raises(TypeError, match="not a LogisticRegression"):
            LaplaceClassifier(LogisticRegression()).fit(X, Y)
        for prior in (0, -1.0, "strong"):
            with pytest.raises(ValueError, match="give a positive number or 'evidence'"):
                LaplaceClassifier(net(), prior_precision=prior).fit(X, Y)
        with pytest.raises(ValueError, match="n_samples is 0"):
            LaplaceClassifier(net(MLP)).fit(X, Y).sample_proba(X, 0)
