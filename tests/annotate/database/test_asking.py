"""Asking again and asking the right person: what is handed out against brute force, and what a database remembers."""

import tempfile
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alkit.annotate.database.asking import answered_items, ask_again, begun_items, people_present
from alkit.annotate.database.ranking import Assigned, Ranked, put_ranking
from alkit.annotate.database.setup import as_range
from alkit.annotate.database.store import LabelStore
from tests.annotate.database.stores import LEASE, fill, next_item, record
from tests.annotate.database.test_store import truth

PEOPLE = "abc"
ACTIONS = st.lists(
    st.tuples(
        st.sampled_from(["next", "next", "random", "label", "label", "skip", "undo", "wait", "rank", "ask"]),
        st.integers(0, 5),
        st.permutations(range(6)),
    ),
    max_size=60,
)


@settings(max_examples=60)
@given(actions=ACTIONS)
def test_what_is_handed_out_agrees_with_brute_force(actions):
    with tempfile.TemporaryDirectory() as folder:
        check_what_is_handed_out(Path(folder) / "labels.db", actions)


@pytest.mark.slow
@given(actions=ACTIONS)
def test_what_postgres_hands_out_agrees_with_brute_force(cluster, actions):
    check_what_is_handed_out(cluster.url(), actions)


def check_what_is_handed_out(place, actions):
    with closing(fill(LabelStore(place), 6, 1)) as store:
        now, ranking, own, pending, done = 0.0, [], {}, [], []
        for step, (action, number, order) in enumerate(actions):
            annotator = PEOPLE[number % 3]
            now += 0.01
            if action == "wait":
                now += LEASE
            elif action == "ask":
                ask_again(store, dict.fromkeys(order[:number], 1 + number % 3))
            elif action == "rank":
                ranking, own = order[number:], {name: order[k::3] for k, name in enumerate(PEOPLE[: number % 4])}
                assigned = [Assigned(name, k, item) for name, items in own.items() for k, item in enumerate(items)]
                put_ranking(store, [Ranked(item, k, 1.0, "x", 0.5) for k, item in enumerate(ranking)], 0, now, assigned)
            elif action in ("next", "random"):
                begun, fresh, skipped = truth(store, annotator, now)
                lease = next_item(store, annotator, now, ranked=action == "next")
                check_given(lease, begun, fresh, skipped, ranking, own, annotator, by_rank=action == "next")
                if lease:
                    pending.append((lease["item"], annotator))
            elif action == "undo" and done:
                uuid, annotator = done.pop(number % len(done))
                record(store, "undo", None, uuid, annotator, now)
            elif pending and action in ("label", "skip"):
                item, annotator = pending.pop(number % len(pending))
                if not store.query("SELECT 1 FROM answer WHERE item = ? AND annotator = ?", item, annotator):
                    record(store, action, f"i{item}", "x", annotator, now, uuid=str(step))
                    done.append((str(step), annotator))


def check_given(lease, begun, fresh, skipped, ranking, own, annotator, by_rank):
    mine = next((item for item in own.get(annotator, ()) if item in begun or item in fresh), None)
    best = mine if mine is not None else next((item for item in ranking if item in fresh), None)
    if not begun and not fresh:
        assert (lease and lease["item"]) == (skipped[0] if skipped else None)
    elif by_rank and mine is not None:
        assert lease["item"] == mine
    elif begun and not any(own.values()):
        assert lease["item"] == begun[0]
    elif by_rank and best is not None:
        assert lease["item"] == best
    elif fresh:
        assert lease["item"] == fresh[0]
        share = 1.0 if best is None else 0.25
        assert lease["probability"] == pytest.approx(share / len(fresh) + (1 - share) * (fresh[0] == best), rel=1e-12)
    else:
        assert lease["item"] == begun[0]


def test_an_item_is_asked_about_until_it_has_the_labels_asked_for(filled):
    store = filled(n=2)
    next_item(store, "ann")
    record(store, "label", "i0", "x", "ann")
    assert begun_items(store) == []
    ask_again(store, {0: 2})
    assert begun_items(store) == [0]
    assert answered_items(store) == [(0, "ann")]
    assert next_item(store, "ann")["item"] == 1
    assert next_item(store, "bob")["item"] == 0
    ask_again(store, {})
    assert begun_items(store) == []
    assert not record(store, "label", "i0", "y", "bob")["late"]  # who holds it may answer all the same


def test_an_item_asked_about_again_is_no_more_after_another_start(filled):
    store = filled(n=2)
    record(store, "label", "i0", "x", "ann")
    ask_again(store, {0: 3})
    store.set_overlap(1)
    assert begun_items(store) == []


def test_the_second_person_is_not_told_by_whom_an_item_was_found(filled):
    """The reason and probability of the first draw stay with the item; what the model predicts is not shown again."""
    store = filled(n=3)
    put_ranking(store, [Ranked(2, 0, 1.0, "x", 0.9)], 0, 0.0, [Assigned("ann", 0, 2)])
    first = next_item(store, "ann")
    assert (first["item"], first["source"], first["prediction"]) == (2, "strategy", "x")
    record(store, "label", "i2", "x", "ann")
    ask_again(store, {2: 2})
    put_ranking(store, [], 0, 0.0, [Assigned("bob", 0, 2)])
    second = next_item(store, "bob")
    assert (second["item"], second["source"], second["prediction"]) == (2, "strategy", None)
    assert second["probability"] == first["probability"]


def test_an_incomplete_assignment_is_not_used(filled):
    store = filled(n=3)
    put_ranking(store, [Ranked(2, 0, 1.0, "x", 0.9)], 0, 0.0)
    with store.transaction() as db:
        db.execute("INSERT INTO assignment VALUES (2, 'ann', 0, 1)")
    assert next_item(store, "ann")["item"] == 2
    put_ranking(store, [], 0, 0.0)
    assert store.count("SELECT COUNT(*) FROM assignment") == 0


def test_who_is_there(filled):
    store = filled()
    next_item(store, "ann", now=100.0)
    next_item(store, "bob", now=5000.0)
    assert people_present(store, now=200.0) == ["ann", "bob"]
    assert people_present(store, now=5001.0) == ["bob"]


@pytest.mark.parametrize("overlap", [0, True, 1.0, "1", (0, 2), (3, 1), (1,), (1, 2, 3), (1, True)])
def test_no_range(overlap):
    with pytest.raises(ValueError, match="must be an integer of at least 1, or a range such as"):
        as_range(overlap)
