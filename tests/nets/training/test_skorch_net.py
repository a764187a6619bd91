"""How rows reach a network and train it: casts, iterators and what is recorded of an epoch."""

import pickle

import numpy as np
import pytest
import torch
from skorch.dataset import ValidSplit
from torch import nn
from torch.utils.data import DataLoader

from alkit import NetClassifier
from alkit.nets.training.tensors import CheckedBatches, RowBatches
from alkit.validation import checked
from tests.nets.networks import MLP, TokenNet, TwoInputs, blobs, net

X, Y = blobs()


class TestIterators:
    def test_own_batches_unless_options_of_a_data_loader_are_set(self):
        own = net(max_epochs=1).fit(X, Y)
        dataset = own.get_dataset(X, Y)
        assert isinstance(own.get_iterator(dataset, training=True), RowBatches)
        loaded = net(max_epochs=1, iterator_train__num_workers=0).fit(X, Y)
        assert isinstance(loaded.get_iterator(dataset, training=True), DataLoader)
        np.testing.assert_array_equal(loaded.predict_proba(X).argmax(1), loaded.predict(X))

    def test_batches_to_train_on_hold_every_row_once_in_another_order(self):
        model = net(max_epochs=1).fit(X, Y)
        batches = list(model.get_iterator(model.get_dataset(X, Y), training=True))
        rows = torch.cat([rows for rows, _ in batches]).numpy()
        codes = torch.cat([codes for _, codes in batches]).numpy()
        order = [int(np.flatnonzero((row == X).all(1))[0]) for row in rows]
        assert sorted(order) == list(range(90))
        assert order != list(range(90))
        np.testing.assert_array_equal(codes, Y[order])

    @pytest.mark.parametrize(("size", "expected"), [(-1, [90]), (40, [40, 40, 10]), (None, [90])])
    def test_batches_to_score_are_in_order_and_of_the_size_asked(self, size, expected):
        options = {} if size is None else {"iterator_valid__batch_size": size}
        model = net(max_epochs=1, **options).fit(X, Y)
        batches = [rows for rows, _ in model.get_iterator(model.get_dataset(X))]
        assert [len(rows) for rows in batches] == expected
        np.testing.assert_array_equal(torch.cat(batches), X)

    def test_rows_are_checked_as_they_are_scored_unless_somebody_has(self):
        model = net(max_epochs=1).fit(X, Y)
        dataset = model.get_dataset(X)
        assert isinstance(model.get_iterator(dataset), CheckedBatches)
        with checked(X):
            assert isinstance(model.get_iterator(dataset), RowBatches)


class TestCast:
    def test_floats_get_the_dtype_of_the_network(self):
        model = net(MLP(4, 3).double(), max_epochs=1).fit(X, Y)
        assert model.dtype_ == torch.float64
        assert model.cast(X).dtype == torch.float64

    def test_integers_stay_where_the_network_takes_them(self):
        ids = np.arange(40).reshape(10, 4) % 20
        model = net(TokenNet, max_epochs=1).fit(ids, np.arange(10) % 2)
        assert model.integer_inputs_
        assert model.cast(ids.astype(np.int32)).dtype == torch.int64
        assert model.cast(ids > 3).dtype == torch.bool
        assert not net(max_epochs=1).fit(ids[:, :4], np.arange(10) % 2).integer_inputs_

    def test_a_dict_is_called_by_name_and_a_tensor_by_position(self):
        pair = {"left": X, "right": X[:, :1]}
        model = net(TwoInputs, max_epochs=1).fit(pair, Y)
        ((args, kwargs),) = model.outputs(pair, model._call_arguments)
        assert args == ()
        assert {name: values.shape for name, values in kwargs.items()} == {"left": (90, 4), "right": (90, 1)}
        model = net(max_epochs=1).fit(X, Y)
        ((args, kwargs),) = model.outputs(X, model._call_arguments)
        assert kwargs == {}
        assert args[0].shape == (90, 4)


class TestRecords:
    def test_losses_and_sizes_of_batches_as_skorch_records_them(self):
        class Listening(NetClassifier):
            def on_batch_end(self, *args, **kwargs):
                super().on_batch_end(*args, **kwargs)

        params = {"lr": 0.02, "max_epochs": 3, "batch_size": 16, "random_state": 0}
        plain = NetClassifier(MLP, **params).fit(X, Y)
        through_skorch = Listening(MLP, **params).fit(X, Y)
        for key in ("train_loss", "train_batch_size"):
            ours, skorchs = (model.history[:, "batches", :, key] for model in (plain, through_skorch))
            np.testing.assert_allclose(ours, skorchs, rtol=1e-6)
        np.testing.assert_allclose(plain.history[:, "train_loss"], through_skorch.history[:, "train_loss"], rtol=1e-6)

    def test_batch_norm_refuses_a_batch_of_one_before_training(self):
        with pytest.raises(ValueError, match="90 rows and batch_size=1 make a batch of one"):
            net(module__batch_norm=True, batch_size=1).fit(X, Y)


def test_rows_of_another_shape():
    pictures = np.zeros((6, 1, 4, 4), np.float32)
    model = net(lambda: nn.Sequential(nn.Flatten(), nn.LazyLinear(2)), max_epochs=1).fit(pictures, [0, 1] * 3)
    with pytest.raises(ValueError, match=r"rows of shape \(1, 5, 5\), but NetClassifier was fitted to rows of shape"):
        model.predict(np.zeros((6, 1, 5, 5), np.float32))


def test_a_network_is_pickled_with_its_weights():
    model = net(max_epochs=2).fit(X, Y)
    assert "__cuda_dependent_attributes__" not in model.__getstate__()
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(model)).predict_proba(X), model.predict_proba(X))


class FrozenNorm(nn.Sequential):
    """A network that keeps a part of it out of training, as is usual with pretrained ones."""

    def __init__(self):
        super().__init__(nn.BatchNorm1d(4), nn.Linear(4, 3))

    def train(self, mode=True):
        super().train(mode)
        self[0].eval()
        return self


@pytest.mark.parametrize("params", [{}, {"train_split": ValidSplit(3)}], ids=["training alone", "with validation"])
def test_a_network_may_refuse_to_train_a_part(params):
    fitted = NetClassifier(FrozenNorm, max_epochs=3, random_state=0, **params).fit(X, Y)
    assert fitted.module_[0].num_batches_tracked == 0
