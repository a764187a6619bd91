"""LabelingSession: what annotators see and record, which item they are given, and what is refused."""

import threading
from collections import Counter

import numpy as np
import pandas as pd
import pytest

from alkit.annotate import Items, LabelingSession
from alkit.annotate.database.ranking import read_labels
from tests.annotate.databases import slow_on_postgres
from tests.annotate.sessions import CLASSES, TEXTS, rank


def test_an_item_as_it_is_shown(session):
    drawn = session.next("ann")
    assert drawn["suggestion"] is None
    assert drawn["model_version"] is None
    rank(session, ["7", "3"])
    assert session.next("ann") == {
        "item": "7",
        "text": "text 7",
        "image": False,
        "row": None,
        "suggestion": {"value": "spam", "confidence": 0.9},
        "model_version": 1,
        "expires": pytest.approx(drawn["expires"], abs=60),
        "version": 0,
    }
    assert session.next("bob")["item"] == "3"
    assert session.next("ann", resume=True)["item"] == drawn["item"]


def test_numbers_that_a_page_would_round_are_shown_as_text(database):
    number = 2**53 + 1
    items = Items(["a"], rows=pd.DataFrame({"n": [1]}), written=[{"n": number, "m": [number - 1, -number, 1.5]}])
    with LabelingSession(items, CLASSES, database) as session:
        assert session.next("ann")["row"] == {"n": str(number), "m": [number - 1, str(-number), 1.5]}
        session.label("a", "spam", "ann")
        assert next(session.export())["row"]["n"] == number


def test_what_is_kept_with_a_label(session):
    rank(session, ["7"])
    session.label(session.next("ann")["item"], "ham", "ann", seconds=2.5)
    session.skip(session.next("ann")["item"], "ann")
    (label, skip) = session.export()
    assert (label["item"], label["text"], label["value"], label["seconds"]) == ("7", "text 7", "ham", 2.5)
    assert (label["source"], label["probability"], label["model_version"]) == ("strategy", 1.0, 1)
    assert label["suggestion"] == {"value": "spam", "confidence": 0.9}
    assert (skip["kind"], skip["source"], skip["probability"]) == ("skip", "random", pytest.approx(1 / 19))
    assert list(session.export("bob")) == []


@pytest.mark.parametrize("overlap", [1, 3])
@slow_on_postgres
def test_eight_annotators_share_the_work(database, overlap):
    texts = [f"text {k}" for k in range(250)]
    with LabelingSession(texts, CLASSES, database, overlap=overlap, random_state=0) as session:
        rank(session, [str(k) for k in range(100)])

        def work(name):
            while (item := session.next(name)) is not None:
                session.label(item["item"], "spam", name)

        threads = [threading.Thread(target=work, args=(f"a{k}",)) for k in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        answers = list(session.export())
        assert Counter(Counter(answer["item"] for answer in answers).values()) == {overlap: 250}
        assert len({(answer["item"], answer["annotator"]) for answer in answers}) == 250 * overlap
        assert session.progress()["n_done"] == 250


def test_labels_of_one_annotator_are_not_shown_to_others(database):
    with LabelingSession(TEXTS, CLASSES, database, overlap=2, random_state=0) as session:
        first = session.next("ann")
        session.label(first["item"], "ham", "ann")
        ranked_next = {
            session.store.query("SELECT key FROM item WHERE id = ?", k)[0][0] for k in read_labels(session.store).fresh
        }
        assert ranked_next == set(map(str, range(20))) - {first["item"]}
        second = session.next("bob")
        assert second["item"] == first["item"]
        assert second["suggestion"] is None
        assert list(session.export("bob")) == []


@slow_on_postgres
def test_random_items_are_shown_without_a_suggestion_and_as_often_as_asked_for(database):
    texts = [f"text {k}" for k in range(600)]
    with LabelingSession(texts, CLASSES, database, random_share=0.3, random_state=0) as session:
        rank(session, [str(k) for k in range(600)], prediction="ham")
        for _ in range(500):
            item = session.next("ann")
            session.label(item["item"], "spam" if item["suggestion"] is None else "ham", "ann")
        drawn = [answer for answer in session.export() if answer["source"] == "random"]
        assert all(answer["value"] == "spam" for answer in drawn)
        assert abs(len(drawn) - 150) < 4 * np.sqrt(500 * 0.3 * 0.7)
        (point,) = session.progress()["curve"]
        assert point == {"n_labels": 4, "score": 0.0, "model_version": 1, "n_scored": 50}


def test_two_sessions_on_one_database(tmp_path):
    path = tmp_path / "labels.db"
    with LabelingSession(TEXTS, CLASSES, path) as session:
        with pytest.raises(OSError, match=r"labels.db is in use by another session or server"):
            LabelingSession(TEXTS, CLASSES, path)
        (tmp_path / "link.db").symlink_to(path)
        with pytest.raises(OSError, match=r"labels.db is in use by another session or server"):
            LabelingSession(TEXTS, CLASSES, tmp_path / "link.db")
        session.label("3", "spam", "ann")
    LabelingSession(TEXTS, CLASSES, path).close()
    with pytest.raises(OSError, match="cannot be used"):
        LabelingSession(TEXTS, CLASSES, tmp_path / "nowhere" / "labels.db")


def test_a_cell_that_is_run_again(tmp_path):
    path = tmp_path / "labels.db"
    first = LabelingSession(TEXTS, CLASSES, path)
    first.label("3", "spam", "ann")
    (tmp_path / "link.db").symlink_to(path)
    for again in (path, tmp_path / "link.db", path):
        session = LabelingSession(TEXTS, CLASSES, again)
        assert session.progress()["counts"] == {"spam": 1, "ham": 0}
        assert first.successor is session
        first = session
    other = LabelingSession(TEXTS, CLASSES, tmp_path / "other.db")
    assert session.successor is None
    for opened in (session, other):
        assert opened.close()
        assert opened.close()
    with LabelingSession(TEXTS, CLASSES, path) as last:
        assert session.successor is None
        assert last.progress()["n_labels"] == 1


def test_a_wrong_cell_leaves_the_session_alone(database):
    session = LabelingSession(TEXTS, CLASSES, database)
    with pytest.raises(ValueError, match="overlap=0"):
        LabelingSession(TEXTS, CLASSES, database, overlap=0)
    session.label("3", "spam", "ann")
    session.close()


@pytest.mark.parametrize(("seconds", "kept"), [(2.5, 2.5), (30.0, 30.0), (31.0, 30.0), (8 * 3600, 30.0), (None, None)])
def test_the_time_on_an_item_is_capped(database, seconds, kept):
    with LabelingSession(TEXTS, CLASSES, database, idle_after=3.0) as session:
        session.label("3", "spam", "ann", seconds=seconds)
        (answer,) = session.export()
        assert answer["seconds"] == kept


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"classes": ["spam"]}, "two or more different names"),
        ({"classes": ["spam", "spam"]}, "two or more different names"),
        ({"classes": ["spam", ""]}, "two or more different names"),
        ({"classes": ["spam", " "]}, "two or more different names"),
        ({"overlap": 0}, "overlap=0"),
        ({"random_share": 1.1}, "random_share=1.1"),
        ({"lease_seconds": 0}, "lease_seconds=0"),
        ({"lease_seconds": float("nan")}, "lease_seconds=nan"),
        ({"idle_after": -1}, "idle_after=-1; it must be a positive number of seconds"),
        ({"idle_after": float("inf")}, "idle_after=inf"),
        ({"learner": "model"}, "pass an estimator"),
        ({"learner": 3, "X": [1, 2]}, "X has 2 rows, but there are 20 items"),
    ],
)
def test_parameters_are_checked(tmp_path, change, message):
    with pytest.raises((ValueError, TypeError), match=message):
        LabelingSession(**{"items": TEXTS, "classes": CLASSES, "db": tmp_path / "labels.db"} | change)
    assert not (tmp_path / "labels.db").exists()


def test_rows_of_a_table(database):
    frame = pd.DataFrame({"size": [1.5, np.nan], "kind": ["a", None], "when": pd.to_datetime(["2026-01-02", None])})
    with LabelingSession(frame, CLASSES, database) as session:
        shown = {item["item"]: item["row"] for item in (session.next("ann"), session.next("ann"))}
    assert shown["0"]["size"] == 1.5
    assert shown["0"]["when"].startswith("2026-01-02")
    assert shown["1"] == {"size": None, "kind": None, "when": None}


def test_no_model_yet(session):
    with pytest.raises(ValueError, match="no model was fitted yet"):
        session.fitted_model()
