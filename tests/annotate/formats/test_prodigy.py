"""Prodigy: every task survives becoming a record, and every record becoming a task."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alkit.annotate.formats import from_prodigy, read_prodigy, to_prodigy, write_prodigy
from tests.annotate.formats.records import JSON, TEXT, round_trip

CHOICE = {
    "text": "Win a prize now",
    "meta": {"score": 0.48, "alkit_id": "17"},
    "options": [{"id": "spam", "text": "spam"}, {"id": "ham", "text": "ham"}],
    "accept": ["spam"],
    "config": {"choice_style": "single"},
    "answer": "accept",
    "_input_hash": -1,
    "_task_hash": -2,
    "_is_binary": False,
    "_view_id": "choice",
    "_timestamp": 1700000000,
    "_annotator_id": "posts-ann",
    "_session_id": "posts-ann",
}
BINARY = {"text": "Lunch?", "label": "spam", "answer": "reject", "flagged": True, "_view_id": "classification"}


@st.composite
def tasks(draw):
    """Objects with Prodigy's keys, mostly of Prodigy's types, and any others."""
    task = draw(st.dictionaries(TEXT, JSON, max_size=2))
    names = st.sampled_from(["spam", "ham"])
    typical = {
        "text": TEXT,
        "meta": st.fixed_dictionaries({}, optional={"alkit_id": TEXT, "score": st.floats(0, 1)}),
        "accept": st.lists(names, max_size=2),
        "label": names,
        "answer": st.sampled_from(["accept", "reject", "ignore"]),
        "options": st.just(CHOICE["options"]),
        "flagged": st.booleans(),
        "alkit": st.dictionaries(st.sampled_from(["seconds", "kind", "late"]), JSON, max_size=2),
        "_input_hash": st.integers(),
        "_timestamp": st.integers(),
        "_annotator_id": TEXT,
    }
    for key, values in typical.items():
        if draw(st.booleans()):
            task[key] = draw(values if draw(st.integers(0, 9)) else JSON)
    return task


def without_hashes(task):
    return {key: value for key, value in task.items() if key not in ("_input_hash", "_task_hash")}


@given(task=tasks())
def test_prodigy_from_their_side(task):
    record = from_prodigy(task)
    assert to_prodigy(record) == without_hashes(task)
    assert record.get("prodigy", {}).get("_input_hash") == task.get("_input_hash")


@given(
    record=st.fixed_dictionaries(
        {"item": TEXT},
        optional={"text": TEXT, "image": TEXT, "annotator": TEXT, "time": st.floats(0, 2e9), "flagged": st.booleans()},
    ),
    answer=st.sampled_from(
        [
            {},
            {"kind": "label", "value": "spam"},
            {"kind": "label", "value": "spam", "view": "binary"},
            {"kind": "reject", "value": "spam", "view": "binary"},
            {"kind": "skip"},
        ]
    ),
    own=st.dictionaries(st.sampled_from(["seconds", "model_version", "probability"]), JSON),
)
def test_prodigy_from_our_side(tmp_path_factory, record, answer, own):
    record = record | answer | own
    assert round_trip([record], write_prodigy, read_prodigy, tmp_path_factory.getbasetemp()) == [record]


def test_prodigy_views():
    record = from_prodigy(CHOICE)
    assert (record["item"], record["kind"], record["value"], record["annotator"]) == (
        "17",
        "label",
        "spam",
        "posts-ann",
    )
    assert record["prodigy"]["meta"] == {"score": 0.48}
    assert from_prodigy(BINARY) == {
        "text": "Lunch?",
        "flagged": True,
        "kind": "reject",
        "value": "spam",
        "view": "binary",
        "prodigy": {"_view_id": "classification"},
    }
    assert from_prodigy(BINARY | {"answer": "accept"})["kind"] == "label"
    assert from_prodigy(CHOICE | {"answer": "ignore"})["kind"] == "skip"
    for unsaid in ({"accept": ["spam", "ham"]}, {"accept": []}, {"answer": "reject"}):
        assert "kind" not in from_prodigy(CHOICE | unsaid)


def test_prodigy_options():
    assert to_prodigy({"kind": "label", "value": "a"}, ["a", "b"])["options"] == [
        {"id": "a", "text": "a"},
        {"id": "b", "text": "b"},
    ]
    assert to_prodigy(from_prodigy(CHOICE), ["other"])["options"] == CHOICE["options"]
    assert "options" not in to_prodigy(from_prodigy(BINARY), ["other"])
    with pytest.raises(ValueError, match="kind='undo'"):
        to_prodigy({"kind": "undo"})
