"""Deep ensembles: several networks that differ by their random start, as samples of a posterior."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import torch
from sklearn.base import BaseEstimator, ClassifierMixin, MetaEstimatorMixin, RegressorMixin, clone
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted
from torch import nn

from alkit._inner import take_over_features, take_over_tags
from alkit._random import RandomState, draw_seed, generator, seed_estimator
from alkit._tensors import as_tensor, tensor_method
from alkit.labels import most_probable
from alkit.nets._together import fit_together
from alkit.nets.training.training_net import TrainingNet
from alkit.rows import Rows


def _members_embed(ensemble: DeepEnsemble) -> bool:
    return hasattr(ensemble.estimator, "embed")


class DeepEnsemble(MetaEstimatorMixin, BaseEstimator):
    """What ensembles of classifiers and of regressors share: members that differ by their random start alone."""

    estimators_: list[Any]
    replaced_by_fit = ("estimators_",)

    def __init__(self, estimator: Any, n_estimators: int = 8, random_state: RandomState = None):
        self.estimator = estimator
        self.n_estimators = n_estimators
        self.random_state = random_state

    def __sklearn_tags__(self) -> Any:
        return take_over_tags(super().__sklearn_tags__(), self.estimator)

    def _fit_members(self, X: Rows, y: Any, sample_weight: Any) -> None:
        """Fit the members, together where that is faster."""
        if not isinstance(self.n_estimators, (int, np.integer)) or self.n_estimators < 1:
            raise ValueError(f"n_estimators={self.n_estimators!r}: an ensemble needs one member or more")
        if isinstance(getattr(self.estimator, "module", None), nn.Module):
            warnings.warn(
                f"{type(self.estimator).__name__} holds an instance of {type(self.estimator.module).__name__}, so all "
                f"{self.n_estimators} members start from its weights and will differ too little; pass its class (and "
                "module__* for its arguments) or a function that builds it",
                UserWarning,
                stacklevel=3,
            )
        rng = generator(self.random_state)
        members = [clone(self.estimator) for _ in range(self.n_estimators)]
        for member in members:
            seed_estimator(member, rng, every=True)
        weights = {} if sample_weight is None else {"sample_weight": sample_weight}
        is_network = isinstance(self.estimator, TrainingNet)
        seed = draw_seed(rng) if is_network else 0
        were_fitted = is_network and not weights and fit_together(members, X, y, seed)
        if not were_fitted:
            members = [member.fit(X, y, **weights) for member in members]
        self.estimators_ = members
        take_over_features(self, members[0])

    @available_if(_members_embed)
    def embed(self, X: Rows) -> np.ndarray:
        """Return the embeddings of all members side by side, so that every member counts in a distance.

        Parameters
        ----------
        X : rows
            The rows.

        Returns
        -------
        ndarray of shape (n, K * D), float32
        """
        check_is_fitted(self)
        return np.concatenate([member.embed(X) for member in self.estimators_], axis=1)

    @available_if(_members_embed)
    def _embed_tensor(self, X: Rows) -> torch.Tensor:
        check_is_fitted(self)
        return torch.cat([as_tensor(tensor_method(member, "embed")(X)) for member in self.estimators_], 1)

    @property
    def compute_device(self) -> torch.device:
        """Where the fitted members run, those of scikit-learn on the CPU."""
        return getattr(self.estimators_[0], "compute_device", torch.device("cpu"))


class EnsembleClassifier(ClassifierMixin, DeepEnsemble):
    """A deep ensemble [1]_: networks that differ by their first weights and their shuffling sample a posterior.

    Small networks of linear layers (a `NetClassifier` without callbacks and validation split) are trained together,
    several times as fast as in turn; all others one after another.

    Parameters
    ----------
    estimator : classifier
        What each member is a clone of. Give `NetClassifier` a module class, not an instance: a class is built anew for
        each member, while copies of an instance all start from its weights (which warns).
    n_estimators : int, default=8
        Number of members K.
    random_state : int, RandomState or None, default=None
        Seeds every ``random_state`` inside each member.

    Attributes
    ----------
    estimators_ : list of classifier
        The fitted members.
    classes_ : array (C,)
        Known labels.
    multilabel_ : bool
        Whether the members were fitted to several labels per row.
    n_features_in_, feature_names_in_
        As in scikit-learn, where the members have them.

    References
    ----------
    .. [1] B. Lakshminarayanan, A. Pritzel and C. Blundell, "Simple and Scalable Predictive Uncertainty Estimation
       using Deep Ensembles", NeurIPS 2017.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from alkit import ActiveLearner, DropoutMLPClassifier, EnsembleClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> ensemble = EnsembleClassifier(DropoutMLPClassifier(max_epochs=5), n_estimators=3, random_state=0)
    >>> learner = ActiveLearner(ensemble, "bald", X[::10], y[::10], random_state=0)
    >>> indices, rows = learner.query(X, n_instances=2)
    >>> ensemble.sample_proba(X).shape
    (150, 3, 3)
    """

    def fit(self, X: Rows, y: Any, sample_weight: Any = None) -> EnsembleClassifier:
        """Fit the members.

        Parameters
        ----------
        X : rows of any kind the estimator takes
            The rows.
        y : array-like of shape (n,), or what else the estimator takes
            Labels; a 0/1 matrix (n, L) of several per row.
        sample_weight : array-like of shape (n,), optional
            Weights of the rows, for members whose `fit` takes them.

        Returns
        -------
        self
        """
        self._fit_members(X, y, sample_weight)
        self.classes_ = self.estimators_[0].classes_
        self.multilabel_ = bool(getattr(self.estimators_[0], "multilabel_", False))
        return self

    def sample_proba(
        self, X: Rows, n_samples: int | None = None, random_state: Any = None, consistent: bool | None = None
    ) -> np.ndarray:
        """Return class probabilities of each member.

        Parameters
        ----------
        X : rows
            The rows.
        n_samples, random_state, consistent
            Not used: there are as many samples as members, each of them one network for all rows.

        Returns
        -------
        ndarray of shape (n, K, C), float32
            Of several labels (n, K, L).

        Raises
        ------
        TypeError
            If members predict several outputs, an array for each.
        """
        return self._sample_proba_tensor(X).cpu().numpy()

    def _sample_proba_tensor(
        self, X: Rows, n_samples: int | None = None, random_state: Any = None, consistent: bool | None = None
    ) -> torch.Tensor:
        check_is_fitted(self)
        samples = torch.empty(0)
        for k, member in enumerate(self.estimators_):
            proba = tensor_method(member, "predict_proba")(X)
            if isinstance(proba, list):
                raise TypeError(
                    f"{type(member).__name__} predicts an array for each of {len(proba)} outputs, which are no samples "
                    "of one posterior; make an ensemble of alkit.DropoutMLPClassifier or alkit.NetClassifier"
                )
            proba = as_tensor(proba)
            if k == 0:
                shape = len(proba), len(self.estimators_), *proba.shape[1:]
                samples = torch.empty(shape, dtype=torch.float32, device=proba.device)
            samples[:, k] = proba
        return samples

    def predict_proba(self, X: Rows) -> np.ndarray:
        """Return class probabilities, averaged over members.

        Parameters
        ----------
        X : rows
            The rows.

        Returns
        -------
        ndarray of shape (n, C), float32
        """
        return self.sample_proba(X).mean(1)

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


class EnsembleRegressor(RegressorMixin, DeepEnsemble):
    """A deep ensemble of regressors, whose members' predictions sample a posterior, see :class:`EnsembleClassifier`.

    Parameters
    ----------
    estimator : regressor
        What each member is a clone of. Give `NetRegressor` a module class, not an instance.
    n_estimators : int, default=8
        Number of members K.
    random_state : int, RandomState or None, default=None
        Seeds every ``random_state`` inside each member.

    Attributes
    ----------
    estimators_ : list of regressor
        The fitted members.
    n_features_in_, feature_names_in_
        As in scikit-learn, where the members have them.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from alkit import ActiveLearner, DropoutMLPRegressor, EnsembleRegressor
    >>> X, y = load_diabetes(return_X_y=True)
    >>> ensemble = EnsembleRegressor(DropoutMLPRegressor(max_epochs=5), n_estimators=3, random_state=0)
    >>> learner = ActiveLearner(ensemble, "std", X[::10], y[::10], random_state=0)
    >>> indices, rows = learner.query(X, n_instances=2)
    >>> ensemble.sample_y(X).shape
    (442, 3)
    """

    def fit(self, X: Rows, y: Any, sample_weight: Any = None) -> EnsembleRegressor:
        """Fit the members.

        Parameters
        ----------
        X : rows of any kind the estimator takes
            The rows.
        y : array-like of shape (n,) or (n, n_outputs)
            Numbers to predict.
        sample_weight : array-like of shape (n,), optional
            Weights of the rows, for members whose `fit` takes them.

        Returns
        -------
        self
        """
        self._fit_members(X, y, sample_weight)
        return self

    def sample_y(
        self, X: Rows, n_samples: int | None = None, random_state: Any = None, consistent: bool | None = None
    ) -> np.ndarray:
        """Return what each member predicts.

        Parameters
        ----------
        X : rows
            The rows.
        n_samples, random_state, consistent
            Not used: there are as many samples as members, each of them one network for all rows.

        Returns
        -------
        ndarray of shape (n, K) or (n, K, n_outputs)
        """
        return self._sample_y_tensor(X).cpu().numpy()

    def _sample_y_tensor(
        self, X: Rows, n_samples: int | None = None, random_state: Any = None, consistent: bool | None = None
    ) -> torch.Tensor:
        check_is_fitted(self)
        return torch.stack([as_tensor(tensor_method(member, "predict")(X)) for member in self.estimators_], 1)

    def predict(self, X: Rows, return_std: bool = False) -> Any:
        """Return the mean of what the members predict, and how far they disagree.

        Parameters
        ----------
        X : rows
            The rows.
        return_std : bool, default=False
            Whether to return the standard deviation over members too.

        Returns
        -------
        ndarray of shape (n,) or (n, n_outputs), or a pair of them
        """
        samples = self.sample_y(X)
        return (samples.mean(axis=1), samples.std(axis=1)) if return_std else samples.mean(axis=1)
