"""Networks that predict numbers: the scale of y, what they return, what they refuse."""

import copy
import pickle

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import is_regressor
from sklearn.datasets import make_regression
from sklearn.model_selection import GridSearchCV
from sklearn.utils.estimator_checks import parametrize_with_checks
from skorch.callbacks import EpochScoring
from skorch.dataset import ValidSplit
from torch import nn

from alkit import DropoutMLPRegressor, EnsembleRegressor, NetRegressor
from alkit.nets._together import fit_together
from tests.nets.checks import run
from tests.nets.networks import rng_states

X, y = make_regression(80, 4, noise=1.0, random_state=0)
X = X.astype(np.float32)
Y = np.column_stack([y, 1e6 - 3 * y])


class Net(nn.Module):
    """Knows its sizes from the regressor, and has dropout."""

    def __init__(self, n_features, n_outputs, hidden=16, flat=False):
        super().__init__()
        self.hidden = nn.Linear(n_features, hidden)
        self.dropout = nn.Dropout(0.2)
        self.head = nn.Linear(hidden, n_outputs)
        self.flat = flat

    def forward(self, x):
        out = self.head(self.dropout(torch.relu(self.hidden(x))))
        return out[:, 0] if self.flat else out


def regressor(**params):
    return NetRegressor(Net, **{"lr": 0.02, "max_epochs": 15, "random_state": 0, **params})


def test_it_learns_in_the_units_of_y():
    for targets in (1e9 + y, Y):
        net = regressor(lr=0.05).fit(X, targets)
        assert net.score(X, targets) > 0.9
        assert net.predict(X).shape == targets.shape
        assert net.predict(X).dtype == np.float64
    assert is_regressor(net)


def test_scale_and_shift_of_y_change_nothing_else():
    # powers of two, which round nothing
    plain, moved = (regressor().fit(X, targets).predict(X) for targets in (y, 1024 * y + 4096))
    np.testing.assert_allclose(moved, 1024 * plain + 4096, rtol=1e-4)


@pytest.mark.parametrize(("targets", "shape"), [(y, ()), (y[:, None], (1,)), (Y, (2,))])
def test_shapes_are_those_of_y(targets, shape):
    net = regressor(max_epochs=2).fit(X, targets)
    mean, std = net.predict(X, return_std=True)
    assert mean.shape == std.shape == (80, *shape)
    assert (std > 0).all()
    samples = net.sample_y(X, n_samples=3, random_state=0)
    assert samples.shape == (80, 3, *shape)
    assert net.embed(X).shape == (80, 16)


def test_a_network_without_an_axis_for_outputs():
    flat, matrix = (NetRegressor(Net, module__flat=flat, max_epochs=3, random_state=0).fit(X, y) for flat in (1, 0))
    np.testing.assert_allclose(flat.predict(X), matrix.predict(X), rtol=1e-5)
    assert flat.sample_y(X, 4).shape == (80, 4)


def test_draws_are_seeded_and_those_of_the_standard_deviation_are_always_the_same():
    net = regressor(max_epochs=3).fit(X, y)
    before = rng_states()
    np.testing.assert_array_equal(net.sample_y(X, 5, random_state=1), net.sample_y(X, 5, random_state=1))
    assert (net.sample_y(X, 5, random_state=1) != net.sample_y(X, 5, random_state=2)).any()
    _, whole = net.predict(X, return_std=True)
    _, alone = net.predict(X[:3], return_std=True)
    np.testing.assert_allclose(whole[:3], alone, rtol=1e-4)
    assert rng_states() == before


def test_without_dropout_there_is_nothing_to_draw():
    net = NetRegressor(nn.Sequential(nn.Linear(4, 1)), max_epochs=1, random_state=0).fit(X, y)
    for ask in (lambda: net.sample_y(X), lambda: net.predict(X, return_std=True)):
        with pytest.raises(ValueError, match="no active dropout"):
            ask()


def test_it_has_no_method_of_a_classifier():
    net = regressor()
    for method in ("predict_proba", "sample_proba", "classes_"):
        assert not hasattr(net, method)


def test_constant_numbers_are_predicted():
    for targets in (np.full(80, 7.5), np.full(80, 0.1 + 0.2), np.zeros(80)):
        net = regressor(max_epochs=2, warm_start=True).fit(X, targets)
        mean, std = net.predict(X, return_std=True)
        np.testing.assert_allclose(mean, targets)
        np.testing.assert_array_equal(std, 0)
        # once there is a spread, it is learnt
        assert net.fit(X, y).predict(X).std() > 0


def test_numbers_of_any_size():
    for size in (1e300, 1e-300):
        net = regressor(lr=0.05).fit(X, size * (y / np.abs(y).max()))
        assert np.corrcoef(net.predict(X) / size, y)[0, 1] > 0.9


@pytest.mark.parametrize("convert", [list, pd.Series, torch.from_numpy, lambda y: y.astype(object), np.ma.array])
def test_kinds_of_numbers(convert):
    expected = regressor(max_epochs=2).fit(X, y).predict(X)
    np.testing.assert_allclose(regressor(max_epochs=2).fit(X, convert(y)).predict(X), expected)


@pytest.mark.parametrize(
    ("targets", "message"),
    [
        (["red"] * 80, "y holds 'red', but a regressor predicts numbers; .* alkit.NetClassifier"),
        ([None, *y[1:]], r"Input y contains NaN in 1 of 80 rows \(first: row 0\)"),
        ([np.inf, *y[1:]], "Input y contains infinity in 1 of 80 rows"),
        (y[:-1], "X has 80 rows, but y has 79"),
        (np.zeros((80, 2, 2)), r"y has shape \(80, 2, 2\); give one number per row"),
        (y.astype(complex), "Complex data not supported"),
    ],
)
@pytest.mark.parametrize("estimator", [regressor(), DropoutMLPRegressor()], ids=lambda e: type(e).__name__)
def test_what_is_no_number_is_refused_by_name(estimator, targets, message):
    if isinstance(estimator, DropoutMLPRegressor) and "79" in message:
        message = "inconsistent numbers of samples"
    with pytest.raises(ValueError, match=message):
        estimator.fit(X, targets)


def test_a_network_with_other_outputs_than_y():
    with pytest.raises(ValueError, match=r"outputs of shape \(8, 3\) for 8 rows, but y has 2 number\(s\) per row"):
        NetRegressor(nn.Sequential(nn.Linear(4, 3))).fit(X, Y)


def test_weights_count_in_the_scale_too():
    weights = np.repeat([1.0, 0.0], 40)
    net = regressor().fit(X, np.concatenate([y[:40], y[40:] + 1e6]), sample_weight=weights)
    np.testing.assert_allclose(net.scale_.mean, y[:40].mean())
    np.testing.assert_allclose(net.scale_.std, y[:40].std())
    assert np.abs(net.predict(X)).max() < 1e4


def test_a_warm_start_keeps_the_scale_and_weights():
    net = regressor(warm_start=True, max_epochs=1).fit(X[:40], y[:40])
    scale, module = net.scale_, net.module_
    net.fit(X, y)
    assert net.scale_ is scale
    assert net.module_ is module
    with pytest.warns(UserWarning, match="the number of outputs have changed.*starting fresh$"):
        net.fit(X, Y)
    assert net.predict(X).shape == (80, 2)


def test_training_goes_on():
    net = regressor(max_epochs=1).partial_fit(X, y).partial_fit(X, y, epochs=3)
    assert len(net.history_) == 4
    with pytest.raises(ValueError, match=r"y has shape \(80, 2\), but the network was taught 1 numbers per row"):
        net.partial_fit(X, Y)


def test_callbacks_score_in_the_units_of_y():
    score = EpochScoring("neg_mean_absolute_error", name="error", lower_is_better=False)
    net = regressor(max_epochs=3, train_split=ValidSplit(4), callbacks=[score]).fit(X, y)
    assert abs(net.history_[-1]["error"]) > 5


def test_copies_and_searches():
    net = regressor(max_epochs=2).fit(X, y)
    expected = net.predict(X)
    for again in (pickle.loads(pickle.dumps(net)), copy.deepcopy(net)):
        np.testing.assert_array_equal(again.predict(X), expected)
    search = GridSearchCV(regressor(max_epochs=2), {"lr": [0.01, 0.02]}, cv=2, scoring="neg_mean_squared_error")
    assert search.fit(X, y).predict(X).shape == (80,)


def test_perceptron_without_torch_code():
    model = DropoutMLPRegressor(max_epochs=60, lr=0.01, random_state=0).fit(X, Y)
    assert model.score(X, Y) > 0.9
    assert [part.shape for part in model.predict(X, return_std=True)] == [(80, 2), (80, 2)]
    assert model.sample_y(X, 3).shape == (80, 3, 2)
    assert model.embed(X).shape == (80, 128)


def test_members_of_an_ensemble_are_trained_together_as_alone():
    plain = {"module__hidden": 8, "max_epochs": 3}
    together = [NetRegressor(Net, random_state=k, **plain).set_params(module=NoDropout) for k in range(2)]
    alone = NetRegressor(NoDropout, random_state=1, **plain).fit(X, Y)
    assert fit_together(together, X, Y, seed=0)
    np.testing.assert_allclose(together[1].predict(X), alone.predict(X), rtol=1e-4)


class NoDropout(nn.Sequential):
    def __init__(self, n_features, n_outputs, hidden):
        super().__init__(nn.Linear(n_features, hidden), nn.ReLU(), nn.Linear(hidden, n_outputs))


def test_ensembles():
    ensemble = EnsembleRegressor(regressor(), n_estimators=3, random_state=0).fit(X, Y)
    samples = ensemble.sample_y(X)
    assert samples.shape == (80, 3, 2)
    mean, std = ensemble.predict(X, return_std=True)
    np.testing.assert_allclose(mean, samples.mean(1))
    np.testing.assert_allclose(std, samples.std(1))
    assert (std > 0).all()
    assert ensemble.embed(X).shape == (80, 48)


@pytest.mark.slow
@parametrize_with_checks(
    [
        DropoutMLPRegressor(max_epochs=50, batch_size=64),
        EnsembleRegressor(DropoutMLPRegressor(max_epochs=20, lr=0.01), 2),
    ]
)
def test_scikit_learns_estimator_checks(estimator, check):
    inner = "estimator__" if isinstance(estimator, EnsembleRegressor) else ""
    run(check, estimator, **{f"{inner}dropout": 0.0, f"{inner}batch_size": -1})
