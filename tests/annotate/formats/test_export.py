"""Exports: which files they never replace, and what is there after one that fails."""

import json
import os
import sqlite3
from contextlib import closing
from datetime import datetime

import pytest

from alkit.annotate import Items, LabelingSession, read_items
from alkit.annotate.formats import FORMATS, read_csv, read_jsonl, read_parquet
from alkit.annotate.formats.export import export
from tests.annotate.pictures import hills
from tests.annotate.sessions import rank

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


@pytest.mark.parametrize("format", FORMATS)
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


@pytest.fixture
def own_columns(tmp_path):
    """A database of rows with a column that is called as one of the answers', and of texts without labels."""
    (tmp_path / "posts.csv").write_text("body;zip;item\nfirst;01067;x\nsecond;NA;y\n")
    items = read_items(tmp_path / "posts.csv", text="body", columns=["zip", "item"])
    with LabelingSession(items, ["spam", "ham"], tmp_path / "labels.db", random_state=0) as session:
        session.label("0", "spam", "ann", seconds=1.5)
        rank(session, ["1"])
    return tmp_path / "labels.db"


def test_a_table_has_the_items_own_columns(own_columns):
    output = own_columns.parent / "labels.csv"
    assert export(own_columns, output, format="csv", all_items=True) == 2
    first, second = read_csv(output)
    assert (first["item"], first["zip"], first["row_item"], first["value"]) == ("0", "01067", "x", "spam")
    assert datetime.fromisoformat(first["time"]).tzinfo is not None
    assert (second["item"], second["zip"], second["kind"], second["annotator"]) == ("1", "NA", "", "")
    assert (second["prediction"], second["confidence"], second["model_version"]) == ("spam", "0.9", "1")


def test_parquet_has_types(own_columns):
    output = own_columns.parent / "labels.parquet"
    export(own_columns, output, format="parquet", all_items=True)
    first, second = read_parquet(output)
    assert (first["seconds"], first["late"], first["zip"], first["confidence"]) == (1.5, True, "01067", None)
    assert isinstance(first["time"], datetime)
    assert (second["seconds"], second["prediction"], second["confidence"]) == (None, "spam", 0.9)


@pytest.mark.parametrize(
    "cells", [[1, "a", None], [2**70, 1], [{"b": [1]}, None], ["\ud800", "é"], [True, 1], [None, None]]
)
def test_parquet_of_any_cells(tmp_path, cells):
    answers = [{"item": str(k), "row": {"c": cell, "\ud800": 1}} for k, cell in enumerate(cells)]
    FORMATS["parquet"].export(answers, tmp_path / "a.parquet", [])
    again = [row["c"] for row in read_parquet(tmp_path / "a.parquet")]
    if all(isinstance(cell, str) for cell in cells):
        assert again == ["\\ud800", "é"]
    else:
        assert [cell and json.loads(cell) for cell in again] == cells


def test_aggregated_labels_beside_what_nobody_labelled(own_columns):
    output = own_columns.parent / "labels.jsonl"
    export(own_columns, output, method="majority", all_items=True)
    first, second = read_jsonl(output)
    assert (first["label"], second["prediction"], "label" in second) == ("spam", "spam", False)


def test_names_that_are_no_utf_8(tmp_path):
    folder = tmp_path / os.fsdecode(b"caf\xe9")
    folder.mkdir()
    with LabelingSession(["x"], ["a", "b"], folder / "labels.db", title=os.fsdecode(b"\xff.csv")) as session:
        session.label("0", "a", "ann")
        assert session.progress("ann")["title"] == "?.csv"
    assert export(folder / "labels.db", folder / os.fsdecode(b"\xff.jsonl")) == 1
    assert len(read_jsonl(folder / os.fsdecode(b"\xff.jsonl"))) == 1
