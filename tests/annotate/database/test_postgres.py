"""A project on a PostgreSQL server: its address, several sessions on it, what is lost and found again, and commands."""

import errno
import os
import sqlite3
import sys
import threading
from contextlib import closing

import pytest
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression

from alkit.annotate import LabelingSession, cli
from alkit.annotate.database import schema
from alkit.annotate.database.complete import reading
from alkit.annotate.database.opening import open_to_import
from alkit.annotate.database.places import as_place
from alkit.annotate.database.postgres.url import PostgresUrl
from alkit.annotate.database.store import LabelStore
from tests.annotate.database.stores import fill, next_item, record
from tests.annotate.databases import only_postgres
from tests.annotate.sessions import CLASSES, TEXTS

psycopg = pytest.importorskip("psycopg", reason="psycopg is not installed")

SECRET = "geheim7"


# ---- addresses


def test_addresses_of_other_kinds(tmp_path):
    assert as_place("POSTGRESQL://ann@db/labels").schema == "alkit"
    for given in ("mysql://ann@db/labels", "postgresql:alkit", "HTTP://db"):
        with pytest.raises(ValueError, match="the address of another kind of database; write postgresql://"):
            as_place(given)
    assert as_place(str(tmp_path / "labels.db")) == tmp_path / "labels.db"


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        (f"postgresql://ann:{SECRET}@db.example.org/labels", "postgresql://ann@db.example.org/labels?schema=alkit"),
        (f"postgres://ann:{SECRET}@[::1]:5433/a%20b?schema=x", "postgresql://ann@[::1]:5433/a%20b?schema=x"),
        (f"postgresql:///labels?host=/run&password={SECRET}", "postgresql:///labels?host=/run&schema=alkit"),
        ("postgresql://", "postgresql:///?schema=alkit"),
    ],
)
def test_an_address_is_shown_without_its_password(given, shown):
    url = as_place(given)
    assert str(url) == shown
    assert SECRET not in repr(url)
    assert as_place(url) is url
    again = as_place(shown)
    assert (again.schema, again.shown) == (url.schema, url.shown)


def test_a_password_may_hold_anything_that_is_encoded():
    assert dict(PostgresUrl.parse("postgresql://ann:a%2Fb%40c%25@host/db").options)["password"] == "a/b@c%"


@pytest.mark.parametrize(
    "given",
    [
        f"postgresql://ann:{SECRET}/x@host/db",
        f"postgresql://ann:{SECRET}@x@host/db",
        f"postgresql://ann:{SECRET}?@host/db",
        f"postgresql://ann:x@host:{SECRET}/db",
        f"postgresql://ann:{SECRET}@host/db?schema=A-b",
        f"postgresql://ann:{SECRET}@host/db?what",
        f"postgresql://ann:{SECRET}@nowhere.invalid/db",
        f"postgresql://ann:{SECRET}@127.0.0.1:1/db",
        f"postgresql://ann:{SECRET}@127.0.0.1/db?nonsense=1",
    ],
)
def test_what_is_wrong_with_an_address_is_said_without_its_password(given, capsys):
    with pytest.raises(SystemExit) as caught:
        cli.main(["report", "--db", given])
    said = f"{caught.value} {caught.value.__cause__} {capsys.readouterr().err}"
    assert SECRET not in said
    assert "address of the database" in said or "cannot be opened" in said or "schema=" in said


@only_postgres
def test_nobody_is_let_in_by_a_wrong_password(cluster, database):
    with psycopg.connect(cluster.conninfo()) as owner:
        owner.execute(f"CREATE ROLE locked LOGIN PASSWORD '{SECRET}'")
    rules = cluster.folder / "data" / "pg_hba.conf"
    before = rules.read_text()
    try:
        rules.write_text("local all locked scram-sha-256\n" + before)
        with psycopg.connect(cluster.conninfo(), autocommit=True) as owner:
            owner.execute("SELECT pg_reload_conf()")
            address = f"postgresql://locked:{{}}@/postgres?host={cluster.folder}&schema={database.schema}"
            with pytest.raises(OSError, match="check the user and the password") as caught:
                LabelStore(address.format("wrong" + SECRET))
            assert SECRET not in str(caught.value)
            assert caught.value.__cause__ is None
            with pytest.raises(OSError, match=f"grant rights on schema {database.schema}") as caught:
                LabelStore(address.format(SECRET))
            assert caught.value.errno == errno.EACCES
    finally:
        rules.write_text(before)
        with psycopg.connect(cluster.conninfo(), autocommit=True) as owner:
            owner.execute("SELECT pg_reload_conf()")
            owner.execute("DROP ROLE locked")


def test_psycopg_is_needed_only_for_postgresql(monkeypatch, tmp_path):
    for name in [name for name in sys.modules if name.startswith("alkit.annotate.database.postgres.")]:
        if not name.endswith((".url", ".opening")):
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "psycopg", None)
    LabelStore(tmp_path / "labels.db").close()
    with pytest.raises(ImportError, match=r'needs psycopg; install it with: pip install "alkit\[postgres\]"'):
        LabelStore("postgresql://localhost/x")


# ---- tables


@only_postgres
def test_schemas_that_are_not_a_project_are_refused_and_left(cluster, database):
    with psycopg.connect(cluster.conninfo()) as owner:
        owner.execute(f"CREATE SCHEMA {database.schema}; CREATE TABLE {database.schema}.recipe (name TEXT)")
    for read_only in (True, False):
        with pytest.raises(ValueError, match="not one of alkit's labelling"):
            LabelStore(database, read_only=read_only)
    other = cluster.url()
    with pytest.raises(ValueError, match="there is no project in"):
        LabelStore(other, read_only=True)
    with pytest.raises(SystemExit, match="there is no project in"):
        cli.main(["classes", other, "add", "x"])
    with psycopg.connect(cluster.conninfo()) as owner:
        found = owner.execute("SELECT nspname FROM pg_namespace").fetchall()
        assert (as_place(other).schema,) not in found


@only_postgres
def test_an_upgrade_keeps_every_event_or_changes_nothing(filled, database, monkeypatch):
    store = filled()
    record(store, "label", "i0", "x", "ann")
    before = [tuple(row) for row in store.query("SELECT * FROM event")]
    steps = (*schema.MIGRATIONS, "ALTER TABLE event ADD COLUMN mood REAL")
    monkeypatch.setattr(schema, "MIGRATIONS", steps)
    with pytest.raises(ValueError, match="start 'alkit label' on it once"):
        LabelStore(database, read_only=True)
    with closing(LabelStore(database)) as upgraded:
        assert [tuple(row)[:-1] for row in upgraded.query("SELECT * FROM event")] == before
    monkeypatch.setattr(schema, "MIGRATIONS", (*steps, "DROP TABLE event; SELECT * FROM nowhere"))
    with pytest.raises(psycopg.errors.UndefinedTable):
        LabelStore(database)
    monkeypatch.undo()
    with pytest.raises(ValueError, match=rf"version {len(steps)}, but this alkit knows versions up to"):
        LabelStore(database)
    assert store.count("SELECT COUNT(*) FROM event") == 1


@only_postgres
@pytest.mark.parametrize(("durable", "setting"), [(True, "on"), (False, "off")])
def test_labels_wait_for_the_disk_of_a_server_that_waits_for_none(database, durable, setting):
    with closing(LabelStore(database, durable=durable)) as store, store.transaction():
        assert store.query("SELECT current_setting('synchronous_commit')")[0][0] == setting


@only_postgres
def test_what_postgresql_cannot_keep_is_refused(session):
    for event in ({"item": "3", "value": "a\0b", "kind": "flag"}, {"item": "\0", "value": None, "kind": "skip"}):
        with pytest.raises(ValueError, match="the character NUL"):
            session.record({"uuid": "u", **event}, "ann")
    session.label("3", "spam", "ann")
    assert session.progress("ann")["mine"] == 1


# ---- several sessions


@only_postgres
def test_sessions_on_one_database(database):
    with LabelingSession(TEXTS, CLASSES, database, overlap=2) as first:
        for wrong, message in (
            ({"items": [*TEXTS, "more"]}, "the items here are not theirs"),
            ({"classes": [*CLASSES, "eggs"]}, r"with the classes \['spam', 'ham'\]"),
            ({"overlap": 1}, "with overlap 2-2, not 1-1"),
        ):
            given = {"items": TEXTS, "classes": CLASSES, "overlap": 2} | wrong
            with pytest.raises(ValueError, match=message):
                LabelingSession(db=database, **given)
        with LabelingSession(TEXTS, CLASSES[::-1], str(database), overlap=2) as second:
            held = {first.next("ann")["item"], second.next("ann")["item"]}
            assert len(held) == 2
            token = second.new_token("bob")
            for session, item in zip((first, second), held, strict=True):
                assert not session.label(item, "spam", "ann")["late"]
            assert first.progress("ann")["mine"] == second.progress("ann")["mine"] == 2
            cli.main(["classes", str(database), "rename", "spam", "junk"])
            assert first.classes == second.classes == ["junk", "ham"]
            assert {answer["value"] for answer in first.export()} == {"junk"}
        assert first.store.count("SELECT COUNT(*) FROM annotator") == 1
        assert token
    with LabelingSession([*TEXTS, "more"], ["junk", "ham"], database) as session:  # alone again: all may change
        assert session.progress()["n_items"] == 21


@only_postgres
def test_two_sessions_that_begin_at_once_fill_the_tables_once(database):
    opened, texts = [], [f"text {number}" for number in range(500)]

    def begin():
        opened.append(LabelStore(database))

    for _ in range(2):
        threads = [threading.Thread(target=begin) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(opened) == 8
    for store in opened:
        store.close()
    with LabelingSession(texts, CLASSES, database) as one, LabelingSession(texts, CLASSES, database) as other:
        assert one.progress()["n_items"] == other.store.count("SELECT COUNT(*) FROM item") == 500


@only_postgres
@pytest.mark.parametrize("overlap", [1, 2])
def test_nobody_is_given_what_another_connection_gives(database, overlap):
    """Eight annotators, each by a store of their own, as if each had a server."""
    with closing(fill(LabelStore(database), 40, overlap)) as store:
        given, refused = [], []

        def work(name):
            with closing(LabelStore(database)) as own:
                while (lease := next_item(own, name)) is not None:
                    given.append((lease["item"], name))
                    if record(own, "label", f"i{lease['item']}", "x", name)["late"]:
                        refused.append(lease["item"])

        threads = [threading.Thread(target=work, args=(name,)) for name in "abcdefgh"]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not refused
        assert len(given) == len(set(given)) == 40 * overlap
        numbered = [row["seq"] for row in store.query("SELECT seq FROM event ORDER BY seq")]
        assert numbered == list(range(1, 40 * overlap + 1))
        assert store.query("SELECT DISTINCT n_labels, wanted FROM queue")[0][:] == (overlap, 0)


@only_postgres
def test_an_item_that_is_being_given_is_passed_over(filled, database):
    store = filled(3)
    with closing(LabelStore(database)) as other, other.transaction() as db:
        db.execute("SELECT 1 FROM queue WHERE item = 0 FOR UPDATE")
        assert next_item(store, "ann")["item"] == 1
    assert next_item(store, "bob")["item"] == 0


@pytest.mark.slow
@only_postgres
def test_one_session_trains_and_the_next_one_takes_over(database):
    learner = {"learner": LogisticRegression(), "embed": CountVectorizer()}
    with LabelingSession(TEXTS, CLASSES, database, **learner) as first:
        for item, value in (("1", "spam"), ("2", "ham")):
            first.label(item, value, "ann")
        wait_for(lambda: first.progress()["model"]["version"])
        with LabelingSession(TEXTS, CLASSES, database, **learner) as second:
            assert second.progress()["model"]["version"] == first.progress()["model"]["version"]
            assert not second.store.try_lock("train")
            first.trainer._process.kill()
            first.trainer._process.wait()
            second.label("3", "ham", "ann")
            wait_for(lambda: second.progress()["model"]["n_labels"] == 3)
    assert set(first.fitted_model().predict(TEXTS)) <= set(CLASSES)


def wait_for(happened):
    waiting = threading.Event()
    for _ in range(3000):
        if happened():
            return
        waiting.wait(0.1)
    raise AssertionError("it did not happen within 300 s")


# ---- what is lost, and found again


def end_connections(cluster):
    with psycopg.connect(cluster.conninfo(), autocommit=True) as owner:
        owner.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'alkit'")


@only_postgres
def test_connections_that_are_lost_are_opened_again(session, cluster):
    item = session.next("ann")["item"]
    end_connections(cluster)
    assert not session.label(item, "spam", "ann")["late"]
    end_connections(cluster)
    assert session.progress("ann")["mine"] == 1
    assert session.next("ann") is not None
    with pytest.raises(OSError, match="in use by another session or server"), open_to_import(session.store.path):
        pass  # it is at work as before


@only_postgres
def test_what_was_being_saved_is_refused_and_may_be_sent_again(session, cluster, monkeypatch):
    event = {"uuid": "u", "item": "3", "kind": "label", "value": "spam"}
    update = session.store._update_answers
    monkeypatch.setattr(session.store, "_update_answers", lambda *given: (end_connections(cluster), update(*given)))
    with pytest.raises(OSError, match="was lost .* sending the same event again does not record it twice") as caught:
        session.record(event, "ann")
    assert caught.value.errno == errno.ECONNRESET
    monkeypatch.undo()
    assert session.progress()["n_labels"] == 0
    assert session.record(event, "ann") == session.record(event, "ann")
    assert session.progress()["n_labels"] == 1


@only_postgres
def test_a_session_whose_items_were_changed_meanwhile_says_so(session, cluster):
    session.store.put_meta(fingerprint="other")
    end_connections(cluster)
    for _ in range(3):  # a page sends again what was refused
        with pytest.raises(OSError, match="were changed by another server meanwhile; start this one again"):
            session.label("3", "spam", "ann")
    assert session.store.count("SELECT COUNT(*) FROM event") == 0


@only_postgres
def test_a_lock_that_is_not_let_go_of(session, monkeypatch):
    with closing(LabelStore(session.store.path)) as other, other.transaction():
        session.store._db.execute("SET lock_timeout = 100")
        with pytest.raises(OSError, match="locked by another program, and nothing was saved") as caught:
            session.label("3", "spam", "ann")
        assert caught.value.errno == errno.EBUSY
        assert session.next("ann") is not None  # items are handed out all the same
        assert session.progress()["n_labels"] == 0
    session.label("3", "spam", "ann")


# ---- commands


@only_postgres
def test_commands(tmp_path, database, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    address = ["--db", str(database)]
    with LabelingSession(TEXTS, CLASSES, database) as session:
        session.label("3", "spam", "ann", seconds=2.0)
        session.note("3", "why?", "ann")
        session.flag("4", "ann", note="torn")
    (tmp_path / "given.csv").write_text("item,label\n5,ham\n")
    cli.main(["import", "given.csv", *address, "--as", "bob"])
    cli.main(["report", *address])
    cli.main(["export", *address, "--output", "labels.jsonl"])
    for _ in range(2):  # a copy replaces an earlier one
        cli.main(["backup", *address, "--output", "copy.db"])
    assert "3 events in copy.db" in capsys.readouterr().out
    with reading(database) as store, reading(tmp_path / "copy.db") as copy:
        for table in ("event", "answer", "lease", "note", "item", "queue"):
            rows = f"SELECT * FROM {table} ORDER BY 1, 2"
            assert [tuple(row) for row in copy.query(rows)] == [tuple(row) for row in store.query(rows)]
        assert copy.meta("classes") == CLASSES
    cli.main(["export", "--db", "copy.db", "--output", "copied.jsonl"])
    assert (tmp_path / "copied.jsonl").read_text() == (tmp_path / "labels.jsonl").read_text()
    with LabelingSession(TEXTS, CLASSES, tmp_path / "copy.db") as session:  # people may go on with it
        assert not session.label(session.next("ann")["item"], "ham", "ann")["late"]
    with closing(sqlite3.connect(tmp_path / "copy.db")) as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert os.stat(tmp_path / "copy.db").st_mode & 0o777 == 0o600
