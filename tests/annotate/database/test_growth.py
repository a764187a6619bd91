"""Data that changes under a database: labels stay with their items, and a random draw stays uniform."""

import itertools
import multiprocessing
import os
import random
import signal
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chisquare

from alkit.annotate import Items, LabelingSession
from alkit.annotate.database.complete import reading
from alkit.annotate.database.growth import take_over
from alkit.annotate.formats import read_csv
from alkit.annotate.formats.export import export
from alkit.annotate.items import compare
from alkit.annotate.quality.report import report
from tests.annotate.database.stores import next_item, record
from tests.annotate.databases import slow_on_postgres
from tests.annotate.sessions import CLASSES, TEXTS, rank


def test_a_project_grows_and_changes_its_order(database):
    path = database
    keys = [f"k{number}" for number in range(20)]
    with LabelingSession(Items(keys, TEXTS), CLASSES, path, random_state=0) as session:
        rank(session, keys)
        for _ in range(5):
            session.label(session.next("ann")["item"], "spam", "ann")
        held = session.next("ann")["item"]
        before = {answer["item"]: answer["text"] for answer in session.export()}
    more = Items([*keys[::-1], "k20", "k21"], [*TEXTS[::-1], "text 20", "text 21"])
    for _ in range(2):  # the second time there is nothing new
        with LabelingSession(more, CLASSES, path, random_state=1) as session:
            progress = session.progress("ann")
            assert (progress["n_items"], progress["mine"]) == (22, 5)
            assert {answer["item"]: answer["text"] for answer in session.export()} == before
            assert session.next("ann", resume=True)["item"] == held
            positions = session.store.query("SELECT key, position FROM item ORDER BY position")
            assert [row["key"] for row in positions] == more.ids
            for item in session.store.query("SELECT key, content FROM item"):
                assert item["content"] == list(more.contents())[more.ids.index(item["key"])]
            ids = session.store.query("SELECT id FROM item ORDER BY id")
            assert [row["id"] for row in ids] == list(range(22))
    with LabelingSession(more, CLASSES, path) as session:
        session.label(held, "ham", "ann")
        while (item := session.next("ann")) is not None:
            session.label(item["item"], "ham", "ann")
        assert session.progress("ann")["n_done"] == 22


def take_in(store, contents, rng):
    stored = [tuple(row) for row in store.query("SELECT key, content FROM item WHERE position >= 0 ORDER BY position")]
    take_over(store, contents, compare(stored, contents), "grown", rng)


@slow_on_postgres
def test_new_items_are_drawn_as_often_as_old_ones(filled):
    drawn = np.zeros(12)
    store = filled(n=6)
    contents = [(f"i{number}", '{"text": "x", "row": null}') for number in range(12)]
    take_in(store, contents, np.random.default_rng(0))
    assert store.meta("fingerprint") == "grown"
    for seed in range(600):
        take_in(store, contents, np.random.default_rng(seed))
        drawn[int(store.query("SELECT key FROM item WHERE id = 0")[0]["key"][1:])] += 1
    assert chisquare(drawn).pvalue > 1e-4
    assert store.query("SELECT wanted, COUNT(*) FROM queue GROUP BY wanted")[0][1] == 12
    next_item(store, "ann")
    assert not record(store, "label", store.query("SELECT key FROM item WHERE id = 0")[0]["key"], "x", "ann")["late"]


# ---- changed, gone, moved


def answers_of(session):
    return {(answer["annotator"], answer["item"]): answer for answer in session.export()}


def test_labels_of_changed_items_are_marked(tmp_path, database):
    path = database
    with LabelingSession(["one", "two", "three"], CLASSES, path, overlap=2, random_state=0) as session:
        for item in "012":
            session.label(item, "spam", "ann")
    with pytest.raises(ValueError, match=r"In all: 1 changed \('1'\); restore the data, .*--accept-changes"):
        LabelingSession(["one", "TWO", "three"], CLASSES, path)
    with LabelingSession(["one", "TWO", "three"], CLASSES, path, overlap=2, accept_changes=True) as session:
        assert str(session.changes) == "1 changed ('1')"
        shown = next(item for item in iter(lambda: session.next("bob"), None) if item["item"] == "1")
        assert (shown["text"], shown["version"]) == ("TWO", 1)
        session.label("1", "ham", "bob")
        of_a_page_newer_than_a_backup = {"uuid": "u", "item": "0", "kind": "label", "value": "ham", "version": 7}
        session.record(of_a_page_newer_than_a_backup, "bob")
        answers = answers_of(session)
        assert answers["ann", "1"]["text"] == "TWO"
        assert answers["ann", "1"]["earlier"] == {"text": "two", "image": None, "row": None}
        unmarked = [key for key, answer in answers.items() if answer["earlier"] is None]
        assert set(unmarked) == {("ann", "0"), ("ann", "2"), ("bob", "1"), ("bob", "0")}
        assert "5 labels, 4 late, 1 given to an earlier text" in report(session.store)
    with LabelingSession(["one", "2", "three"], CLASSES, path, overlap=2, accept_changes=True) as session:
        earlier = [answers_of(session)[name, "1"]["earlier"]["text"] for name in ("ann", "bob")]
        assert earlier == ["two", "TWO"]
        session.label("1", "spam", "ann")  # of the present text
        assert answers_of(session)["ann", "1"]["earlier"] is None
    export(path, tmp_path / "labels.csv", format="csv")
    cells = {(row["annotator"], row["item"]): row["earlier"] for row in read_csv(tmp_path / "labels.csv")}
    assert cells["bob", "1"] == '{"text": "TWO", "image": null, "row": null}'
    assert cells["ann", "1"] == ""


def test_a_label_of_a_page_that_shows_the_earlier_text(database):
    path = database
    with LabelingSession(["one", "two"], CLASSES, path, random_state=0) as session:
        shown = session.next("ann")
    texts = ["ONE", "TWO"]
    with LabelingSession(texts, CLASSES, path, accept_changes=True) as session:
        event = {"uuid": "u", "item": shown["item"], "kind": "label", "value": "spam", "version": shown["version"]}
        assert not session.record(event, "ann")["late"]
        (answer,) = session.export()
        assert answer["text"] == texts[int(shown["item"])]
        assert answer["earlier"]["text"] == shown["text"]


def test_items_that_are_gone_keep_their_labels_and_are_not_asked(database):
    path = database
    keys = [f"k{number}" for number in range(6)]
    with LabelingSession(Items(keys, TEXTS[:6]), CLASSES, path, random_state=0) as session:
        session.label("k0", "spam", "ann")
        session.flag("k1", "ann")
        held = session.next("ann")["item"]
    kept = [key for key in keys[2:] if key != held][1:]
    some = Items(kept, [TEXTS[int(key[1:])] for key in kept])
    with pytest.raises(ValueError, match=r"4 items are gone, .*In all: 4 gone \('k0', 'k1', '\w+', \.\.\.\)"):
        LabelingSession(some, CLASSES, path)
    for _ in range(2):
        with LabelingSession(some, CLASSES, path, accept_changes=True) as session:
            progress = session.progress("ann")
            assert (progress["n_items"], progress["n_done"], progress["n_flagged"]) == (2, 0, 0)
            assert (progress["mine"], progress["counts"]["spam"]) == (1, 1)
            assert session.renew("ann", [held]) == []
            assert {answer["item"] for answer in session.export()} == {"k0", "k1"}
            assert "2 items and 4 that are gone from the data, 1 labelled" in report(session.store)
    with LabelingSession(some, CLASSES, path) as session:
        assert session.label(held, "ham", "ann")["late"]
        while (item := session.next("ann")) is not None:
            assert item["item"] in kept
            session.label(item["item"], "ham", "ann")
        assert session.progress("ann")["n_done"] == 2
    back = Items(keys, ["CHANGED", *TEXTS[1:6]])
    with pytest.raises(ValueError, match=r"text of item 'k0' was 'text 0' and is now 'CHANGED'. In all: 4 new"):
        LabelingSession(back, CLASSES, path)
    with LabelingSession(back, CLASSES, path, accept_changes=True) as session:
        progress = session.progress("ann")
        assert (progress["n_items"], progress["n_done"], progress["n_flagged"]) == (6, 4, 1)
        assert answers_of(session)["ann", "k0"]["earlier"]["text"] == "text 0"
        left = session.next("ann")["item"]
        assert left == next(key for key in keys[2:] if key not in (held, *kept))
        assert session.next("ann") is None


def test_data_of_something_else_is_refused_in_any_case(database):
    path = database
    LabelingSession(Items(["a", "b"], ["one", "two"]), CLASSES, path).close()
    with pytest.raises(ValueError, match="none of them is left, so it is no later state of the same data"):
        LabelingSession(Items(["x", "y"], ["one", "two"]), CLASSES, path, accept_changes=True)


def longest_common_run(old, new):
    runs = itertools.chain.from_iterable(itertools.combinations(new, n) for n in range(len(new), -1, -1))
    return next(len(run) for run in runs if [key for key in old if key in run] == list(run))


@given(st.permutations("abcdefg"), st.sets(st.sampled_from("abcdefg")), st.sets(st.sampled_from("abc")))
def test_what_changed_is_told_exactly(order, changed, gone):
    old = [(key, "x") for key in "abcdefg"]
    new = [(key, "y" if key in changed else "x") for key in order if key not in gone] + [("n", "x")]
    changes = compare(old, new)
    assert changes.new == ["n"]
    assert set(changes.gone) == gone
    assert set(changes.changed) == changed - gone
    kept = [key for key in order if key not in gone]
    assert len(changes.moved) == len(kept) - longest_common_run([key for key in "abcdefg" if key in kept], kept)
    still = [key for key in kept if key not in changes.moved]
    assert still == sorted(still)


# ---- whatever happens meanwhile


def take_changes(path, texts, begun):
    begun.set()
    LabelingSession(texts, CLASSES, path, accept_changes=True, random_state=1).close()


@pytest.mark.slow
def test_who_is_killed_while_changes_are_taken_leaves_the_old_state_or_the_new(database):
    path, rng, context = database, random.Random(0), multiprocessing.get_context("spawn")
    old = [f"text {number}" for number in range(20_000)]
    with LabelingSession(old, CLASSES, path, random_state=0) as session:
        session.label("7", "spam", "ann")
    started = time.monotonic()
    old = [f"mended {number}" for number in range(20_000)]
    LabelingSession(old, CLASSES, path, accept_changes=True).close()
    usual = time.monotonic() - started
    states = []
    for number in range(8):
        new = [*(f"text {n} of {number}" for n in range(20_000)), *(f"new {n}" for n in range(number + 1))]
        begun = context.Event()
        process = context.Process(target=take_changes, args=(path, new, begun))
        process.start()
        begun.wait(60)
        time.sleep(rng.uniform(0.0, 2 * usual))
        os.kill(process.pid, signal.SIGKILL)
        process.join()
        with reading(path) as store:
            contents = {row["content"] for row in store.query("SELECT content FROM item WHERE position >= 0")}
            taken = len(contents) == len(new)
            states.append(taken)
            assert taken or len(contents) == len(old)
            assert store.count("SELECT COUNT(*) FROM queue") == len(contents)
            assert [row["value"] for row in store.query("SELECT value FROM answer")] == ["spam"]
        if taken:
            old = new
        LabelingSession(old, CLASSES, path).close()
    print(f"{states.count(True)} of {len(states)} changes were taken before the kill")
