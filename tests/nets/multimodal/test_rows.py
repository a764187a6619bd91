"""Rows of several modalities: every form is the same dict, and errors say which modality and which row."""

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import torch
from torch.utils.data import Dataset

from alkit.nets.multimodal.rows import (
    ModalityDataset,
    ModalityRows,
    by_modality,
    check_modalities,
    check_present,
    present_rows,
)

TEXT = np.arange(12.0).reshape(3, 4)
AGE = np.array([30.0, np.nan, 50.0])
WIDTHS = {"text": 4, "age": 1}
SLICES = {"text": slice(0, 4), "age": slice(4, None)}
MATRIX = np.column_stack([TEXT, AGE])


def test_forms_are_one():
    frame = pd.DataFrame({"age": AGE, "text": list(TEXT)})
    matrices = [MATRIX, torch.from_numpy(MATRIX), pd.DataFrame(MATRIX), sp.coo_array(MATRIX), sp.csc_array(MATRIX)]
    forms = [({"age": AGE, "text": TEXT}, WIDTHS), (frame, WIDTHS), *((matrix, SLICES) for matrix in matrices)]
    for X, modalities in forms:
        rows = by_modality(X, modalities)
        assert list(rows) == ["text", "age"]
        for name, expected in (("text", TEXT), ("age", AGE[:, None])):
            values = rows[name].toarray() if sp.issparse(rows[name]) else np.asarray(rows[name])
            np.testing.assert_array_equal(values, expected)


def test_cells_of_missing_rows_are_nan_and_integers_become_floats():
    rows = by_modality({"text": [[1, 2], None, np.nan, [3, 4]], "age": [1, 2, 3, 4]}, {"text": 2, "age": 1})
    np.testing.assert_array_equal(rows["text"], [[1, 2], [np.nan] * 2, [np.nan] * 2, [3, 4]])
    assert rows["text"].dtype.kind == "f"
    assert rows["age"].dtype.kind == "i"


def test_values_in_place_are_not_copied():
    rows = by_modality({"text": TEXT, "age": AGE}, WIDTHS)
    assert rows["text"] is TEXT
    assert np.shares_memory(rows["age"], AGE)
    assert np.shares_memory(by_modality(MATRIX, SLICES)["text"], MATRIX)


@pytest.mark.parametrize(
    ("X", "modalities", "message"),
    [
        ({"text": TEXT}, WIDTHS, "X has 1 modalities, 'text', but 2 are declared.*: 'age' is not in X$"),
        ({"text": TEXT, "sex": AGE}, WIDTHS, "'age' is not in X; 'sex' is not declared$"),
        ({"text": TEXT[:, :3], "age": AGE}, WIDTHS, r"'text' has rows of shape \(3,\), but \(4,\) is declared"),
        ({"text": [[1.0] * 4, [1.0] * 3], "age": AGE[:2]}, WIDTHS, r"of shape \(4,\) and of shape \(3,\)"),
        ({"text": 7, "age": AGE}, WIDTHS, "'text' is a int; give an array, or a list of rows"),
        ({"text": [None] * 3, "age": AGE}, {"text": slice(0, None), "age": 1}, "missing in all 3 rows, and its width"),
        (MATRIX, WIDTHS, "does not say which of them are 'text'; give a slice for each"),
        (MATRIX, {"text": slice(0, 4), "age": slice(9, None)}, "'age' begins with column 9, but X has 5 columns"),
        (MATRIX, {"text": slice(0, 4)}, "'text' ends with column 4, but X has 5 columns"),
        (MATRIX, {"text": slice(0, 4), "age": slice(4, 8)}, "'age' ends with column 8, but X has 5 columns"),
        (TEXT[0], SLICES, r"X is a ndarray of shape \(4,\); pass a dict of arrays"),
    ],
)
def test_what_does_not_fit(X, modalities, message):
    with pytest.raises(ValueError, match=message):
        by_modality(X, modalities)


@pytest.mark.parametrize("size", [0, -1, 2.0, (), (3, 0), "3", slice(2, 2), slice(-1, 3), slice(0, 4, 2)])
def test_bad_sizes(size):
    with pytest.raises(ValueError, match="give a width, a tuple of widths, or a slice"):
        check_modalities({"text": size})


@pytest.mark.parametrize("name", ["joint", "self", "train", "a.b", "", 3])
def test_names_that_a_network_cannot_give_a_submodule(name):
    with pytest.raises(ValueError, match="a modality cannot be called"):
        check_modalities({name: 3})


def test_present_rows_hold_no_nan():
    values = torch.ones(3, 2, 2)
    values[1, 0, 1] = torch.nan
    assert present_rows(values).tolist() == [True, False, True]
    assert present_rows(torch.ones(2, 3, dtype=torch.int64)).all()


BATCH = {"text": torch.tensor([[1.0], [torch.nan], [torch.nan]]), "age": torch.tensor([[1.0], [2.0], [torch.nan]])}


class TestPresent:
    def test_the_joint_head_needs_one_modality(self):
        check_present({name: values[:2] for name, values in BATCH.items()})
        with pytest.raises(ValueError, match=r"all 2 modalities, 'text', 'age', are missing in 1 of 3 rows .*row 12\)"):
            check_present(BATCH, first_row=10)

    def test_a_head_needs_its_own(self):
        with pytest.raises(ValueError, match=r"'text', which head 'text' reads, is missing in 2 of 3 rows .*row 1\)"):
            check_present(BATCH, head="text")

    def test_infinity_is_not_missing(self):
        batch = {"text": torch.tensor([[1.0], [torch.inf]])}
        with pytest.raises(ValueError, match="'text' holds infinity in row 6; only NaN means missing"):
            check_present(batch, first_row=5)

    def test_all_rows_are_checked_before_a_fit(self):
        adapter = ModalityRows(WIDTHS, "joint")
        rows = adapter.arrange({"text": np.full((9000, 4), np.nan), "age": np.r_[np.ones(8999), np.nan]})
        with pytest.raises(ValueError, match=r"missing in 1 of \d+ rows of X \(first: row 8999\)"):
            adapter.check(rows)
        assert adapter.check({name: values[:8999] for name, values in rows.items()}) == 8999


class Items(Dataset):
    def __init__(self, items):
        self.items = items

    def __len__(self):
        return len(self.items)

    def __getitem__(self, i):
        return self.items[i]


def test_items_of_a_dataset_are_dicts_or_vectors_with_or_without_a_label():
    as_dict = ModalityDataset(Items([({"text": TEXT[0], "age": None}, "spam")]), WIDTHS)
    row, label = as_dict[0]
    assert label == "spam"
    np.testing.assert_array_equal(row["text"], TEXT[0])
    assert np.isnan(row["age"]).all()
    row = ModalityDataset(Items(list(MATRIX)), SLICES)[2]
    np.testing.assert_array_equal(row["text"], TEXT[2])
    with pytest.raises(ValueError, match=r"are missing in 1 of 1 rows of X \(first: row 1\)"):
        ModalityDataset(Items([{}, {"text": None, "age": None}]), WIDTHS)[1]
