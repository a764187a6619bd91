"""Networks that answer for each position of a row: pixels of pictures, steps of sequences."""

import numpy as np
import pytest
import torch
from torch import nn

from alkit import ActiveLearner, EnsembleClassifier, NetClassifier, get_strategy
from tests.several import CLASSES_AT, PICTURES, PixelNet

FAST = {"task": "positions", "lr": 0.05, "max_epochs": 20, "random_state": 0}
BRIEF = FAST | {"max_epochs": 2}


class StepNet(nn.Module):
    """Classifies each step of a sequence: (n, T, 4) -> (n, C, T)."""

    def __init__(self, n_classes):
        super().__init__()
        self.head = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Dropout(0.3), nn.Linear(16, n_classes))

    def forward(self, x):
        return self.head(x).transpose(1, 2)


def test_every_position_has_probabilities_samples_and_a_class():
    net = NetClassifier(PixelNet, **FAST).fit(PICTURES, CLASSES_AT)
    proba = net.predict_proba(PICTURES)
    assert proba.shape == (24, 3, 5, 6)
    np.testing.assert_allclose(proba.sum(1), 1, atol=1e-5)
    predicted = net.predict(PICTURES)
    assert predicted.tolist() == proba.argmax(1).tolist()
    assert net.score(PICTURES, CLASSES_AT) == (predicted == CLASSES_AT).mean() > 0.8
    samples = net.sample_proba(PICTURES, n_samples=4, random_state=0)
    assert samples.shape == (24, 4, 3, 5, 6)
    np.testing.assert_allclose(samples.sum(2), 1, atol=1e-5)
    assert net.classes_.tolist() == [0, 1, 2]
    assert not net.multilabel_


@pytest.mark.parametrize("mask", [-100, 255])
def test_masked_positions_are_not_learnt(mask):
    """Labels that are wrong change nothing where they are masked, whatever the mask is."""
    hidden = np.arange(30).reshape(5, 6) % 2 == 0
    masked = np.where(hidden, mask, CLASSES_AT)
    ignoring = {} if mask == -100 else {"criterion__ignore_index": mask}
    net = NetClassifier(PixelNet, **ignoring, **BRIEF).fit(PICTURES, masked)
    torch.manual_seed(0)
    own = nn.CrossEntropyLoss(ignore_index=mask)
    loss = net.get_loss(torch.zeros(2, 3, 5, 6), torch.from_numpy(masked[:2]))
    assert loss == own(torch.zeros(2, 3, 5, 6), torch.from_numpy(masked[:2]))
    right = (net.predict(PICTURES) == CLASSES_AT)[:, ~hidden]
    assert net.score(PICTURES, masked) == pytest.approx(right.mean())


def test_outputs_that_nobody_has_taught_yet():
    net = NetClassifier(PixelNet(n_classes=6), **BRIEF).fit(PICTURES, CLASSES_AT)
    assert net.classes_.tolist() == list(range(6))
    declared = NetClassifier(PixelNet, classes=range(5), **BRIEF).fit(PICTURES, CLASSES_AT)
    assert declared.predict_proba(PICTURES).shape[1] == 5
    warm = NetClassifier(PixelNet(n_classes=6), warm_start=True, **BRIEF).fit(PICTURES, CLASSES_AT)
    assert len(warm.fit(PICTURES, CLASSES_AT).history) == 4


def test_weights_of_rows_and_classes():
    single = {"optimizer": torch.optim.SGD, "lr": 0.1, "max_epochs": 2, "batch_size": -1, "random_state": 0}
    weights = np.arange(24) % 3
    repeated = np.repeat(np.arange(24), weights)
    linear = nn.Conv2d(1, 3, 1)
    of_rows = NetClassifier(linear, task="positions", **single).fit(PICTURES, CLASSES_AT, sample_weight=weights)
    plain = NetClassifier(linear, task="positions", **single).fit(PICTURES[repeated], CLASSES_AT[repeated])
    np.testing.assert_allclose(of_rows.predict_proba(PICTURES), plain.predict_proba(PICTURES), atol=1e-5)
    masked = np.where(CLASSES_AT == 2, -100, CLASSES_AT)
    balanced = NetClassifier(PixelNet(n_classes=3), class_weight="balanced", **BRIEF).fit(PICTURES, masked)
    counts = np.bincount(masked[masked >= 0])
    assert balanced.criterion_.weight.tolist() == pytest.approx([*(counts.sum() / (2 * counts)), 1], rel=1e-5)


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (CLASSES_AT[:, 0, 0], "y is an array of int64 of shape .24,., but with task='positions'"),
        (CLASSES_AT.astype(str), "turn names into numbers"),
        (CLASSES_AT[:5], "X has 24 rows, but y has 5"),
        (np.full_like(CLASSES_AT, -100), "all 720 positions of y are masked by -100"),
        (CLASSES_AT - 1, "y holds -1, which is no output"),
        (CLASSES_AT + 5, "returns outputs of shape .8, 3, 5, 6. for 8 rows, but there are 8 classes"),
    ],
)
def test_labels_that_are_refused(y, message):
    with pytest.raises(ValueError, match=message):
        NetClassifier(PixelNet(), **BRIEF).fit(PICTURES, y)


def test_a_network_without_positions():
    with pytest.raises(ValueError, match="returns outputs of shape"):
        NetClassifier(nn.Sequential(nn.Flatten(), nn.Linear(30, 3)), **BRIEF).fit(PICTURES, CLASSES_AT)


def test_steps_of_sequences_in_a_learner():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(40, 7, 4)).astype(np.float32)
    y = (X[:, :, 0] > 0).astype(int)
    y[:, -1] = -100
    learner = ActiveLearner(NetClassifier(StepNet, **FAST), "bald", X[:20], y[:20], random_state=0)
    indices, rows = learner.query(X, n_instances=4, candidates=np.arange(20, 40), reduce="max")
    learner.teach(rows, y[indices])
    assert learner.y_training.shape == (24, 7)
    assert learner.estimator.score(X, y) > 0.8
    # the input of the last linear layer, of all steps
    assert learner.estimator.embed(X).shape == (40, 7 * 16)
    assert len(get_strategy("badge").select(learner, X, 3, random_state=0).indices) == 3


def test_ensembles_of_them():
    ensemble = EnsembleClassifier(NetClassifier(PixelNet, **BRIEF), 2, random_state=0).fit(PICTURES, CLASSES_AT)
    assert ensemble.sample_proba(PICTURES).shape == (24, 2, 3, 5, 6)
    assert ensemble.predict(PICTURES).shape == (24, 5, 6)
    assert len(get_strategy("bald").select(ensemble, PICTURES, 3).indices) == 3
