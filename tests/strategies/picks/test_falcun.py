"""FALCUN against the paper's loop in numpy, drawn by the same numbers, and scikit-activeml's where installed."""

from importlib import import_module

import numpy as np
import pytest
import torch

from alkit.strategies.picks.falcun import falcun
from tests.strategies.picks.helpers import rng


def brute(proba, k, gamma, draws):
    first, second = np.sort(proba, axis=1)[:, [-1, -2]].T
    uncertainty = 1 - (first - second)
    diversity, picked = uncertainty.copy(), []
    for t in range(k):
        weights = (uncertainty + diversity) ** gamma
        weights[picked] = 0
        if not weights.any():
            weights = 1.0 - np.isin(np.arange(len(proba)), picked)
        cumulative = weights.cumsum()
        picked.append(int(np.searchsorted(cumulative, draws[t] * cumulative[-1], side="right")))
        diversity = np.minimum(diversity, np.abs(proba - proba[picked[-1]]).sum(1))
        diversity -= diversity.min()
        diversity /= diversity.max() or 1
    return picked


@pytest.mark.parametrize("gamma", [0.0, 1.0, 10.0])
@pytest.mark.parametrize("n_classes", [2, 5, 1000])
def test_picks_are_those_of_the_paper(gamma, n_classes):
    proba = rng(1).dirichlet(np.full(n_classes, 0.3), size=60)
    got = falcun(torch.from_numpy(proba), k=30, rng=rng(), gamma=gamma)
    assert got.indices.tolist() == brute(proba, 30, gamma, rng().random(30))


def test_a_large_gamma_takes_the_best():
    proba = torch.from_numpy(rng(1).dirichlet(np.ones(3), size=40))
    got = falcun(proba, k=10, rng=rng(), gamma=1000.0)
    first, second = proba.topk(2).values.T
    assert got.indices[0] == int((second - first).argmax())


def test_certain_rows_and_duplicates_are_drawn_evenly():
    same = torch.eye(4)[torch.zeros(6, dtype=torch.long)]
    drawn = [falcun(same, k=1, rng=rng(seed)).indices[0] for seed in range(300)]
    np.testing.assert_allclose(np.bincount(drawn, minlength=6) / 300, 1 / 6, atol=5 * np.sqrt(5 / 36 / 300))
    assert sorted(falcun(same, k=6, rng=rng()).indices) == list(range(6))


@pytest.mark.parametrize("gamma", [-1.0, float("nan"), float("inf")])
def test_what_makes_no_sense_is_refused(gamma):
    with pytest.raises(ValueError, match=f"gamma={gamma}"):
        falcun(torch.ones(3, 1), k=1, rng=rng(), gamma=gamma)


@pytest.mark.filterwarnings("ignore")
def test_the_weights_are_those_of_scikit_activeml(monkeypatch):
    pool = pytest.importorskip("skactiveml.pool")
    base = pytest.importorskip("skactiveml.base")

    class Reader(base.SkactivemlClassifier):
        """Takes each row as its probabilities."""

        def fit(self, X, y, sample_weight=None):
            return self

        def predict_proba(self, X):
            return X

    proba = rng(1).dirichlet(np.ones(3), size=30)
    clf = Reader(classes=[0, 1, 2])
    clf.classes_ = np.arange(3)
    query = pool.Falcun(random_state=0).query
    theirs, utilities = query(proba, np.full(30, np.nan), clf, fit_clf=False, batch_size=8, return_utilities=True)
    # our loop, with the rows that they drew
    drawn, weights = iter(theirs), []

    def draw(values, *_):
        weights.append(values.numpy() / values.sum().item())
        return int(next(drawn))

    # the package has a function of the file's name
    monkeypatch.setattr(import_module("alkit.strategies.picks.falcun"), "draw_by_weight", draw)
    falcun(torch.from_numpy(proba), k=8, rng=rng())
    for ours, of_peer in zip(weights, utilities, strict=True):
        np.testing.assert_allclose(ours, np.nan_to_num(of_peer), atol=1e-12)
