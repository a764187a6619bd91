"""The database of labels: which item is given to whom, against brute force; events are never lost or doubled."""

import errno
import tempfile
import time
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alkit.annotate.database import answers as answers_module
from alkit.annotate.database.answers import read_answers
from alkit.annotate.database.events import Conflict, UnknownItem
from alkit.annotate.database.leases import held_items
from alkit.annotate.database.ranking import Ranked, put_ranking
from alkit.annotate.database.sqlite import Sqlite
from alkit.annotate.database.store import LabelStore
from alkit.annotate.database.tokens import new_token
from tests.annotate.database.stores import LEASE, fill, next_item, record
from tests.annotate.databases import only_sqlite


def truth(store, annotator, now):
    """What is open to an annotator, by reading all events and leases: begun, fresh and skipped items."""
    overlap = store.meta("overlap")
    asked = {row["item"]: row["asked"] or overlap for row in store.query("SELECT item, asked FROM queue")}
    events = store.query("SELECT * FROM event ORDER BY seq")
    undone = {event["value"] for event in events if event["kind"] == "undo"}
    answers = {
        (event["item"], event["annotator"]): event["kind"]
        for event in events
        if event["kind"] != "undo" and event["uuid"] not in undone
    }
    held = {tuple(row) for row in store.query("SELECT item, annotator FROM lease WHERE expires > ?", now)}
    present = {row["annotator"] for row in store.query("SELECT annotator FROM lease")} | {annotator}
    latest = {
        (event["item"], event["annotator"]): event["seq"]
        for event in events
        if event["kind"] != "undo" and event["uuid"] not in undone
    }
    labelled = [latest[key] for key, kind in answers.items() if kind == "label" and key[1] == annotator]
    begun, fresh, skipped = [], [], []
    for (item,) in store.query("SELECT id FROM item ORDER BY id"):
        kinds = [kind for (answered, _), kind in answers.items() if answered == item]
        wanted = 0 if "flag" in kinds else asked[item] - kinds.count("label")
        holders = [who for what, who in held if what == item]
        if wanted > len(holders) and annotator not in holders and (item, annotator) not in answers:
            (begun if "label" in kinds else fresh).append(item)
        everybody_answered = all((item, name) in answers for name in present)
        if wanted > 0 and not holders and answers.get((item, annotator)) == "skip" and everybody_answered:
            skipped.append((latest[item, annotator], item))
    again = [item for event, item in sorted(skipped) if event < max(labelled, default=0)]
    return begun, fresh, again


ACTIONS = st.lists(
    st.tuples(st.sampled_from(["next", "random", "label", "skip", "flag", "undo", "wait", "rank"]), st.integers(0, 5)),
    max_size=60,
)


@settings(max_examples=60)
@given(overlap=st.integers(1, 3), actions=ACTIONS)
def test_what_is_handed_out_agrees_with_brute_force(overlap, actions):
    with tempfile.TemporaryDirectory() as folder:
        check_what_is_handed_out(Path(folder) / "labels.db", overlap, actions)


@settings(max_examples=8)
@given(overlap=st.integers(1, 3), actions=ACTIONS)
def test_what_postgres_hands_out_agrees_with_brute_force(cluster, overlap, actions):
    check_what_is_handed_out(cluster.url(), overlap, actions)


def check_what_is_handed_out(place, overlap, actions):
    with closing(fill(LabelStore(place), 6, overlap)) as store:
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
                begun, fresh, skipped = truth(store, annotator, now)
                lease = next_item(store, annotator, now, ranked=action == "next")
                check_given(lease, begun, fresh, skipped, ranking, by_rank=action == "next")
                if lease:
                    pending.append((lease["item"], annotator))
            elif action == "undo" and done:
                uuid, annotator = done.pop(number % len(done))
                record(store, "undo", None, uuid, annotator, now)
            elif pending and action in ("label", "skip", "flag"):
                item, annotator = pending.pop(number % len(pending))
                if not store.query("SELECT 1 FROM answer WHERE item = ? AND annotator = ?", item, annotator):
                    record(store, action, f"i{item}", "x", annotator, now, uuid=str(step))
                    done.append((str(step), annotator))
        assert store.count(store.engine.n_fresh) == store.count(Sqlite.n_fresh)
        in_time = store.query(
            "SELECT COUNT(*) FROM answer a JOIN event e ON e.seq = a.event "
            "WHERE a.kind = 'label' AND e.late = 0 GROUP BY a.item"
        )
        assert all(n <= overlap for (n,) in in_time)
        kept = {(row["item"], row["annotator"], row["event"]) for row in store.query("SELECT * FROM answer")}
        read = store.query(answers_module._ANSWERS, start=0, end=10**6, last=10**6, annotator=None)
        assert {(row["item"], row["annotator"], row["seq"]) for row in read} == kept


def check_given(lease, begun, fresh, skipped, ranking, by_rank):
    if not begun and not fresh:
        assert (lease and lease["item"]) == (skipped[0] if skipped else None)
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
    next_item(store, "ann")
    first = record(store, "label", "i0", "x", "ann", uuid="u")
    assert record(store, "label", "i0", "x", "ann", now=99, uuid="u") == first
    assert record(store, "label", "i3", "y", "ann", now=99, uuid="u") == first
    assert store.count("SELECT COUNT(*) FROM event") == 1
    with pytest.raises(Conflict, match="another annotator"):
        record(store, "label", "i0", "x", "bob", uuid="u")


def test_a_late_label_is_kept_and_marked(filled):
    store = filled(n=1)
    next_item(store, "ann", now=0)
    assert next_item(store, "bob", now=5) is None
    assert next_item(store, "bob", now=11)["item"] == 0
    assert not record(store, "label", "i0", "x", "bob", now=12)["late"]
    assert record(store, "label", "i0", "y", "ann", now=13)["late"]
    assert [(a["annotator"], a["value"], a["late"]) for a in read_answers(store)] == [
        ("bob", "x", False),
        ("ann", "y", True),
    ]


def test_what_was_never_asked_for_is_kept_and_marked(filled):
    store = filled(n=2)
    assert record(store, "label", "i1", "x", "ann")["late"]
    with pytest.raises(UnknownItem, match="no item 'i9'"):
        record(store, "label", "i9", "x", "ann")


def test_undo_gives_the_item_back(filled):
    store = filled(n=1)
    next_item(store, "ann", now=0)
    record(store, "label", "i0", "x", "ann", now=1, uuid="u")
    assert record(store, "undo", "i0", "u", "ann", now=20)["item"] == "i0"
    assert next_item(store, "bob", now=21) is None
    assert list(held_items(store, "ann", 22)) == [0]
    assert not record(store, "label", "i0", "y", "ann", now=23)["late"]
    assert [answer["value"] for answer in read_answers(store)] == ["y"]
    assert store.count("SELECT COUNT(*) FROM event") == 3


def test_undo_of_a_skip_takes_nothing_from_others(filled):
    store = filled(n=1)
    next_item(store, "ann", now=0)
    record(store, "skip", "i0", None, "ann", now=1, uuid="u")
    assert next_item(store, "ann", now=2) is None
    assert next_item(store, "bob", now=2)["item"] == 0
    record(store, "undo", None, "u", "ann", now=3)
    assert record(store, "label", "i0", "y", "ann", now=4)["late"]
    assert not record(store, "label", "i0", "x", "bob", now=5)["late"]


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
    record(store, "label", "i0", "x", "ann", uuid="u")
    record(store, "label", "i1", "x", "ann", uuid="gone")
    record(store, "undo", None, "gone", "ann")
    before = store.count("SELECT COUNT(*) FROM event")
    with pytest.raises(Conflict, match=message):
        record(store, "undo", item, uuid, annotator, now=7)
    assert store.count("SELECT COUNT(*) FROM event") == before


def test_a_flag_puts_an_item_aside(filled):
    store = filled(n=1, overlap=3)
    next_item(store, "ann")
    record(store, "flag", "i0", "torn", "ann", uuid="u")
    assert next_item(store, "bob") is None
    record(store, "undo", None, "u", "ann")
    assert next_item(store, "bob")["item"] == 0


def test_skips_of_someone_alone_come_back_at_the_end_once_after_each_label(filled):
    store = filled(n=4)
    for item in (0, 1):
        assert next_item(store, "ann")["item"] == item
        record(store, "skip", f"i{item}", None, "ann")
    assert next_item(store, "ann")["item"] == 2
    assert next_item(store, "ann")["item"] == 3
    assert next_item(store, "ann") is None  # both skips are newer than the last label
    record(store, "label", "i2", "x", "ann")
    record(store, "label", "i3", "x", "ann")
    again = next_item(store, "ann", now=1.0)
    assert (again["item"], again["source"]) == (0, "random")
    record(store, "skip", "i0", None, "ann", now=2.0)
    assert next_item(store, "ann", now=2.0)["item"] == 1
    record(store, "label", "i1", "x", "ann", now=3.0)
    assert next_item(store, "ann", now=4.0)["item"] == 0
    assert not record(store, "label", "i0", "x", "ann", now=5.0)["late"]
    assert next_item(store, "ann", now=6.0) is None


def test_skips_are_left_to_others_where_there_are_some(filled):
    store = filled(n=2)
    new_token(store, "bob")
    next_item(store, "ann")
    record(store, "skip", "i0", None, "ann")
    next_item(store, "ann")
    record(store, "label", "i1", "x", "ann")
    assert next_item(store, "ann", now=1.0) is None
    assert next_item(store, "bob", now=1.0)["item"] == 0
    record(store, "skip", "i0", None, "bob", now=2.0)
    assert next_item(store, "ann", now=3.0)["item"] == 0  # nobody else is left to ask
    record(store, "label", "i0", "x", "ann", now=4.0)
    assert next_item(store, "bob", now=5.0) is None


def test_answers_are_read_as_of_one_moment(filled, monkeypatch):
    monkeypatch.setattr(answers_module, "_CHUNK", 2)
    store = filled(n=6)
    for number in range(6):
        record(store, "label", f"i{number}", "x", "ann", uuid=str(number))
    answers = read_answers(store)
    read = [next(answers)]
    record(store, "label", "i1", "y", "ann", now=1.0)
    record(store, "undo", None, "4", "ann", now=1.0)
    record(store, "label", "i5", "y", "ann", now=1.0, uuid="again")
    read += answers
    assert [(answer["item"], answer["value"]) for answer in read] == [(f"i{number}", "x") for number in range(6)]
    later = [(answer["item"], answer["value"]) for answer in read_answers(store)]
    assert later == [("i0", "x"), ("i2", "x"), ("i3", "x"), ("i1", "y"), ("i5", "y")]


def test_a_changed_overlap(filled):
    store = filled(n=2)
    next_item(store, "ann")
    record(store, "label", "i0", "x", "ann")
    store.set_overlap(2)
    assert next_item(store, "bob")["item"] == 0
    store.set_overlap(1)
    assert store.query("SELECT wanted FROM queue ORDER BY item")[0][0] == 0


def test_what_is_held_but_not_wanted_any_more_is_not_given_again(filled):
    store = filled(n=2)
    next_item(store, "ann")
    next_item(store, "ann", now=1.0)
    record(store, "flag", "i0", "torn", "bob", now=2.0)
    assert list(held_items(store, "ann", 3.0)) == [1]
    record(store, "label", "i1", "x", "bob", now=4.0)
    assert held_items(store, "ann", 5.0) == {}


@only_sqlite
def test_a_full_database_refuses_a_label_and_goes_on_when_there_is_room(filled, database):
    store = filled(n=40)
    store._db.execute(f"PRAGMA max_page_count = {store.count('PRAGMA page_count')}")
    kept = 0

    def label_all():
        nonlocal kept
        for k in range(40):
            record(store, "label", f"i{k}", "x" * 200, "ann", uuid=str(k))
            kept += 1

    with pytest.raises(OSError, match="nothing was saved") as caught:
        label_all()
    assert caught.value.errno == errno.ENOSPC
    assert store.count("SELECT COUNT(*) FROM event") == kept < 40
    store._db.execute("PRAGMA max_page_count = 100000")
    record(store, "label", f"i{kept}", "x", "ann", uuid=str(kept))
    assert store.count("SELECT COUNT(*) FROM event") == kept + 1
    assert store.query("PRAGMA integrity_check")[0][0] == "ok"


def test_reading_goes_on_while_another_writes(filled, database):
    store = filled()
    with closing(LabelStore(database, read_only=True)) as reader, store.transaction() as db:
        db.execute("UPDATE queue SET n_labels = 7")
        started = time.monotonic()
        assert reader.count("SELECT MAX(n_labels) FROM queue") == 0
        assert time.monotonic() - started < 5
        with pytest.raises(store.engine.errors, match="readonly|read-only"):
            reader.query("DELETE FROM queue")
