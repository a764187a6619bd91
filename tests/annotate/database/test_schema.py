"""The tables: upgrades keep every event, events are never changed, other files are refused."""

import sqlite3
from contextlib import closing

import pytest

from alkit.annotate.database import schema
from alkit.annotate.database.store import LabelStore
from tests.annotate.database.stores import record
from tests.annotate.databases import only_sqlite


@only_sqlite
def test_an_upgrade_keeps_every_event(filled, database, monkeypatch):
    n_steps = len(schema.MIGRATIONS)
    store = filled()
    record(store, "label", "i0", "x", "ann")
    before = [tuple(row) for row in store.query("SELECT * FROM event")]
    store.close()
    monkeypatch.setattr(schema, "MIGRATIONS", (*schema.MIGRATIONS, "ALTER TABLE event ADD COLUMN mood TEXT"))
    with closing(LabelStore(database)) as store:
        assert [tuple(row)[:-1] for row in store.query("SELECT * FROM event")] == before
        assert store.count("PRAGMA user_version") == n_steps + 1
    broken = "ALTER TABLE event ADD COLUMN more TEXT; DROP TABLE event; SELECT * FROM nowhere"
    monkeypatch.setattr(schema, "MIGRATIONS", (*schema.MIGRATIONS, broken))
    with pytest.raises(sqlite3.OperationalError, match="nowhere"):
        LabelStore(database)
    monkeypatch.undo()
    with pytest.raises(ValueError, match=rf"version {n_steps + 1}, but this alkit knows versions up to {n_steps}"):
        LabelStore(database)
    with sqlite3.connect(database) as db:
        assert [row[:-1] for row in db.execute("SELECT * FROM event").fetchall()] == before
    db.close()


def test_other_files_are_refused_and_left(tmp_path):
    (tmp_path / "notes.txt").write_text("not a database, but long enough to be looked at" * 50)
    with pytest.raises(ValueError, match="is not a database"):
        LabelStore(tmp_path / "notes.txt")
    with sqlite3.connect(tmp_path / "other.db") as db:
        db.execute("CREATE TABLE recipe (name)")
    db.close()
    with pytest.raises(ValueError, match="not one of alkit's labelling"):
        LabelStore(tmp_path / "other.db")
    with pytest.raises(ValueError, match="there is no database"):
        LabelStore(tmp_path / "none.db", read_only=True)
    assert not (tmp_path / "none.db").exists()


def test_events_can_be_neither_changed_nor_deleted(filled):
    store = filled()
    record(store, "label", "i0", "x", "ann")
    for sql in ("UPDATE event SET value = 'y'", "DELETE FROM event"):
        with pytest.raises(store.engine.errors, match="events are never"), store.transaction() as db:
            db.execute(sql)
