"""Rows with several answers, and models of them, for the tests."""

import numpy as np
import torch
from sklearn.datasets import make_multilabel_classification
from torch import nn

X, Y = make_multilabel_classification(90, n_features=6, n_classes=4, random_state=0)
X = (X / X.max()).astype(np.float32)

_rng = np.random.default_rng(0)
PICTURES = _rng.normal(size=(24, 1, 5, 6)).astype(np.float32)
CLASSES_AT = np.digitize(PICTURES[:, 0], [-0.5, 0.5])
"""The class of each pixel, by its own brightness."""


class PixelNet(nn.Module):
    """Classifies each pixel: (n, 1, H, W) -> (n, C, H, W)."""

    def __init__(self, n_classes=3):
        super().__init__()
        self.body = nn.Conv2d(1, 8, 3, padding=1)
        self.dropout = nn.Dropout2d(0.3)
        self.head = nn.Conv2d(8, n_classes, 1)

    def forward(self, x):
        return self.head(self.dropout(torch.relu(self.body(x))))


class YesNo:
    """A model of one's own with several labels, and the samples of its posterior."""

    def __init__(self, n_labels=4, n_samples=5):
        self.weights = np.random.default_rng(1).normal(size=(n_samples, X.shape[1], n_labels))

    def sample_proba(self, X, n_samples=20, random_state=None):
        return 1 / (1 + np.exp(-4 * np.einsum("nd,kdl->nkl", X, self.weights)))

    def predict_proba(self, X):
        return self.sample_proba(X).mean(1)

    def embed(self, X):
        return np.asarray(X)


class ToldYesNo(YesNo):
    """The same, which says that its labels are several."""

    multilabel_ = True


def scores_in_order(strategy, model, rows, **kwargs):
    """Return the score of every row, in the order of the rows."""
    picks = strategy.select(model, rows, len(rows), random_state=0, **kwargs)
    return picks.scores[np.argsort(picks.indices)]
