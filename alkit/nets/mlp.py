"""Ready-made networks with dropout, for people who do not write torch code."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from sklearn.base import ClassifierMixin, RegressorMixin

from alkit.labels import as_labels, as_numbers
from alkit.nets._mlp import DropoutMLP, DropoutMLPEstimator
from alkit.nets.classifier import NetClassifier
from alkit.nets.regressor import NetRegressor
from alkit.nets.training.reading_net import Device
from alkit.nets.training.tasks import is_label_matrix
from alkit.rows import Rows

__all__ = ["DropoutMLP", "DropoutMLPClassifier", "DropoutMLPRegressor"]


class DropoutMLPClassifier(ClassifierMixin, DropoutMLPEstimator):
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
        Known labels, sorted; of several labels per row, the numbers of columns.
    multilabel_ : bool
        Whether the network was fitted to several labels per row.
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

    _network_class = NetClassifier

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

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags

    def fit(self, X: Rows, y: Any, sample_weight: Any = None) -> DropoutMLPClassifier:
        """Fit the network.

        Parameters
        ----------
        X : array, sparse matrix or DataFrame of shape (n, n_features)
            Numbers, best of similar scale.
        y : array-like of shape (n,), or 0/1 matrix (n, L)
            Labels; several per row, on or off, in a matrix.
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
        several = y is not None and is_label_matrix(as_labels(y))
        self._fit_network(X, y, sample_weight, multi_output=several)
        self.classes_ = self.net_.classes_
        self.multilabel_ = self.net_.multilabel_
        return self

    def predict_proba(self, X: Rows) -> np.ndarray:
        """Return class probabilities.

        Parameters
        ----------
        X : array, sparse matrix or DataFrame of shape (n, n_features)
            The rows, read a batch at a time.

        Returns
        -------
        ndarray of shape (n, n_classes), float32
            Of several labels, the probability that each is on.
        """
        net, X = self.network_for(X)
        return net.predict_proba(X)

    def _predict_proba_tensor(self, X: Rows, to: Device = None) -> torch.Tensor:
        net, X = self.network_for(X)
        return net._predict_proba_tensor(X, to)

    def predict(self, X: Rows) -> np.ndarray:
        """Return the most probable label of each row; of several labels, those that are on.

        Parameters
        ----------
        X : array, sparse matrix or DataFrame of shape (n, n_features)
            The rows.

        Returns
        -------
        ndarray of shape (n,), or 0/1 (n, L)
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

    def _sample_proba_tensor(self, X: Rows, *args: Any, **kwargs: Any) -> torch.Tensor:
        net, X = self.network_for(X)
        return net._sample_proba_tensor(X, *args, **kwargs)


class DropoutMLPRegressor(RegressorMixin, DropoutMLPEstimator):
    """A multi-layer perceptron with dropout for numbers, whose draws tell how sure it is: no torch code needed.

    Parameters
    ----------
    hidden_layer_sizes, lr, max_epochs, batch_size, batching, warm_start, random_state, device, min_steps
        As in :class:`DropoutMLPClassifier`.
    dropout : float, default=0.1
        Probability of dropping a hidden unit, in [0, 1).

    Attributes
    ----------
    net_ : NetRegressor
        The fitted network.
    n_features_in_, feature_names_in_ : int, ndarray of str
        As in scikit-learn.

    Notes
    -----
    y is scaled inside; X is not: put a :class:`sklearn.preprocessing.StandardScaler` before it.

    Examples
    --------
    >>> from alkit.nets import DropoutMLPRegressor
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> X, y = load_diabetes(return_X_y=True)
    >>> model = make_pipeline(StandardScaler(), DropoutMLPRegressor(max_epochs=30, random_state=0)).fit(X, y)
    >>> model.score(X, y) > 0.5
    True
    >>> mean, std = model.predict(X, return_std=True)
    >>> model[-1].sample_y(X, n_samples=5, random_state=0).shape
    (442, 5)
    """

    _network_class = NetRegressor

    def __init__(
        self,
        hidden_layer_sizes: Sequence[int] = (128,),
        dropout: float = 0.1,
        lr: float = 0.003,
        max_epochs: int | None = None,
        batch_size: int = 32,
        batching: str = "flexible",
        warm_start: bool | str = False,
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
        self.random_state = random_state
        self.device = device
        self.min_steps = min_steps

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

    def fit(self, X: Rows, y: Any, sample_weight: Any = None) -> DropoutMLPRegressor:
        """Fit the network.

        Parameters
        ----------
        X : array, sparse matrix or DataFrame of shape (n, n_features)
            Numbers, best of similar scale.
        y : array-like of shape (n,) or (n, n_outputs)
            Numbers to predict.
        sample_weight : array-like of shape (n,), optional
            Weights of the rows in the loss.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            On bad input (the message names cause and remedy), and if the loss is not finite.
        """
        self._fit_network(X, y if y is None else as_numbers(y), sample_weight, multi_output=True)
        return self

    def predict(self, X: Rows, return_std: bool = False) -> Any:
        """Return the numbers predicted, and how far they spread, see :meth:`NetRegressor.predict`.

        Parameters
        ----------
        X : array, sparse matrix or DataFrame of shape (n, n_features)
            The rows, read a batch at a time.
        return_std : bool, default=False
            Whether to return the standard deviation of 20 draws of dropout too.

        Returns
        -------
        ndarray of shape (n,) or (n, n_outputs), or a pair of them
        """
        net, X = self.network_for(X)
        return net.predict(X, return_std)

    def _predict_tensor(self, X: Rows, return_std: bool = False, to: Device = None) -> Any:
        net, X = self.network_for(X)
        return net._predict_tensor(X, return_std, to)

    def sample_y(
        self, X: Rows, n_samples: int = 20, random_state: Any = None, consistent: bool | None = None
    ) -> np.ndarray:
        """Return predictions under draws of dropout, see :meth:`NetRegressor.sample_y`.

        Parameters
        ----------
        X : array, sparse matrix or DataFrame of shape (n, n_features)
            The rows.
        n_samples, random_state, consistent
            As in :meth:`DropoutMLPClassifier.sample_proba`.

        Returns
        -------
        ndarray of shape (n, n_samples) or (n, n_samples, n_outputs), float64
        """
        net, X = self.network_for(X)
        return net.sample_y(X, n_samples, random_state, consistent)

    def _sample_y_tensor(self, X: Rows, *args: Any, **kwargs: Any) -> torch.Tensor:
        net, X = self.network_for(X)
        return net._sample_y_tensor(X, *args, **kwargs)
