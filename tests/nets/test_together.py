"""Networks trained together: each is what it would be alone, or they are left to be fitted in turn."""

import copy

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from sklearn.base import clone
from skorch.callbacks import EarlyStopping
from torch import nn

from alkit import EnsembleClassifier
from alkit.nets import _together
from alkit.nets._together import fit_together
from tests.nets.networks import MLP, TokenNet, TwoInputs, blobs, net

X, Y = blobs()


class Plain(nn.Module):
    """Draws nothing in training, so that its fit depends on its start and the order of rows alone."""

    def __init__(self, n_features, n_classes, batch_norm=False):
        super().__init__()
        self.hidden = nn.Linear(n_features, 16)
        self.norm = nn.BatchNorm1d(16) if batch_norm else nn.LayerNorm(16)
        self.head = nn.Linear(16, n_classes)

    def forward(self, x):
        return self.head(torch.relu(self.norm(self.hidden(x))))


class Probable(Plain):
    def forward(self, x):
        return super().forward(x).softmax(1)


class ChoosyInTraining(Plain):
    def forward(self, x):
        return super().forward(-x if self.training and x.mean() > 0 else x)


class Remembering(Plain):
    def forward(self, x):
        self.seen = super().forward(x)
        return self.seen


def members(module=Plain, n=3, **params):
    return [net(module, **{"max_epochs": 3, "random_state": k} | params) for k in range(n)]


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"module__batch_norm": True, "optimizer": torch.optim.SGD},  # Adam blows rounding up where gradients vanish
        {"optimizer": torch.optim.SGD, "optimizer__momentum": 0.9},
        {"optimizer": torch.optim.AdamW, "optimizer__weight_decay": 0.1},
        {"class_weight": "balanced"},
        {"criterion__label_smoothing": 0.1},
        {"batching": "upsample", "batch_size": 40},
        {"batching": "fixed", "batch_size": 40},
        {"batch_size": -1, "classes": [0, 1, 2, 7]},
        {"module": Probable, "criterion": nn.NLLLoss},  # of which skorch takes the logarithm
    ],
    ids=str,
)
def test_members_are_what_they_would_be_alone(params):
    rng = torch.get_rng_state()
    team = members(**params)
    assert fit_together(team, X, Y, seed=0)
    for of_team, alone in zip(team, members(**params), strict=True):
        alone.fit(X, Y)
        np.testing.assert_allclose(of_team.predict_proba(X), alone.predict_proba(X), atol=2e-4)
        np.testing.assert_allclose(of_team.history[:, "train_loss"], alone.history[:, "train_loss"], rtol=1e-3)
        for name, value in alone.module_.state_dict().items():
            torch.testing.assert_close(of_team.module_.state_dict()[name], value, rtol=1e-3, atol=1e-4)
        assert not of_team.module_.training
    assert torch.equal(torch.get_rng_state(), rng)


def test_dropout_is_drawn_apart_for_each_member():
    team = members(MLP, random_state=0)  # all alike but for dropout
    assert fit_together(team, X, Y, seed=0)
    assert not np.allclose(team[0].predict_proba(X), team[1].predict_proba(X))


def test_dicts_strings_and_sparse_rows():
    words = np.array(["ham", "eggs", "spam"])[Y]
    team = members(TwoInputs)
    assert fit_together(team, {"left": X, "right": X[:, :1]}, words, seed=0)
    assert set(team[0].predict({"left": X, "right": X[:, :1]})) <= set(words)
    assert fit_together(members(), sp.csr_matrix(X), Y, seed=0)


@pytest.mark.parametrize(
    ("module", "params"),
    [
        (TokenNet, {}),
        (lambda: nn.Sequential(nn.Unflatten(1, (1, 4)), nn.Conv1d(1, 2, 2), nn.Flatten(), nn.Linear(6, 3)), {}),
        (lambda: nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8, momentum=None), nn.Linear(8, 3)), {}),
        (ChoosyInTraining, {}),
        (Remembering, {}),
        (Plain, {"callbacks": [("stop", EarlyStopping(monitor="train_loss"))]}),
        (Plain, {"optimizer": torch.optim.LBFGS, "lr": 0.1}),
        (Plain, {"warm_start": True}),
        (Plain, {"class_weight": "balanced", "criterion__label_smoothing": 0.1}),
    ],
)
def test_what_does_not_allow_it_is_fitted_in_turn(module, params):
    rows = np.random.default_rng(0).integers(0, 20, (90, 4)) if module is TokenNet else X
    labels = Y % 2 if module is TokenNet else Y
    assert not fit_together(members(module, **params), rows, labels, seed=0)
    ensemble = EnsembleClassifier(net(module, max_epochs=2, **params), n_estimators=2, random_state=0)
    assert ensemble.fit(rows, labels).sample_proba(rows).shape[:2] == (90, 2)
    alone = clone(ensemble.estimators_[0]).fit(rows, labels)
    assert np.array_equal(alone.predict_proba(rows), ensemble.estimators_[0].predict_proba(rows))
    copy.deepcopy(ensemble)


def test_control_flow_that_vmap_cannot_follow():
    class Choosy(Plain):
        def forward(self, x):
            return super().forward(x if x.mean() > 0 else -x)

    assert not fit_together(members(Choosy), X, Y, seed=0)


def test_large_networks_are_faster_in_turn(monkeypatch):
    monkeypatch.setattr(_together, "_MAX_WEIGHTS", 100)
    assert not fit_together(members(), X, Y, seed=0)


def test_a_diverged_fit():
    with pytest.raises(ValueError, match="training diverged"):
        fit_together(members(optimizer=torch.optim.SGD, lr=1e20), X, Y, seed=0)
