"""Small networks and data for the tests."""

import random

import numpy as np
import torch
from torch import nn

from alkit.nets import NetClassifier


class MLP(nn.Module):
    """Knows its sizes from the classifier; dropout and, on request, BatchNorm."""

    def __init__(self, n_features, n_classes, hidden=16, batch_norm=False):
        super().__init__()
        self.hidden = nn.Linear(n_features, hidden)
        self.norm = nn.BatchNorm1d(hidden) if batch_norm else nn.Identity()
        self.dropout = nn.Dropout(0.3)
        self.head = nn.Linear(hidden, n_classes)

    def forward(self, x):
        return self.head(self.dropout(torch.relu(self.norm(self.hidden(x)))))


class TokenNet(nn.Module):
    """Reads token ids."""

    def __init__(self, n_classes=2):
        super().__init__()
        self.embedding = nn.Embedding(20, 8)
        self.head = nn.Linear(8, n_classes)

    def forward(self, x):
        return self.head(self.embedding(x).mean(1))


class TwoInputs(nn.Module):
    """Takes a dict of two matrices."""

    def __init__(self):
        super().__init__()
        self.head = nn.Linear(5, 3)

    def forward(self, left, right):
        return self.head(torch.cat([left, right], 1))


def blobs(n=90, n_features=4, n_classes=3, seed=0):
    """Well separated classes, in turn."""
    rng = np.random.default_rng(seed)
    y = np.arange(n) % n_classes
    centres = 4 * np.random.default_rng(1).normal(size=(n_classes, n_features))
    return (centres[y] + rng.normal(size=(n, n_features))).astype(np.float32), y


def net(module=MLP, **params):
    """Make a classifier that learns blobs fast."""
    return NetClassifier(module, **{"lr": 0.02, "max_epochs": 15, "batch_size": 16, "random_state": 0, **params})


def rng_states():
    """Global random states of torch, numpy and python, comparable."""
    return torch.get_rng_state().tolist(), repr(np.random.get_state()), random.getstate()
