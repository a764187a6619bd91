"""Decisions of the owner: every one is kept, the last one counts, and nobody overrules what they have not seen."""

from contextlib import closing

import pytest

from alkit.annotate.database.decisions import KINDS, checked_decision, read_decided, record_decision
from alkit.annotate.database.events import Conflict, UnknownItem
from alkit.annotate.database.store import LabelStore
from tests.annotate.database.stores import next_item, record
from tests.annotate.databases import only_sqlite

CLASSES = ["spam", "ham"]


@pytest.fixture
def store(filled):
    store = filled(n=6, overlap=2)
    store.put_meta(classes=CLASSES)
    for item in ("i0", "i1"):
        record(store, "label", item, "spam", "ann")
        record(store, "label", item, "ham", "bob")
    record(store, "flag", "i2", "a riddle", "ann")
    return store


def decide(store, item, kind="label", value="spam", uuid=None, **more):
    given = {"uuid": uuid or f"{item}-{kind}-{value}-{len(more)}", "item": item, "kind": kind, "value": value} | more
    return record_decision(store, checked_decision(given, CLASSES), now=7.0)


def wanted(store, item):
    sql = "SELECT q.wanted FROM queue q JOIN item i ON i.id = q.item WHERE i.key = ?"
    return store.query(sql, item)[0]["wanted"]


def test_the_last_decision_counts_and_all_are_kept(store):
    decide(store, "i0", uuid="a")
    assert decide(store, "i0", uuid="a") == {"uuid": "a", "item": "i0", "kind": "label", "newer": []}  # sent twice
    decide(store, "i0", value="ham", uuid="b", note="a newsletter")
    assert read_decided(store).labels_by_key == {"i0": "ham"}
    decide(store, "i0", "undo", "b", uuid="c")
    assert read_decided(store).labels_by_key == {"i0": "spam"}
    decide(store, "i0", "undo", "a", uuid="d")
    assert read_decided(store).labels == {}
    told = [tuple(row) for row in store.query("SELECT uuid, kind, value, note FROM decision ORDER BY seq")]
    assert told == [
        ("a", "label", "spam", None), ("b", "label", "ham", "a newsletter"), ("c", "undo", "b", None),
        ("d", "undo", "a", None),
    ]  # fmt: skip
    for sql in ("UPDATE decision SET value = 'x'", "DELETE FROM decision"):
        with pytest.raises(store.engine.errors, match="decisions are never"), store.transaction() as db:
            db.execute(sql)
    labels = [row["value"] for row in store.query("SELECT value FROM answer WHERE kind = 'label' ORDER BY event")]
    assert labels == ["spam", "ham", "spam", "ham"]  # people's answers are as they were


def test_nobody_is_asked_about_what_is_decided(filled):
    store = filled(n=1, overlap=2)
    store.put_meta(classes=CLASSES)
    record(store, "label", "i0", "spam", "ann")
    decide(store, "i0", uuid="a")
    assert next_item(store, "bob") is None
    decide(store, "i0", "undo", "a")
    assert next_item(store, "bob")["item"] == 0
    decide(store, "i0", "exclude", None)
    assert next_item(store, "cat") is None
    record(store, "label", "i0", "ham", "bob")  # who held it may still answer
    assert read_decided(store).excluded_keys == {"i0"}
    assert wanted(store, "i0") == 0


def test_an_item_put_aside_is_asked_again(store):
    assert wanted(store, "i2") == 0
    decide(store, "i2", "reopen", None, uuid="a")
    assert wanted(store, "i2") == 2
    record(store, "label", "i2", "ham", "bob")
    assert wanted(store, "i2") == 1
    record(store, "flag", "i2", "indeed", "cat")  # a new flag puts it aside again
    assert wanted(store, "i2") == 0
    assert wanted(store, "i1") == 0  # both have labelled it, and differ
    decide(store, "i1", "reopen", None)
    assert wanted(store, "i1") == 1  # by a third


def test_two_owners_do_not_overrule_each_other_unseen(store):
    decide(store, "i0", uuid="a", seen=None)
    with pytest.raises(Conflict, match=r"somebody else decided 'spam' meanwhile, about item 'i0'; look at it again"):
        decide(store, "i0", value="ham", uuid="b", seen=None)
    decide(store, "i0", value="ham", uuid="b", seen="a")
    decide(store, "i0", "undo", "b", uuid="c", seen="b")
    with pytest.raises(Conflict, match="somebody else took a decision back meanwhile"):
        decide(store, "i0", "exclude", None, uuid="d", seen="b")
    assert decide(store, "i0", "exclude", None, uuid="d")["kind"] == "exclude"  # who asks for no check gets none
    assert [row["uuid"] for row in store.query("SELECT uuid FROM decision ORDER BY seq")] == ["a", "b", "c", "d"]


def test_who_answered_meanwhile_is_told(store):
    seen = store.count("SELECT MAX(seq) FROM event")
    record(store, "label", "i0", "ham", "ann", now=1.0)
    answer = decide(store, "i0", value="spam", last_event=seen)
    assert answer["newer"] == ["ann"]
    assert read_decided(store).labels_by_key == {"i0": "spam"}  # it counts all the same
    assert decide(store, "i1", value="spam", last_event=10**15)["newer"] == []


def test_what_is_no_decision(store):
    for wrong, message in (
        ({"kind": "drop"}, f"kind is 'drop'; it must be one of {', '.join(KINDS)}"),
        ({"value": None}, "value of decision 'label' is None; it must be a text"),
        ({"note": 7}, "note of decision 'label' is 7"),
        ({"note": "x" * 10_001}, "note of decision 'label' has 10001 characters"),
        ({"last_event": -1}, "last_event is -1"),
        ({"last_event": True}, "last_event is True"),
    ):
        with pytest.raises(ValueError, match=message):
            decide(store, "i0", **wrong)
    with pytest.raises(ValueError, match="a decision is an object, got list"):
        checked_decision([1], CLASSES)
    with pytest.raises(Conflict, match="'eggs' is not one of the classes"):
        decide(store, "i0", value="eggs")
    with pytest.raises(Conflict, match="nobody has answered item 'i5' yet"):
        decide(store, "i5")
    with pytest.raises(UnknownItem, match="there is no item 'i9'"):
        decide(store, "i9")
    with pytest.raises(Conflict, match="there is no decision 'a' about item 'i0' to undo"):
        decide(store, "i0", "undo", "a")
    decide(store, "i0", uuid="a")
    with pytest.raises(Conflict, match="uuid 'a' is of a decision about another item"):
        decide(store, "i1", uuid="a")
    decide(store, "i0", "undo", "a")
    with pytest.raises(Conflict, match="decision 'a' is undone already"):
        decide(store, "i0", "undo", "a", uuid="z")
    assert store.count("SELECT COUNT(*) FROM decision") == 2


@only_sqlite
def test_a_copy_of_the_file_alone_is_known_to_lack_a_decision(store, tmp_path):
    store.put_meta(settled=5)
    store.checkpoint()
    decide(store, "i0")
    (tmp_path / "copy.db").write_bytes(store.path.read_bytes())
    with closing(LabelStore(tmp_path / "copy.db", read_only=True)) as copy:
        assert copy.meta("settled", "none") is None
