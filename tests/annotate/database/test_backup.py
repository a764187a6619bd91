"""Backups: as of one moment, while others label; nothing but an earlier backup is replaced."""

import os
import stat
import threading

import pytest

from alkit.annotate import LabelingSession
from alkit.annotate.database.answers import read_answers
from alkit.annotate.database.backup import backup
from alkit.annotate.database.complete import reading
from tests.annotate.sessions import CLASSES, TEXTS


@pytest.fixture
def database(tmp_path):
    """Return a file: this is about what SQLite keeps in it, and beside it."""
    return tmp_path / "labels.db"


@pytest.fixture
def session(tmp_path):
    with LabelingSession(TEXTS, CLASSES, tmp_path / "labels.db", random_state=0) as session:
        yield session


def answers(path):
    with reading(path) as store:
        return list(read_answers(store))


def test_a_backup_while_people_label(session, tmp_path):
    database, copy = tmp_path / "labels.db", tmp_path / "copy.db"
    for number in range(5):
        session.label(str(number), "ham", "ann")
    held = threading.Event()
    with session.store.transaction() as db:
        db.execute("DELETE FROM lease")  # neither waits for the other
        thread = threading.Thread(target=lambda: (backup(database, copy), held.set()))
        thread.start()
        thread.join(60)
        assert held.is_set()
    assert answers(copy) == list(session.export())
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    session.label("5", "ham", "ann")
    assert backup(database, copy) == 6
    assert len(answers(copy)) == 6
    assert {name for name in os.listdir(tmp_path) if "copy" in name or "alkit" in name} == {"copy.db"}


def test_work_goes_on_from_a_backup(session, tmp_path):
    session.label("0", "ham", "ann")
    backup(tmp_path / "labels.db", tmp_path / "copy.db")
    session.label("1", "ham", "ann")
    with LabelingSession(TEXTS, CLASSES, tmp_path / "copy.db") as restored:
        assert restored.progress("ann")["mine"] == 1
        restored.label("2", "spam", "ann")
        with pytest.raises(ValueError, match="no earlier copy"):  # somebody works on it
            backup(tmp_path / "labels.db", tmp_path / "copy.db")
    with pytest.raises(ValueError, match="no earlier copy"):  # it holds a label of its own
        backup(tmp_path / "labels.db", tmp_path / "copy.db")
    assert len(answers(tmp_path / "copy.db")) == 2


def test_what_a_backup_does_not_replace(session, tmp_path):
    (tmp_path / "posts.csv").write_text("body\n")
    (tmp_path / "link.db").symlink_to("labels.db")
    (tmp_path / "twin.db").hardlink_to(tmp_path / "labels.db")
    LabelingSession(["another text"], CLASSES, tmp_path / "other.db").close()
    taken = ("labels.db", "labels.db-journal", "labels.db.lock", "posts.csv", "link.db", "twin.db", "other.db", "")
    for name in taken:
        with pytest.raises(ValueError, match="pass another name"):
            backup(tmp_path / "labels.db", tmp_path / name)
    with pytest.raises(ValueError, match="there is no folder"):
        backup(tmp_path / "labels.db", tmp_path / "nowhere" / "copy.db")
    assert (tmp_path / "posts.csv").read_text() == "body\n"


def test_a_copy_whose_original_is_lost(session, tmp_path):
    for number in range(3):
        session.label(str(number), "ham", "ann")
    os.system(f"cp {tmp_path}/labels.db {tmp_path}/torn.db")
    with pytest.raises(ValueError, match="alkit backup --incomplete"):
        backup(tmp_path / "torn.db", tmp_path / "rest.db")
    n_events = backup(tmp_path / "torn.db", tmp_path / "rest.db", incomplete=True)
    assert len(answers(tmp_path / "rest.db")) == n_events >= 1
