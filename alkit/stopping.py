"""Stopping rules: asked after each round, by a person's loop or a simulated one, whether more labels are worthwhile."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from sklearn.base import BaseEstimator
from sklearn.metrics import cohen_kappa_score

from alkit.rows import Rows
from alkit.strategies.answers import distributions, has_several_labels
from alkit.strategies.regressors import predicts_numbers
from alkit.strategies.scores import entropy


class StabilizingPredictions(BaseEstimator):
    """Stop when models of successive rounds agree on what they predict.

    Agreement is Cohen's kappa between the predictions of two rounds on the same unlabelled rows, and of numbers, Lin's
    coefficient of concordance. Once it is high, further labels hardly change what the model predicts.

    Parameters
    ----------
    threshold : float, default=0.99
        Mean agreement to reach. Numbers that a network with dropout predicts seldom agree so far: begin with .9 to .95
        for them, and look at `agreements_`.
    window : int, default=3
        Number of latest agreements that the mean is over; 1 or more. So it takes one round more to stop.

    Attributes
    ----------
    agreements_ : list of float
        One per round, from the second on.

    References
    ----------
    Bloodgood & Vijay-Shanker (2009), A Method for Stopping Active Learning Based on Stabilizing Predictions and the
    Need for User-Adjustable Stopping; Lin (1989), A Concordance Correlation Coefficient to Evaluate Reproducibility.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from alkit import ActiveLearner
    >>> from alkit.stopping import StabilizingPredictions
    >>> X, y = load_iris(return_X_y=True)
    >>> learner = ActiveLearner(LogisticRegression(max_iter=1000), "margin", X[::15], y[::15], random_state=0)
    >>> stopping = StabilizingPredictions(window=2)
    >>> while not stopping.update(learner, X):
    ...     indices, instances = learner.query(X, n_instances=5)
    ...     learner.teach(instances, y[indices])
    >>> len(learner.y_training) < 100
    True
    """

    def __init__(self, threshold: float = 0.99, window: int = 3) -> None:
        self.threshold = threshold
        self.window = window

    def update(self, model: Any, X: Rows) -> bool:
        """Return whether to stop, given the model of this round.

        Parameters
        ----------
        model : fitted classifier, regressor or learner
        X : rows of any kind
            The same unlabelled rows in every round.

        Returns
        -------
        bool
        """
        if self.window < 1:
            raise ValueError(f"window={self.window}; the mean is over 1 agreement or more")
        predicted = np.asarray(model.predict(X))
        before = getattr(self, "predicted_", None)
        self.predicted_ = predicted
        if before is None:
            self.agreements_: list[float] = []
            return False
        if len(before) != len(predicted):
            raise ValueError(f"X has {len(predicted)} rows, but {len(before)} a round before; pass the same rows")
        if np.array_equal(before, predicted):  # where all predictions are of one class, kappa is not defined
            agreement = 1.0
        elif predicts_numbers(getattr(model, "estimator", model)):
            agreement = _concordance(before, predicted)
        else:
            # of several answers per row, each counts
            agreement = float(cohen_kappa_score(before.ravel(), predicted.ravel()))
        self.agreements_.append(agreement)
        latest = self.agreements_[-self.window :]
        return len(latest) == self.window and float(np.mean(latest)) >= self.threshold


def _concordance(before: np.ndarray, now: np.ndarray) -> float:
    """Return Lin's coefficient of concordance, of the output where it is lowest."""
    a, b = before.reshape(len(before), -1), now.reshape(len(now), -1)
    covariance = ((a - a.mean(0)) * (b - b.mean(0))).mean(0)
    difference = np.square(a.mean(0) - b.mean(0))
    total = a.var(0) + b.var(0) + difference
    # of an output that has not moved at all, all terms are zero
    return float(np.min(np.where(total == 0, 1.0, 2 * covariance / np.where(total == 0, 1, total))))


class OverallUncertainty(BaseEstimator):
    """Stop when the model is certain about the rows that are left.

    Parameters
    ----------
    threshold : float in (0, 1), default=0.05
        Mean entropy of predictions to fall below, as a share of the highest possible one, log C.

    Attributes
    ----------
    uncertainties_ : list of float
        One per round; NaN, which does not stop, while the model has only one class.

    References
    ----------
    Zhu, Wang, Hovy & Ma (2010), Confidence-Based Stopping Criteria for Active Learning for Data Annotation.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.naive_bayes import GaussianNB
    >>> from alkit.stopping import OverallUncertainty
    >>> X, y = load_iris(return_X_y=True)
    >>> OverallUncertainty(threshold=0.1).update(GaussianNB().fit(X, y), X)
    True
    """

    def __init__(self, threshold: float = 0.05) -> None:
        self.threshold = threshold

    def update(self, model: Any, X: Rows) -> bool:
        """Return whether to stop, given the model of this round.

        Parameters
        ----------
        model : fitted classifier or learner
        X : rows of any kind
            Unlabelled rows.

        Returns
        -------
        bool
        """
        answers = distributions(model.predict_proba(X), 2, bool(has_several_labels(model)))
        proba = torch.as_tensor(answers)
        highest = math.log(proba.shape[-1]) or math.nan  # NaN for one class, whose entropy is 0 of 0
        uncertainty = float(entropy(proba).mean()) / highest
        self.uncertainties_ = [*getattr(self, "uncertainties_", []), uncertainty]
        return uncertainty < self.threshold
