"""Rankings and labels, as the trainer writes and reads them."""

from alkit.annotate.database.ranking import Ranked, put_ranking, read_labels
from tests.annotate.database.stores import next_item, record


def test_half_a_ranking_does_not_count(filled):
    store = filled()
    put_ranking(store, [Ranked(5, 0, 1.0, "x", 0.9)], 4, 0.0)
    with store.transaction() as db:  # what a trainer killed in between leaves
        db.execute("INSERT INTO ranking VALUES (2, 3, 0, 1.0, 'y', 0.8)")
    lease = next_item(store, "ann")
    assert (lease["item"], lease["model_version"], lease["prediction"]) == (5, 1, "x")
    assert put_ranking(store, [Ranked(2, 0, 1.0, "z", 0.7)], 5, 1.0) == 2
    assert [tuple(row) for row in store.query("SELECT model_version, item FROM ranking")] == [(2, 2)]


def test_labels_are_made_of_several_by_majority(filled):
    store = filled(n=3, overlap=3)
    for annotator, first, second in (("ann", "x", "y"), ("bob", "x", "z"), ("cat", "y", "z")):
        record(store, "label", "i0", first, annotator)
        record(store, "label", "i1", second, annotator)
    labels = read_labels(store)
    assert dict(zip(labels.items, labels.values, strict=True)) == {0: "x", 1: "z"}
    assert (labels.n_labels, labels.fresh, labels.last_event) == (6, [2], 6)
    record(store, "label", "i2", "y", "ann")
    record(store, "label", "i2", "x", "bob")
    assert read_labels(store).values[2] == "y"  # the first of equally many
