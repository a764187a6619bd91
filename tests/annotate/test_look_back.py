"""Looking back: own answers in the right order, found by what they hold, changed and noted without touching others."""

import numpy as np
import pytest

from alkit.annotate import Items, LabelingSession
from alkit.annotate.database import look_back
from alkit.annotate.database.classes import rename_class
from alkit.annotate.formats.prodigy import export_prodigy
from alkit.annotate.quality.report import report
from tests.annotate.databases import only_sqlite, slow_on_postgres
from tests.annotate.sessions import CLASSES, TEXTS, rank


def items_of(found):
    return [answer["item"] for answer in found["answers"]]


def all_pages(session, annotator="ann", **wanted):
    found, before = [], None
    while True:
        page = session.answers(annotator, before=before, **wanted)
        found += page["answers"]
        before = page["before"]
        if before is None:
            return found


def test_the_latest_come_first_page_by_page(session):
    for item in "0123456":
        session.label(item, "spam", "ann")
        session.label(item, "ham", "bob")
    session.label("2", "ham", "ann")
    session.undo(next(answer["uuid"] for answer in session.export("ann") if answer["item"] == "5"), "ann")
    first = session.answers("ann", limit=2)
    assert items_of(first) == ["2", "6"]
    assert items_of(session.answers("ann", limit=2, before=first["before"])) == ["4", "3"]
    whole = all_pages(session, limit=2)
    assert [(answer["item"], answer["value"]) for answer in whole] == [
        ("2", "ham"), ("6", "spam"), ("4", "spam"), ("3", "spam"), ("1", "spam"), ("0", "spam")
    ]  # fmt: skip
    assert [answer["replaces"] for answer in whole] == [True] + [False] * 5
    assert session.answers("nobody") == {"answers": [], "before": None}


def test_an_answer_as_it_is_shown(session):
    rank(session, ["7"], prediction="ham")
    shown = session.next("ann")
    answer = session.label(shown["item"], "spam", "ann", seconds=2.5)
    session.note("7", "sarcasm?", "ann")
    (found,) = session.answers("ann")["answers"]
    assert found.pop("time") > 0
    assert found == {
        "uuid": answer["uuid"], "event": 1, "item": "7", "text": "text 7", "image": False, "row": None, "version": 0,
        "kind": "label", "value": "spam", "note": "sarcasm?", "seconds": 2.5,
        "suggestion": {"value": "ham", "confidence": 0.9}, "model_version": 1,
        "expected": {"value": "ham", "confidence": 0.9}, "disagrees": True, "replaces": False, "earlier": None,
    }  # fmt: skip
    rename_class(session.store, "ham", "egg")
    assert session.answers("ann")["answers"][0]["expected"]["value"] == "egg"
    rename_class(session.store, "spam", "ham")
    assert session.answers("ann", only="disagrees")["answers"][0]["value"] == "ham"


@slow_on_postgres
def test_filters_find_what_a_brute_force_finds(database, monkeypatch):
    monkeypatch.setattr(look_back, "_CHUNK", 7)
    monkeypatch.setattr(look_back, "_LOOKED_AT", 21)
    rng = np.random.default_rng(0)
    texts = [f"{rng.choice(['Straße', 'naïve', 'plain'])} {number}" for number in range(150)]
    with LabelingSession(texts, CLASSES, database, random_state=0, random_share=0.0) as session:
        rank(session, [str(number) for number in range(150)])
        while (item := session.next("ann")) is not None:
            kind = rng.choice(["label", "label", "skip", "flag"])
            if kind == "label":
                session.label(item["item"], rng.choice(CLASSES), "ann")
            else:
                getattr(session, kind)(item["item"], "ann")
            if rng.random() < 0.1:
                session.note(item["item"], rng.choice(["why?", ""]), "ann")
        whole = all_pages(session)
        assert len(whole) == 150
        tests = {
            ("only", "skip"): lambda one: one["kind"] == "skip",
            ("only", "label"): lambda one: one["kind"] == "label",
            ("only", "flag"): lambda one: one["kind"] == "flag",
            ("only", "note"): lambda one: one["note"] is not None,
            ("only", "disagrees"): lambda one: one["value"] == "ham",
            ("value", "spam"): lambda one: one["value"] == "spam",
            ("search", " STRASSE"): lambda one: "Straße" in one["text"],
            ("search", "Why"): lambda one: one["note"] == "why?",
            ("search", "nothing has this"): lambda one: False,
        }
        for (name, given), test in tests.items():
            expected = [one for one in whole if test(one)]
            for limit in (3, 200):
                assert all_pages(session, limit=limit, **{name: given}) == expected, (name, given, limit)


@pytest.mark.parametrize("wanted", [{"only": "nothing"}, {"limit": 0}, {"limit": 201}])
def test_what_cannot_be_asked(session, wanted):
    with pytest.raises(ValueError, match="it must be"):
        session.answers("ann", **wanted)


def test_cells_and_ids_are_searched_and_changes_found(database):
    path = database
    with LabelingSession(Items(["a1", "b2"], ["one", "two"]), CLASSES, path, random_state=0) as session:
        session.label("a1", "spam", "ann")
        session.label("b2", "spam", "ann")
    with LabelingSession(
        Items(["a1", "b2"], ["one", "2"]), CLASSES, path, random_state=0, accept_changes=True
    ) as session:
        (found,) = session.answers("ann", only="changed")["answers"]
        assert (found["item"], found["text"], found["earlier"]["text"], found["version"]) == ("b2", "2", "two", 1)
        assert items_of(session.answers("ann", search="A1")) == ["a1"]


# ---- changes and notes


def test_a_change_leaves_the_answers_after_it(session):
    shown = [session.next("ann")["item"] for _ in range(4)]
    for item in shown:
        session.label(item, "spam", "ann")
    assert not session.label(shown[1], "ham", "ann")["late"]
    assert {answer["item"]: answer["value"] for answer in session.export()} == dict.fromkeys(shown, "spam") | {
        shown[1]: "ham"
    }
    latest = session.answers("ann", limit=1)["answers"][0]
    session.undo(latest["uuid"], "ann")
    assert {answer["value"] for answer in session.export()} == {"spam"}


def test_notes_are_events_of_their_own(session, tmp_path):
    with pytest.raises(ValueError, match="ann has no answer to item '3'"):
        session.note("3", "too early", "ann")
    with pytest.raises(ValueError, match="it must be a text, empty to take the note back"):
        session.record({"uuid": "u", "item": "3", "kind": "note"}, "ann")
    session.label("3", "spam", "ann")
    session.label("3", "spam", "bob")
    event = {"uuid": "n", "item": "3", "kind": "note", "value": "first"}
    sent = session.record(event, "ann")
    assert sent == session.record(event, "ann") == {"uuid": "n", "item": "3", "kind": "note", "late": False}
    with pytest.raises(ValueError, match="of another annotator's event"):
        session.record(event, "bob")
    session.note("3", "<b>second</b>", "ann")
    session.label("3", "ham", "ann")  # the note is on the item, as its annotator sees it
    notes = {answer["annotator"]: answer["note"] for answer in session.export()}
    assert notes == {"ann": "<b>second</b>", "bob": None}
    assert [row["value"] for row in session.store.query("SELECT value FROM note")] == ["first", "<b>second</b>"]
    export_prodigy(session.export(), tmp_path / "labels.jsonl", CLASSES)
    assert "<b>second</b>" in (tmp_path / "labels.jsonl").read_text()
    session.note("3", "", "ann")
    assert {answer["note"] for answer in session.export()} == {None}


def test_flags_are_listed_for_the_owner(session):
    session.flag("3", "ann", note="torn")
    session.flag("4", "ann")
    session.note("4", "is this\nEnglish?", "ann")
    session.label("5", "spam", "ann")
    told = report(session.store)
    _, _, flags = told.partition("2 flags, for review\n\n")
    lines = [line.split() for line in flags.splitlines()]
    assert lines[1:] == [["4", "ann", "is", "this", "English?", "text", "4"], ["3", "ann", "torn", "text", "3"]]


@only_sqlite
def test_pages_are_read_by_an_index(session, database):
    plan = session.store.query(f"EXPLAIN QUERY PLAN {look_back._LATEST}", annotator="ann", before=9, chunk=5)
    assert "USING INDEX answer_latest" in " ".join(row["detail"] for row in plan)
    assert not any("TEMP B-TREE" in row["detail"] for row in plan)
    assert len(TEXTS) == session.progress()["n_items"]
