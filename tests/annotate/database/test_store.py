"""The store: every rule of handing out items against brute force; events are never lost, changed or doubled."""

import errno
import sqlite3
import tempfile
import time
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alkit.annotate.database import schema
from alkit.annotate.database.answers import read_answers
from alkit.annotate.database.events import Conflict, UnknownItem
from alkit.annotate.database.ranking import Ranked, put_ranking, read_labels
from alkit.annotate.database.store import LabelStore

LEASE = 10.0


def fill(store, n, overlap):
    store.add_items([(f"i{k}", k, '{"text": "x", "row": null}') for k in range(n)], overlap, "fingerprint")
    return store


@pytest.fixture
def filled(tmp_path):
    """Make a store with items, closed in the end."""
    with ExitStack() as stack:

        def make(n=6, overlap=1):
            return fill(stack.enter_context(closing(LabelStore(tmp_path / "labels.db"))), n, overlap)

        yield make


def said(store, kind, item, value, annotator, now=0.0, uuid=None):
    event = {"uuid": uuid or f"{annotator}-{now}-{kind}-{item}-{value}", "item": item, "kind": kind, "value": value}
    return store.record(event | {"seconds": None}, annotator, now=now, lease_seconds=LEASE)


def given_to(store, annotator, now=0.0, ranked=True, random_share=0.25):
    return store.next(annotator, now=now, lease_seconds=LEASE, ranked=ranked, random_share=random_share)


def truth(store, annotator, now):
    """What is open to an annotator, by reading all events and leases: (begun, fresh) items."""
    overlap = store.meta("overlap")
    events = store.query("SELECT * FROM event ORDER BY seq")
    undone = {event["value"] for event in events if event["kind"] == "undo"}
    answers = {
        (event["item"], event["annotator"]): event["kind"]
        for event in events
        if event["kind"] != "undo" and event["uuid"] not in undone
    }
    held = {tuple(row) for row in store.query("SELECT item, annotator FROM lease WHERE expires > ?", now)}
    begun, fresh = [], []
    for (item,) in store.query("SELECT id FROM item ORDER BY id"):
        kinds = [kind for (answered, _), kind in answers.items() if answered == item]
        wanted = 0 if "flag" in kinds else overlap - kinds.count("label")
        holders = [who for what, who in held if what == item]
        if wanted > len(holders) and annotator not in holders and (item, annotator) not in answers:
            (begun if "label" in kinds else fresh).append(item)
    return begun, fresh


ACTIONS = st.lists(
    st.tuples(st.sampled_from(["next", "random", "label", "skip", "flag", "undo", "wait", "rank"]), st.integers(0, 5)),
    max_size=60,
)


@settings(max_examples=60, deadline=None)
@given(overlap=st.integers(1, 3), actions=ACTIONS)
def test_what_is_handed_out_agrees_with_brute_force(overlap, actions):
    with tempfile.TemporaryDirectory() as folder:
        store = fill(LabelStore(Path(folder) / "labels.db"), 6, overlap)
        now, ranking, pending, done = 0.0, [], [], []
        for step, (action, number) in enumerate(actions):
            annotator = "abc"[number % 3]
            now += 0.01
            if action == "wait":
                now += LEASE
            elif action == "rank":
                fresh = [row[0] for row in store.query("SELECT item FROM queue WHERE wanted > 0 AND n_labels = 0")]
                ranking = fresh[number:][::-1]
                put_ranking(store, [Ranked(item, k, 1.0, "x", 0.5) for k, item in enumerate(ranking)], 0, now)
            elif action in ("next", "random"):
                begun, fresh = truth(store, annotator, now)
                lease = given_to(store, annotator, now, ranked=action == "next")
                check_given(lease, begun, fresh, ranking, by_rank=action == "next")
                if lease:
                    pending.append((lease["item"], annotator))
            elif action == "undo" and done:
                uuid, annotator = done.pop(number % len(done))
                said(store, "undo", None, uuid, annotator, now)
            elif pending and action in ("label", "skip", "flag"):
                item, annotator = pending.pop(number % len(pending))
                if not store.query("SELECT 1 FROM answer WHERE item = ? AND annotator = ?", item, annotator):
                    said(store, action, f"i{item}", "x", annotator, now, uuid=str(step))
                    done.append((str(step), annotator))
        in_time = store.query(
            "SELECT COUNT(*) FROM answer a JOIN event e ON e.seq = a.event "
            "WHERE a.kind = 'label' AND NOT e.late GROUP BY a.item"
        )
        assert all(n <= overlap for (n,) in in_time)
        store.close()


def check_given(lease, begun, fresh, ranking, by_rank):
    if not begun and not fresh:
        assert lease is None
        return
    if begun:
        assert lease["item"] == begun[0]
        return
    best = next((item for item in ranking if item in fresh), None)
    assert lease["item"] == (best if by_rank and best is not None else fresh[0])
    share = 1.0 if best is None else 0.25
    expected = share / len(fresh) + (1 - share) * (lease["item"] == best)
    assert lease["probability"] == pytest.approx(expected, rel=1e-12)
    assert lease["source"] == ("strategy" if by_rank and best is not None else "random")


def test_one_uuid_is_one_event(filled):
    store = filled()
    given_to(store, "ann")
    first = said(store, "label", "i0", "x", "ann", uuid="u")
    assert said(store, "label", "i0", "x", "ann", now=99, uuid="u") == first
    assert said(store, "label", "i3", "y", "ann", now=99, uuid="u") == first
    assert store.count("SELECT COUNT(*) FROM event") == 1
    with pytest.raises(Conflict, match="another annotator"):
        said(store, "label", "i0", "x", "bob", uuid="u")


def test_a_late_label_is_kept_and_marked(filled):
    store = filled(n=1)
    given_to(store, "ann", now=0)
    assert given_to(store, "bob", now=5) is None
    assert given_to(store, "bob", now=11)["item"] == 0
    assert not said(store, "label", "i0", "x", "bob", now=12)["late"]
    assert said(store, "label", "i0", "y", "ann", now=13)["late"]
    assert [(a["annotator"], a["value"], a["late"]) for a in read_answers(store)] == [
        ("bob", "x", False),
        ("ann", "y", True),
    ]


def test_what_was_never_asked_for_is_kept_and_marked(filled):
    store = filled(n=2)
    assert said(store, "label", "i1", "x", "ann")["late"]
    with pytest.raises(UnknownItem, match="no item 'i9'"):
        said(store, "label", "i9", "x", "ann")


def test_undo_gives_the_item_back(filled):
    store = filled(n=1)
    given_to(store, "ann", now=0)
    said(store, "label", "i0", "x", "ann", now=1, uuid="u")
    assert said(store, "undo", "i0", "u", "ann", now=20)["item"] == "i0"
    assert given_to(store, "bob", now=21) is None
    assert store.renew("ann", now=22, lease_seconds=LEASE)["item"] == 0
    assert not said(store, "label", "i0", "y", "ann", now=23)["late"]
    assert [answer["value"] for answer in read_answers(store)] == ["y"]
    assert store.count("SELECT COUNT(*) FROM event") == 3


def test_undo_of_a_skip_takes_nothing_from_others(filled):
    store = filled(n=1)
    given_to(store, "ann", now=0)
    said(store, "skip", "i0", None, "ann", now=1, uuid="u")
    assert given_to(store, "ann", now=2) is None
    assert given_to(store, "bob", now=2)["item"] == 0
    said(store, "undo", None, "u", "ann", now=3)
    assert said(store, "label", "i0", "y", "ann", now=4)["late"]
    assert not said(store, "label", "i0", "x", "bob", now=5)["late"]


@pytest.mark.parametrize(
    ("uuid", "annotator", "item", "message"),
    [
        ("nothing", "ann", None, "ann has no event 'nothing'"),
        ("u", "bob", None, "bob has no event 'u'"),
        ("u", "ann", "i1", "is of item 'i0', not 'i1'"),
        ("gone", "ann", None, "undone already"),
    ],
)
def test_undo_of_what_cannot_be_undone(filled, uuid, annotator, item, message):
    store = filled()
    said(store, "label", "i0", "x", "ann", uuid="u")
    said(store, "label", "i1", "x", "ann", uuid="gone")
    said(store, "undo", None, "gone", "ann")
    before = store.count("SELECT COUNT(*) FROM event")
    with pytest.raises(Conflict, match=message):
        said(store, "undo", item, uuid, annotator, now=7)
    assert store.count("SELECT COUNT(*) FROM event") == before


def test_a_flag_puts_an_item_aside(filled):
    store = filled(n=1, overlap=3)
    given_to(store, "ann")
    said(store, "flag", "i0", "torn", "ann", uuid="u")
    assert given_to(store, "bob") is None
    said(store, "undo", None, "u", "ann")
    assert given_to(store, "bob")["item"] == 0


def test_a_changed_overlap(filled):
    store = filled(n=2)
    given_to(store, "ann")
    said(store, "label", "i0", "x", "ann")
    store.set_overlap(2)
    assert given_to(store, "bob")["item"] == 0
    store.set_overlap(1)
    assert store.query("SELECT wanted FROM queue ORDER BY item")[0][0] == 0


def test_half_a_ranking_does_not_count(filled):
    store = filled()
    put_ranking(store, [Ranked(5, 0, 1.0, "x", 0.9)], 4, 0.0)
    with store.transaction() as db:  # what a trainer killed in between leaves
        db.execute("INSERT INTO ranking VALUES (2, 3, 0, 1.0, 'y', 0.8)")
    lease = given_to(store, "ann")
    assert (lease["item"], lease["model_version"], lease["prediction"]) == (5, 1, "x")
    assert put_ranking(store, [Ranked(2, 0, 1.0, "z", 0.7)], 5, 1.0) == 2
    assert [tuple(row) for row in store.query("SELECT model_version, item FROM ranking")] == [(2, 2)]


def test_events_can_be_neither_changed_nor_deleted(filled):
    store = filled()
    said(store, "label", "i0", "x", "ann")
    for sql in ("UPDATE event SET value = 'y'", "DELETE FROM event"):
        with pytest.raises(sqlite3.IntegrityError, match="events are never"):
            store.query(sql)


def test_labels_are_made_of_several_by_majority(filled):
    store = filled(n=3, overlap=3)
    for annotator, first, second in (("ann", "x", "y"), ("bob", "x", "z"), ("cat", "y", "z")):
        said(store, "label", "i0", first, annotator)
        said(store, "label", "i1", second, annotator)
    labels = read_labels(store)
    assert dict(zip(labels.items, labels.values, strict=True)) == {0: "x", 1: "z"}
    assert (labels.n_labels, labels.fresh, labels.last_event) == (6, [2], 6)
    said(store, "label", "i2", "y", "ann")
    said(store, "label", "i2", "x", "bob")
    assert read_labels(store).values[2] == "y"  # the first of equally many


def test_what_is_held_but_not_wanted_any_more_is_not_given_again(filled):
    store = filled(n=2)
    given_to(store, "ann")
    given_to(store, "ann", now=1.0)
    said(store, "flag", "i0", "torn", "bob", now=2.0)
    assert store.renew("ann", now=3.0, lease_seconds=LEASE)["item"] == 1
    said(store, "label", "i1", "x", "bob", now=4.0)
    assert store.renew("ann", now=5.0, lease_seconds=LEASE) is None


def test_an_upgrade_keeps_every_event(filled, tmp_path, monkeypatch):
    store = filled()
    said(store, "label", "i0", "x", "ann")
    before = [tuple(row) for row in store.query("SELECT * FROM event")]
    store.close()
    monkeypatch.setattr(schema, "MIGRATIONS", (*schema.MIGRATIONS, "ALTER TABLE event ADD COLUMN mood TEXT"))
    with closing(LabelStore(tmp_path / "labels.db")) as store:
        assert [tuple(row)[:-1] for row in store.query("SELECT * FROM event")] == before
        assert store.count("PRAGMA user_version") == 2
    broken = "ALTER TABLE event ADD COLUMN more TEXT; DROP TABLE event; SELECT * FROM nowhere"
    monkeypatch.setattr(schema, "MIGRATIONS", (*schema.MIGRATIONS, broken))
    with pytest.raises(sqlite3.OperationalError, match="nowhere"):
        LabelStore(tmp_path / "labels.db")
    monkeypatch.undo()
    with pytest.raises(ValueError, match=r"version 2, but this alkit knows versions up to 1"):
        LabelStore(tmp_path / "labels.db")
    with sqlite3.connect(tmp_path / "labels.db") as db:
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


def test_a_full_database_refuses_a_label_and_goes_on_when_there_is_room(filled):
    store = filled(n=40)
    store._db.execute(f"PRAGMA max_page_count = {store.count('PRAGMA page_count')}")
    kept = 0

    def label_all():
        nonlocal kept
        for k in range(40):
            said(store, "label", f"i{k}", "x" * 200, "ann", uuid=str(k))
            kept += 1

    with pytest.raises(OSError, match="nothing was saved") as caught:
        label_all()
    assert caught.value.errno == errno.ENOSPC
    assert store.count("SELECT COUNT(*) FROM event") == kept < 40
    store._db.execute("PRAGMA max_page_count = 100000")
    said(store, "label", f"i{kept}", "x", "ann", uuid=str(kept))
    assert store.count("SELECT COUNT(*) FROM event") == kept + 1
    assert store.query("PRAGMA integrity_check")[0][0] == "ok"


def test_reading_goes_on_while_another_writes(filled, tmp_path):
    store = filled()
    with closing(LabelStore(tmp_path / "labels.db", read_only=True)) as reader, store.transaction() as db:
        db.execute("UPDATE queue SET n_labels = 7")
        started = time.monotonic()
        assert reader.count("SELECT MAX(n_labels) FROM queue") == 0
        assert time.monotonic() - started < 5
        with pytest.raises(sqlite3.OperationalError, match="readonly"):
            reader.query("DELETE FROM queue")
