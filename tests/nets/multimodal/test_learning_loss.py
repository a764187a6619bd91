"""Learning loss over several modalities: it finds the noisy rows, and reads the layers it is told to."""

import pickle

import numpy as np
from sklearn.base import clone

from alkit import ActiveLearner
from alkit.nets import MultimodalLearningLossClassifier

RNG = np.random.default_rng(0)
X = {"text": RNG.normal(size=(60, 4)).astype(np.float32), "image": RNG.normal(size=(60, 6)).astype(np.float32)}
Y = np.where(X["text"][:, 0] + X["image"][:, 0] > 0, "spam", "ham")
GAPPY = X | {"image": np.where(np.arange(60)[:, None] % 3 == 0, np.float32(np.nan), X["image"])}
WIDTHS = {"text": 4, "image": 6}


def test_it_reads_fused_and_single_layers():
    rng = np.random.default_rng(0)
    rows = {"text": rng.normal(size=(600, 4)), "image": rng.normal(size=(600, 6))}
    noisy = rows["image"][:, 1] > 0.5
    y = np.where(noisy, rng.integers(2, size=600), rows["text"][:, 0] > 0)
    rows["image"][::10] = np.nan
    net = MultimodalLearningLossClassifier(WIDTHS, width=16, dropout=0.2, max_epochs=40, lr=0.005, random_state=0)
    net.fit({key: values[:400] for key, values in rows.items()}, y[:400])
    assert net.loss_head_.layers == ["fusion", "encoders.text", "encoders.image"]
    there = ~np.isnan(rows["image"][400:, 0])
    loss = net.predict_loss({key: values[400:] for key, values in rows.items()})[there]
    assert loss[noisy[400:][there]].mean() > loss[~noisy[400:][there]].mean() + 0.3


def test_layers_of_choice_copies_and_heads():
    net = MultimodalLearningLossClassifier(WIDTHS, ["encoders.image"], width=16, max_epochs=2, random_state=0)
    net.fit(GAPPY, Y)
    assert np.array_equal(pickle.loads(pickle.dumps(net)).predict_loss(X), net.predict_loss(X))
    assert np.array_equal(clone(net).fit(GAPPY, Y).predict_loss(X), net.predict_loss(X))
    gone = net.predict_loss(X | {"image": np.full_like(X["image"], np.nan)})
    assert np.ptp(gone) == 0  # the encoding of what is missing is zero
    assert list(net.loss_weights_) == ["joint", "text", "image"]
    assert net.predict_proba(X, head="text").shape == (60, 2)
    assert len(ActiveLearner(net, "learning_loss").query(X, 3)[0]) == 3
