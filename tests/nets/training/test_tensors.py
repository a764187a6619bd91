"""Every kind of X, and input that cannot be used."""

from collections import UserDict

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import torch
from skorch.dataset import Dataset as SkorchDataset
from skorch.helper import SliceDict
from torch import nn
from torch.utils.data import Subset, TensorDataset

from alkit.nets.training.tensors import RowDataset, scoring_rows, to_tensors
from alkit.validation import check_rows
from tests.nets.networks import TokenNet, TwoInputs, blobs, net

X, Y = blobs()
FRAME = pd.DataFrame(X, columns=list("abcd"), index=range(1000, 1090))


class Items(torch.utils.data.Dataset):
    """Yields x, (x,), (x, y) or (x, y, weight)."""

    def __init__(self, form):
        self.form = form

    def __len__(self):
        return len(X)

    def __getitem__(self, i):
        return X[i] if self.form == 0 else (X[i], int(Y[i]), 1.0)[: self.form]


def memmap(path):
    mapped = np.memmap(path / "X", dtype=np.float32, mode="w+", shape=X.shape)
    mapped[:] = X
    mapped.flush()
    return np.memmap(path / "X", dtype=np.float32, mode="r", shape=X.shape)


KINDS = {
    "float64": lambda path: X.astype(np.float64),
    "float16": lambda path: X.astype(np.float16),
    "read-only": lambda path: np.frombuffer(X.tobytes(), np.float32).reshape(X.shape),
    "fortran": lambda path: np.asfortranarray(X),
    "reversed": lambda path: X[:, ::-1][:, ::-1],
    "big endian": lambda path: X.astype(">f4"),
    "memmap": memmap,
    "object": lambda path: X.astype(object),
    "csr": lambda path: sp.csr_matrix(X),
    "csc": lambda path: sp.csc_array(X),
    "coo": lambda path: sp.coo_matrix(X.astype(np.float64)),
    "lil": lambda path: sp.lil_matrix(X),
    "frame": lambda path: FRAME,
    "mixed frame": lambda path: FRAME.astype({"a": "float64"}).assign(b=FRAME["b"].astype("Float32")),
    "tensor": lambda path: torch.from_numpy(X),
    "half tensor": lambda path: torch.from_numpy(X).bfloat16(),
    "list": lambda path: X.tolist(),
    "list of rows": lambda path: list(X),
    "Dataset of x": lambda path: Items(0),
    "Dataset of (x,)": lambda path: Items(1),
    "Dataset of (x, y)": lambda path: Items(2),
    "Dataset of (x, y, weight)": lambda path: Items(3),
    "TensorDataset": lambda path: TensorDataset(torch.from_numpy(X)),
    "Subset": lambda path: Subset(Items(2), range(90)),
    "skorch Dataset": lambda path: SkorchDataset(X, Y),
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_rows(kind, tmp_path):
    rows = KINDS[kind](tmp_path)
    model = net(classes=[0, 1, 2]).fit(rows, Y)
    expected = net(classes=[0, 1, 2]).fit(X, Y).predict_proba(X)
    tolerance = 0.1 if "16" in kind or "half" in kind else 1e-6
    np.testing.assert_allclose(model.predict_proba(rows), expected, atol=tolerance)
    assert model.score(rows, Y) > 0.9
    assert model.embed(rows).shape == (90, 16)


@pytest.mark.parametrize("form", [2, 3])
def test_a_dataset_brings_its_labels(form):
    assert net().fit(Items(form)).score(X, Y) > 0.9
    assert net().fit(SkorchDataset(X, np.array(["a", "b", "c"])[Y])).predict(X[:3]).tolist() == ["a", "b", "c"]
    with pytest.raises(ValueError, match="X yields no labels"):
        net().fit(Items(1))


@pytest.mark.parametrize("make", [dict, SliceDict, UserDict])
def test_dicts_reach_forward_by_name(make):
    rows = make(left=X[:, :1].astype(np.float64), right=X)
    model = net(TwoInputs).fit(rows, Y)
    assert model.score(rows, Y) > 0.9
    assert model.embed(rows).shape == (90, 5)
    with pytest.raises(ValueError, match=r"was fitted to rows of shape \{'left': \(1,\), 'right': \(4,\)\}"):
        model.predict(make(left=X[:, :2], right=X))


class TestIntegers:
    def test_pixels_become_floats(self):
        pixels = np.random.default_rng(0).integers(0, 255, (60, 1, 4, 4)).astype(np.uint8)
        y = (pixels[:, 0, 0, 0] > 127).astype(int)
        cnn = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(16, 2))
        model = net(cnn).fit(pixels, y)
        np.testing.assert_array_equal(model.predict_proba(pixels), model.predict_proba(pixels.astype(np.float32)))
        assert not model.integer_inputs_

    @pytest.mark.parametrize("dtype", [np.uint8, np.int32, np.uint16, bool])
    def test_integer_matrices_become_floats(self, dtype):
        counts = (X > 0).astype(dtype)
        a, b = (net().fit(rows, Y).predict_proba(rows) for rows in (counts, counts.astype(np.float32)))
        np.testing.assert_array_equal(a, b)

    @pytest.mark.parametrize("dtype", [np.uint8, np.int32, np.int64])
    def test_token_ids_stay_integers(self, dtype):
        ids = np.random.default_rng(0).integers(0, 20, (80, 6)).astype(dtype)
        y = ids[:, 0] // 10
        model = net(TokenNet, max_epochs=40).fit(ids, y)
        assert model.integer_inputs_
        assert model.score(ids, y) > 0.6
        assert model.predict(np.hstack([ids, ids])).shape == (80,), "sequences may be longer"

    def test_an_error_of_the_network_is_its_own(self):
        with pytest.raises(RuntimeError, match="mat1 and mat2 shapes cannot be multiplied"):
            net(nn.Linear(9, 3)).fit(X.astype(int), Y)
        with pytest.raises(IndexError):
            net(TokenNet).fit(np.full((6, 2), 99), [0, 1] * 3)


class TestSizes:
    def test_networks_are_told_sizes_they_ask_for(self):
        model = net().fit(X, Y)
        assert (model.module_.hidden.in_features, model.module_.head.out_features) == (4, 3)
        images = X.reshape(90, 1, 2, 2)
        flat = net(lambda n_features: nn.Sequential(nn.Flatten(), nn.Linear(n_features, 3))).fit(images, Y)
        assert flat.module_[1].in_features == 4
        assert net(module__n_classes=3, classes=[0, 1, 2]).fit(X, Y).module_.head.out_features == 3

    def test_n_features_in_and_names(self):
        model = net().fit(FRAME, Y)
        assert model.n_features_in_ == 4
        assert model.feature_names_in_.tolist() == list("abcd")
        assert not hasattr(model.fit(X, Y), "feature_names_in_")
        flat = nn.Sequential(nn.Flatten(), nn.Linear(4, 3))
        assert not hasattr(net(flat).fit(X.reshape(90, 1, 2, 2), Y), "n_features_in_")

    @pytest.mark.parametrize("convert", [np.asarray, sp.csr_matrix, torch.from_numpy, np.ndarray.tolist, pd.DataFrame])
    def test_another_width_names_both(self, convert):
        model = net().fit(convert(X), Y)
        for method in (model.predict, model.sample_proba, model.embed):
            with pytest.raises(ValueError, match=r"(?s)X has .*3.*4"):
                method(convert(np.ascontiguousarray(X[:, :3])))

    def test_other_columns_are_refused(self):
        with pytest.raises(ValueError, match="feature names should match"):
            net().fit(FRAME, Y).predict(FRAME[list("abdc")])

    def test_wide_rows_make_small_scoring_batches(self):
        assert scoring_rows(net().fit(X, Y).get_dataset(X)) == 4096
        assert scoring_rows(RowDataset(np.zeros((50, 1, 8, 8), np.float32))) == 256
        assert scoring_rows(RowDataset(sp.csr_matrix((50, 2**20)))) == 4


BAD = {
    "empty": (np.empty((0, 4), np.float32), "0 sample"),
    "empty list": ([], "0 sample"),
    "no features": (np.empty((90, 0)), "0 feature"),
    "1-D": (X[:, 0], "Reshape your data"),
    "1-D list": (X[:, 0].tolist(), "Reshape your data"),
    "1-D tensor": (torch.from_numpy(X[:, 0]), "Reshape your data"),
    "NaN": (np.where(X[7, 1] == X, np.nan, X), r"NaN or infinity in .*\(first: row 7\)"),
    "infinity": (np.where(X[7, 1] == X, np.inf, X), r"\(first: row 7\)"),
    "NaN in a list": ([[np.nan] * 4] * 90, "NaN"),
    "NaN in a frame": (FRAME.where(FRAME > 0), "NaN"),
    "NaN in a sparse matrix": (sp.csr_matrix(np.where(X[7, 1] == X, np.nan, X)), r"\(first: row 7\)"),
    "NaN in a dict": ({"x": np.full((90, 4), np.nan)}, "NaN"),
    "text": (np.full((90, 4), "spam"), "turn text or categories into numbers"),
    "objects": (np.full((90, 4), "spam", object), "something that is no number"),
    "texts": (["spam"] * 90, "turn text or categories into numbers"),
    "complex": (X.astype(complex), "Complex data not supported"),
    "duplicate columns": (pd.DataFrame(X, columns=list("abba")), r"duplicate column names \['b', 'a'\]"),
    "ragged dict": ({"a": X, "b": X[:3]}, "differ in length"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_rows_are_explained(case):
    rows, message = BAD[case]
    with pytest.raises(ValueError, match=message):
        net().fit(rows, Y[: len(rows)] if isinstance(rows, list) else Y)
    if not case.startswith(("duplicate", "ragged", "NaN in a dict")):
        model = net().fit(FRAME if "frame" in case else X, Y)
        with pytest.raises(ValueError, match=message):
            model.predict(rows)


def test_no_rows_at_all():
    with pytest.raises(TypeError, match="cannot take rows"):
        net().fit(3, Y)


def test_one_row_is_enough_to_predict():
    model = net().fit(X, Y)
    assert model.predict(X[:1]).tolist() == [Y[0]]


def test_sparse_rows_are_densified_batch_by_batch(monkeypatch):
    sizes = []
    densify = sp.csr_matrix.toarray
    monkeypatch.setattr(sp.csr_matrix, "toarray", lambda self: sizes.append(self.shape[0]) or densify(self))
    rows = sp.csr_matrix(np.tile(X, (100, 1)))
    net(max_epochs=2).fit(rows, np.tile(Y, 100)).predict(rows)
    assert max(sizes) == 4096


def test_thousand_classes_one_row_each():
    eye = np.eye(1000, dtype=np.float32)
    model = net(nn.Linear(1000, 1000), max_epochs=2).fit(eye, np.arange(1000))
    assert model.predict_proba(eye).shape == (1000, 1000)


def test_values_in_place_are_not_copied_and_never_changed():
    rows = X.copy()
    assert to_tensors(rows).data_ptr() == rows.ctypes.data
    module = nn.Sequential(nn.ReLU(inplace=True), nn.Dropout(0.5, inplace=True), nn.Linear(4, 3))
    model = net(module).fit(rows, Y)
    assert model.writes_inputs_
    assert not net().fit(rows, Y).writes_inputs_
    for score in (model.predict, model.embed, model.sample_proba):
        score(rows)
        np.testing.assert_array_equal(rows, X)
    dropout_first = net(nn.Sequential(nn.Dropout(0.5, inplace=True), nn.Linear(4, 3))).fit(rows, Y)
    dropout_first.sample_proba(rows)
    np.testing.assert_array_equal(rows, X)


def test_check_rows_allows_nan_on_request():
    assert check_rows(np.full((2, 3), np.nan), allow_nan=True) == 2
