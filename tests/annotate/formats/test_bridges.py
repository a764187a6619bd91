"""Bridges: whatever a file says survives reading and writing; what is no such file is refused by line."""

import csv
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alkit.annotate.formats.bridges import (
    from_prodigy,
    read_csv,
    read_jsonl,
    read_prodigy,
    to_prodigy,
    write_csv,
    write_jsonl,
    write_prodigy,
)

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)
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
def tables(draw):
    header = draw(st.lists(TEXT, min_size=1, max_size=4, unique=True))
    return draw(st.lists(st.fixed_dictionaries(dict.fromkeys(header, TEXT)), min_size=1, max_size=4))


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


def round_trip(records, write, read, folder):
    path = folder / "file"
    write(records, path)
    return read(path)


@given(rows=tables())
def test_csv(tmp_path_factory, rows):
    assert round_trip(rows, write_csv, read_csv, tmp_path_factory.getbasetemp()) == rows


@given(records=st.lists(st.dictionaries(TEXT, JSON, max_size=4), max_size=4))
def test_jsonl(tmp_path_factory, records):
    assert round_trip(records, write_jsonl, read_jsonl, tmp_path_factory.getbasetemp()) == records


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


def test_jsonl_of_other_systems(tmp_path):
    path = tmp_path / "items.jsonl"
    path.write_bytes(b'\xef\xbb\xbf{"a": 1}\r\n\r\n{"b": "\\ud800 \xe2\x80\xa8"}')
    records = read_jsonl(path)
    assert records == [{"a": 1}, {"b": "\ud800 \u2028"}]
    assert round_trip(records, write_jsonl, read_jsonl, tmp_path) == records


@pytest.mark.parametrize(
    ("line", "message"), [("{'a': 1}", "is not JSON"), ("[1]", "is a JSON list"), ('{"a": NaN}', "NaN is not a JSON")]
)
def test_jsonl_refused(tmp_path, line, message):
    path = tmp_path / "items.jsonl"
    path.write_text(f'{{"a": 1}}\n{line}\n')
    with pytest.raises(ValueError, match=f"line 2.*{message}"):
        read_jsonl(path)


def test_nan_is_not_written(tmp_path):
    with pytest.raises(ValueError, match="JSON"):
        write_jsonl([{"a": float("nan")}], tmp_path / "items.jsonl")


def test_csv_of_other_systems(tmp_path):
    path = tmp_path / "items.csv"
    path.write_bytes('\ufeffid,text\r\n1,"two\r\nlines, and a ""quote"""\r\n\r\n2,\r\n'.encode())
    assert read_csv(path) == [{"id": "1", "text": 'two\r\nlines, and a "quote"'}, {"id": "2", "text": ""}]
    path.write_text("")
    assert read_csv(path) == []


def test_csv_long_cells_leave_the_limit_alone(tmp_path):
    limit = csv.field_size_limit()
    rows = [{"text": "long " * 100_000}]
    assert round_trip(rows, write_csv, read_csv, tmp_path) == rows
    assert csv.field_size_limit() == limit


def test_csv_of_other_types(tmp_path):
    records = [{"a": None, "b": 0.5}, {"c": {"x": [1, "é"]}, "a": True}]
    written = round_trip(records, write_csv, read_csv, tmp_path)
    assert written == [{"a": "", "b": "0.5", "c": ""}, {"a": "true", "b": "", "c": '{"x": [1, "é"]}'}]
    assert json.loads(written[1]["c"]) == records[1]["c"]


@pytest.mark.parametrize(
    ("content", "message"),
    [("a,b\n1,2\n1,2,3\n", "line 3: 3 cells, but the header has 2"), ("a,b,a\n", "several columns named 'a'")],
)
def test_csv_refused(tmp_path, content, message):
    path = tmp_path / "items.csv"
    path.write_text(content)
    with pytest.raises(ValueError, match=message):
        read_csv(path)
