"""How labels and predictions are kept: equal sets are equal texts, under whatever names."""

import pytest

from alkit.annotate.database.label_kinds import ONE_LABEL, SEVERAL_LABELS, write_labels, write_proba


@pytest.mark.parametrize("names", [[], ["a"], ["b", "a", "b"], ['"', "\\", "ö", "[]"]])
def test_equal_sets_are_equal_texts(names):
    text = write_labels(names)
    assert text == write_labels(reversed(names)) == write_labels(names * 2)
    assert SEVERAL_LABELS.read(text) == SEVERAL_LABELS.names(text) == sorted(set(names))


def test_merged_names_are_one():
    rename = {"a": "z", "b": "z"}
    assert SEVERAL_LABELS.renamed('["a", "b", "c"]', lambda name: rename.get(name, name)) == '["c", "z"]'
    proba = write_proba({"a": 0.25, "b": 0.75, "c": 1 / 3})
    renamed = SEVERAL_LABELS.renamed_prediction(proba, lambda name: rename.get(name, name))
    expected = {"value": ["z"], "confidence": 0.5, "proba": {"z": 0.75, "c": 0.3333}}
    assert SEVERAL_LABELS.prediction(renamed, 0.5) == expected


def test_one_class_is_kept_as_it_is():
    assert ONE_LABEL.read('["a"]') == '["a"]'
    assert ONE_LABEL.names("a") == ONE_LABEL.predicted("a") == ["a"]
    assert ONE_LABEL.prediction("a", None) == {"value": "a", "confidence": None}
