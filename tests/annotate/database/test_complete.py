"""A copy of the database's file alone is complete, or it is refused; reading writes nothing."""

import itertools
import subprocess
import threading
import time
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from alkit.annotate import LabelingSession
from alkit.annotate.database import schema
from alkit.annotate.database.answers import read_answers
from alkit.annotate.database.complete import reading, settle
from alkit.annotate.database.lock import is_locked
from alkit.annotate.database.store import LabelStore
from tests.annotate.database.stores import fill, record


@pytest.fixture
def database(tmp_path):
    """Return a file: this is about what SQLite keeps in it, and beside it."""
    return tmp_path / "labels.db"


FILES = ("labels.db", "labels.db-wal", "labels.db-shm")


def copied(store, folder, *names):
    """Copy files as another process does: reading them in this one would drop SQLite's locks."""
    folder.mkdir()
    for name in names:
        subprocess.run(["cp", store.path.with_name(name), folder / name], check=True)
    return folder / "labels.db"


def n_read(path, **options):
    with reading(path, **options) as store:
        return len(list(read_answers(store)))


def label_all(store, numbers, value="x"):
    for number in numbers:
        record(store, "label", f"i{number}", value, "ann", uuid=f"{number}-{value}")


def test_a_copy_is_complete_or_refused(filled, tmp_path):
    store = filled(40)
    assert settle(store)
    assert n_read(copied(store, tmp_path / "fresh", "labels.db")) == 0
    label_all(store, range(20))
    with pytest.raises(ValueError, match="is a copy that lacks labels.*alkit backup"):
        n_read(copied(store, tmp_path / "busy", "labels.db"))
    assert settle(store)
    assert n_read(copied(store, tmp_path / "quiet", "labels.db")) == 20
    label_all(store, [20])
    with pytest.raises(ValueError, match="alkit backup"):
        n_read(copied(store, tmp_path / "again", "labels.db"))
    assert n_read(tmp_path / "again" / "labels.db", incomplete=True) >= 20


@pytest.mark.parametrize("names", [FILES, FILES[:2]])
def test_a_copy_with_the_log_is_complete(filled, tmp_path, names):
    store = filled(40)
    settle(store)
    label_all(store, range(20))
    assert n_read(copied(store, tmp_path / "copy", *names)) == 20


def test_what_was_killed_is_read_where_it_is(filled, tmp_path):
    """Also once another program has moved the log into the file, as SQLite's tools do."""
    store = filled(40)
    settle(store)
    label_all(store, range(20))
    path = copied(store, tmp_path / "killed", *FILES)
    assert n_read(path) == 20
    with closing(LabelStore(path)) as restarted:
        settle(restarted)
        label_all(restarted, [20])
    assert not path.with_name("labels.db-wal").exists()
    assert n_read(path) == 21
    with closing(LabelStore(path)) as restarted:
        assert restarted.meta("settled") is None
    copy = copied(restarted, tmp_path / "copy", "labels.db")
    with pytest.raises(ValueError, match="lacks labels"):
        n_read(copy)


@pytest.mark.parametrize("move", [Path.rename, lambda path, target: target.hardlink_to(path)])
@pytest.mark.parametrize("name", ["elsewhere/labels.db", "other.db"])
def test_a_file_that_was_moved_or_linked_without_its_log_is_refused(filled, tmp_path, move, name):
    store = filled(40)
    settle(store)
    label_all(store, range(20))
    target = tmp_path / name
    target.parent.mkdir(exist_ok=True)
    move(store.path, target)
    with pytest.raises(ValueError, match=r"was moved without them.*move all files"):
        n_read(target)


def test_a_folder_with_a_database_may_be_renamed(tmp_path):
    (tmp_path / "folder").mkdir()
    with closing(fill(LabelStore(tmp_path / "folder" / "labels.db"), 40, 1)) as store:
        settle(store)
        label_all(store, range(20))
        (tmp_path / "folder").rename(tmp_path / "renamed")
        assert n_read(tmp_path / "renamed" / "labels.db") == 20


def test_a_session_settles_when_it_is_quiet_and_when_it_ends(tmp_path):
    with LabelingSession(["x", "y"], ["a", "b"], tmp_path / "labels.db") as session:
        assert session.store.meta("settled") == 0
        session.label("0", "a", "ann")
        assert session.store.meta("settled") is None
        until = time.monotonic() + 60
        while session.store.meta("settled") is None and time.monotonic() < until:
            time.sleep(0.1)
        assert session.store.meta("settled") == 1
        session.label("1", "a", "ann")
    with reading(tmp_path / "labels.db") as store:
        assert store.meta("settled") == 2


def test_a_session_on_a_copy_that_lacks_labels(tmp_path):
    with LabelingSession(["x", "y"], ["a", "b"], tmp_path / "labels.db") as session:
        session.label("0", "a", "ann")
        path = copied(session.store, tmp_path / "copy", "labels.db")
    with pytest.raises(ValueError, match="lacks labels"):
        LabelingSession(["x", "y"], ["a", "b"], path)


def test_a_reader_of_another_program_delays_neither_labels_nor_copies_for_long(filled, tmp_path):
    store = filled(40)
    settle(store)
    with closing(LabelStore(store.path)) as other:
        with other.transaction("DEFERRED"):
            other.count("SELECT COUNT(*) FROM event")
            label_all(store, range(3))
            assert not settle(store)
        assert settle(store)
    assert n_read(copied(store, tmp_path / "copy", "labels.db")) == 3


def test_a_link_to_a_database_leads_to_its_log_too(filled, tmp_path):
    store = filled(3)
    settle(store)
    label_all(store, range(3))
    (tmp_path / "elsewhere").mkdir()
    link = tmp_path / "elsewhere" / "link.db"
    link.symlink_to(store.path)
    assert n_read(link) == 3


def test_whether_a_session_is_at_work(tmp_path):
    path = tmp_path / "labels.db"
    assert not is_locked(path)
    with LabelingSession(["x", "y"], ["a", "b"], path):
        assert is_locked(path)
    assert not is_locked(path)


def test_reading_again_and_again_while_somebody_labels(filled):
    store = filled(400)
    stopped = threading.Event()

    def label():
        for number in itertools.takewhile(lambda number: not stopped.is_set(), range(400)):
            label_all(store, [number])

    thread = threading.Thread(target=label)
    thread.start()
    for _ in range(40):
        before = store.count("SELECT COUNT(*) FROM event")
        assert before <= n_read(store.path) <= store.count("SELECT COUNT(*) FROM event")
    stopped.set()
    thread.join()


def state(folder):
    """What a folder holds, to the nanosecond; read by another process, see `copied`."""
    listed = subprocess.run(["stat", "-c", "%n %s %Y %y", *folder.iterdir()], capture_output=True, check=True).stdout
    return listed + subprocess.run(["sha256sum", *folder.iterdir()], capture_output=True, check=True).stdout


@pytest.mark.parametrize("names", [FILES, FILES[:2], FILES[:1]])
def test_reading_writes_nothing(filled, tmp_path, names):
    store = filled(40)
    label_all(store, range(20))
    settle(store)
    folder = tmp_path / "copy"
    path = copied(store, folder, *names)
    before = state(folder)
    assert n_read(path) == 20
    assert state(folder) == before


def test_reading_while_a_session_begins_to_write(filled, tmp_path):
    store = filled(40)
    path = store.path
    store.close()

    def begin():
        session = LabelStore(path)
        label_all(session, [1])
        return session

    message = "began to write .* while it was read; try again"
    with ExitStack() as sessions, pytest.raises(OSError, match=message), reading(path):
        sessions.enter_context(closing(begin()))


def test_files_without_items(tmp_path):
    LabelStore(tmp_path / "labels.db").close()
    with pytest.raises(ValueError, match=r"labels.db holds no items; .*alkit backup"), reading(tmp_path / "labels.db"):
        pass


def test_an_older_database_is_read_without_changing_it(filled, tmp_path, monkeypatch):
    store = filled(3)
    label_all(store, range(3))
    store.close()
    before = state(tmp_path)
    monkeypatch.setattr(schema, "MIGRATIONS", (*schema.MIGRATIONS, "ALTER TABLE event ADD COLUMN mood TEXT"))
    with reading(store.path) as newer:
        assert newer.count("SELECT COUNT(*) FROM event WHERE mood IS NULL") == 3
    assert state(tmp_path) == before
