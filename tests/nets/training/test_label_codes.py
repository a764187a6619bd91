"""Labels: checked, coded by their position among the classes, and weighed as scikit-learn weighs them."""

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.preprocessing import LabelEncoder
from sklearn.utils.class_weight import compute_class_weight

from alkit.nets.training.label_codes import check_labels, class_weights, encode

WORDS = np.array(["spam", "ham", "eggs", "ham", "spam", "ham"])


@pytest.mark.parametrize(
    "y",
    [WORDS, WORDS.astype(object), np.array([3, -1, 7, -1]), np.array([True, False, True]), np.array([0.0, 2.0, 1.0])],
    ids=lambda y: str(y.dtype),
)
def test_codes_are_those_of_scikit_learn(y):
    encoder = LabelEncoder().fit(y)
    codes = encode(y, encoder.classes_)
    assert codes.dtype == torch.int64
    assert codes.tolist() == encoder.transform(y).tolist()
    np.testing.assert_array_equal(encoder.classes_[codes.numpy()], y)


def test_unknown_labels_are_named():
    with pytest.raises(ValueError, match=r"labels \['eggs', 'spam'\] outside the known classes \['bacon', 'ham'\]"):
        encode(WORDS, np.array(["bacon", "ham"]))


@pytest.mark.parametrize(
    "y", [WORDS, WORDS.tolist(), pd.Series(WORDS.tolist()), torch.tensor([2, 0, 1, 0, 2, 0]), np.arange(6) % 2 == 0]
)
def test_labels_of_any_kind(y):
    labels = check_labels(y, 6)
    assert isinstance(labels, np.ndarray)
    assert labels.tolist() == (y.tolist() if hasattr(y, "tolist") else y)


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (WORDS[:5], "X has 6 rows, but y has 5 labels"),
        (np.array(["a", None, "b", np.nan, "a", "b"], dtype=object), r"NaN or None in 2 of 6 rows \(first: row 1\)"),
        (np.linspace(0, 1, 6), "Unknown label type: continuous"),
        (np.eye(6, 2), "y should be a 1d array"),
    ],
)
def test_bad_labels(y, message):
    with pytest.raises(ValueError, match=message):
        check_labels(y, 6)


class TestClassWeights:
    classes = np.array(["bacon", "eggs", "ham", "spam"])  # of which one is not seen yet

    def test_none(self):
        assert class_weights(None, self.classes, WORDS) is None

    def test_balanced_is_scikit_learns_for_classes_seen_and_one_for_others(self):
        seen = compute_class_weight("balanced", classes=self.classes[1:], y=WORDS)
        weights = class_weights("balanced", self.classes, WORDS)
        np.testing.assert_allclose(weights, [1.0, *seen], rtol=1e-6)

    def test_a_dict_and_ones_for_those_it_leaves_out(self):
        assert class_weights({"spam": 3, "bacon": 0.5}, self.classes, WORDS).tolist() == [0.5, 1, 1, 3]

    def test_a_dict_of_unknown_labels(self):
        with pytest.raises(ValueError, match=r"labels \['toast'\] outside the known classes"):
            class_weights({"toast": 2.0}, self.classes, WORDS)
