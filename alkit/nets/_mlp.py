"""A network with dropout built of plain parameters: what its classifier and its regressor share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import scipy.sparse as sp
import torch
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted, validate_data
from torch import nn

from alkit.nets.training.reading_net import Device
from alkit.rows import Rows, dense, readable
from alkit.validation import check_shape, checked, was_checked


class DropoutMLP(nn.Sequential):
    """Linear, ReLU and dropout for each hidden layer, then a linear layer.

    Parameters
    ----------
    n_features, n_outputs : int
        Inputs and outputs.
    hidden_layer_sizes : sequence of int
        Units of each hidden layer.
    dropout : float
        Probability of dropping a hidden unit.
    """

    def __init__(self, n_features: int, n_outputs: int, hidden_layer_sizes: Sequence[int], dropout: float):
        layers: list[nn.Module] = []
        width = n_features
        for size in hidden_layer_sizes:
            layers += [nn.Linear(width, size), nn.ReLU(), nn.Dropout(dropout)]
            width = size
        super().__init__(*layers, nn.Linear(width, n_outputs))


# Holds a network instead of being one: skorch sets attributes in __init__, which scikit-learn's estimator checks
# forbid, so that a subclass could not pass them.
class DropoutMLPEstimator(BaseEstimator):
    """What the classifier and the regressor share: a network that is built of plain parameters, and asked."""

    _network_class: Any
    net_: Any
    warm_start: bool | str

    def __setstate__(self, state: dict[str, Any]) -> None:
        # those that 0.1.0 pickled have no `min_steps`
        super().__setstate__({"min_steps": None} | state)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    @property
    def replaced_by_fit(self) -> tuple[str, ...]:
        """Attributes that a fit replaces without changing what they hold; none of a fit that goes on from it."""
        return () if self.warm_start else ("net_",)

    def _fit_network(self, X: Rows, y: Any, sample_weight: Any, **check_params: Any) -> None:
        """Check parameters and rows, and fit the network."""
        if len(self.hidden_layer_sizes) == 0 or not 0 <= self.dropout < 1:
            raise ValueError(
                f"hidden_layer_sizes={self.hidden_layer_sizes!r} and dropout={self.dropout!r}: give at least one "
                "hidden layer, and a dropout from 0 to below 1"
            )
        must_check = not was_checked(X)
        X = _as_rows(X)
        sparse = ["csr", "csc", "coo"]
        _, y = validate_data(self, X, y, accept_sparse=sparse, ensure_all_finite=must_check, **check_params)
        net = self._net_to_fit()
        with checked(X):
            self.net_ = net.fit(X, y, sample_weight)

    def _net_to_fit(self) -> Any:
        """Return the fitted network, where a warm start can go on from it, or else a new one."""
        params = self.get_params(deep=False)
        module_params = {f"module__{name}": params.pop(name) for name in ("hidden_layer_sizes", "dropout")}
        fitted = getattr(self, "net_", None)
        # With other layers, there are no weights to go on from.
        if self.warm_start and fitted is not None and module_params.items() <= fitted.get_params(deep=False).items():
            return fitted.set_params(**params)
        return self._network_class(DropoutMLP, **module_params, **params)

    def embed(self, X: Rows) -> np.ndarray:
        """Return the last hidden layer of each row.

        Parameters
        ----------
        X : array, sparse matrix or DataFrame of shape (n, n_features)
            The rows.

        Returns
        -------
        ndarray of shape (n, hidden_layer_sizes[-1]), float32
        """
        net, X = self.network_for(X)
        return net.embed(X)

    def _embed_tensor(self, X: Rows, to: Device = None) -> torch.Tensor:
        net, X = self.network_for(X)
        return net._embed_tensor(X, to=to)

    @property
    def compute_device(self) -> torch.device:
        """Where the fitted network runs."""
        return self.net_.compute_device

    def network_for(self, X: Rows) -> tuple[Any, Rows]:
        """Return the fitted network and rows as it takes them, after checking their shape.

        Parameters
        ----------
        X : array, sparse matrix, DataFrame or array-like of shape (n, n_features)
            The rows.

        Returns
        -------
        net : NetClassifier or NetRegressor
        X : rows
        """
        check_is_fitted(self)
        X = _as_rows(X)
        check_shape(X)
        validate_data(self, X, reset=False, skip_check_array=True)
        return self.net_, X


def _as_rows(X: Any) -> Rows:
    """Return X, as an array where scikit-learn, which looks at rows first, would not know how to read it."""
    X = readable(X)
    known = hasattr(X, "__array__") or sp.issparse(X) or isinstance(X, list)
    return X if known else dense(X)
