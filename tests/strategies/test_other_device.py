"""Every strategy of the table picks on another device what it picks on the CPU, and mixes no tensors of both."""

import numpy as np
import pytest
import torch
from sklearn.datasets import make_blobs

from alkit import ActiveLearner, DropoutMLPClassifier, DropoutMLPRegressor, LearningLossClassifier, NetClassifier
from alkit._tensors import as_tensor
from alkit.strategies import answers, quantities
from alkit.strategies.table import TABLE
from tests.nets.networks import MLP
from tests.other_device import OTHER, OtherDevice

X, y = make_blobs(90, centers=3, n_features=5, cluster_std=4.0, random_state=0)
X = X.astype(np.float32)
POOL, TAUGHT = X[30:], X[:30]
LABELS = np.stack([y == 0, y == 1, X[:, 0] > 0], 1).astype(int)
OF_REGRESSORS = {"prediction", "std", "values"}
SMALL = {"max_epochs": 2, "random_state": 0}


@pytest.fixture(scope="module")
def learners():
    """By what they are asked for, with the targets of all rows."""
    taught = {
        "classes": (NetClassifier(MLP, **SMALL), y),
        "loss": (LearningLossClassifier(MLP, ["hidden"], **SMALL), y),
        "labels": (DropoutMLPClassifier(**SMALL), LABELS),
        "numbers": (DropoutMLPRegressor(**SMALL), X @ np.arange(5.0)),
    }
    return {
        name: (ActiveLearner(model, X_training=TAUGHT, y_training=targets[:30]), targets[30:])
        for name, (model, targets) in taught.items()
    }


def kind_of(strategy):
    asked = {*strategy.needs, *strategy.pick_needs}
    if not asked.isdisjoint(OF_REGRESSORS):
        return "numbers"
    return "loss" if "loss" in asked else "labels" if "label_proba" in asked else "classes"


CASES = [(strategy, kind_of(strategy)) for strategy in TABLE]
# picks of single answers serve several labels per row as well
CASES += [(s, "labels") for s in TABLE if s.name in ("bald", "epig", "batch_bald", "coreset")]


@pytest.mark.parametrize(("strategy", "kind"), CASES, ids=str)
def test_picks_on_another_device(strategy, kind, learners, monkeypatch):
    learner, y_pool = learners[kind]
    costs = np.linspace(1, 2, len(POOL))
    given = {"y_pool": y_pool, "costs": costs, "random_state": 0}
    expected = strategy.select(learner, POOL, 6, **given)

    def there(values):
        return as_tensor(values).to(OTHER)

    for module in (answers, quantities):
        monkeypatch.setattr(module, "as_tensor", there)
    with OtherDevice():
        picks = strategy.select(learner, POOL, 6, **given)
    np.testing.assert_array_equal(picks.indices, expected.indices)
    np.testing.assert_allclose(picks.scores, expected.scores, rtol=1e-5, atol=1e-6)


def test_tensors_of_two_devices_do_not_meet():
    with OtherDevice():
        there = torch.ones(3).to(OTHER)
        assert (there + 1).cpu().tolist() == [2.0, 2.0, 2.0]
        with pytest.raises(RuntimeError, match="two devices"):
            there + torch.ones(3)
        with pytest.raises(RuntimeError, match="numpy"):
            there.numpy()
