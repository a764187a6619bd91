"""Options of skorch's iterators, outputs of several kinds, weights of rows, devices and trimmed nets."""

import pickle
from collections import namedtuple

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import BatchSampler, RandomSampler, WeightedRandomSampler, default_collate

from alkit import DropoutMLPClassifier, NetClassifier
from tests.nets.networks import MLP, blobs, net

X, Y = blobs()


def collate_texts(batch):
    lengths = torch.tensor([[len(text), text.count("a")] for text, _ in batch], dtype=torch.float32)
    return lengths, default_collate([code for _, code in batch])


def test_a_function_that_collates_sees_rows_as_they_are():
    texts = ["a" * (1 + k % 2) + "b" * (k % 3) for k in range(40)]
    labels = np.array(["one", "two"])[np.arange(40) % 2]
    model = net(nn.Linear(2, 2), iterator_train__collate_fn=collate_texts, iterator_valid__collate_fn=collate_texts)
    model.set_params(max_epochs=60, lr=0.1).fit(texts, labels, sample_weight=np.arange(1, 41))
    assert model.score(texts, labels) == 1


@pytest.mark.parametrize(
    "options",
    [
        {"sampler": WeightedRandomSampler(np.ones(90), 90)},
        {"batch_sampler": BatchSampler(RandomSampler(range(90)), 16, drop_last=True)},
        {"drop_last": True},
    ],
    ids=lambda options: next(iter(options)),
)
def test_options_that_choose_rows(options):
    model = net(**{f"iterator_train__{name}": value for name, value in options.items()}).fit(X, Y)
    assert model.score(X, Y) > 0.9
    sizes = model.history[0, "batches", :, "train_batch_size"]
    assert sizes == [16] * 5 + [10] * ("sampler" in options)


def test_scoring_fewer_rows_than_there_are_is_refused():
    model = net(iterator_valid__drop_last=True, iterator_valid__batch_size=40).fit(X, Y)
    with pytest.raises(ValueError, match="80 of 90 rows"):
        model.predict_proba(X)


class Returns(nn.Module):
    def __init__(self, output):
        super().__init__()
        self.body, self.output = MLP(4, 3), output

    def forward(self, x):
        return self.output(self.body(x))


Named = namedtuple("Named", ["loss", "logits"])


@pytest.mark.parametrize(
    "output",
    [lambda out: (out, 1), lambda out: {"logits": out, "other": out[:1]}, lambda out: Named(None, out)],
    ids=["tuple", "dict", "named tuple"],
)
def test_outputs(output):
    model = net(Returns(output)).fit(X, Y)
    assert model.score(X, Y) > 0.9
    assert model.sample_proba(X, 3, random_state=0).shape == (90, 3, 3)
    assert model.embed(X).shape == (90, 16)


@pytest.mark.parametrize("flat", [False, True])
def test_one_logit(flat):
    layers = [nn.Linear(4, 8), nn.Dropout(0.2), nn.Linear(8, 1)] + [nn.Flatten(0)] * flat
    words = np.array(["ham", "spam"])[(Y > 0).astype(int)]
    model = net(nn.Sequential(*layers), criterion=nn.BCEWithLogitsLoss, class_weight="balanced").fit(X, words)
    assert model.score(X, words) > 0.85
    proba = model.predict_proba(X)
    np.testing.assert_allclose(proba.sum(1), 1, rtol=1e-5)
    assert model.sample_proba(X, 1, random_state=0).shape == (90, 1, 2)


def test_log_probabilities_are_what_nll_loss_takes():
    logits, logs = MLP(4, 3), nn.Sequential(MLP(4, 3), nn.LogSoftmax(1))
    logs[0].load_state_dict(logits.state_dict())
    by_cross_entropy = net(logits).fit(X, Y).predict_proba(X)
    by_nll = net(logs, criterion=nn.NLLLoss).fit(X, Y).predict_proba(X)
    np.testing.assert_allclose(by_nll, by_cross_entropy, atol=1e-4)


class TestSampleWeight:
    def test_rows_of_no_weight_do_not_count_and_double_ones_count_twice(self):
        weights = np.arange(90) % 3
        params = {"dropout": 0.0, "batch_size": -1, "max_epochs": 30, "random_state": 0}
        weighted = DropoutMLPClassifier(**params).fit(X, Y % 2, sample_weight=weights)
        repeated = DropoutMLPClassifier(**params).fit(np.repeat(X, weights, axis=0), np.repeat(Y % 2, weights))
        np.testing.assert_allclose(weighted.predict_proba(X), repeated.predict_proba(X), atol=1e-4)

    def test_ones_change_nothing(self):
        model = net(class_weight={0: 3.0})
        plain = model.fit(X, Y).predict_proba(X)
        np.testing.assert_allclose(model.fit(X, Y, sample_weight=np.ones(90)).predict_proba(X), plain, atol=1e-5)

    @pytest.mark.parametrize(
        ("weights", "message"),
        [
            (np.ones(3), r"\(3,\), expected \(90,\)"),
            (-np.ones(90), "90 negative"),
            (np.zeros(90), "0 positive"),
        ],
    )
    def test_bad_weights_leave_the_fit_as_it_was(self, weights, message):
        model = net().fit(X, Y)
        before = model.predict_proba(X)
        with pytest.raises(ValueError, match=message):
            model.fit(X, Y, sample_weight=weights)
        np.testing.assert_array_equal(model.predict_proba(X), before)


def test_soft_labels_are_refused_by_name():
    with pytest.raises(ValueError, match="soft labels"):
        net().fit(X, np.full((90, 3), 1 / 3))


def test_no_device():
    model = net(device=None).fit(X, Y)
    with pytest.warns(UserWarning, match="device"):
        again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.predict_proba(X), model.predict_proba(X))


def test_accelerate():
    accelerate = pytest.importorskip("accelerate")
    hf = pytest.importorskip("skorch.hf")

    class Accelerated(hf.AccelerateMixin, NetClassifier):
        pass

    params = net().get_params(deep=False) | {"accelerator": accelerate.Accelerator(cpu=True)}
    model = Accelerated(**{name: value for name, value in params.items() if name != "device"}).fit(X, Y)
    np.testing.assert_allclose(model.predict_proba(X), net().fit(X, Y).predict_proba(X), atol=1e-5)
    assert model.sample_proba(X, 3, random_state=0).shape == (90, 3, 3)
    assert model.embed(X).shape == (90, 16)


def test_a_trimmed_net_predicts_as_before():
    model = net().fit(X, Y)
    before = model.predict_proba(X)
    model.trim_for_prediction()
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.predict_proba(X), before)
    assert again.sample_proba(X, 2, random_state=0).shape == (90, 2, 3)


def test_epochs_of_a_partial_fit():
    model = net().partial_fit(X, Y, epochs=2).partial_fit(X, Y, epochs=3)
    assert len(model.history) == 5


class Recurrent(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer, self.head = nn.GRU(2, 8, batch_first=True), nn.Linear(8, 2)

    def forward(self, x):
        return self.head(self.layer(x)[0][:, -1])


def test_sequences_of_another_length():
    rng = np.random.default_rng(0)
    model = NetClassifier(Recurrent, max_epochs=1, random_state=0).fit(rng.normal(size=(20, 5, 2)), np.arange(20) % 2)
    assert model.predict_proba(rng.normal(size=(7, 9, 2))).shape == (7, 2)
    with pytest.raises(ValueError, match=r"rows of shape \(5, 3\)"):
        model.predict(rng.normal(size=(7, 5, 3)))
