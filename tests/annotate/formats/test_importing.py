"""Imports: what is exported comes back whole from every format; twice is once; what cannot be taken is said."""

import json
import shutil
import sqlite3
from contextlib import closing

import pytest

from alkit.annotate import Items, LabelingSession
from alkit.annotate.database import imported
from alkit.annotate.database.answers import read_answers
from alkit.annotate.database.classes import rename_class
from alkit.annotate.database.complete import reading
from alkit.annotate.database.ranking import read_labels
from alkit.annotate.database.store import LabelStore
from alkit.annotate.formats import FORMATS, write_csv, write_jsonl
from alkit.annotate.formats.export import export
from alkit.annotate.formats.foreign import Asked
from alkit.annotate.formats.importing import import_labels
from alkit.annotate.quality.curve import live_curve
from tests.annotate.pictures import hills
from tests.annotate.sessions import rank

CLASSES = ["spam", '=ham, "quoted"']
TEXTS = ["first,\nsecond line", "zweite שלום", "=1+1", "fourth", "fifth", "sixth"]
LOSSLESS = ("csv", "jsonl", "parquet", "prodigy", "label-studio", "labelbox-v2")
KEPT = ("item", "annotator", "kind", "value", "seconds", "uuid")


def answers(path):
    with reading(path) as store:
        return list(read_answers(store))


def as_set(records, keys=KEPT):
    return {tuple(record[key] for key in keys) for record in records}


@pytest.fixture(scope="module")
def databases(tmp_path_factory):
    """A database with labels, a skip with and one without a note, and a flag, of two people; and one without."""
    folder = tmp_path_factory.mktemp("databases")
    LabelingSession(TEXTS, CLASSES, folder / "new.db", overlap=2, random_state=1).close()
    with LabelingSession(TEXTS, CLASSES, folder / "labels.db", overlap=2, random_state=0) as session:
        session.label("0", "spam", "ann", seconds=1.25)
        session.label("0", CLASSES[1], "bob@example.org")
        session.label("1", CLASSES[1], "ann", seconds=0.5)
        session.skip("2", "ann", seconds=3.0)
        session.record({"uuid": "own", "item": "3", "kind": "skip", "value": "too long", "seconds": None}, "ann")
        session.flag("4", "bob@example.org", note="torn")
    return folder


@pytest.fixture
def labelled(databases, tmp_path):
    return shutil.copy(databases / "labels.db", tmp_path / "labels.db")


@pytest.fixture
def empty(databases, tmp_path):
    return shutil.copy(databases / "new.db", tmp_path / "new.db")


def asked(name):
    return Asked(format=name.removesuffix("-v2"))


@pytest.mark.parametrize("name", LOSSLESS)
def test_what_is_exported_comes_back_whole(labelled, empty, name):
    path = labelled.parent / f"labels{FORMATS[name].suffix}"
    export(labelled, path, format=name)
    done = import_labels(empty, path, asked(name))
    assert done.added.n_added == 6
    before, after = answers(labelled), answers(empty)
    assert as_set(after) == as_set(before)
    times = {answer["uuid"]: answer["time"] for answer in before}
    for answer in after:
        assert answer["time"] == pytest.approx(times[answer["uuid"]], abs=1e-6)
        assert (answer["source"], answer["late"]) == ("imported", False)


@pytest.mark.parametrize("name", [*LOSSLESS, "labelbox"])
def test_importing_again_adds_nothing(labelled, empty, name):
    path = labelled.parent / f"labels{FORMATS[name].suffix}"
    export(labelled, path, format=name)
    n = len(answers(labelled))
    for database in (labelled, empty, empty):
        done = import_labels(database, path, asked(name))
        if database == labelled:
            assert (done.added.n_added, len(answers(labelled))) == (0, n)
    assert done.added.n_added == 0
    if name in LOSSLESS:
        assert as_set(answers(empty)) == as_set(answers(labelled))


def test_labelbox_takes_labels_and_nothing_else(labelled, empty):
    path = labelled.parent / "labels.ndjson"
    export(labelled, path, format="labelbox")
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [set(line) for line in lines] == [{"name", "answer", "uuid", "dataRow"}] * 3
    import_labels(empty, path, annotator="box")
    expected = {("0", "spam", "box"), ("0", CLASSES[1], "box"), ("1", CLASSES[1], "box")}
    assert as_set(answers(empty), ("item", "value", "annotator")) < expected  # of one name, the last label of item 0


def test_half_of_a_file_and_then_all(labelled, empty):
    path = labelled.parent / "labels.jsonl"
    export(labelled, path)
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(lines[:3]))
    assert import_labels(empty, path).added.n_added == 3
    path.write_text("".join(lines * 2))
    done = import_labels(empty, path)
    assert (done.added.n_added, done.added.n_known, done.n_earlier) == (3, 3, 6)
    assert as_set(answers(empty)) == as_set(answers(labelled))


def test_the_same_labels_by_another_format(labelled, empty):
    for name in LOSSLESS:
        path = labelled.parent / f"labels-{name}{FORMATS[name].suffix}"
        export(labelled, path, format=name)
        import_labels(empty, path, asked(name))
    assert len(answers(empty)) == 6
    with closing(sqlite3.connect(empty)) as db:
        assert db.execute("SELECT COUNT(*) FROM event").fetchone() == (6,)


def test_answers_given_here_stay(labelled):
    path = labelled.parent / "labels.csv"
    write_csv([{"item": "0", "value": CLASSES[1], "annotator": "ann"}], path)
    done = import_labels(labelled, path)
    assert (done.added.n_added, len(done.added.differing)) == (0, 1)
    assert any("1 differ from what the same people answered" in line for line in done.lines())
    assert ("0", "ann", "spam") in as_set(answers(labelled), ("item", "annotator", "value"))
    assert import_labels(labelled, path, replace=True).added.n_added == 1
    assert ("0", "ann", CLASSES[1]) in as_set(answers(labelled), ("item", "annotator", "value"))


def test_an_export_that_was_mended(labelled):
    path = labelled.parent / "labels.jsonl"
    mended = [answer | {"value": "spam"} for answer in answers(labelled) if answer["kind"] == "label"]
    write_jsonl(mended, path)
    done = import_labels(labelled, path, replace=True)
    assert (done.added.n_added, done.added.n_known) == (2, 1)
    assert {answer["value"] for answer in answers(labelled) if answer["kind"] == "label"} == {"spam"}
    assert import_labels(labelled, path, replace=True).added.n_added == 0


def test_a_label_that_was_taken_back_stays_so(empty):
    path = empty.parent / "labels.csv"
    path.write_text("item,label,annotator\n0,spam,ann\n")
    import_labels(empty, path)
    with LabelingSession(TEXTS, CLASSES, empty, overlap=2) as session:
        session.undo(next(session.export())["uuid"], "ann")
    assert import_labels(empty, path).added.n_known == 1
    assert answers(empty) == []


def test_labels_of_any_table(empty):
    path = empty.parent / "earlier.csv"
    path.write_bytes(
        "Größe;body;class;who;kind\n1;fourth ;spam;ann;dog\n2;zweite שלום;spam;;cat\n3;fifth;;ann;\n".encode()
    )
    done = import_labels(
        empty, path, Asked(columns={"text": "body", "label": "class", "annotator": "who"}), annotator="x"
    )
    assert as_set(answers(empty), ("item", "annotator", "value")) == {("3", "ann", "spam"), ("1", "x", "spam")}
    assert done.n_empty == 1


def test_an_item_gets_no_further_labels(empty):
    path = empty.parent / "labels.csv"
    path.write_text("item,label,annotator\n0,spam,ann\n0,spam,bob\n1,spam,ann\n")
    import_labels(empty, path)
    with LabelingSession(TEXTS, CLASSES, empty, overlap=2) as session:
        assert session.progress()["n_done"] == 1
        assert session.next("cat")["item"] == "1"  # which has one of two
        assert "0" not in {session.next("cat")["item"] for _ in range(4)}


def test_a_file_older_than_the_names_of_classes_and_texts(empty):
    (empty.parent / "a.csv").write_text("item,label,annotator\n0,spam,ann\n1,spam,ann\n")
    import_labels(empty, empty.parent / "a.csv")
    with closing(LabelStore(empty)) as store:
        rename_class(store, "spam", "junk")
    texts = [*TEXTS[:5], "sixth, changed"]
    LabelingSession(texts, ["junk", CLASSES[1]], empty, overlap=2, accept_changes=True).close()
    (empty.parent / "b.csv").write_text("item,label,annotator\n0,spam,ann\n5,spam,ann\n")
    assert import_labels(empty, empty.parent / "b.csv").added.n_added == 1
    told = {answer["item"]: (answer["value"], answer["earlier"]) for answer in answers(empty)}
    assert told == dict.fromkeys("015", ("junk", None))
    export(empty, empty.parent / "c.jsonl")
    done = import_labels(empty, empty.parent / "c.jsonl")
    assert (done.added.n_added, done.added.n_known) == (0, 3)


def test_what_cannot_be_taken_is_said(empty):
    records = [
        {"item": "0", "value": "spam", "annotator": "ann"},
        {"item": "1", "value": "eggs", "annotator": "ann"},
        {"item": "2", "value": "eggs", "annotator": "ann"},
        {"item": "nowhere", "value": "spam", "annotator": "ann"},
        {"item": "3", "text": "another text", "value": "spam", "annotator": "ann"},
        {"text": "sixth", "value": "spam"},
        {"item": "5", "value": None},
    ]
    path = empty.parent / "labels.jsonl"
    write_jsonl(records, path)
    done = import_labels(empty, path)
    said = "\n".join(done.lines())
    assert "7 records: 2 labels, 0 skips and 0 flags of 2 people, 0 predictions; 2 answers are new" in said
    assert "2 are of 1 classes that the project lacks, and are left out: 'eggs' (2); add these" in said
    assert (
        "1 are of items that the project does not have; add these to its data, and import the file again: 'nowhere'"
        in said
    )
    assert "1 name an item that has another text in the project" in said
    assert "(line 5)" in said
    assert "1 have no answer" in said
    LabelingSession(TEXTS, [*CLASSES, "eggs"], empty, overlap=2).close()
    assert import_labels(empty, path).added.n_added == 2


def test_texts_that_several_items_have(tmp_path):
    LabelingSession(["same", "same", "other"], CLASSES, tmp_path / "labels.db").close()
    (tmp_path / "a.csv").write_text("text,label\nsame,spam\nother,spam\n")
    done = import_labels(tmp_path / "labels.db", tmp_path / "a.csv")
    assert done.added.n_added == 1
    assert any("1 have a text or picture that several items have; name the column" in line for line in done.lines())


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", b"item,label\n0,spam\n1\n", "row 3: 1 cells, but the header has 2"),
        ("a.csv", b"body,class\nfourth,spam\n", "no column of labels: .*it has body, class.*--label"),
        ("a.csv", b"item,label\nx,spam\ny,eggs\n", "holds nothing for .*1 are of 1 classes.*'eggs'.* 1 are of items"),
        ("a.csv", b"item,label,time\n0,spam,noon\n", "row 2: time is 'noon'; it must be ISO 8601"),
        ("a.csv", b"item,label,seconds\n0,spam,-1\n", "row 2: seconds is -1.0; .*nothing was imported"),
        ("a.csv", b"", "it is empty"),
        ("a.jsonl", b'{"item": "0", "value": "spam"}\n{"item": "1", "val', "line 2 is not JSON from character"),
        ("a.jsonl", '{"item": "0", "value": "spám"}\n'.encode("utf-16")[:-1], "not UTF-16 there"),
        ("a.jsonl", b'{"text": "fourth", "accept": ["spam"], "answer": "accept"}', "no column of labels.*--format"),
        ("a.json", b'[{"data": {"text": "fourth"}, "annotations": [', "line 1 is not JSON from character"),
        ("a.json", b"[1]", "entry 1 is '1', not an object"),
        ("a.json", b"[" * 100_000, "brackets within brackets|not JSON"),
        (
            "a.json",
            b'[{"data": {}, "annotations": [{"id": 1, "created_at": "noon", "result": []}]}]',
            "entry 1: time is",
        ),
        (
            "a.ndjson",
            b'{"name": "a", "answer": {"name": "spam"}}\n{"name": "b", "answer": {"name": "x"}}',
            "2 questions, a, b",
        ),
        ("a.txt", b"item\tlabel", "does not say by its name what it is; pass --format: csv, jsonl"),
        ("a.parquet", b"PAR1", "a.parquet cannot be read"),
        ("none.csv", None, "none.csv cannot be read: No such file"),
    ],
)
def test_bad_files_change_nothing(empty, name, content, message):
    path = empty.parent / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ValueError, match=message):
        import_labels(empty, path)
    with closing(sqlite3.connect(empty)) as db:
        assert db.execute("SELECT (SELECT COUNT(*) FROM event) + (SELECT COUNT(*) FROM ranking)").fetchone() == (0,)


def test_all_or_nothing(labelled, empty, monkeypatch):
    path = labelled.parent / "labels.jsonl"
    export(labelled, path)

    def fail(*given):
        raise sqlite3.OperationalError("interrupted")

    monkeypatch.setattr(imported, "_put_predictions", fail)  # what is written last
    with pytest.raises(sqlite3.OperationalError):
        import_labels(empty, path)
    monkeypatch.undo()
    assert answers(empty) == []
    assert import_labels(empty, path).added.n_added == 6


def test_the_model_starts_from_imported_labels(empty):
    (empty.parent / "a.csv").write_text(f'item,label\n0,spam\n1,"{CLASSES[1].replace(chr(34), chr(34) * 2)}"\n')
    import_labels(empty, empty.parent / "a.csv")
    with LabelingSession(TEXTS, CLASSES, empty, overlap=2) as session:
        assert session.progress()["n_labels"] == 2
        labels = read_labels(session.store)
        assert (len(labels.items), set(labels.values), labels.n_labels) == (2, set(CLASSES), 2)
        assert live_curve(session.store) == []


def test_a_database_in_use_or_of_another(empty):
    (empty.parent / "a.csv").write_text("item,label\n0,spam\n")
    with LabelingSession(TEXTS, CLASSES, empty, overlap=2), pytest.raises(OSError, match="in use by another session"):
        import_labels(empty, empty.parent / "a.csv")
    with pytest.raises(ValueError, match="there is no database .*'alkit label' makes it"):
        import_labels(empty.parent / "none.db", empty.parent / "a.csv")
    with closing(sqlite3.connect(empty.parent / "other.db")) as db:
        db.execute("CREATE TABLE recipe (name)")
    with pytest.raises(ValueError, match="not one of alkit's"):
        import_labels(empty.parent / "other.db", empty.parent / "a.csv")
    assert not (empty.parent / "none.db").exists()


def test_pictures_by_path_name_and_address(tmp_path):
    (tmp_path / "photos").mkdir()
    paths = [tmp_path / "photos" / f"{name}.png" for name in "abcd"]
    for number, path in enumerate(paths):
        path.write_bytes(hills(number))
    database = tmp_path / "labels.db"
    LabelingSession(Items(["1", "2", "3", "4"], image=paths), CLASSES, database).close()
    addresses = [str(paths[0]), "elsewhere\\b.png", "/data/local-files/?d=sub/c.png", "/data/upload/1/0a1b2c3d-d.png"]
    write_csv([{"image": address, "label": "spam"} for address in addresses], tmp_path / "a.csv")
    assert import_labels(database, tmp_path / "a.csv").added.n_added == 4
    export(database, tmp_path / "out.jsonl")
    lines = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert {line["image"] for line in lines} == set(map(str, paths))


@pytest.mark.parametrize("name", ["csv", "jsonl", "parquet", "prodigy", "label-studio", "labelbox", "labelbox-v2"])
def test_predictions_come_back(labelled, empty, name):
    with LabelingSession(TEXTS, CLASSES, labelled, overlap=2) as session:
        rank(session, ["5"])
    path = labelled.parent / f"labels{FORMATS[name].suffix}"
    n = export(labelled, path, format=name, all_items=True)
    assert n == 10  # six answers, and the four items without a label
    done = import_labels(empty, path, asked(name))
    assert [(one.value, one.confidence) for one in done.predictions.values()] == [("spam", 0.9)]
    with LabelingSession(TEXTS, CLASSES, empty, overlap=2, random_share=0.0) as session:
        given = [session.next("cat") for _ in range(5)]
        shown = {item["item"]: item["suggestion"] for item in given if item}
    assert shown["5"] == {"value": "spam", "confidence": 0.9}
