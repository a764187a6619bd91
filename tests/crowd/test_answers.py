"""Answers one by one: what tables and long forms come to, and which labels are refused."""

import numpy as np
import pandas as pd
import pytest

from alkit.crowd.answers import is_long, read_answers
from tests.crowd.crowds import synthetic_crowd


def long_form(labels):
    item, annotator = np.nonzero(labels != None)  # noqa: E711
    return pd.DataFrame({"item": item, "annotator": annotator, "label": labels[item, annotator]})


def test_a_table_and_its_long_form_are_the_same_answers():
    labels, _ = synthetic_crowd(30, 6, 3, per_item=2, seed=0)
    wide, long = read_answers(labels), read_answers(long_form(labels).sample(frac=1, random_state=0))
    for name in ("item", "annotator", "label", "classes"):
        np.testing.assert_array_equal(getattr(wide, name), getattr(long, name), err_msg=name)
    assert is_long(long_form(labels))
    assert not is_long(labels)


def test_votes_are_counts_of_labels():
    votes = read_answers([["a", "b", "b"], [None, "a", None]]).votes()
    assert votes.tolist() == [[1, 2], [1, 0]]


def test_nan_among_numbered_classes_leaves_them_whole():
    answers = read_answers(np.array([[0, np.nan], [2, 0]]))
    assert answers.classes.dtype.kind == "i"
    assert answers.label.tolist() == [0, 1, 0]


def test_declared_classes_keep_their_place_and_others_are_refused():
    answers = read_answers([["b"], ["c"]], classes=["c", "a", "b"])
    assert answers.classes.tolist() == ["a", "b", "c"]
    assert answers.label.tolist() == [1, 2]
    with pytest.raises(ValueError, match="1 labels are none of the 2 classes, the first is 'c'"):
        read_answers([["b"], ["c"]], classes=["a", "b"])


def test_many_items_and_people_take_no_table():
    n = 200_000  # a table of them would take 300 GB
    answers = read_answers(pd.DataFrame({"item": range(n), "annotator": range(n), "label": ["a", "b"] * (n // 2)}))
    assert answers.votes().shape == (n, 2)
