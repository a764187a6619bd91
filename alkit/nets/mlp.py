"""A ready-made network with dropout, for people who do not write torch code."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import scipy.sparse as sp
import torch
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.validation import check_is_fitted, validate_data
from torch import nn

from alkit.nets.classifier import NetClassifier
from alkit.nets.training.scoring_net import Device
from alkit.rows import Rows, dense, readable
from alkit.validation import check_shape, checked, was_checked


class DropoutMLP(nn.Sequential):
    """Linear, ReLU and dropout for each hidden layer, then a linear layer.

    Parameters
    ----------
    n_features, n_classes : int
        Inputs and outputs.
    hidden_layer_sizes : sequence of int
        Units of each hidden layer.
    dropout : float
        Probability of dropping a hidden unit.
    """

    def __init__(self, n_features: int, n_classes: int, hidden_layer_sizes: Sequence[int], dropout: float):
        layers: list[nn.Module] = []
        width = n_features
        for size in hidden_layer_sizes:
            layers += [nn.Linear(width, size), nn.ReLU(), nn.Dropout(dropout)]
            width = size
        super().__init__(*layers, nn.Linear(width, n_classes))


# Holds a NetClassifier instead of being one: skorch sets attributes in __init__, which scikit-learn's estimator checks
# forbid, so that a subclass could not pass them.
class DropoutMLPClassifier(ClassifierMixin, BaseEstimator):
    """A multi-layer perceptron with dropout, whose draws tell how sure it is: no torch code needed.

    Parameters
    ----------
    hidden_layer_sizes : tuple of int, default=(128,)
        Units of each hidden layer; at least one layer, because dropout acts on hidden units.
    dropout : float, default=0.5
        Probability of dropping a hidden unit, in [0, 1).
    lr : float, default=0.003
        Learning rate of Adam.
    max_epochs : int, optional
        Epochs of each fit. By default 20, or as many more as make `min_steps`.
    batch_size : int, default=32
        Rows per batch.
    batching : {"flexible", "upsample", "fixed"}, default="flexible"
        What becomes of the rest that fills no batch, see :func:`alkit.nets.training.batches.batch_sizes`.
    warm_start : bool or "shrink_perturb", default=False
        Whether a fit goes on from the last one's weights, see :class:`NetClassifier`.
    classes : array-like, optional
        Every label there may be, where some may not be seen yet.
    class_weight : "balanced" or dict of label to weight, optional
        Weights of the classes in the loss.
    random_state : int, RandomState or None, default=None
        Seeds weights, shuffling and dropout of each fit. None draws from torch's global state.
    device : str, default="cpu"
        Where the network runs, e.g. ``"cuda"``.
    min_steps : int, optional
        Optimizer steps that each fit takes at least, unless the training loss is flat before, see
        :class:`NetClassifier`. By default 1,000 where `max_epochs` is left out, and none where it is given.

    Attributes
    ----------
    net_ : NetClassifier
        The fitted network.
    classes_ : ndarray of shape (n_classes,)
        Known labels, sorted.
    n_features_in_, feature_names_in_ : int, ndarray of str
        As in scikit-learn.

    Notes
    -----
    X is not scaled: put a :class:`sklearn.preprocessing.StandardScaler` before it.

    Examples
    --------
    >>> from alkit.nets import DropoutMLPClassifier
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> X, y = load_iris(return_X_y=True)
    >>> model = make_pipeline(StandardScaler(), DropoutMLPClassifier(random_state=0)).fit(X, y)
    >>> model.score(X, y) > 0.9
    True
    >>> model[-1].sample_proba(X, n_samples=5, random_state=0).shape
    (150, 5, 3)
    """

    def __init__(
        self,
        hidden_layer_sizes: Sequence[int] = (128,),
        dropout: float = 0.5,
        lr: float = 0.003,
        max_epochs: int | None = None,
        batch_size: int = 32,
        batching: str = "flexible",
        warm_start: bool | str = False,
        classes: Any = None,
        class_weight: Any = None,
        random_state: Any = None,
        device: str = "cpu",
        min_steps: int | None = None,
    ):
        self.hidden_layer_sizes = hidden_layer_sizes
        self.dropout = dropout
        self.lr = lr
        self.max_epochs = max_epochs
        self.batch_size = batch_size
        self.batching = batching
        self.warm_start = warm_start
        self.classes = classes
        self.class_weight = class_weight
        self.random_state = random_state
        self.device = device
        self.min_steps = min_steps

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

    def fit(self, X: Rows, y: Any, sample_weight: Any = None) -> DropoutMLPClassifier:
        """Fit the network.

        Parameters
        ----------
        X : array, sparse matrix or DataFrame of shape (n, n_features)
            Numbers, best of similar scale.
        y : array-like of shape (n,)
            Labels.
        sample_weight : array-like of shape (n,), optional
            Weights of the rows in the loss, multiplied with those of their classes.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            On bad input (the message names cause and remedy), and if the loss is not finite.
        """
        if len(self.hidden_layer_sizes) == 0 or not 0 <= self.dropout < 1:
            raise ValueError(
                f"hidden_layer_sizes={self.hidden_layer_sizes!r} and dropout={self.dropout!r}: give at least one "
                "hidden layer, and a dropout from 0 to below 1"
            )
        must_check = not was_checked(X)
        X = _as_rows(X)
        _, y = validate_data(self, X, y, accept_sparse=["csr", "csc", "coo"], ensure_all_finite=must_check)
        net = self._net_to_fit()
        with checked(X):
            self.net_ = net.fit(X, y, sample_weight)
        self.classes_ = net.classes_
        return self

    def _net_to_fit(self) -> NetClassifier:
        """Return the fitted network, where a warm start can go on from it, or else a new one."""
        params = self.get_params(deep=False)
        module_params = {f"module__{name}": params.pop(name) for name in ("hidden_layer_sizes", "dropout")}
        fitted = getattr(self, "net_", None)
        # With other layers, there are no weights to go on from.
        if self.warm_start and fitted is not None and module_params.items() <= fitted.get_params(deep=False).items():
            return fitted.set_params(**params)
        return NetClassifier(DropoutMLP, **module_params, **params)

    def predict_proba(self, X: Rows) -> np.ndarray:
        """Return class probabilities.

        Parameters
        ----------
        X : array, sparse matrix or DataFrame of shape (n, n_features)
            The rows, read a batch at a time.

        Returns
        -------
        ndarray of shape (n, n_classes), float32
        """
        net, X = self.network_for(X)
        return net.predict_proba(X)

    def _predict_proba_tensor(self, X: Rows, to: Device = None) -> torch.Tensor:
        net, X = self.network_for(X)
        return net._predict_proba_tensor(X, to)

    def predict(self, X: Rows) -> np.ndarray:
        """Return the most probable label of each row.

        Parameters
        ----------
        X : array, sparse matrix or DataFrame of shape (n, n_features)
            The rows.

        Returns
        -------
        ndarray of shape (n,)
        """
        net, X = self.network_for(X)
        return net.predict(X)

    def sample_proba(
        self, X: Rows, n_samples: int = 20, random_state: Any = None, consistent: bool | None = None
    ) -> np.ndarray:
        """Return class probabilities under draws of dropout, see :meth:`NetClassifier.sample_proba`.

        Parameters
        ----------
        X : array, sparse matrix or DataFrame of shape (n, n_features)
            The rows.
        n_samples : int, default=20
            Number of draws K.
        random_state : int, RandomState or None, default=None
            Seeds the masks.
        consistent : bool, optional
            Whether all rows must share one mask per draw; a plain stack of layers as here always does.

        Returns
        -------
        ndarray of shape (n, n_samples, n_classes), float32
        """
        net, X = self.network_for(X)
        return net.sample_proba(X, n_samples, random_state, consistent)

    def _sample_proba_tensor(
        self,
        X: Rows,
        n_samples: int = 20,
        random_state: Any = None,
        consistent: bool | None = None,
        to: Device = None,
    ) -> torch.Tensor:
        net, X = self.network_for(X)
        return net._sample_proba_tensor(X, n_samples, random_state, consistent, to)

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

    def network_for(self, X: Rows) -> tuple[NetClassifier, Rows]:
        """Return the fitted network and rows as it takes them, after checking their shape.

        Parameters
        ----------
        X : array, sparse matrix, DataFrame or array-like of shape (n, n_features)
            The rows.

        Returns
        -------
        net : NetClassifier
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
