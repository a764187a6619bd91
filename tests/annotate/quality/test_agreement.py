"""Agreement: against definitions written out in exact fractions, on hostile input, and of any number type."""

from fractions import Fraction
from itertools import combinations, permutations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alkit.annotate.quality.agreement import cohen_kappa, encode_labels, fleiss_kappa, krippendorff_alpha


def share_of_equal(pairs):
    pairs = list(pairs)
    return Fraction(sum(a == b for a, b in pairs), len(pairs))


def cohen_reference(first, second):
    observed = share_of_equal(zip(first, second, strict=True))
    expected = share_of_equal((a, b) for a in first for b in second)
    return (observed - expected) / (1 - expected)


def fleiss_reference(rows):
    """Chance draws two labels from all that were given, with replacement."""
    observed = sum(share_of_equal(combinations(row, 2)) for row in rows) / len(rows)
    given = [label for row in rows for label in row]
    expected = share_of_equal((a, b) for a in given for b in given)
    return (observed - expected) / (1 - expected)


def krippendorff_reference(rows):
    """Chance draws two of the pairable labels without replacement; an item's pairs weigh what its labels do."""
    rows = [[label for label in row if label is not None] for row in rows]
    rows = [row for row in rows if len(row) > 1]
    pairable = [label for row in rows for label in row]
    observed = sum(len(row) * (1 - share_of_equal(permutations(row, 2))) for row in rows) / len(pairable)
    expected = 1 - share_of_equal(permutations(pairable, 2))
    return 1 - observed / expected


def crowd(n_items, n_annotators, n_classes, missing=0.0, seed=0):
    rng = np.random.default_rng(seed)
    truth = rng.integers(n_classes, size=(n_items, 1))
    labels = np.where(rng.random((n_items, n_annotators)) < 0.7, truth, rng.integers(n_classes, size=(n_items, 1)))
    noisy = np.where(rng.random(labels.shape) < 0.2, rng.integers(n_classes, size=labels.shape), labels)
    names = np.array([f"class {c}" for c in range(n_classes)], object)[noisy]
    return np.where(rng.random(labels.shape) < missing, None, names)


@pytest.mark.parametrize("n_classes", [2, 3, 7])
@pytest.mark.parametrize("seed", range(3))
def test_against_exact_references(n_classes, seed):
    full = crowd(23, 4, n_classes, seed=seed)
    assert cohen_kappa(full[:, 0], full[:, 1]) == pytest.approx(float(cohen_reference(*full.T[:2])), abs=1e-9)
    assert fleiss_kappa(full) == pytest.approx(float(fleiss_reference(full.tolist())), abs=1e-9)
    holes = crowd(23, 4, n_classes, missing=0.4, seed=seed)
    for labels in (full, holes):
        expected = float(krippendorff_reference(labels.tolist()))
        assert krippendorff_alpha(labels) == pytest.approx(expected, abs=1e-9)


@settings(max_examples=60)
@given(st.lists(st.lists(st.sampled_from(["a", "b", "c", None]), min_size=3, max_size=3), min_size=1, max_size=12))
def test_any_table(rows):
    labels = np.array(rows, object)
    pairable = [x for row in rows if sum(x is not None for x in row) > 1 for x in row if x is not None]
    found = krippendorff_alpha(labels)
    if len(set(pairable)) < 2:
        assert np.isnan(found)
    else:
        assert found == pytest.approx(float(krippendorff_reference(rows)), abs=1e-9)
        assert found <= 1
        assert krippendorff_alpha(labels[::-1, ::-1]) == pytest.approx(found, abs=1e-12)


def test_missing_labels_do_not_count():
    first, second = ["a", None, "b", "b", "a"], ["a", "b", "b", np.nan, "b"]
    assert cohen_kappa(first, second) == pytest.approx(cohen_kappa(["a", "b", "a"], ["a", "b", "b"]))
    assert fleiss_kappa([["a", "a", None], ["b", None, "a"], [None] * 3]) == fleiss_kappa([["a", "a"], ["b", "a"]])


def test_perfect_and_undefined():
    same = [["a", "a"], ["b", "b"]]
    assert cohen_kappa(*np.array(same, object).T) == fleiss_kappa(same) == krippendorff_alpha(same) == 1
    for nothing in ([["a", "a"], ["a", "a"]], [[None, None]], [["a", None], ["b", None]], np.empty((0, 2), object)):
        columns = np.array(nothing, object).reshape(-1, 2)
        assert np.isnan(cohen_kappa(columns[:, 0], columns[:, 1]))
        assert np.isnan(fleiss_kappa(columns))
        assert np.isnan(krippendorff_alpha(columns))


def test_kinds_of_labels():
    numbers = np.array([[0, 1], [1, 1], [2, 0], [2, 2]])
    expected = krippendorff_alpha(numbers)
    assert krippendorff_alpha(numbers.astype(float)) == expected
    assert krippendorff_alpha(numbers.astype(str)) == expected
    frame = pd.DataFrame({"item": [0, 0, 1, 1, 2], "annotator": list("ababa"), "label": ["x", "y", "x", "x", "y"]})
    pivoted = frame.pivot(index="item", columns="annotator", values="label")
    assert krippendorff_alpha(pivoted) == pytest.approx(float(krippendorff_reference([["x", "y"], ["x", "x"], ["y"]])))
    codes, classes = encode_labels([[3, None], [1, 3]])
    assert codes.tolist() == [[1, -1], [0, 1]]
    assert classes.dtype == int


def test_bad_input():
    with pytest.raises(ValueError, match="first has 2 labels, second has 1"):
        cohen_kappa(["a", "b"], ["a"])
    with pytest.raises(ValueError, match=r"items have 1 to 2 labels.*krippendorff_alpha"):
        fleiss_kappa([["a", "a"], ["b", None]])
    with pytest.raises(ValueError, match="labels has 1 dimensions, not 2"):
        krippendorff_alpha(["a", "b"])


def test_long_frames():
    wide = pd.DataFrame([["a", "a", "b"], ["b", "b", "b"], ["a", "b", "b"]], columns=["ann", "bob", "cat"])
    long = wide.rename_axis("item").reset_index().melt("item", var_name="annotator", value_name="label")
    for agreement in (fleiss_kappa, krippendorff_alpha):
        assert agreement(long) == pytest.approx(agreement(wide), rel=1e-12)
