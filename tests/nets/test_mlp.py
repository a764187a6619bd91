"""The ready-made network."""

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import torch
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from alkit.nets import DropoutMLPClassifier
from tests.nets.checks import run
from tests.nets.networks import blobs

X, Y = blobs()


@parametrize_with_checks([DropoutMLPClassifier(max_epochs=50, batch_size=64)])
def test_scikit_learns_estimator_checks(estimator, check):
    run(check, estimator, dropout=0.0, batch_size=-1)


def test_digits():
    digits, y = load_digits(return_X_y=True)
    model = make_pipeline(StandardScaler(), DropoutMLPClassifier(max_epochs=20, random_state=0))
    assert cross_val_score(model, digits, y.astype(str), cv=2).min() > 0.9


def test_views_of_the_network():
    model = DropoutMLPClassifier((8, 6), random_state=0).fit(X, Y)
    samples = model.sample_proba(X, n_samples=7, random_state=0)
    assert samples.shape == (90, 7, 3)
    np.testing.assert_array_equal(samples, model.net_.sample_proba(X, 7, random_state=0, consistent=True))
    assert model.embed(X).shape == (90, 6)
    assert [type(layer).__name__ for layer in model.net_.module_] == ["Linear", "ReLU", "Dropout"] * 2 + ["Linear"]


@pytest.mark.parametrize("convert", [pd.DataFrame, sp.csr_matrix, sp.coo_array, torch.from_numpy, np.ndarray.tolist])
def test_kinds_of_rows(convert):
    rows = convert(X)
    if isinstance(rows, pd.DataFrame):
        rows.columns = list("abcd")
    model = DropoutMLPClassifier(random_state=0).fit(rows, Y)
    assert model.score(rows, Y) > 0.9
    assert model.n_features_in_ == 4
    for method in (model.predict, model.sample_proba, model.embed):
        with pytest.raises(
            ValueError, match="3 features, but DropoutMLPClassifier is expecting 4|feature names should"
        ):
            method(rows[list("abc")] if isinstance(rows, pd.DataFrame) else convert(np.ascontiguousarray(X[:, :3])))


def test_warm_start_keeps_the_network_while_its_shape_stays():
    model = DropoutMLPClassifier(warm_start=True, max_epochs=2, random_state=0).fit(X, Y)
    module = model.net_.module_
    assert model.set_params(lr=0.01).fit(X, Y).net_.module_ is module
    assert model.net_.optimizer_.param_groups[0]["lr"] == 0.01
    assert model.set_params(hidden_layer_sizes=(5,)).fit(X, Y).net_.module_ is not module
    assert model.embed(X).shape == (90, 5)
    cold = clone(model).set_params(warm_start=False).fit(X, Y)
    assert cold.fit(X, Y).net_.history[:, "epoch"] == [1, 2]


def test_search_and_declared_classes():
    search = GridSearchCV(DropoutMLPClassifier(random_state=0), {"max_epochs": [1, 50], "dropout": [0.2]}, cv=2)
    assert search.fit(X, Y).best_params_ == {"max_epochs": 50, "dropout": 0.2}
    model = DropoutMLPClassifier(classes=["a", "b", "c"], class_weight="balanced", random_state=0)
    assert model.fit(X[Y < 2], np.array(["a", "b"])[Y[Y < 2]]).predict_proba(X).shape == (90, 3)
    assert model.classes_.tolist() == ["a", "b", "c"]


@pytest.mark.parametrize("params", [{"hidden_layer_sizes": ()}, {"dropout": 1.0}, {"dropout": -0.1}])
def test_bad_parameters(params):
    with pytest.raises(ValueError, match=r"give at least one hidden layer, and a dropout from 0 to below 1"):
        DropoutMLPClassifier(**params).fit(X, Y)
