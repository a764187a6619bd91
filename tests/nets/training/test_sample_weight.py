"""A row of weight two counts as two rows, and one of weight zero as none: in the loss, and in posteriors."""

import numpy as np
import pytest
import torch
from torch import nn

from alkit import EnsembleClassifier, LaplaceClassifier, MultimodalClassifier, NetClassifier
from alkit.nets.training.sample_weight import scaled_to_classes, weighted_loss
from tests.nets.networks import blobs

X, CLEAN = blobs()
# Labels that no network learns by heart, so that losses stay large.
Y = np.where(np.random.default_rng(1).random(90) < 0.3, 0, CLEAN)
WEIGHTS = np.random.default_rng(0).integers(0, 3, 90)
REPEATED = X.repeat(WEIGHTS, 0), Y.repeat(WEIGHTS)


class Net(nn.Sequential):
    """Without dropout, whose masks would differ between one row of weight two and two rows."""

    def __init__(self, n_features, n_classes):
        super().__init__(nn.Linear(n_features, 8), nn.ReLU(), nn.Linear(8, n_classes))


# All rows in one batch: of shuffled ones in several, other rows would come together.
WHOLE = {"optimizer": torch.optim.SGD, "lr": 0.05, "max_epochs": 30, "batch_size": -1, "random_state": 0}
CLASS_WEIGHTS = [None, "balanced", {0: 3.0, 2: 0.5}]


@pytest.mark.parametrize("class_weight", CLASS_WEIGHTS, ids=str)
def test_weights_are_repetitions(class_weight):
    def proba(*data):
        return NetClassifier(Net, class_weight=class_weight, **WHOLE).fit(*data).predict_proba(X)

    weighted, repeated = proba(X, Y, WEIGHTS), proba(*REPEATED)
    np.testing.assert_allclose(weighted, repeated, atol=2e-6)
    assert np.abs(proba(X, Y) - repeated).max() > 1e-2  # the weights do matter here


@pytest.mark.parametrize("class_weight", [None, "balanced", {True: 3.0}], ids=str)
def test_weights_are_repetitions_for_single_logits(class_weight):
    params = {**WHOLE, "criterion": nn.BCEWithLogitsLoss, "class_weight": class_weight}
    one_logit = nn.Linear(4, 1)
    weighted = NetClassifier(one_logit, **params).fit(X, Y > 0, WEIGHTS)
    repeated = NetClassifier(one_logit, **params).fit(REPEATED[0], REPEATED[1] > 0)
    np.testing.assert_allclose(weighted.predict_proba(X), repeated.predict_proba(X), atol=2e-6)


def test_partial_fit_weighs_as_fit_does():
    weighted = NetClassifier(Net, class_weight="balanced", **WHOLE).partial_fit(X, Y, sample_weight=WEIGHTS)
    repeated = NetClassifier(Net, class_weight="balanced", **WHOLE).partial_fit(*REPEATED)
    np.testing.assert_allclose(weighted.predict_proba(X), repeated.predict_proba(X), atol=2e-6)


def test_the_loss_is_torchs_of_repeated_rows():
    rng = torch.Generator().manual_seed(0)
    out = torch.randn((90, 3), generator=rng, dtype=torch.double)
    codes, weights = torch.from_numpy(Y), torch.from_numpy(WEIGHTS).double()
    criterion = nn.CrossEntropyLoss(weight=torch.tensor([3.0, 1.0, 0.5], dtype=torch.double))
    expected = criterion(out.repeat_interleave(torch.from_numpy(WEIGHTS), 0), torch.from_numpy(REPEATED[1]))
    scaled = scaled_to_classes(weights, codes, criterion.weight)
    torch.testing.assert_close(weighted_loss(criterion, out, codes, scaled), expected)


@pytest.mark.parametrize("fusion", ["gated", "concat"])
def test_multimodal(fusion):
    def proba(*data):
        model = MultimodalClassifier(
            {"left": slice(0, 2), "right": slice(2, None)}, fusion=fusion, width=8, dropout=0.0, **WHOLE
        )
        return model.fit(*data).predict_proba(X)

    np.testing.assert_allclose(proba(X, Y, WEIGHTS), proba(*REPEATED), atol=5e-6)
    np.testing.assert_allclose(proba(X, Y, np.full(90, 3.0)), proba(X, Y), atol=5e-6)


def test_ensemble():
    def samples(*data):
        return (
            EnsembleClassifier(NetClassifier(Net, **WHOLE), n_estimators=3, random_state=0).fit(*data).sample_proba(X)
        )

    np.testing.assert_allclose(samples(X, Y, WEIGHTS), samples(*REPEATED), atol=1e-5)
    np.testing.assert_allclose(samples(X, Y, np.full(90, 3.0)), samples(X, Y), atol=1e-5)


class TestLaplace:
    """Its posterior is a sum over rows, so weights in it are exact; `rtol` is that of the network in float32."""

    @staticmethod
    def posterior(*data):
        laplace = LaplaceClassifier(NetClassifier(Net, **WHOLE), prior_precision=1.0).fit(*data)
        return laplace.posterior_.precision, laplace.posterior_.mean, laplace.predict_proba(X)

    @pytest.mark.parametrize("weights", [WEIGHTS, np.where(np.arange(90) % 3, 1, 0)], ids=["counts", "left out"])
    def test_weights_are_repetitions(self, weights):
        weighted = self.posterior(X, Y, weights)
        repeated = self.posterior(X.repeat(weights, 0), Y.repeat(weights))
        for of_weighted, of_repeated in zip(weighted, repeated, strict=True):
            np.testing.assert_allclose(of_weighted, of_repeated, rtol=1e-3, atol=1e-5)

    def test_ones_change_nothing(self):
        for of_ones, of_none in zip(self.posterior(X, Y, np.ones(90)), self.posterior(X, Y), strict=True):
            np.testing.assert_allclose(of_ones, of_none, rtol=1e-4, atol=1e-5)
