"""Exports: which files they never replace, and what is there after one that fails."""

import os
import sqlite3
from contextlib import closing

import pytest

from alkit.annotate import Items, LabelingSession
from alkit.annotate.formats import read_csv, read_jsonl
from alkit.annotate.formats.export import export
from tests.annotate.pictures import hills

TEXTS = ["=1+1", "+49 30 1", "-x", "@me", "\tx", "\rx", "\nx", "\uff1d1", "plain", "a=b"]


@pytest.fixture
def database(tmp_path):
    (tmp_path / "posts.csv").write_text("body\n")
    items = Items([str(k) for k in range(len(TEXTS))], TEXTS, source=tmp_path / "posts.csv")
    with LabelingSession(items, ["=spam", "ham"], tmp_path / "labels.db", random_state=0) as session:
        while (item := session.next("ann")) is not None:
            session.label(item["item"], "=spam", "ann")
    (tmp_path / "labels.db.model").write_bytes(b"model")
    return tmp_path / "labels.db"


def test_nothing_does_not_replace_something(tmp_path):
    LabelingSession(TEXTS, ["spam", "ham"], tmp_path / "new.db").close()
    (tmp_path / "labels.jsonl").write_text("{}")
    with pytest.raises(ValueError, match="holds no labels yet, so .* is left as it is"):
        export(tmp_path / "new.db", tmp_path / "labels.jsonl")
    assert (tmp_path / "labels.jsonl").read_text() == "{}"
    assert export(tmp_path / "new.db", tmp_path / "none.jsonl") == 0


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


OUTPUTS = [
    "labels.db",
    "./labels.db",
    "labels.db-wal",
    "labels.db-shm",
    "labels.db-journal",
    "labels.db.lock",
    "labels.db.model",
    "posts.csv",
    "symlink",
    "hardlink",
    "other.db",
    "picture.png",
]


@pytest.mark.parametrize("format", ["jsonl", "csv", "prodigy"])
@pytest.mark.parametrize("output", OUTPUTS)
def test_what_an_export_never_replaces(database, output, format, monkeypatch):
    folder = database.parent
    monkeypatch.chdir(folder)
    (folder / "symlink").symlink_to("labels.db")
    (folder / "hardlink").hardlink_to(database)
    (folder / "picture.png").write_bytes(hills(0))
    with closing(sqlite3.connect(folder / "other.db")) as db:
        db.execute("CREATE TABLE recipe (name)")
    before = contents(folder)
    with pytest.raises(ValueError, match="pass another name"):
        export(database, folder / output, format=format)
    assert contents(folder) == before


def test_a_database_that_a_link_leads_to(database):
    link = database.parent / "link.db"
    link.symlink_to(database)
    for output in ("labels.db", "labels.db-wal", "link.db-wal"):
        with pytest.raises(ValueError, match="pass another name"):
            export(link, database.parent / output)
    assert export(link, database.parent / "labels.jsonl") == len(TEXTS)


def test_an_earlier_export_stays_when_the_next_one_fails(tmp_path):
    LabelingSession(TEXTS, ["a", "b"], tmp_path / "labels.db").close()
    output = tmp_path / "labels.jsonl"
    output.write_text("earlier")
    for failing in ({"method": "majority"}, {"excel_safe": True}):
        with pytest.raises(ValueError, match="nothing to aggregate|excel_safe is for the format csv"):
            export(tmp_path / "labels.db", output, **failing)
    with pytest.raises(ValueError, match="there is no database"):
        export(tmp_path / "none.db", output)
    assert output.read_text() == "earlier"
    assert set(os.listdir(tmp_path)) == {"labels.db", "labels.db.lock", "labels.jsonl"}


def test_excel_runs_nothing(database):
    output = database.parent / "labels.csv"
    export(database, output, format="csv", excel_safe=True)
    rows = read_csv(output)
    assert {row["text"] for row in rows} == {*(f"'{text}" for text in TEXTS[:8]), *TEXTS[8:]}
    assert {row["value"] for row in rows} == {"'=spam"}
    export(database, output, format="csv")
    assert {row["text"] for row in read_csv(output)} == set(TEXTS)


def test_names_that_are_no_utf_8(tmp_path):
    folder = tmp_path / os.fsdecode(b"caf\xe9")
    folder.mkdir()
    with LabelingSession(["x"], ["a", "b"], folder / "labels.db", title=os.fsdecode(b"\xff.csv")) as session:
        session.label("0", "a", "ann")
        assert session.progress("ann")["title"] == "?.csv"
    assert export(folder / "labels.db", folder / os.fsdecode(b"\xff.jsonl")) == 1
    assert len(read_jsonl(folder / os.fsdecode(b"\xff.jsonl"))) == 1
