"""Labelbox: what its NDJSON and its export mean, and what alkit writes of each."""

import json
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alkit.annotate.formats import from_labelbox, read_labelbox, to_labelbox
from tests.annotate.formats.records import JSON, TEXT

NDJSON = [
    {"name": "mood", "answer": {"name": "pos", "confidence": 0.83}, "uuid": "u1", "dataRow": {"globalKey": "item-1"}},
    {"name": "mood", "answer": {"name": "neg"}, "uuid": "u2", "dataRow": {"globalKey": "item-2"}},
    {"name": "mood", "answer": [{"name": "pos"}, {"name": "neg"}], "uuid": "u3", "dataRow": {"id": "clx"}},
    {"name": "mood", "answer": [{"name": "pos"}], "uuid": "u4", "dataRow": {"globalKey": "item-3"}},
    {"name": "box", "bbox": {"top": 1, "left": 1, "height": 1, "width": 1}, "uuid": "u5", "dataRow": {"id": "clx"}},
]
ROW = {
    "data_row": {"id": "clx", "global_key": "item-1", "row_data": "Win!"},
    "media_attributes": {"asset_type": "text"},
    "projects": {
        "clp": {
            "name": "moods",
            "labels": [
                {
                    "label_kind": "Default", "version": "1.0.0", "id": "l1",
                    "label_details": {"created_at": "2024-05-01T10:00:00.250Z", "created_by": "u@x", "reviews": []},
                    "performance_details": {"seconds_to_create": 12, "seconds_to_review": 0, "skipped": False},
                    "annotations": {
                        "objects": [], "relationships": [],
                        "classifications": [
                            {"name": "mood", "value": "mood",
                             "radio_answer": {"name": "pos", "value": "pos", "classifications": []}},
                        ],
                    },
                },
                {
                    "label_kind": "Default", "id": "l2", "label_details": {"created_by": "v@x", "reviews": []},
                    "performance_details": {"skipped": True}, "annotations": {"objects": [], "classifications": []},
                },
            ],
        },
    },
}  # fmt: skip


def write(folder, lines):
    path = folder / "labels.ndjson"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def test_ndjson(tmp_path):
    records = read_labelbox(write(tmp_path, NDJSON))
    assert [(record["item"], record["kind"], record["value"]) for record in records] == [
        ("item-1", "prediction", "pos"),
        ("item-2", "label", "neg"),
        ("clx", "several", ["pos", "neg"]),
        ("item-3", "label", "pos"),
    ]
    assert (records[0]["confidence"], records[1]["uuid"], records[3]["place"]) == (0.83, "u2", "line 4")


def test_an_export(tmp_path):
    label, skip = read_labelbox(write(tmp_path, [ROW]))
    assert label == {
        "item": "item-1", "text": "Win!", "kind": "label", "value": "pos", "annotator": "u@x", "seconds": 12,
        "time": 1714557600.25, "uuid": "l1", "place": "line 1",
    }  # fmt: skip
    assert (skip["kind"], skip["annotator"]) == ("skip", "v@x")
    elsewhere = ROW | {"data_row": {"external_id": "a.png", "row_data": "https://storage.example/a.png"}}
    assert {(record["item"], record["image"]) for record in from_labelbox(elsewhere, "mood")} == {
        ("a.png", "https://storage.example/a.png")
    }


def test_several_questions(tmp_path):
    lines = [NDJSON[1], NDJSON[1] | {"name": "topic", "answer": {"name": "x"}}]
    with pytest.raises(ValueError, match="2 questions, mood, topic; name one"):
        read_labelbox(write(tmp_path, lines))
    assert [record["value"] for record in read_labelbox(write(tmp_path, lines), question="topic")] == ["x"]


@given(line=st.dictionaries(st.sampled_from(["data_row", "projects", "name", "answer", "dataRow", "uuid"]), JSON))
def test_whatever_a_line_holds(line):
    for record in from_labelbox(line):
        assert record["kind"] in (None, "label", "several", "skip", "prediction")


@given(item=TEXT.filter(bool), value=TEXT.filter(bool), drawn=TEXT | st.uuids().map(str))
def test_lines_that_labelbox_takes(item, value, drawn):
    line = to_labelbox({"item": item, "kind": "label", "value": value, "uuid": drawn, "annotator": "ann", "late": True})
    assert line.keys() == {"name", "answer", "uuid", "dataRow"}  # it refuses a line with any other key
    assert str(uuid.UUID(line["uuid"])) == line["uuid"]
    (record,) = from_labelbox(line)
    assert (record["item"], record["kind"], record["value"]) == (item, "label", value)


def test_what_labelbox_cannot_be_told():
    assert to_labelbox({"item": "1", "kind": "skip", "value": None}) is None
    assert to_labelbox({"item": "1", "kind": None, "prediction": None}) is None
