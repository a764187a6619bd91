"""Last-layer Laplace approximation: a Gaussian posterior over the last layer of a fitted network, in closed form."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from numbers import Real
from typing import Any, NamedTuple, TypeVar

import numpy as np
import torch
from scipy.optimize import minimize_scalar
from sklearn.base import BaseEstimator, ClassifierMixin, MetaEstimatorMixin, clone
from sklearn.utils.validation import check_is_fitted
from torch import Tensor, nn

from alkit._inner import take_over_features, take_over_tags
from alkit._random import RandomState, generator, sampling_seed, seed_estimator
from alkit.labels import most_probable
from alkit.nets.classifier import NetClassifier
from alkit.nets.embedding import LinearCall, last_linear_call
from alkit.nets.mlp import DropoutMLPClassifier
from alkit.nets.training.scoring_net import Device
from alkit.nets.training.tensors import Tensors
from alkit.rows import Rows, n_rows

T = TypeVar("T")

# Precisions that no prior of a layer's weights comes near: the search for the best needs bounds.
_LOG_PRIOR_BOUNDS = math.log(1e-6), math.log(1e8)


class KroneckerPosterior(NamedTuple):
    """Gaussian over weights: `mean` (C, D), and `precision` (C, D) in the bases of outputs (C, C) and inputs (D, D)."""

    mean: Tensor
    precision: Tensor
    output_basis: Tensor
    input_basis: Tensor

    def variance(self, embedding_N_D: Tensor) -> Tensor:
        """Return the variance of each logit: (N, D) -> (N, C)."""
        squares_N_D = (embedding_N_D @ self.input_basis) ** 2
        variance_C_D = 1 / self.precision
        return squares_N_D @ variance_C_D.t() @ (self.output_basis**2).t()

    def draw(self, n_samples: int, seed: int) -> Tensor:
        """Draw weights (K, C, D)."""
        rng = torch.Generator().manual_seed(seed)
        noise_K_C_D = torch.randn((n_samples, *self.mean.shape), generator=rng, dtype=self.mean.dtype)
        scaled_K_C_D = noise_K_C_D / self.precision.sqrt()
        return self.mean + self.output_basis @ scaled_K_C_D @ self.input_basis.t()

    def like(self, tensor: Tensor) -> KroneckerPosterior:
        """Return the posterior in the dtype of a tensor, on its device."""
        return KroneckerPosterior(*(part.to(tensor) for part in self))


def log_evidence(mean_C_D: Tensor, curvature_C_D: Tensor, prior_precision: float) -> float:
    """Return the log marginal likelihood as a function of the prior precision, up to a constant.

    Parameters
    ----------
    mean_C_D : Tensor (C, D)
        The weights fitted.
    curvature_C_D : Tensor (C, D)
        Eigenvalues of the Hessian of the negative log likelihood.
    prior_precision : float

    Returns
    -------
    float

    References
    ----------
    .. [1] D. MacKay, "The evidence framework applied to classification networks", Neural Computation 1992.

    Examples
    --------
    >>> import torch
    >>> from alkit.nets.laplace import log_evidence
    >>> log_evidence(torch.zeros(1, 2), torch.zeros(1, 2), 3.0)
    0.0
    """
    fit = -0.5 * prior_precision * float((mean_C_D**2).sum())
    log_shrinkage_C_D = math.log(prior_precision) - (curvature_C_D + prior_precision).log()
    occam = 0.5 * float(log_shrinkage_C_D.sum())
    return fit + occam + 0.0  # so that minus zero becomes zero


class LaplaceClassifier(MetaEstimatorMixin, ClassifierMixin, BaseEstimator):
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

    def __init__(self, estimator: Any, prior_precision: float | str = "evidence", random_state: RandomState = None):
        self.estimator = estimator
        self.prior_precision = prior_precision
        self.random_state = random_state

    replaced_by_fit = ("estimator_", "posterior_")

    def __sklearn_tags__(self) -> Any:
        return take_over_tags(super().__sklearn_tags__(), self.estimator)

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
        prior = self.prior_precision
        if prior != "evidence" and not (isinstance(prior, Real) and prior > 0):
            raise ValueError(f"prior_precision={prior!r}: give a positive number or 'evidence'")
        if not isinstance(self.estimator, (NetClassifier, DropoutMLPClassifier)):
            raise TypeError(
                f"LaplaceClassifier needs a NetClassifier or a DropoutMLPClassifier, not a "
                f"{type(self.estimator).__name__}; a Pipeline goes around LaplaceClassifier, not inside"
            )
        estimator = clone(self.estimator)
        seed_estimator(estimator, generator(self.random_state))
        self.estimator_ = estimator.fit(X, y, sample_weight=sample_weight)
        self.classes_, self.multilabel_ = estimator.classes_, estimator.multilabel_
        take_over_features(self, estimator)
        net, X = self._net(X)
        cross_entropy = nn.BCEWithLogitsLoss if self.multilabel_ else nn.CrossEntropyLoss
        if not isinstance(net.criterion_, cross_entropy):
            raise TypeError(
                f"the Laplace approximation here is that of cross-entropy, but the network was trained with "
                f"{type(net.criterion_).__name__}; use criterion=torch.nn.CrossEntropyLoss"
            )
        self.posterior_ = self._fit_posterior(net, X, _weights(sample_weight, n_rows(X)))
        return self

    def _fit_posterior(self, net: NetClassifier, X: Rows, weights_N: Tensor) -> KroneckerPosterior:
        """Sum up the two factors of the curvature over rows, and choose the prior."""
        mean_C_D, inputs_D_D, outputs_C_C = _factors(net, X, weights_N)
        eigen_D, basis_D_D = torch.linalg.eigh(inputs_D_D)
        eigen_C, basis_C_C = torch.linalg.eigh(outputs_C_C / weights_N.sum())
        # Both factors are positive semi-definite; what rounding leaves below zero is zero.
        curvature_C_D = (eigen_C.clamp_min(0)[:, None] * eigen_D.clamp_min(0)).contiguous()
        prior: Any = self.prior_precision
        if prior == "evidence":
            prior = _prior_of_most_evidence(mean_C_D, curvature_C_D)
        self.prior_precision_ = float(prior)
        return KroneckerPosterior(mean_C_D, curvature_C_D + self.prior_precision_, basis_C_C, basis_D_D)

    def _net(self, X: Rows) -> tuple[NetClassifier, Rows]:
        """Return the fitted network and rows as it takes them."""
        check_is_fitted(self, "estimator_")
        if isinstance(self.estimator_, DropoutMLPClassifier):
            return self.estimator_.network_for(X)
        return self.estimator_, X

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

    def _sample_proba_tensor(
        self,
        X: Rows,
        n_samples: int = 20,
        random_state: Any = None,
        consistent: bool | None = None,
        to: Device = None,
    ) -> Tensor:
        net, X = self._net(X)
        if n_samples < 1:
            raise ValueError(f"n_samples is {n_samples}, but at least 1 posterior sample must be drawn")
        weights_K_C_D = self.posterior_.draw(n_samples, sampling_seed(random_state))

        # One product for the weights of all draws, in the network's own precision.
        weights_D_KC = weights_K_C_D.flatten(0, 1).t()

        def samples(embedding_N_D: Tensor, call: LinearCall) -> Tensor:
            logits_N_KC = embedding_N_D @ weights_D_KC.to(embedding_N_D)
            return net.task_.proba(logits_N_KC.unflatten(1, (n_samples, -1)))

        with net.scoring():
            return net.gather(n_rows(X), _of_last_layer(net, X, samples), to)

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
            embedding_N_D = embedding_N_D.double()
            posterior = self.posterior_.like(embedding_N_D)
            variance_N_C = posterior.variance(embedding_N_D)
            return net.task_.proba(call.output / (1 + math.pi / 8 * variance_N_C).sqrt())

        with net.scoring():
            return net.gather(n_rows(X), _of_last_layer(net, X, averages), to)

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

    def embed(self, X: Rows) -> np.ndarray:
        """Return the embedding of each row, see :meth:`NetClassifier.embed`.

        Parameters
        ----------
        X : rows
            The rows.

        Returns
        -------
        ndarray of shape (n, D), float32
        """
        check_is_fitted(self, "estimator_")
        return self.estimator_.embed(X)

    def _embed_tensor(self, X: Rows, to: Device = None) -> Tensor:
        check_is_fitted(self, "estimator_")
        return self.estimator_._embed_tensor(X, to=to)

    @property
    def compute_device(self) -> torch.device:
        """Where the fitted network runs."""
        return self.estimator_.compute_device


def _of_last_layer(net: NetClassifier, X: Rows, compute: Callable[[Tensor, LinearCall], T]) -> Iterator[T]:
    """Yield what is computed of the last layer's inputs, with a column of ones if it has a bias, and its call."""

    def run(rows: Tensors) -> T:
        args, kwargs = net._call_arguments(rows)
        call = last_linear_call(net.network, args, kwargs)
        embedding_N_D = call.input
        if call.bias is not None:
            ones_N_1 = torch.ones_like(embedding_N_D[:, :1])
            embedding_N_D = torch.cat([embedding_N_D, ones_N_1], 1)
        return compute(embedding_N_D, call)

    return net.outputs(X, run)


def _weights(sample_weight: Any, n: int) -> Tensor:
    """Return weights of rows (N,) as they were given, ones by default."""
    if sample_weight is None:
        return torch.ones(n, dtype=torch.double)
    return torch.as_tensor(np.broadcast_to(np.asarray(sample_weight, dtype=np.float64), (n,)).copy())


def _factors(net: NetClassifier, X: Rows, weights_N: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return the last layer's weights (C, D), and the factors of inputs (D, D) and outputs (C, C), summed over rows.

    The Hessian of cross-entropy in the logits is diag(p) - p p^T, whatever the labels are; of several labels, which are
    independent, diag(p (1 - p)).
    """
    inputs_D_D: Any = 0
    outputs_C_C: Any = 0
    start = 0
    with net.scoring():
        for embedding_N_D, call in _of_last_layer(net, X, lambda *of_batch: of_batch):
            embedding_N_D = embedding_N_D.double()
            proba_N_C = net.task_.proba(call.output.double())
            weights_N_1 = weights_N[start : start + len(proba_N_C), None].to(proba_N_C)
            start += len(proba_N_C)
            inputs_D_D = inputs_D_D + embedding_N_D.t() @ (weights_N_1 * embedding_N_D)
            weighted_N_C = weights_N_1 * proba_N_C
            if net.multilabel_:
                outputs_C_C = outputs_C_C + (weighted_N_C * (1 - proba_N_C)).sum(0).diag()
            else:
                outputs_C_C = outputs_C_C + (weighted_N_C.sum(0).diag() - proba_N_C.t() @ weighted_N_C)
    mean_C_D = call.weight.detach().double()
    if call.bias is not None:
        bias_C_1 = call.bias.detach().double()[:, None]
        mean_C_D = torch.cat([mean_C_D, bias_C_1], 1)
    return mean_C_D.cpu(), inputs_D_D.cpu(), outputs_C_C.cpu()


def _prior_of_most_evidence(mean_C_D: Tensor, curvature_C_D: Tensor) -> float:
    """Return the prior precision of the largest marginal likelihood."""
    best = minimize_scalar(
        lambda log_prior: -log_evidence(mean_C_D, curvature_C_D, math.exp(log_prior)),
        bounds=_LOG_PRIOR_BOUNDS,
        method="bounded",
    )
    return math.exp(best.x)
