"""Models that need no training, for tests of what is done with their answers."""

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin


def softmax(z):
    e = np.exp(z - z.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


class LinearPosterior(ClassifierMixin, BaseEstimator):
    """A linear classifier with K weight matrices, and every method a strategy may ask for."""

    def __init__(self, n_classes=4, n_samples=6, dtype=np.float64, broken=False):
        self.n_classes = n_classes
        self.n_samples = n_samples
        self.dtype = dtype
        self.broken = broken

    def fit(self, X, y=None):
        self.classes_ = np.arange(self.n_classes) if y is None else np.unique(y)
        self.weights_ = np.random.default_rng(0).normal(size=(self.n_samples, X.shape[1], self.n_classes))
        return self

    def _answer(self, values):
        if self.broken:
            values[-1] = np.nan
        return values.astype(self.dtype)

    def predict_proba(self, X):
        return self._answer(softmax(X @ self.weights_[0]))

    def sample_proba(self, X, n_samples=20, random_state=None):
        return self._answer(softmax(np.einsum("nd,kdc->nkc", X, self.weights_)))

    def embed(self, X):
        return self._answer(X @ self.weights_[0])

    def predict_loss(self, X):
        return self._answer(X @ self.weights_[0, :, 0])

    def predict(self, X):
        return self.classes_[self.predict_proba(X).argmax(1)]


class LinearRegressors(RegressorMixin, BaseEstimator):
    """K linear functions and their mean, and every method a strategy may ask of a regressor."""

    def __init__(self, n_samples=6, dtype=np.float64, broken=False):
        self.n_samples = n_samples
        self.dtype = dtype
        self.broken = broken

    def fit(self, X, y=None):
        # small, so that scores are about as large as those of probabilities, whose rounding is compared
        self.weights_ = np.random.default_rng(0).normal(size=(X.shape[1], self.n_samples)) / 50
        return self

    def _answer(self, values):
        if self.broken:
            values[-1] = np.nan
        return values.astype(self.dtype)

    def predict(self, X, return_std=False):
        values = X @ self.weights_
        mean = self._answer(values.mean(1))
        return (mean, self._answer(values.std(1))) if return_std else mean

    def sample_y(self, X, n_samples=20, random_state=None):
        return self._answer(X @ self.weights_)

    def embed(self, X):
        return self._answer(X @ self.weights_[:, :2])


class RecordingPosterior(LinearPosterior):
    """Notes in `asked_` what it is asked, and of how many rows."""

    def fit(self, X, y=None):
        self.asked_ = []
        return super().fit(X, y)

    def predict_proba(self, X):
        self.asked_.append(("proba", len(X)))
        return super().predict_proba(X)

    def sample_proba(self, X, n_samples=20, random_state=None):
        self.asked_.append(("samples", len(X), n_samples, random_state))
        return super().sample_proba(X, n_samples, random_state)
