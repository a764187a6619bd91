"""Networks fitted to 0/1 matrices: several labels per row, as scikit-learn's MLPClassifier has them."""

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import sparse
from torch import nn

from alkit import (
    ActiveLearner,
    DropoutMLPClassifier,
    EnsembleClassifier,
    LaplaceClassifier,
    LearningLossClassifier,
    MultimodalClassifier,
    NetClassifier,
)
from alkit.nets.training.tasks import OneLabel, SeveralLabels, task_of
from tests.nets.networks import MLP
from tests.several import X, Y

FAST = {"lr": 0.02, "max_epochs": 25, "random_state": 0}
BRIEF = FAST | {"max_epochs": 3}
TWO = {"modalities": {"left": slice(0, 3), "right": slice(3, 6)}, "width": 8, "dropout": 0.2}
MODELS = {
    "net": NetClassifier(MLP, **FAST),
    "mlp": DropoutMLPClassifier((16,), dropout=0.2, **FAST),
    "ensemble": EnsembleClassifier(NetClassifier(MLP, **FAST), 3),
    "laplace": LaplaceClassifier(NetClassifier(MLP, **FAST)),
    "multimodal": MultimodalClassifier(**TWO, **FAST),
    "learning loss": LearningLossClassifier(MLP, ["hidden"], **FAST),
}


@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
def test_probabilities_samples_and_labels(model):
    model.fit(X, Y)
    proba = model.predict_proba(X)
    assert proba.shape == Y.shape
    assert model.multilabel_
    assert model.classes_.tolist() == [0, 1, 2, 3]
    predicted = model.predict(X)
    assert predicted.dtype == np.int64
    assert predicted.tolist() == (proba > 0.5).astype(int).tolist()
    assert (predicted == Y).mean() > np.maximum(Y.mean(0), 1 - Y.mean(0)).mean()
    assert model.score(X, Y) == (predicted == Y).all(1).mean()
    samples = model.sample_proba(X[:7], n_samples=3, random_state=0)
    assert samples.shape == (7, 3, 4)
    assert samples.std(1).max() > 0


def test_labels_are_learnt_as_by_the_loss_of_torch():
    """One step of plain gradient descent on all rows, written out."""
    torch.manual_seed(0)
    linear = nn.Linear(6, 4)
    weight = linear.weight.detach().clone().requires_grad_()
    bias = linear.bias.detach().clone()
    net = NetClassifier(linear, optimizer=torch.optim.SGD, lr=0.5, max_epochs=1, batch_size=-1).fit(X, Y)
    logits = torch.from_numpy(X) @ weight.T + bias
    nn.functional.binary_cross_entropy_with_logits(logits, torch.from_numpy(Y).float()).backward()
    np.testing.assert_allclose(net.module_.weight.detach(), (weight - 0.5 * weight.grad).detach(), atol=1e-6)


def test_laplace_has_the_curvature_of_independent_labels():
    """The Hessian of the loss in the logits, by autograd, summed over rows."""
    model = LaplaceClassifier(NetClassifier(MLP, **BRIEF), prior_precision=1.0).fit(X, Y)
    proba = torch.from_numpy(model.estimator_.predict_proba(X)).double()
    logits = torch.logit(proba)
    hessian = sum(
        torch.autograd.functional.hessian(
            lambda z, y=y: nn.functional.binary_cross_entropy_with_logits(z, y, reduction="sum"), z
        )
        for z, y in zip(logits, torch.from_numpy(Y).double(), strict=True)
    )
    basis = model.posterior_.output_basis
    eigen = basis.T @ (hessian / len(X)) @ basis
    assert torch.allclose(eigen, eigen.diag().diag(), atol=1e-4)


@pytest.mark.parametrize("of", [list, pd.DataFrame, sparse.csr_matrix, torch.tensor, lambda y: y.astype(bool),
                                lambda y: y.astype(float)])  # fmt: skip
def test_kinds_of_matrices(of):
    y = of(Y.tolist()) if of in (list, torch.tensor) else of(Y)
    nets = [NetClassifier(MLP, **BRIEF).fit(X, labels) for labels in (Y, y)]
    np.testing.assert_array_equal(*(net.predict_proba(X) for net in nets))


def test_what_tells_the_task():
    assert task_of(None, Y) == SeveralLabels()
    assert task_of(None, Y[:, 0]) == task_of(None, Y[:, :1]) == OneLabel()
    assert NetClassifier(MLP, **BRIEF).fit(X, Y[:, 0]).multilabel_ is False


def test_weights_of_rows_are_repetitions():
    one = {"optimizer": torch.optim.SGD, "lr": 0.1, "max_epochs": 2, "batch_size": -1, "random_state": 0}
    weights = np.arange(90) % 3
    repeated = np.repeat(np.arange(90), weights)
    for class_weight in (None, "balanced"):
        params = {"class_weight": class_weight} | one
        weighted = NetClassifier(nn.Linear, module__in_features=6, module__out_features=4, **params)
        plain = NetClassifier(nn.Linear, module__in_features=6, module__out_features=4, **params)
        weighted.fit(X, Y, sample_weight=weights)
        plain.fit(X[repeated], Y[repeated])
        np.testing.assert_allclose(weighted.predict_proba(X), plain.predict_proba(X), atol=1e-6)


def test_balanced_labels_weigh_more_where_they_are_seldom_on():
    rare = np.c_[Y[:, 0], np.arange(90) == 5, np.zeros(90), np.ones(90)].astype(int)
    net = NetClassifier(MLP, class_weight="balanced", **BRIEF).fit(X, rare)
    share = Y[:, 0].mean()
    assert net.criterion_.pos_weight.tolist() == pytest.approx([(1 - share) / share, 89, 1, 1])
    net = NetClassifier(MLP, class_weight={1: 3.0}, **BRIEF).fit(X, rare)
    assert net.criterion_.pos_weight.tolist() == [1, 3, 1, 1]
    with pytest.raises(ValueError, match="outside the known classes"):
        NetClassifier(MLP, class_weight={7: 3.0}, **BRIEF).fit(X, rare)


def test_constant_labels_are_learnt_as_such():
    constant = np.c_[np.zeros(90), np.ones(90), Y[:, 0]].astype(int)
    net = NetClassifier(MLP, **FAST | {"max_epochs": 60}).fit(X, constant)
    assert net.predict(X)[:, :2].tolist() == constant[:, :2].tolist()


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (Y[:5], "X has 90 rows, but y has 5 rows of labels"),
        (np.where(np.arange(90)[:, None] == 3, np.nan, Y), "Input y contains NaN in 1 of 90 rows .first: row 3"),
        (Y * 2, "y should be a 1d array"),
        (Y * 0.9, "such as probabilities of the classes"),
        ([{"a", "b"}, {"c"}] * 45, "make a 0/1 matrix .*MultiLabelBinarizer"),
        ([["a", "b"], ["c"]] * 45, "make a 0/1 matrix .*MultiLabelBinarizer"),
    ],
)
def test_labels_that_are_refused(y, message):
    with pytest.raises(ValueError, match=message):
        NetClassifier(MLP, **BRIEF).fit(X, y)


def test_networks_and_losses_that_do_not_fit():
    with pytest.raises(ValueError, match=r"returns outputs of shape \(8, 3\) for 8 rows, but there are 4 classes"):
        NetClassifier(nn.Linear(6, 3), **BRIEF).fit(X, Y)
    with pytest.raises(ValueError, match="criterion is a CrossEntropyLoss, of one label per row"):
        NetClassifier(MLP, criterion=nn.CrossEntropyLoss(), **BRIEF).fit(X, Y)
    with pytest.raises(ValueError, match="y has 4 columns, one per label, but 2 labels are known"):
        NetClassifier(MLP, classes=["a", "b"], **BRIEF).fit(X, Y)
    with pytest.raises(ValueError, match="task='rows' is unknown"):
        NetClassifier(MLP, task="rows", **BRIEF).fit(X, Y)


def test_a_network_that_returns_probabilities_of_labels():
    net = NetClassifier(nn.Sequential(nn.Linear(6, 4), nn.Sigmoid()), criterion=nn.BCELoss, **BRIEF).fit(X, Y)
    with torch.no_grad():
        expected = net.module_(torch.from_numpy(X)).numpy()
    np.testing.assert_allclose(net.predict_proba(X), expected, atol=1e-6)


def test_further_epochs_and_warm_starts():
    net = NetClassifier(MLP, **BRIEF).partial_fit(X, Y).partial_fit(X, Y)
    assert len(net.history) == 6
    with pytest.raises(ValueError, match="is of another task than the network was fitted to .SeveralLabels"):
        net.partial_fit(X, Y[:, 0])
    warm = NetClassifier(MLP, warm_start=True, **BRIEF).fit(X, Y).fit(X, Y)
    assert len(warm.history) == 6
    with pytest.warns(UserWarning, match="starting fresh"):
        warm.fit(X, Y[:, :3])
    with pytest.warns(UserWarning, match="starting fresh"):
        warm.fit(X, Y[:, 0])
    assert warm.predict(X).shape == (90,)


def test_they_are_taught_by_learners():
    learner = ActiveLearner(DropoutMLPClassifier(**BRIEF), "bald", X[:40], Y[:40], random_state=0)
    indices, rows = learner.query(X, n_instances=5)
    learner.teach(rows, Y[indices], sample_weight=np.ones(5))
    assert learner.y_training.shape == (45, 4)
