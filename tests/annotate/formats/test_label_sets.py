"""Several labels in files: every format brings them back whole, and files of the other kind lose nothing unsaid."""

import json

import pytest

from alkit.annotate import LabelingSession
from alkit.annotate.database.answers import read_answers
from alkit.annotate.database.complete import reading
from alkit.annotate.database.label_kinds import write_proba
from alkit.annotate.database.ranking import Ranked, put_ranking
from alkit.annotate.formats import FORMATS, write_csv, write_jsonl
from alkit.annotate.formats.export import export
from alkit.annotate.formats.foreign import Asked
from alkit.annotate.formats.importing import import_labels

CLASSES = ["spam", '=ham, "quoted"', "eier ö"]
TEXTS = ["first,\nsecond line", "zweite שלום", "=1+1", "fourth", "fifth", "sixth"]
LOSSLESS = ("csv", "jsonl", "parquet", "prodigy", "label-studio", "labelbox-v2")
KEPT = ("item", "annotator", "kind", "value", "seconds", "uuid")


def opened(folder, name="labels", multi=True):
    options = {"overlap": 2, "random_state": 0, "random_share": 0.0, "multi": multi}
    return LabelingSession(TEXTS, CLASSES, folder / f"{name}.db", **options)


@pytest.fixture
def labelled(tmp_path):
    """A database with answers of several labels, of one and of none, a skip with a note and a flag; an empty one."""
    opened(tmp_path, "new").close()
    with opened(tmp_path) as session:
        session.label("0", ["spam", CLASSES[1]], "ann", seconds=1.25)
        session.label("0", ["spam"], "bob@example.org")
        session.label("1", [], "ann", seconds=0.5)
        session.label("2", CLASSES, "ann")
        session.record({"uuid": "own", "item": "3", "kind": "skip", "value": "[too long]", "seconds": None}, "ann")
        session.flag("4", "bob@example.org", note="torn")
    return tmp_path / "labels.db"


def asked(name):
    return Asked(format=name.removesuffix("-v2"))


def answers(path):
    with reading(path) as store:
        return list(read_answers(store))


def as_sorted(records, keys=KEPT):
    return sorted((tuple(record[key] for key in keys) for record in records), key=str)


@pytest.mark.parametrize("name", LOSSLESS)
def test_what_is_exported_comes_back_whole(labelled, name):
    path = labelled.parent / f"labels{FORMATS[name].suffix}"
    new = labelled.parent / "new.db"
    export(labelled, path, format=name)
    for database, n_new in ((new, 6), (new, 0), (labelled, 0)):
        assert import_labels(database, path, asked(name)).added.n_added == n_new
    assert as_sorted(answers(new)) == as_sorted(answers(labelled))


def test_what_other_tools_are_told(labelled):
    for name in ("label-studio", "labelbox", "prodigy"):
        export(labelled, labelled.parent / name, format=name)
    tasks = {task["data"]["alkit_id"]: task for task in json.loads((labelled.parent / "label-studio").read_text())}
    (given,) = tasks["1"]["annotations"]
    assert (given["result"], given["was_cancelled"]) == ([], False)
    lines = [json.loads(line) for line in (labelled.parent / "labelbox").read_text().splitlines()]
    assert [line["answer"] for line in lines][:2] == [[{"name": CLASSES[1]}, {"name": "spam"}], [{"name": "spam"}]]
    assert all(set(line) == {"name", "answer", "uuid", "dataRow"} for line in lines)
    tasks = [json.loads(line) for line in (labelled.parent / "prodigy").read_text().splitlines()]
    assert [task.get("accept") for task in tasks][:3] == [[CLASSES[1], "spam"], ["spam"], []]


@pytest.mark.parametrize("name", ["csv", "jsonl", "parquet", "prodigy", "label-studio", "labelbox", "labelbox-v2"])
def test_predictions_come_back(labelled, name):
    proba = {"spam": 0.9, CLASSES[1]: 0.7, CLASSES[2]: 0.25}
    with opened(labelled.parent) as session:
        ids = {row["key"]: row["id"] for row in session.store.query("SELECT key, id FROM item")}
        put_ranking(session.store, [Ranked(ids["5"], 0, 1.0, write_proba(proba), 0.7)], 4, 0.0)
    path = labelled.parent / f"labels{FORMATS[name].suffix}"
    export(labelled, path, format=name, all_items=True)
    import_labels(labelled.parent / "new.db", path, asked(name))
    with opened(labelled.parent, "new") as session:
        given = [session.next("cat") for _ in range(5)]
    suggestion = next(item["suggestion"] for item in given if item and item["item"] == "5")
    assert (suggestion["value"], suggestion["confidence"]) == ([CLASSES[1], "spam"], 0.7)
    if name == "jsonl":
        assert suggestion["proba"] == proba


def test_aggregated_sets(labelled):
    export(labelled, labelled.parent / "a.csv", format="csv", method="majority")
    export(labelled, labelled.parent / "a.jsonl", method="majority")
    lines = [json.loads(line) for line in (labelled.parent / "a.jsonl").read_text().splitlines()]
    assert [line["label"] for line in lines][1:] == [[], sorted(CLASSES)]
    assert "[]" in (labelled.parent / "a.csv").read_text()


# ---- files of the other kind


def test_single_labels_in_a_project_of_several(tmp_path):
    opened(tmp_path).close()
    write_csv([{"item": "0", "label": "spam"}, {"item": "1", "label": "eggs"}], tmp_path / "a.csv")
    done = import_labels(tmp_path / "labels.db", tmp_path / "a.csv")
    assert as_sorted(answers(tmp_path / "labels.db"), ("item", "value")) == [("0", ["spam"])]
    said = "\n".join(done.lines())
    assert "1 name one class, and say by that that the item has no other" in said
    assert "1 are of 1 classes that the project lacks, and are left out: 'eggs' (1)" in said


def test_sets_in_a_project_of_one_class(labelled):
    opened(labelled.parent, "one", multi=False).close()
    for name in LOSSLESS:
        path = labelled.parent / f"labels-{name}{FORMATS[name].suffix}"
        export(labelled, path, format=name)
        done = import_labels(labelled.parent / "one.db", path, asked(name))
        said = "\n".join(done.lines())
        assert "2 hold several classes" in said, name
        assert done.n_empty == 1, name
    kept = as_sorted(answers(labelled.parent / "one.db"), ("item", "kind", "value"))
    assert kept == [("0", "label", "spam"), ("3", "skip", "[too long]"), ("4", "flag", "torn")]


def test_lists_of_any_file(tmp_path):
    opened(tmp_path).close()
    records = [
        {"item": "0", "label": ["spam", "spam", CLASSES[2]], "annotator": "ann"},
        {"item": "1", "label": ["spam", "eggs", "bacon"], "annotator": "ann"},
        {"item": "2", "label": '["spam", "eier ö"]', "annotator": "ann"},
        {"item": "3", "label": '["spam", ', "annotator": "ann"},
        {"item": "4", "label": None, "annotator": "ann"},
    ]
    write_jsonl(records, tmp_path / "a.jsonl")
    done = import_labels(tmp_path / "labels.db", tmp_path / "a.jsonl")
    assert as_sorted(answers(tmp_path / "labels.db"), ("item", "value")) == [
        ("0", [CLASSES[2], "spam"]),
        ("2", [CLASSES[2], "spam"]),
    ]
    said = "\n".join(done.lines())
    assert "1 name a class several times, which counts once" in said
    assert "2 are of 3 classes that the project lacks" in said
    assert "'eggs' (1)" in said
    assert "'bacon' (1)" in said
    assert "1 have no answer" in said
    LabelingSession(TEXTS, [*CLASSES, "eggs", "bacon"], tmp_path / "labels.db", overlap=2, multi=True).close()
    assert import_labels(tmp_path / "labels.db", tmp_path / "a.jsonl").added.n_added == 1


def test_a_binary_answer_says_nothing_of_other_labels(tmp_path):
    opened(tmp_path).close()
    tasks = [
        {"text": "fourth", "label": "spam", "answer": "accept"},
        {"text": "fifth", "label": "spam", "answer": "reject"},
        {"text": "sixth", "accept": [], "answer": "accept"},
    ]
    write_jsonl(tasks, tmp_path / "a.jsonl")
    done = import_labels(tmp_path / "labels.db", tmp_path / "a.jsonl", Asked(format="prodigy"))
    assert as_sorted(answers(tmp_path / "labels.db"), ("item", "value")) == [("5", [])]
    assert any(line.startswith("2 say of one class whether an item has it") for line in done.lines())
