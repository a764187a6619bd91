"""What a run is known by: all that changes what it finds, and the same in every process."""

import subprocess
import sys
from functools import partial

import joblib
import numpy as np
import pytest
import torch
from scipy.sparse import csr_matrix
from sklearn.decomposition import PCA
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score, make_scorer
from sklearn.pipeline import make_pipeline
from torch import nn
from torch.utils.data import TensorDataset

from alkit import NetClassifier, get_strategy
from alkit.experiment.run_keys import described, fingerprint
from alkit.strategies import cost_aware, subsample

X = np.random.default_rng(0).normal(size=(20, 4))


class Scaled(nn.Linear):
    """A module whose forward reads an attribute that is neither in its repr nor in its state."""

    def __init__(self, scale):
        super().__init__(2, 2)
        nn.init.zeros_(self.weight)
        nn.init.zeros_(self.bias)
        self.scale = scale


class Scorer:
    def __init__(self, factor):
        self.factor = factor

    def score(self, estimator, X, y):
        return self.factor * estimator.score(X, y)


def unit_cost(X):
    return np.ones(len(X))


def makes(width):
    return lambda: nn.Linear(4, width)


def cost_by(share):
    return lambda X, share=share: share * X[:, 0]


def identities():
    """What kinds of rows and parameters are known by, as one line."""
    torch.manual_seed(0)
    t = torch.arange(6.0).reshape(3, 2)
    rows = [
        t,
        {"a": t, "b": ["x", "y", "z"]},
        TensorDataset(t, t),
        csr_matrix(t.numpy()),
        list("abc"),
        t.to(torch.bfloat16),
    ]
    params = [
        NetClassifier(nn.Sequential(nn.Linear(4, 8), nn.Dropout(0.2), nn.LazyLinear(3))),
        {"weight": t, "act": nn.ReLU},
        partial(nn.Linear, t),
        {"b", "a", "c"},
        get_strategy("bald"),
        cost_aware("margin", cost=unit_cost),
        cost_aware("margin", cost=cost_by(2)),
        get_strategy("typiclust", embed=PCA(2).fit(np.eye(4))),
        make_scorer(f1_score, average="macro"),
        Scorer(2).score,
        np.log,
    ]
    return joblib.hash([*map(fingerprint, rows), *map(described, params)])


def test_identity_is_the_same_in_every_process():
    program = "from tests.experiment.test_run_keys import identities; print(identities())"
    other = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert other.strip() == identities()


def test_rows_are_known_by_their_values():
    assert fingerprint([torch.ones(2), torch.ones(2)]) != fingerprint([torch.ones(2), torch.zeros(2)])


@pytest.mark.parametrize(
    ("make", "values"),
    [
        (lambda weight: nn.ParameterList([torch.full((2,), weight)]), (1.0, 2.0)),
        (lambda width: NetClassifier(nn.Sequential(nn.LazyLinear(width))), (3, 4)),
        (lambda scale: NetClassifier(Scaled(scale)), (1.0, 2.0)),
        (lambda width: NetClassifier(makes(width)), (3, 4)),
        (lambda width: partial(makes(width)), (3, 4)),
        (lambda t: partial(nn.Linear, weight=torch.tensor(t)), (1.0, 2.0)),
        (lambda factor: Scorer(factor), (1, 2)),
        (lambda factor: Scorer(factor).score, (1, 2)),
        (lambda n: get_strategy("bald", n_samples=n), (3, 4)),
        (lambda size: subsample("margin", size=size), (3, 4)),
        (lambda share: cost_aware("margin", cost=cost_by(share)), (1, 2)),
        (lambda shift: get_strategy("typiclust", embed=PCA(2).fit(X + shift)), (1, 2)),
        (lambda shift: get_strategy("typiclust", embed=make_pipeline(PCA(2)).fit(X + shift)), (1, 2)),
        (lambda n: FrozenEstimator(LogisticRegression().fit(X, np.arange(20) % n)), (2, 3)),
        (lambda seed: LogisticRegression(random_state=np.random.RandomState(seed)), (0, 1)),
    ],
)
def test_what_changes_a_run_changes_its_identity(make, values):
    one, other = values
    assert described(make(one)) == described(make(one))
    assert described(make(one)) != described(make(other))
