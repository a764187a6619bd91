"""Gaussian posteriors over the last layer of a fitted network: what Laplace's classifier and regressor share."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from numbers import Real
from typing import Any, ClassVar, NamedTuple, TypeVar

import numpy as np
import torch
from sklearn.base import MetaEstimatorMixin, clone
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from alkit._inner import take_over_features, take_over_tags
from alkit._random import RandomState, generator, sampling_seed, seed_estimator
from alkit.nets._mlp import DropoutMLPEstimator
from alkit.nets.embedding import LinearCall, last_linear_call
from alkit.nets.training.reading_net import Device
from alkit.nets.training.tensors import Tensors
from alkit.rows import Rows, n_rows

T = TypeVar("T")

# Precisions that no prior of a layer's weights comes near: the search for the best needs bounds.
LOG_PRIOR_BOUNDS = math.log(1e-6), math.log(1e8)


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


class LaplaceEstimator(MetaEstimatorMixin):
    """A network, and a Gaussian posterior over its last layer that is fitted to it."""

    _network_classes: ClassVar[tuple[type, ...]]
    replaced_by_fit = ("estimator_", "posterior_")
    estimator_: Any
    posterior_: KroneckerPosterior

    def __init__(self, estimator: Any, prior_precision: float | str = "evidence", random_state: RandomState = None):
        self.estimator = estimator
        self.prior_precision = prior_precision
        self.random_state = random_state

    def __sklearn_tags__(self) -> Any:
        return take_over_tags(super().__sklearn_tags__(), self.estimator)

    def _fit_estimator(self, X: Rows, y: Any, sample_weight: Any) -> None:
        """Check parameters, and fit the estimator."""
        prior = self.prior_precision
        if prior != "evidence" and not (isinstance(prior, Real) and prior > 0):
            raise ValueError(f"prior_precision={prior!r}: give a positive number or 'evidence'")
        if not isinstance(self.estimator, self._network_classes):
            needed = " or a ".join(kind.__name__ for kind in self._network_classes)
            name = type(self).__name__
            raise TypeError(
                f"{name} needs a {needed}, not a {type(self.estimator).__name__}; a Pipeline goes around {name}, not "
                "inside"
            )
        estimator = clone(self.estimator)
        seed_estimator(estimator, generator(self.random_state))
        self.estimator_ = estimator.fit(X, y, sample_weight=sample_weight)
        take_over_features(self, estimator)

    def _check_loss(self, net: Any, criterion: type, name: str) -> None:
        """Raise unless the network was trained with the loss whose curvature the posterior has."""
        if not isinstance(net.criterion_, criterion):
            raise TypeError(
                f"the Laplace approximation here is that of {name}, but the network was trained with "
                f"{type(net.criterion_).__name__}; use criterion=torch.nn.{criterion.__name__}"
            )

    def _net(self, X: Rows) -> tuple[Any, Rows]:
        """Return the fitted network and rows as it takes them."""
        check_is_fitted(self, "estimator_")
        if isinstance(self.estimator_, DropoutMLPEstimator):
            return self.estimator_.network_for(X)
        return self.estimator_, X

    def _sampled(
        self,
        X: Rows,
        transform: Callable[[Tensor], Tensor],
        n_samples: int = 20,
        random_state: Any = None,
        consistent: bool | None = None,
        to: Device = None,
    ) -> Tensor:
        """Return what becomes of the outputs (n, K, C) under draws of the last layer's weights, the same for all rows.

        So `consistent` changes nothing.
        """
        net, X = self._net(X)
        if n_samples < 1:
            raise ValueError(f"n_samples is {n_samples}, but at least 1 posterior sample must be drawn")
        weights_K_C_D = self.posterior_.draw(n_samples, sampling_seed(random_state))
        # One product for the weights of all draws, in the network's own precision.
        weights_D_KC = weights_K_C_D.flatten(0, 1).t()

        def samples(embedding_N_D: Tensor, call: LinearCall) -> Tensor:
            outputs_N_KC = embedding_N_D @ weights_D_KC.to(embedding_N_D)
            return transform(outputs_N_KC.unflatten(1, (n_samples, -1)))

        with net.scoring():
            return net.gather(n_rows(X), of_last_layer(net, X, samples), to)

    def _variance(self, embedding_N_D: Tensor) -> Tensor:
        """Return the variance of each output, (N, D) -> (N, C), in float64."""
        embedding_N_D = embedding_N_D.double()
        return self.posterior_.like(embedding_N_D).variance(embedding_N_D)

    def embed(self, X: Rows) -> np.ndarray:
        """Return the embedding of each row, see :meth:`alkit.NetClassifier.embed`.

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


def of_last_layer(net: Any, X: Rows, compute: Callable[[Tensor, LinearCall], T]) -> Iterator[T]:
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


def weighted_batches(net: Any, X: Rows, weights_N: Tensor) -> Iterator[tuple[slice, Tensor, Tensor, LinearCall]]:
    """Yield for each batch which rows it has, their weights (B, 1), and inputs (B, D) and call of the last layer."""
    start = 0
    for embedding_N_D, call in of_last_layer(net, X, lambda *of_batch: of_batch):
        embedding_N_D = embedding_N_D.double()
        rows = slice(start, start + len(embedding_N_D))
        start = rows.stop
        yield rows, weights_N[rows, None].to(embedding_N_D), embedding_N_D, call


def eigen(matrix_D_D: Tensor) -> tuple[Tensor, Tensor]:
    """Return eigenvalues (D,) and basis (D, D) of a sum of squares, whose eigenvalues are never below zero."""
    eigen_D, basis_D_D = torch.linalg.eigh(matrix_D_D)
    # what rounding leaves below zero is zero
    return eigen_D.clamp_min(0), basis_D_D


def weights_of_rows(sample_weight: Any, n: int) -> Tensor:
    """Return weights of rows (N,) as they were given, ones by default."""
    if sample_weight is None:
        return torch.ones(n, dtype=torch.double)
    return torch.as_tensor(np.broadcast_to(np.asarray(sample_weight, dtype=np.float64), (n,)).copy())


def last_layer_weights(call: LinearCall) -> Tensor:
    """Return the weights of a last layer with its bias as one more column, (C, D)."""
    mean_C_D = call.weight.detach().double()
    if call.bias is not None:
        bias_C_1 = call.bias.detach().double()[:, None]
        mean_C_D = torch.cat([mean_C_D, bias_C_1], 1)
    return mean_C_D
