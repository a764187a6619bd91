"""Label Studio: what its exports mean, in both forms, and that alkit's tasks come back whole."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alkit.annotate.formats import from_label_studio, read_label_studio, to_label_studio
from alkit.annotate.formats.label_studio import export_label_studio
from tests.annotate.formats.records import JSON, TEXT


def chosen(*names, question="topic"):
    return {
        "id": "k2", "from_name": question, "to_name": "text", "type": "choices", "origin": "manual",
        "value": {"choices": list(names)},
    }  # fmt: skip


def annotation(number, *names, **more):
    return {
        "id": number, "completed_by": 1, "result": [chosen(*names)] if names else [], "was_cancelled": False,
        "ground_truth": False, "created_at": "2024-05-01T10:00:00.250000Z", "updated_at": "2024-05-01T10:00:00.250000Z",
        "draft_created_at": None, "lead_time": 1.5, "prediction": {}, "result_count": 1, "task": 1, "project": 7,
        "unique_id": f"00000000-0000-4000-8000-{number:012}", "parent_prediction": None, "parent_annotation": None,
    } | more  # fmt: skip


BOX = {"from_name": "box", "to_name": "image", "type": "rectanglelabels", "value": {"x": 1, "rectanglelabels": ["pos"]}}
EXPORT = [
    {
        "id": 1, "inner_id": 1, "project": 7, "meta": {}, "drafts": [], "total_annotations": 4, "predictions": [12],
        "data": {"text": "Win!", "alkit_id": "a"},
        "annotations": [
            annotation(1, "pos"),
            annotation(2, "neg", completed_by={"id": 2, "email": "bob@example.org", "first_name": ""}),
            annotation(3, completed_by=3, was_cancelled=True),
            annotation(4, "pos", "neg", completed_by=4),
        ],
    },
    {
        "id": 2, "data": {"text": "Noon?"}, "annotations": [annotation(5, "pos") | {"result": [BOX, chosen("pos")]}],
        "predictions": [{"model_version": "v1", "score": 0.14, "result": [chosen("neg")]}],
    },
    {"id": 3, "data": {"text": "nobody"}, "annotations": [], "predictions": []},
]  # fmt: skip
MINIMAL = [
    {"text": "Win!", "lang": "en", "id": 1, "topic": "pos", "annotator": 1, "annotation_id": 1, "lead_time": 1.5,
     "created_at": "2024-05-01T10:00:00.250000Z", "updated_at": "2024-05-01T10:00:00.250000Z"},
    {"text": "Noon?", "lang": "en", "id": 2, "topic": {"choices": ["pos", "neg"]}, "annotator": "bob@example.org",
     "annotation_id": 2},
    {"text": "skipped", "lang": "en", "id": 3, "annotator": 1, "annotation_id": 3},
]  # fmt: skip


def write(folder, tasks):
    path = folder / "project.json"
    path.write_text(json.dumps(tasks))
    return path


def told(records):
    return [(record.get("text"), record.get("annotator"), record["kind"], record["value"]) for record in records]


def test_a_full_export(tmp_path):
    records = read_label_studio(write(tmp_path, EXPORT))
    assert told(records[:-1]) == [
        ("Win!", "1", "label", "pos"),
        ("Win!", "bob@example.org", "label", "neg"),
        ("Win!", "3", "skip", None),
        ("Win!", "4", "several", ["pos", "neg"]),
        ("Noon?", "1", "label", "pos"),
        ("Noon?", None, "prediction", "neg"),
    ]
    assert records[-1]["kind"] is None
    assert (records[0]["time"], records[0]["seconds"], records[0]["item"]) == (1714557600.25, 1.5, "a")
    assert records[5]["confidence"] == 0.14
    assert [record["place"] for record in records][3:5] == ["entry 1", "entry 2"]


def test_the_minimal_export(tmp_path):
    records = read_label_studio(write(tmp_path, MINIMAL), classes=["pos", "neg"])
    assert told(records) == [
        ("Win!", "1", "label", "pos"),
        ("Noon?", "bob@example.org", "several", ["pos", "neg"]),
        ("skipped", "1", None, None),
    ]
    with pytest.raises(ValueError, match="2 questions, lang, topic; name one"):
        read_label_studio(write(tmp_path, MINIMAL), classes=["pos", "neg", "en"])
    assert told(read_label_studio(write(tmp_path, MINIMAL), question="topic", classes=["pos", "en"]))[0][3] == "pos"


def test_both_exports_name_an_annotation_alike(tmp_path):
    full, minimal = (read_label_studio(write(tmp_path, tasks), classes=["pos"]) for tasks in (EXPORT, MINIMAL))
    assert full[0]["origin"] == minimal[0]["origin"]


def test_several_questions(tmp_path):
    tasks = [
        {
            "data": {"text": "x"},
            "annotations": [annotation(1) | {"result": [chosen("a"), chosen("b", question="mood")]}],
        }
    ]
    with pytest.raises(ValueError, match="2 questions, topic, mood; name one"):
        read_label_studio(write(tmp_path, tasks))
    assert told(read_label_studio(write(tmp_path, tasks), question="mood"))[0][3] == "b"
    with pytest.raises(ValueError, match="no question 'tone'; it has topic, mood"):
        read_label_studio(write(tmp_path, tasks), question="tone")


@given(task=st.dictionaries(st.sampled_from(["data", "annotations", "predictions", "label", "id"]), JSON))
def test_whatever_a_task_holds(task):
    for record in from_label_studio(task):
        assert record["kind"] in (None, "label", "several", "skip", "prediction")


ANSWERS = st.one_of(
    st.fixed_dictionaries({"kind": st.just("label"), "value": TEXT}),
    st.fixed_dictionaries({"kind": st.sampled_from(["skip", "flag"]), "value": st.none() | TEXT}),
)
REST = st.fixed_dictionaries(
    {"annotator": TEXT.filter(bool), "uuid": TEXT},
    optional={"seconds": st.floats(0, 1e6), "time": st.integers(0, 2**31)},
)


@given(answers=st.lists(st.tuples(ANSWERS, REST), min_size=1, max_size=3), text=TEXT)
def test_records_come_back(answers, text):
    records = [{"item": "7", "text": text, **answer, **rest} for answer, rest in answers]
    task = json.loads(json.dumps(to_label_studio(records)))
    again = [{name: value for name, value in record.items() if name != "data"} for record in from_label_studio(task)]
    assert again == records


def test_what_label_studio_imports(tmp_path):
    answers = [
        {"item": "1", "text": "Hi", "image": None, "row": {"lang": "en", "text": "own"}, "annotator": "ann",
         "kind": "label", "value": "ham", "seconds": 2.0, "time": 0.0, "late": False},
        {"item": "2", "text": None, "image": "/photos/a.png", "row": None, "kind": None, "model_version": 3,
         "prediction": "ham", "confidence": 0.75},
        {"item": "3", "text": "Yo", "image": None, "row": None, "label": "ham", "confidence": 0.9, "n_labels": 2},
    ]  # fmt: skip
    path = tmp_path / "tasks.json"
    export_label_studio(answers, path, ["ham"])
    first, second, third = json.loads(path.read_text())
    assert first["data"] == {"lang": "en", "text": "Hi", "alkit_id": "1"}
    (given,) = first["annotations"]
    assert given["result"][0] == {
        "from_name": "label", "to_name": "text", "type": "choices", "value": {"choices": ["ham"]},
    }  # fmt: skip
    assert "completed_by" not in given  # Label Studio refuses a task with a person whom it does not know
    assert second["annotations"] == []
    assert second["predictions"][0]["score"] == 0.75
    assert second["predictions"][0]["result"][0]["to_name"] == "image"
    assert third["annotations"][0]["result"][0]["value"] == {"choices": ["ham"]}
