"""Items that are added to a database: labels stay with theirs, and a random draw stays uniform."""

import numpy as np
from scipy.stats import chisquare

from alkit.annotate import Items, LabelingSession
from alkit.annotate.database.growth import add_items
from tests.annotate.database.stores import next_item, record
from tests.annotate.sessions import CLASSES, TEXTS, rank


def test_a_project_grows_and_changes_its_order(tmp_path):
    path = tmp_path / "labels.db"
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


def test_new_items_are_drawn_as_often_as_old_ones(filled):
    drawn = np.zeros(12)
    store = filled(n=6)
    contents = [(f"i{number}", '{"text": "x", "row": null}') for number in range(12)]
    add_items(store, contents, "grown", np.random.default_rng(0))
    assert store.meta("fingerprint") == "grown"
    for seed in range(600):
        add_items(store, contents, "grown", np.random.default_rng(seed))
        drawn[int(store.query("SELECT key FROM item WHERE id = 0")[0]["key"][1:])] += 1
    assert chisquare(drawn).pvalue > 1e-4
    assert store.query("SELECT wanted, COUNT(*) FROM queue GROUP BY wanted")[0][1] == 12
    next_item(store, "ann")
    assert not record(store, "label", store.query("SELECT key FROM item WHERE id = 0")[0]["key"], "x", "ann")["late"]
