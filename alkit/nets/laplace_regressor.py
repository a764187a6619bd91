"""Last-layer Laplace approximation of networks that predict numbers."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from scipy.optimize import minimize
from sklearn.base import BaseEstimator, RegressorMixin
from torch import Tensor, nn

from alkit.nets._laplace import (
    LOG_PRIOR_BOUNDS,
    KroneckerPosterior,
    LaplaceEstimator,
    eigen,
    last_layer_weights,
    log_evidence,
    of_last_layer,
    weighted_batches,
    weights_of_rows,
)
from alkit.nets.embedding import LinearCall
from alkit.nets.mlp import DropoutMLPRegressor
from alkit.nets.regressor import NetRegressor
from alkit.nets.training.reading_net import Device
from alkit.rows import Rows, n_rows

# Variances, of outputs scaled to 1, that no noise comes near: the search for the most probable needs bounds.
_LOG_NOISE_BOUNDS = math.log(1e-8), math.log(1e2)


class LaplaceRegressor(LaplaceEstimator, RegressorMixin, BaseEstimator):
    """A network for numbers with a Gaussian posterior over its last layer: no dropout, no retraining, one pass [1]_.

    Given the layers before it, the last layer is linear and its posterior exact, but for its mean, which is where the
    training left the weights. The spread of the noise around the network, one of each output, is that with the largest
    marginal likelihood.

    Parameters
    ----------
    estimator : NetRegressor or DropoutMLPRegressor
        Trained by squared errors; the network must end in a linear layer.
    prior_precision : float or "evidence", default="evidence"
        Precision of the prior of each weight, of outputs scaled to mean 0 and standard deviation 1; by default that
        with the largest marginal likelihood.
    random_state : int, RandomState or None, default=None
        Seeds every ``random_state`` inside the estimator that is None.

    Attributes
    ----------
    estimator_ : regressor
        The fitted estimator.
    prior_precision_ : float
        The precision used.
    noise_std_ : ndarray of shape (n_outputs,)
        How far y lies from what the network predicts, in the units of y.
    posterior_ : KroneckerPosterior
        Of the last layer's weights (a bias is one more column), of scaled outputs.

    References
    ----------
    .. [1] E. Daxberger et al., "Laplace Redux - Effortless Bayesian Deep Learning", NeurIPS 2021.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from alkit import ActiveLearner, DropoutMLPRegressor, LaplaceRegressor
    >>> X, y = load_diabetes(return_X_y=True)
    >>> laplace = LaplaceRegressor(DropoutMLPRegressor(dropout=0.0, max_epochs=30, random_state=0))
    >>> learner = ActiveLearner(laplace, "std", X[::10], y[::10], random_state=0)
    >>> indices, rows = learner.query(X, n_instances=2)
    >>> mean, std = laplace.fit(X[::10], y[::10]).predict(X, return_std=True)
    >>> mean.shape, std.shape, laplace.sample_y(X, n_samples=5, random_state=0).shape
    ((442,), (442,), (442, 5))
    """

    _network_classes = NetRegressor, DropoutMLPRegressor

    def fit(self, X: Rows, y: Any, sample_weight: Any = None) -> LaplaceRegressor:
        """Fit the estimator, and the posterior to it.

        Parameters
        ----------
        X : rows of any kind the estimator takes
            The rows.
        y : array-like of shape (n,) or (n, n_outputs)
            Numbers to predict.
        sample_weight : array-like of shape (n,), optional
            Weights of the rows in the loss, and in the posterior, in which a row of weight two counts as two rows.

        Returns
        -------
        self
        """
        self._fit_estimator(X, y, sample_weight)
        net, X = self._net(X)
        self._check_loss(net, nn.MSELoss, "squared errors")
        self.posterior_ = self._fit_posterior(net, X, y, weights_of_rows(sample_weight, n_rows(X)))
        return self

    def _fit_posterior(self, net: Any, X: Rows, y: Any, weights_N: Tensor) -> KroneckerPosterior:
        """Sum up squared inputs and squared errors over rows, and choose the prior and the noise."""
        targets_N_O = net.encoded(net.checked_targets(y, n_rows(X))).double()
        mean_O_D, inputs_D_D, errors_O = _squares(net, X, targets_N_O, weights_N)
        eigen_D, basis_D_D = eigen(inputs_D_D)
        prior: Any = self.prior_precision
        found = _prior_and_noise(mean_O_D, eigen_D, errors_O, float(weights_N.sum()), prior)
        self.prior_precision_, noise_O = found
        self.noise_std_ = np.sqrt(noise_O.numpy()) * net.scale_.std
        precision_O_D = eigen_D / noise_O[:, None] + self.prior_precision_
        basis_O_O = torch.eye(len(noise_O), dtype=torch.double)
        return KroneckerPosterior(mean_O_D, precision_O_D, basis_O_O, basis_D_D)

    def predict(self, X: Rows, return_std: bool = False) -> Any:
        """Return the numbers predicted, and how unsure the posterior is of them.

        Parameters
        ----------
        X : rows
            The rows, read a batch at a time.
        return_std : bool, default=False
            Whether to return the standard deviation of the prediction too: that of the network's output, to which
            `noise_std_` does not belong.

        Returns
        -------
        ndarray of shape (n,) or (n, n_outputs), float64
            As y was fitted; with ``return_std=True`` a pair of them.
        """
        predicted = self._predict_tensor(X, return_std, to="cpu")
        return tuple(values.numpy() for values in predicted) if return_std else predicted.numpy()

    def _predict_tensor(self, X: Rows, return_std: bool = False, to: Device = None) -> Any:
        net, X = self._net(X)
        if not return_std:
            return net._predict_tensor(X, to=to)
        transform = net._get_predict_nonlinearity()

        def with_variances(embedding_N_D: Tensor, call: LinearCall) -> Tensor:
            outputs_N_O = transform(call.output)
            return torch.stack([outputs_N_O, self._variance(embedding_N_D).to(outputs_N_O)], 1)

        with net.scoring():
            outputs_N_O, variance_N_O = net.gather(n_rows(X), of_last_layer(net, X, with_variances), to).unbind(1)
        predicted = net._restored(outputs_N_O)
        spread_N_O = variance_N_O.to(predicted.dtype).sqrt()
        return predicted, (spread_N_O * torch.as_tensor(net.scale_.std).to(spread_N_O)).reshape(predicted.shape)

    def sample_y(
        self, X: Rows, n_samples: int = 20, random_state: Any = None, consistent: bool | None = None
    ) -> np.ndarray:
        """Return predictions under draws of the last layer's weights.

        Parameters
        ----------
        X, n_samples, random_state, consistent
            As in :meth:`LaplaceClassifier.sample_proba`.

        Returns
        -------
        ndarray of shape (n, n_samples) or (n, n_samples, n_outputs), float64
        """
        return self._sample_y_tensor(X, n_samples, random_state, to="cpu").numpy()

    def _sample_y_tensor(self, X: Rows, *args: Any, **kwargs: Any) -> Tensor:
        net, _ = self._net(X)
        return net._restored(self._sampled(X, lambda outputs: outputs, *args, **kwargs), axes=2)


def _squares(net: Any, X: Rows, targets_N_O: Tensor, weights_N: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return the last layer's weights (O, D), and sums over rows: squared inputs (D, D), squared errors (O,)."""
    inputs_D_D: Any = 0
    errors_O: Any = 0
    with net.scoring():
        for rows, weights_N_1, embedding_N_D, call in weighted_batches(net, X, weights_N):
            inputs_D_D = inputs_D_D + embedding_N_D.t() @ (weights_N_1 * embedding_N_D)
            residuals_N_O = targets_N_O[rows].to(embedding_N_D) - call.output.double()
            errors_O = errors_O + (weights_N_1 * residuals_N_O**2).sum(0)
    return last_layer_weights(call).cpu(), inputs_D_D.cpu(), errors_O.cpu()


def regression_evidence(
    mean_O_D: Tensor, eigen_D: Tensor, errors_O: Tensor, n: float, prior_precision: float, noise_O: Tensor
) -> float:
    """Return the log marginal likelihood of numbers given the layers before the last, up to a constant.

    Parameters
    ----------
    mean_O_D : Tensor (O, D)
        The weights fitted.
    eigen_D : Tensor (D,)
        Eigenvalues of the sum over rows of the squared inputs of the last layer.
    errors_O : Tensor (O,)
        Sum over rows of the squared errors of each output.
    n : float
        Number of rows.
    prior_precision : float
    noise_O : Tensor (O,)
        Variance of the noise of each output.

    Returns
    -------
    float
    """
    likelihood = -0.5 * float((n * noise_O.log() + errors_O / noise_O).sum())
    return likelihood + log_evidence(mean_O_D, eigen_D / noise_O[:, None], prior_precision)


def _prior_and_noise(
    mean_O_D: Tensor, eigen_D: Tensor, errors_O: Tensor, n: float, prior_precision: float | str
) -> tuple[float, Tensor]:
    """Return the prior precision, where it is not given, and the variances of noise of most evidence together."""
    bounds = [LOG_PRIOR_BOUNDS] + [_LOG_NOISE_BOUNDS] * len(errors_O)
    if prior_precision != "evidence":
        bounds[0] = (math.log(float(prior_precision)),) * 2

    def negative_evidence(log_values: np.ndarray) -> float:
        prior, *noise = np.exp(log_values)
        return -regression_evidence(mean_O_D, eigen_D, errors_O, n, float(prior), torch.tensor(noise))

    start = np.clip([0.0, *np.log(errors_O.numpy() / n + 1e-4)], *np.transpose(bounds))
    prior, *noise = np.exp(minimize(negative_evidence, start, method="L-BFGS-B", bounds=bounds).x)
    return float(prior), torch.tensor(noise)
