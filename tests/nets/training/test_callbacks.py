"""Callbacks: who listens to single batches, who ended a fit, and a table that nobody reads is not made."""

from unittest.mock import Mock

import numpy as np
import pytest
from skorch.callbacks import (
    Callback,
    EarlyStopping,
    EpochScoring,
    GradientNormClipping,
    LRScheduler,
    PassthroughScoring,
)
from skorch.dataset import ValidSplit
from torch import nn

from alkit.nets.training.callbacks import (
    QuietPrintLog,
    acts_on_batches,
    listens_to_batches,
    raised_by_early_stopping,
)
from alkit.nets.training.skorch_net import SkorchNet
from tests.nets.networks import blobs, net

X, Y = blobs()


class OnBatchEnd(Callback):
    def on_batch_end(self, net, **kwargs):
        pass


@pytest.mark.parametrize(
    ("callback", "of_training", "of_validation"),
    [
        (Callback(), False, False),
        (EarlyStopping(), False, False),
        (LRScheduler(step_every="epoch"), True, True),  # has the hook, whatever it does in it
        (GradientNormClipping(), True, True),
        (OnBatchEnd(), True, True),
        (EpochScoring("accuracy", on_train=True), True, False),
        (EpochScoring("accuracy", on_train=False), False, True),
    ],
    ids=lambda value: type(value).__name__,
)
def test_who_listens_to_batches(callback, of_training, of_validation):
    assert listens_to_batches(callback, training=True) == of_training
    assert listens_to_batches(callback, training=False) == of_validation


def test_a_network_that_listens_itself():
    class Listening(SkorchNet):
        def on_grad_computed(self, *args, **kwargs):
            super().on_grad_computed(*args, **kwargs)

    class Records(type(net())):
        def get_loss(self, *args, **kwargs):
            return super().get_loss(*args, **kwargs)

    own_loss = net()
    own_loss.get_loss = lambda y_pred, y_true, **kwargs: y_pred.sum()
    assert all(
        map(acts_on_batches, [Listening(nn.Linear, criterion=nn.CrossEntropyLoss), Records(nn.Linear), own_loss])
    )
    assert not acts_on_batches(net())


def test_an_object_that_has_the_hooks_is_a_callback():
    mock = Mock()
    mock.on_batch_end.side_effect = lambda net, batch, training, **kwargs: None
    net(callbacks=[("mock", mock)], max_epochs=2, batch_size=30, batching="fixed").fit(X, Y)
    assert mock.on_epoch_end.call_count == 2
    assert mock.on_batch_end.call_count == 6


@pytest.mark.parametrize("others", [[], [("listens", OnBatchEnd())]], ids=["losses of an epoch at once", "one by one"])
def test_means_over_batches_are_those_of_skorch(others):
    ours = net(callbacks=others, train_split=ValidSplit(3), batch_size=7, batching="fixed", max_epochs=4).fit(X, Y)
    names = ["train_loss", "train_loss_best", "valid_loss", "valid_loss_best"]
    found = ours.history[:, names]
    for is_train in (True, False):
        by_skorch = PassthroughScoring("train_loss" if is_train else "valid_loss", on_train=is_train).initialize()
        kept = list(ours.history)
        for epoch in range(len(kept)):
            ours.history_ = type(ours.history)(kept[: epoch + 1])
            by_skorch.on_epoch_end(ours)
        ours.history_ = type(ours.history)(kept)
    expected = ours.history[:, names]
    assert np.allclose(np.array(found, float), np.array(expected, float), rtol=1e-12)
    assert [row[1::2] for row in found] == [row[1::2] for row in expected]


def interrupt(raise_it):
    try:
        raise_it()
    except KeyboardInterrupt as error:
        return error


def test_early_stopping_is_told_from_a_person():
    def press_ctrl_c():
        raise KeyboardInterrupt

    class Person:
        def press(self):
            raise KeyboardInterrupt

    model = net(max_epochs=1).fit(X, Y)
    stopping = EarlyStopping(monitor="train_loss", patience=1, threshold=1e9)
    stopping.on_train_begin(model)
    stopping.on_epoch_end(model)
    assert raised_by_early_stopping(interrupt(lambda: stopping.on_epoch_end(model)))
    assert not raised_by_early_stopping(interrupt(press_ctrl_c))
    assert not raised_by_early_stopping(interrupt(Person().press))
    assert not raised_by_early_stopping(KeyboardInterrupt())


def test_the_table_is_made_only_where_it_is_read(capsys):
    lines = []
    net(max_epochs=2).fit(X, Y)
    assert capsys.readouterr().out == ""
    net(max_epochs=2, verbose=1).fit(X, Y)
    assert "train_loss" in capsys.readouterr().out
    net(max_epochs=2, callbacks__print_log=QuietPrintLog(sink=lines.append)).fit(X, Y)
    assert any("train_loss" in line for line in lines)
