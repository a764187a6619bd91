"""Classes that are added, renamed and merged: no label is lost or rewritten, and whoever is at work takes it up."""

import os
import random
import signal
import subprocess
import sys
import threading
import time

import pytest
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression

from alkit.annotate import LabelingSession, cli
from alkit.annotate.cli_classes import listing
from alkit.annotate.database.classes import add_class, changing, merge_classes, rename_class
from alkit.annotate.database.complete import reading
from alkit.annotate.training.job import Job
from alkit.annotate.training.rounds import Training
from tests.annotate.clients import Server, in_threads, label_all
from tests.annotate.sessions import TEXTS, rank

CLASSES = ["spam", "ham", "eggs"]


@pytest.fixture
def session(database):
    with LabelingSession(TEXTS, CLASSES, database, random_state=0) as session:
        yield session


def values(session):
    return {answer["item"]: answer["value"] for answer in session.export()}


def clicked(store):
    return [row["value"] for row in store.query("SELECT value FROM event ORDER BY seq")]


def test_a_class_that_is_renamed(session):
    first = session.label("0", "spam", "ann")
    session.label("1", "ham", "ann")
    rename_class(session.store, "spam", "junk")
    assert session.classes == ["junk", "ham", "eggs"]
    assert session.progress()["counts"] == {"junk": 1, "ham": 1, "eggs": 0}
    assert session.progress()["unlabelled"] == ["eggs"]
    session.label("2", "spam", "bob")  # by a page that has not heard of it
    session.label("0", "ham", "ann")
    assert values(session) == {"0": "ham", "1": "ham", "2": "junk"}
    session.undo(next(answer["uuid"] for answer in session.export() if answer["item"] == "0"), "ann")
    assert values(session) == {"0": "junk", "1": "ham", "2": "junk"}
    assert session.progress()["counts"] == {"junk": 2, "ham": 1, "eggs": 0}
    assert [(answer["item"], answer["clicked"]) for answer in session.export() if answer["clicked"]] == [("0", "spam")]
    assert clicked(session.store)[:2] == ["spam", "ham"]
    session.undo(first["uuid"], "ann")
    assert set(values(session)) == {"1", "2"}


def test_a_name_that_is_used_again_is_of_another_class(session):
    session.label("0", "spam", "ann")
    rename_class(session.store, "spam", "junk")
    add_class(session.store, "spam")
    session.label("1", "spam", "ann")
    rename_class(session.store, "junk", "old")
    assert values(session) == {"0": "old", "1": "spam"}
    assert session.progress()["counts"] == {"old": 1, "ham": 0, "eggs": 0, "spam": 1}
    rename_class(session.store, "spam", "new")
    session.label("2", "spam", "ann")
    session.label("3", "junk", "ann")
    assert values(session) == {"0": "old", "1": "new", "2": "new", "3": "old"}


@pytest.mark.parametrize(
    ("names", "into", "left"),
    [
        (["spam", "eggs"], "ham", ["ham"]),
        (["spam", "ham"], "food", ["food", "eggs"]),
        (["ham", "eggs"], "eggs", ["spam", "eggs"]),
    ],
)
def test_classes_that_are_merged(session, names, into, left):
    for item, name in enumerate(CLASSES):
        session.label(str(item), name, "ann")
    if len(left) < 2:
        with pytest.raises(ValueError, match="two or more different names"):
            merge_classes(session.store, names, into)
        assert values(session) == {"0": "spam", "1": "ham", "2": "eggs"}
        assert session.classes == CLASSES
        return
    merge_classes(session.store, names, into)
    assert session.classes == left
    expected = {str(item): into if name in names else name for item, name in enumerate(CLASSES)}
    assert values(session) == expected
    assert session.progress()["counts"] == {name: list(expected.values()).count(name) for name in left}
    assert clicked(session.store) == CLASSES


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda store: add_class(store, "spam"), "'spam' is a class already"),
        (lambda store: add_class(store, " "), "two or more different names"),
        (lambda store: rename_class(store, "spam", "ham"), "to make one of both, merge 'spam' into it"),
        (lambda store: rename_class(store, "nil", "ham"), r"there is no class 'nil'; the classes are \['spam'"),
        (lambda store: merge_classes(store, ["ham", "nil"], "x"), "there is no class 'nil'"),
        (lambda store: merge_classes(store, ["ham"], "ham"), "cannot be merged into itself"),
    ],
)
def test_what_cannot_be_changed(session, change, message):
    with pytest.raises(ValueError, match=message):
        change(session.store)
    assert session.classes == CLASSES
    assert session.store.class_changes() == []


def test_changes_are_never_changed(session):
    rename_class(session.store, "spam", "junk")
    with pytest.raises(ValueError, match=r"no class 'spam' \('spam' is called 'junk' now\)"):
        rename_class(session.store, "spam", "rubbish")
    for sql in ("UPDATE class_change SET name = 'y'", "DELETE FROM class_change"):
        match = "changes of classes are never"
        with pytest.raises(session.store.engine.errors, match=match), session.store.transaction() as db:
            db.execute(sql)


def test_a_session_that_is_opened_again(database):
    path = database
    with LabelingSession(TEXTS, CLASSES, path) as session:
        session.label("0", "spam", "ann")
    with changing(path) as store:
        rename_class(store, "spam", "junk")
        merge_classes(store, ["ham", "eggs"], "food")
        add_class(store, "rest")
    with LabelingSession(TEXTS, CLASSES, path) as session:  # the cell of before
        assert session.classes == ["junk", "food", "rest"]
        assert values(session) == {"0": "junk"}
    assert session.classes == ["junk", "food", "rest"]
    with LabelingSession(TEXTS, ["food", "junk", "more"], path) as session:
        assert session.classes == ["food", "junk", "more", "rest"]


def test_the_trainer_begins_anew(session):
    for item in range(6):
        session.label(str(item), CLASSES[item % 3], "ann")
    job = Job(TEXTS, LogisticRegression(), "margin", CLASSES, embed=CountVectorizer())
    training, once = Training(session.store, job), threading.Event()
    once.set()
    assert training.run(once)
    merge_classes(session.store, ["ham", "eggs"], "food")
    assert predicted(session) <= {"spam", "food"}
    assert training.run(once)
    assert training.learner.classes_.tolist() == ["food", "spam"]
    put, seen = training._put, []

    def put_after_a_change(*arguments):
        training._put = put
        rename_class(session.store, "spam", "junk")
        put(*arguments)
        seen.append(predicted(session))

    training._put = put_after_a_change
    session.label("7", "spam", "ann")
    assert training.run(once)
    assert len(seen) == 1
    assert seen[0] <= {"junk", "food"}
    assert training.learner.classes_.tolist() == ["food", "junk"]


def predicted(session):
    return {row["prediction"] for row in session.store.query("SELECT prediction FROM ranking")}


def test_a_suggestion_has_the_present_name(session):
    rank(session, ["7", "3"], prediction="spam")
    held = session.next("ann", page="p")
    rename_class(session.store, "spam", "junk")
    again = session.next("ann", page="p")
    suggested = [item["suggestion"]["value"] for item in (again, session.next("bob")) if item["suggestion"]]
    assert held["item"] == again["item"]
    assert set(suggested) == {"junk"}


# ---- the command


def test_the_command(tmp_path, database, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    with LabelingSession(TEXTS, CLASSES, database) as session:
        session.label("0", "spam", "ann")
    for words in ("add rest more", "rename spam junk", "merge ham Eggs INTO food", "merge ham eggs INTO food"):
        arguments = ["classes", str(database), *words.split()]
        if "Eggs" in words:
            with pytest.raises(SystemExit, match="alkit: there is no class 'Eggs'"):
                cli.main(arguments)
        else:
            cli.main(arguments)
    printed = capsys.readouterr().out.splitlines()
    counts = [line.split() for line in printed[-11:-7]]
    assert counts == [[name, n, "labels"] for name, n in zip(["junk", "food", "rest", "more"], "1000", strict=True)]
    changes = [line.partition("  ")[2] for line in printed[-5:]]
    assert changes[1:3] == ["added more", "spam is now junk"]
    assert changes[3:] == ["ham was merged into food", "eggs was merged into food"]
    with reading(database) as store:
        cli.main(["classes", str(database)])
        assert capsys.readouterr().out == listing(store) + "\n"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("labels.db rename spam", r"'rename' does not take \['spam'\]; write: alkit classes labels.db rename OLD NEW"),
        ("labels.db merge spam ham eggs", "write: alkit classes labels.db merge OLD OTHER into NEW"),
        ("labels.db add", "write: alkit classes labels.db add NAME"),
        ("none.db add x", "there is no database none.db"),
        ("none.db", "there is no database none.db"),
    ],
)
def test_mistakes(tmp_path, monkeypatch, words, message):
    monkeypatch.chdir(tmp_path)
    LabelingSession(TEXTS, CLASSES, "labels.db").close()
    with pytest.raises(SystemExit, match=message):
        cli.main(["classes", *words.split()])
    assert not (tmp_path / "none.db").exists()


# ---- real processes


def change(folder, *words):
    return subprocess.Popen(
        [sys.executable, "-m", "alkit", "classes", "labels.db", *words],
        cwd=folder, stdout=subprocess.DEVNULL, env=os.environ | {"PYTHONPATH": os.getcwd()},
    )  # fmt: skip


@pytest.mark.slow
def test_under_a_server_at_work(tmp_path, database):
    """Four people label while classes are renamed, and one of the changes is killed: nothing acknowledged is lost."""
    (tmp_path / "posts.csv").write_text("body\n" + "".join(f"offer number {k}{'!' * (k % 9)}\n" for k in range(3000)))
    names = ["ann", "bob", "cat", "dan"]
    server = Server(tmp_path, names, "posts.csv", "--text", "body", "--classes", "spam,ham,eggs")
    acknowledged, rng = [], random.Random(0)
    given = dict(zip(names, ["spam", "ham", "eggs", "spam"], strict=True))
    threads = in_threads(label_all, [(server.person(name), acknowledged, given[name], 0.01) for name in names])
    for number in range(10):
        process = change(tmp_path, "rename", "spam" if number == 0 else f"junk {number - 1}", f"junk {number}")
        if number % 3 == 2:
            time.sleep(rng.uniform(0.0, 2.0))
            process.send_signal(signal.SIGKILL)
            process.wait()
            with reading(database) as store:
                done = f"junk {number}" in store.meta("classes")
            if not done:
                process = change(tmp_path, "rename", f"junk {number - 1}", f"junk {number}")
        process.wait()
    until = time.monotonic() + 300
    while server.person("ann").get("/api/progress").json()["model"]["error"] is not None:
        assert time.monotonic() < until
        time.sleep(0.2)
    server.kill(threads)
    with reading(database) as store:
        assert store.meta("classes") == ["junk 9", "ham", "eggs"]
        kept = {row["uuid"]: row["value"] for row in store.query("SELECT uuid, value FROM event")}
        assert {sent for sent, _ in acknowledged} <= set(kept)
        present = {row["value"] for row in store.query("SELECT DISTINCT value FROM answer")}
        assert present <= {"junk 9", "ham", "eggs"}
    print(f"{len(acknowledged)} labels acknowledged, all kept")
