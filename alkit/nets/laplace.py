"""Last-layer Laplace approximation: a Gaussian posterior over the last layer of a fitted network, in closed form."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from scipy.optimize import minimize_scalar
from sklearn.base import BaseEstimator, ClassifierMixin
from torch import Tensor, nn

from alkit.labels import most_probable
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
from alkit.nets.classifier import NetClassifier
from alkit.nets.embedding import LinearCall
from alkit.nets.mlp import DropoutMLPClassifier
from alkit.nets.training.reading_net import Device
from alkit.rows import Rows, n_rows

__all__ = ["KroneckerPosterior", "LaplaceClassifier", "log_evidence"]


class LaplaceClassifier(LaplaceEstimator, ClassifierMixin, BaseEstimator):
    """A network with a Gaussian posterior over its last layer [1]_: no dropout, no retraining, one pass over the rows.

    The posterior's precision is that of the generalised Gauss-Newton approximation, Kronecker-factored [2]_, plus that
    of the prior: the further a row lies from those taught, the less its logits are sure. Every row counts the same in
    it, whatever the ``class_weight`` of the fit.

    Parameters
    ----------
    estimator : NetClassifier or DropoutMLPClassifier
        Trained by cross-entropy; the network must end in a linear layer.
    prior_precision : float or "evidence", default="evidence"
        Precision of the prior of each weight; by default that with the largest marginal likelihood.
    random_state : int, RandomState or None, default=None
        Seeds every ``random_state`` inside the estimator that is None.

    Attributes
    ----------
    estimator_ : classifier
        The fitted estimator.
    classes_ : array (C,)
        Known labels.
    multilabel_ : bool
        Whether the network was fitted to several labels per row.
    prior_precision_ : float
        The precision used.
    posterior_ : KroneckerPosterior
        Of the last layer's weights (a bias is one more column).

    References
    ----------
    .. [1] E. Daxberger et al., "Laplace Redux - Effortless Bayesian Deep Learning", NeurIPS 2021.
    .. [2] H. Ritter, A. Botev and D. Barber, "A Scalable Laplace Approximation for Neural Networks", ICLR 2018.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from alkit import ActiveLearner, DropoutMLPClassifier, LaplaceClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> laplace = LaplaceClassifier(DropoutMLPClassifier(dropout=0.0, random_state=0))
    >>> learner = ActiveLearner(laplace, "bald", X[::10], y[::10], random_state=0)
    >>> indices, rows = learner.query(X, n_instances=2)
    >>> laplace.sample_proba(X, n_samples=5, random_state=0).shape
    (150, 5, 3)
    """

    _network_classes = NetClassifier, DropoutMLPClassifier

    def fit(self, X: Rows, y: Any, sample_weight: Any = None) -> LaplaceClassifier:
        """Fit the estimator, and the posterior to it.

        Parameters
        ----------
        X : rows of any kind the estimator takes
            The rows.
        y : array-like of shape (n,), or 0/1 matrix (n, L)
            Labels; several per row, on or off, in a matrix.
        sample_weight : array-like of shape (n,), optional
            Weights of the rows in the loss, and in the posterior, in which a row of weight two counts as two rows.

        Returns
        -------
        self
        """
        self._fit_estimator(X, y, sample_weight)
        self.classes_, self.multilabel_ = self.estimator_.classes_, self.estimator_.multilabel_
        net, X = self._net(X)
        self._check_loss(net, nn.BCEWithLogitsLoss if self.multilabel_ else nn.CrossEntropyLoss, "cross-entropy")
        self.posterior_ = self._fit_posterior(net, X, weights_of_rows(sample_weight, n_rows(X)))
        return self

    def _fit_posterior(self, net: Any, X: Rows, weights_N: Tensor) -> KroneckerPosterior:
        """Sum up the two factors of the curvature over rows, and choose the prior."""
        mean_C_D, inputs_D_D, outputs_C_C = _factors(net, X, weights_N)
        eigen_D, basis_D_D = eigen(inputs_D_D)
        eigen_C, basis_C_C = eigen(outputs_C_C / weights_N.sum())
        curvature_C_D = (eigen_C[:, None] * eigen_D).contiguous()
        prior: Any = self.prior_precision
        if prior == "evidence":
            prior = _prior_of_most_evidence(mean_C_D, curvature_C_D)
        self.prior_precision_ = float(prior)
        return KroneckerPosterior(mean_C_D, curvature_C_D + self.prior_precision_, basis_C_C, basis_D_D)

    def sample_proba(
        self, X: Rows, n_samples: int = 20, random_state: Any = None, consistent: bool | None = None
    ) -> np.ndarray:
        """Return class probabilities under draws of the last layer's weights.

        Parameters
        ----------
        X : rows
            The rows, read a batch at a time.
        n_samples : int, default=20
            Number of draws K.
        random_state : int, RandomState or None, default=None
            Seeds the draws: the same int draws the same weights whatever X is.
        consistent : bool, optional
            Not used: each draw is one network for all rows.

        Returns
        -------
        ndarray of shape (n, n_samples, C), float32
        """
        return self._sample_proba_tensor(X, n_samples, random_state, to="cpu").numpy()

    def _sample_proba_tensor(self, X: Rows, *args: Any, **kwargs: Any) -> Tensor:
        net, _ = self._net(X)
        return self._sampled(X, net.task_.proba, *args, **kwargs)

    def predict_proba(self, X: Rows) -> np.ndarray:
        """Return class probabilities, averaged over the posterior by the probit approximation (MacKay 1992).

        Parameters
        ----------
        X : rows
            The rows, read a batch at a time.

        Returns
        -------
        ndarray of shape (n, C), float32
        """
        return self._predict_proba_tensor(X, to="cpu").numpy()

    def _predict_proba_tensor(self, X: Rows, to: Device = None) -> Tensor:
        net, X = self._net(X)

        def averages(embedding_N_D: Tensor, call: LinearCall) -> Tensor:
            variance_N_C = self._variance(embedding_N_D)
            return net.task_.proba(call.output / (1 + math.pi / 8 * variance_N_C).sqrt())

        with net.scoring():
            return net.gather(n_rows(X), of_last_layer(net, X, averages), to)

    def predict(self, X: Rows) -> np.ndarray:
        """Return the most probable label of each row; of several labels, those that are on.

        Parameters
        ----------
        X : rows
            The rows.

        Returns
        -------
        ndarray of shape (n,), or 0/1 (n, L)
        """
        return most_probable(self.predict_proba(X), self.classes_, self.multilabel_)


def _factors(net: Any, X: Rows, weights_N: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return the last layer's weights (C, D), and the factors of inputs (D, D) and outputs (C, C), summed over rows.

    The Hessian of cross-entropy in the logits is diag(p) - p p^T, whatever the labels are; of several labels, which are
    independent, diag(p (1 - p)).
    """
    inputs_D_D: Any = 0
    outputs_C_C: Any = 0
    with net.scoring():
        for _, weights_N_1, embedding_N_D, call in weighted_batches(net, X, weights_N):
            proba_N_C = net.task_.proba(call.output.double())
            inputs_D_D = inputs_D_D + embedding_N_D.t() @ (weights_N_1 * embedding_N_D)
            weighted_N_C = weights_N_1 * proba_N_C
            if net.multilabel_:
                outputs_C_C = outputs_C_C + (weighted_N_C * (1 - proba_N_C)).sum(0).diag()
            else:
                outputs_C_C = outputs_C_C + (weighted_N_C.sum(0).diag() - proba_N_C.t() @ weighted_N_C)
    return last_layer_weights(call).cpu(), inputs_D_D.cpu(), outputs_C_C.cpu()


def _prior_of_most_evidence(mean_C_D: Tensor, curvature_C_D: Tensor) -> float:
    """Return the prior precision of the largest marginal likelihood."""
    best = minimize_scalar(
        lambda log_prior: -log_evidence(mean_C_D, curvature_C_D, math.exp(log_prior)),
        bounds=LOG_PRIOR_BOUNDS,
        method="bounded",
    )
    return math.exp(best.x)
