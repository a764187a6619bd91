"""LabelingSession: what people see and say, who gets what, and what a database refuses."""

import threading
from collections import Counter

import numpy as np
import pandas as pd
import pytest

from alkit.annotate import LabelingSession
from alkit.annotate.database.events import Conflict, UnknownItem
from alkit.annotate.database.ranking import Ranked, put_ranking, read_labels

TEXTS = [f"text {k}" for k in range(20)]
CLASSES = ["spam", "ham"]


@pytest.fixture
def session(tmp_path):
    with LabelingSession(TEXTS, CLASSES, tmp_path / "labels.db", random_state=0, random_share=0.0) as session:
        yield session


def rank(session, keys, prediction="spam"):
    ids = {row["key"]: row["id"] for row in session.store.query("SELECT key, id FROM item")}
    rows = [Ranked(ids[key], place, 1.0, prediction, 0.9) for place, key in enumerate(keys)]
    return put_ranking(session.store, rows, 4, 0.0)


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
    }
    assert session.next("bob")["item"] == "3"
    assert session.next("ann", resume=True)["item"] == drawn["item"]


def test_events_are_checked(session):
    good = {"uuid": "u", "item": "3", "kind": "label", "value": "spam", "seconds": 1.0}
    wrong = [
        ([], "an event is an object"),
        ({"kind": "delete"}, "kind is 'delete'"),
        ({"uuid": ""}, "uuid of event 'label' is ''"),
        ({"uuid": 7}, "uuid of event 'label' is 7"),
        ({"item": None}, "item of event 'label' is None"),
        ({"item": 3}, "item of event 'label' is 3"),
        ({"value": None}, "value of event 'label' is None"),
        ({"value": "x" * 10_001}, "has 10001 characters; at most 10000"),
        ({"kind": "undo", "value": None}, "value of event 'undo' is None"),
        ({"kind": "skip", "value": ["spam"]}, "value of event 'skip' is .*must be a text"),
        ({"kind": "flag", "value": "\ud83d"}, "half of a surrogate pair"),
        ({"seconds": -1}, "seconds is -1"),
        ({"seconds": float("nan")}, "seconds is nan"),
        ({"seconds": True}, "seconds is True"),
        ({"seconds": "1"}, "seconds is '1'"),
        ({"seconds": 10**30}, "seconds is 10+; it must be a number from 0 to 1e"),
    ]
    for change, message in wrong:
        with pytest.raises(ValueError, match=message):
            session.record(good | change if change else change, "ann")
    with pytest.raises(Conflict, match="'eggs' is not one of the classes"):
        session.record(good | {"value": "eggs"}, "ann")
    with pytest.raises(UnknownItem):
        session.record(good | {"item": "33"}, "ann")
    assert list(session.export()) == []
    assert session.record(good | {"more": 1}, "ann") == {"uuid": "u", "item": "3", "kind": "label", "late": True}


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


def test_progress(session):
    item = session.next("ann")["item"]
    uuid = session.label(item, "ham", "ann")["uuid"]
    session.flag(session.next("bob")["item"], "bob", note="torn")
    state = session.progress("ann")
    assert {name: state[name] for name in ("n_items", "n_done", "n_flagged", "n_labels", "mine")} == {
        "n_items": 20, "n_done": 1, "n_flagged": 1, "n_labels": 1, "mine": 1,
    }  # fmt: skip
    assert state["counts"] == {"spam": 0, "ham": 1}
    assert state["model"] == {"version": None, "n_labels": None, "training": False, "error": None}
    session.undo(uuid, "ann")
    assert session.progress("ann")["n_labels"] == 0


@pytest.mark.parametrize("overlap", [1, 3])
def test_eight_annotators_share_the_work(tmp_path, overlap):
    texts = [f"text {k}" for k in range(250)]
    with LabelingSession(texts, CLASSES, tmp_path / "labels.db", overlap=overlap, random_state=0) as session:
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


def test_what_one_said_is_not_told_to_others(tmp_path):
    with LabelingSession(TEXTS, CLASSES, tmp_path / "labels.db", overlap=2, random_state=0) as session:
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


def test_random_items_are_shown_without_a_suggestion_and_drawn_as_often_as_said(tmp_path):
    texts = [f"text {k}" for k in range(600)]
    with LabelingSession(texts, CLASSES, tmp_path / "labels.db", random_share=0.3, random_state=0) as session:
        rank(session, [str(k) for k in range(600)], prediction="ham")
        for _ in range(500):
            item = session.next("ann")
            session.label(item["item"], "spam" if item["suggestion"] is None else "ham", "ann")
        drawn = [answer for answer in session.export() if answer["source"] == "random"]
        assert all(answer["value"] == "spam" for answer in drawn)
        assert abs(len(drawn) - 150) < 4 * np.sqrt(500 * 0.3 * 0.7)
        (point,) = session.progress()["curve"]
        assert point == {"n_labels": 4, "score": 0.0, "model_version": 1, "n_scored": 50}


def test_the_curve_scores_each_model_on_what_it_had_not_seen(tmp_path):
    with LabelingSession(TEXTS, CLASSES, tmp_path / "labels.db", random_share=1.0, random_state=0) as session:
        for right in (True, False, True):
            rank(session, [str(k) for k in range(20)], prediction="ham")
            session.label(session.next("ann")["item"], "ham" if right else "spam", "ann")
        scores = [(point["model_version"], point["score"]) for point in session.progress()["curve"]]
        assert scores == [(1, 1.0), (2, 0.5), (3, pytest.approx(2 / 3))]


def test_a_session_goes_on_where_it_ended(tmp_path):
    path = tmp_path / "labels.db"
    with LabelingSession(TEXTS, CLASSES, path, random_state=0) as session:
        held = session.next("ann")
        session.label(held["item"], "ham", "ann")
        held = session.next("ann")
    with LabelingSession(TEXTS, [*CLASSES, "eggs"], path, overlap=2) as session:
        assert session.next("ann", resume=True)["item"] == held["item"]
        assert session.progress("ann")["mine"] == 1
        session.label(held["item"], "eggs", "ann")
    with pytest.raises(ValueError, match=r"holds labels \['eggs'\], which are not among the classes"):
        LabelingSession(TEXTS, CLASSES, path)


def test_other_items_are_refused_and_the_difference_named(tmp_path):
    path = tmp_path / "labels.db"
    LabelingSession(TEXTS, CLASSES, path).close()
    before = path.read_bytes()
    with pytest.raises(ValueError, match=r"made for other items: text of item '4' was 'text 4' and is now 'changed'"):
        LabelingSession([*TEXTS[:4], "changed", *TEXTS[5:]], CLASSES, path)
    with pytest.raises(ValueError, match=r"made for 20 items and there are now 21: 1 items are new, the first is '20'"):
        LabelingSession([*TEXTS, "more"], CLASSES, path)
    assert path.read_bytes() == before
    LabelingSession(TEXTS, CLASSES, path).close()


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


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"classes": ["spam"]}, "two or more different names"),
        ({"classes": ["spam", "spam"]}, "two or more different names"),
        ({"classes": ["spam", ""]}, "two or more different names"),
        ({"overlap": 0}, "overlap=0"),
        ({"random_share": 1.1}, "random_share=1.1"),
        ({"lease_seconds": 0}, "lease_seconds=0"),
        ({"learner": "model"}, "pass an estimator"),
        ({"learner": 3, "X": [1, 2]}, "X has 2 rows, but there are 20 items"),
    ],
)
def test_parameters_are_checked(tmp_path, change, message):
    with pytest.raises((ValueError, TypeError), match=message):
        LabelingSession(**{"items": TEXTS, "classes": CLASSES, "db": tmp_path / "labels.db"} | change)
    assert not (tmp_path / "labels.db").exists()


def test_rows_of_a_table(tmp_path):
    frame = pd.DataFrame({"size": [1.5, np.nan], "kind": ["a", None], "when": pd.to_datetime(["2026-01-02", None])})
    with LabelingSession(frame, CLASSES, tmp_path / "labels.db") as session:
        shown = {item["item"]: item["row"] for item in (session.next("ann"), session.next("ann"))}
    assert shown["0"]["size"] == 1.5
    assert shown["0"]["when"].startswith("2026-01-02")
    assert shown["1"] == {"size": None, "kind": None, "when": None}


def test_no_model_yet(session):
    with pytest.raises(ValueError, match="no model was fitted yet"):
        session.fitted_model()
