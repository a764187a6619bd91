"""Damaged files, and locks of other programs: named, with what to do; labelling and reading go on where they can."""

import errno
import random
import sqlite3
import threading
import time
from contextlib import closing

import pytest

from alkit.annotate import LabelingSession, cli
from alkit.annotate.database import database as database_module


@pytest.fixture
def database(tmp_path):
    """Return a file: this is about what SQLite keeps in it, and beside it."""
    return tmp_path / "labels.db"


TEXTS = [f"text {number} {'word ' * 40}" for number in range(300)]
CLASSES = ["a", "b"]


@pytest.fixture(scope="module")
def labelled(tmp_path_factory):
    """The bytes of a database of 300 labels."""
    path = tmp_path_factory.mktemp("labelled") / "labels.db"
    with LabelingSession(TEXTS, CLASSES, path, random_state=0) as session:
        for number in range(300):
            session.label(str(number), "a", "ann")
    return path.read_bytes()


def cut(content, rng):
    return content[: rng.randrange(512, len(content) - 4096)]


def zeroed_page(content, rng):
    page = rng.randrange(1, len(content) // 4096) * 4096
    return content[:page] + bytes(4096) + content[page + 4096 :]


def noisy_page(content, rng):
    page = rng.randrange(1, len(content) // 4096) * 4096
    return content[:page] + rng.randbytes(4096) + content[page + 4096 :]


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("damage", [cut, zeroed_page, noisy_page])
def test_damaged_databases(labelled, tmp_path, damage, seed, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    content = damage(labelled, random.Random(seed))
    (tmp_path / "labels.db").write_bytes(content)
    for command in (["report"], ["export", "--output", "a.jsonl"], ["backup", "--output", "b.db"]):
        with pytest.raises(SystemExit, match=r"labels.db is damaged.*alkit backup.*\.recover"):
            cli.main(command)
    assert (tmp_path / "labels.db").read_bytes() == content
    with pytest.raises(OSError, match=r"labels.db is damaged") as caught:
        LabelingSession(TEXTS, CLASSES, "labels.db")
    assert caught.value.errno == errno.EIO
    assert not (tmp_path / "a.jsonl").exists()
    assert not (tmp_path / "b.db").exists()


@pytest.mark.parametrize(("position", "written"), [(0, b"\0" * 100), (0, b"SQLite format 2\0")])
def test_a_damaged_beginning(labelled, tmp_path, position, written):
    (tmp_path / "labels.db").write_bytes(written + labelled[len(written) :])
    with pytest.raises(SystemExit, match="is not a database, or its beginning is damaged"):
        cli.main(["report", "--db", str(tmp_path / "labels.db")])


@pytest.mark.parametrize("content", ["X'7b22ff'", "'{\"text\": '"])
def test_damaged_contents(labelled, tmp_path, content):
    (tmp_path / "labels.db").write_bytes(labelled)
    with closing(sqlite3.connect(tmp_path / "labels.db")) as db, db:
        db.execute(f"UPDATE item SET content = CAST({content} AS TEXT) WHERE key = '7'")
    with pytest.raises(SystemExit, match="is damaged"):
        cli.main(["export", "--db", str(tmp_path / "labels.db"), "--output", str(tmp_path / "a.jsonl")])


def test_other_databases(tmp_path):
    with closing(sqlite3.connect(tmp_path / "other.db")) as db:
        db.execute("CREATE TABLE recipe (name)")
        db.execute("PRAGMA user_version = 1")
    before = (tmp_path / "other.db").read_bytes()
    with pytest.raises(SystemExit, match="not one of alkit's labelling"):
        cli.main(["report", "--db", str(tmp_path / "other.db")])
    assert (tmp_path / "other.db").read_bytes() == before


@pytest.mark.parametrize("kind", ["IMMEDIATE", "EXCLUSIVE"])
def test_a_lock_of_another_program_stops_labels_not_readers(session, tmp_path, monkeypatch, kind):
    monkeypatch.setattr(session.store, "_seconds", 0.3)
    session.store._db.execute("PRAGMA busy_timeout = 300")
    session.label("0", "spam", "ann")
    refused = []

    def label():
        with pytest.raises(OSError, match="locked by another program, and nothing was saved; close") as caught:
            session.label("1", "spam", "ann")
        refused.append(caught.value.errno)

    with closing(sqlite3.connect(tmp_path / "labels.db", isolation_level=None)) as other:
        other.execute(f"BEGIN {kind}")
        threads = [threading.Thread(target=label) for _ in range(3)]
        for thread in threads:
            thread.start()
        time.sleep(0.1)
        assert session.progress("ann")["mine"] == 1
        assert len(list(session.export())) == 1
        assert all(thread.is_alive() for thread in threads)
        for thread in threads:
            thread.join()
    assert refused == [errno.EBUSY] * 3
    session.label("1", "spam", "ann")
    assert session.progress("ann")["mine"] == 2


def test_a_session_that_cannot_begin_for_a_lock(session, tmp_path, monkeypatch):
    session.close()
    monkeypatch.setattr(database_module, "_BUSY_SECONDS", 0.1)
    with closing(sqlite3.connect(tmp_path / "labels.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(OSError, match="locked by another program"):
            LabelingSession(session.items, session.classes, tmp_path / "labels.db")
