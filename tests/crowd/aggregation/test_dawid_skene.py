"""Aggregation: against EM written out label by label, on crowds with known truth, and beside crowd-kit."""

import numpy as np
import pandas as pd
import pytest
from sklearn.exceptions import ConvergenceWarning

from alkit.crowd import dawid_skene, majority_vote
from tests.crowd.crowds import synthetic_crowd


def em_reference(labels, classes, n_iter):
    """Dawid & Skene's equations (2.3) to (2.5) in plain probabilities, one label at a time."""
    n_items, n_annotators = labels.shape
    proba = [[sum(x == c for x in row) / sum(x is not None for x in row) for c in classes] for row in labels]
    for _ in range(n_iter):
        prior = [sum(proba[i][j] for i in range(n_items)) / n_items for j in range(len(classes))]
        confusion = np.zeros((n_annotators, len(classes), len(classes)))
        for r in range(n_annotators):
            for j in range(len(classes)):
                given = [i for i in range(n_items) if labels[i, r] is not None]
                seen = sum(proba[i][j] for i in given)
                for k, label in enumerate(classes):
                    said = sum(proba[i][j] for i in given if labels[i, r] == label)
                    confusion[r, j, k] = said / seen if seen else 1 / len(classes)
        for i in range(n_items):
            joint = list(prior)
            for r in range(n_annotators):
                if labels[i, r] is not None:
                    joint = [p * confusion[r, j, classes.index(labels[i, r])] for j, p in enumerate(joint)]
            proba[i] = [p / sum(joint) for p in joint]
    return np.array(proba), np.array(prior), confusion


@pytest.mark.parametrize(("n_classes", "seed"), [(2, 0), (3, 1), (5, 2)])
@pytest.mark.parametrize("n_iter", [1, 7])
def test_em_against_reference(n_classes, seed, n_iter):
    labels, _ = synthetic_crowd(40, 6, n_classes, per_item=4, seed=seed)
    with pytest.warns(ConvergenceWarning, match=f"max_iter={n_iter}"):
        found = dawid_skene(labels, max_iter=n_iter, confusion_prior=None)
    proba, prior, confusion = em_reference(labels, found.classes.tolist(), n_iter)
    np.testing.assert_allclose(found.proba, proba, atol=1e-9)
    np.testing.assert_allclose(found.prior, prior, atol=1e-9)
    np.testing.assert_allclose(found.confusion, confusion, atol=1e-9)
    assert found.n_iter == n_iter


def test_recovers_the_annotators():
    rng = np.random.default_rng(0)
    truth = rng.integers(2, size=4000)
    confusion = np.array([[[0.9, 0.1], [0.2, 0.8]], [[0.6, 0.4], [0.1, 0.9]], [[0.1, 0.9], [0.7, 0.3]]])
    labels = (rng.random((4000, 3)) < confusion[:, truth, 1].T).astype(int)
    found = dawid_skene(np.column_stack([labels, labels[:, :1] * 0 + truth[:, None]]))
    np.testing.assert_allclose(found.confusion[:3], confusion, atol=0.04)
    np.testing.assert_allclose(found.confusion[3], np.eye(2), atol=0.02)
    assert found.labels.dtype == int
    assert (found.labels == truth).mean() > 0.99


def test_likelihood_rises():
    labels, _ = synthetic_crowd(60, 5, 3, per_item=3, seed=4)
    values = []
    for n_iter in range(1, 15):
        with pytest.warns(ConvergenceWarning):
            values.append(dawid_skene(labels, max_iter=n_iter, tol=0, confusion_prior=None).log_likelihood)
    assert (np.diff(values) >= -1e-9).all()


def test_beats_the_majority_among_spammers():
    labels, truth = synthetic_crowd(500, 20, 4, per_item=5, seed=0, spammers=0.5)
    assert (dawid_skene(labels).labels == truth).mean() > (majority_vote(labels, 0).labels == truth).mean() + 0.05


def test_many_labels_do_not_underflow():
    labels, truth = synthetic_crowd(20, 3000, 2, per_item=3000, seed=0)
    found = dawid_skene(labels)
    assert np.isfinite(found.proba).all()
    assert (found.labels == truth).all()


def test_unanimous_and_unseen():
    found = dawid_skene([["a", "a", None], ["a", "a", None], ["b", None, "b"]], confusion_prior=None)
    assert found.labels.tolist() == ["a", "a", "b"]
    np.testing.assert_allclose(found.confusion[1], [[1, 0], [0.5, 0.5]])  # the second saw no b
    np.testing.assert_allclose(found.confusion[2], [[0.5, 0.5], [0, 1]])
    assert dawid_skene([["a"]]).proba.tolist() == [[1.0]]


def test_majority():
    labels = [["a", "b", "b"], ["a", None, None], ["c", "c", "c"]]
    found = majority_vote(labels)
    assert found.labels.tolist() == ["b", "a", "c"]
    np.testing.assert_allclose(found.proba, [[1 / 3, 2 / 3, 0], [1, 0, 0], [0, 0, 1]])


def test_ties_are_drawn():
    ties = [["a", "b", "c", "c", "b"]] * 2000
    drawn = majority_vote(ties, random_state=0).labels
    assert 0.45 < (drawn == "b").mean() < 0.55
    assert set(drawn) == {"b", "c"}
    np.testing.assert_array_equal(drawn, majority_vote(ties, random_state=0).labels)


@pytest.mark.parametrize("aggregate", [majority_vote, dawid_skene])
def test_bad_input(aggregate):
    with pytest.raises(ValueError, match=r"2 of 3 items have no label \(rows \[1, 2\] first\)"):
        aggregate([["a", "b"], [None, None], [np.nan, None]])
    with pytest.raises(ValueError, match="0 of 0 items"):
        aggregate(np.empty((0, 3), object))
    with pytest.raises(ValueError, match="dimensions"):
        aggregate(["a", "b"])


LONG = [
    ("q7", "bob", "spam"), ("q7", "ann", "spam"), ("q7", "cat", "ham"), ("q3", "ann", "ham"), ("q3", "bob", "ham"),
    ("q9", "cat", "ham"), ("q9", "bob", "spam"), ("q9", "ann", "spam"),
]  # fmt: skip


CODED = [(item, annotator, (item + annotator // 3) % 2) for item in range(8) for annotator in range(4)]


def long_frame(names=("item", "annotator", "label")):
    return pd.DataFrame(LONG, columns=names)


@pytest.mark.parametrize("names", [("item", "annotator", "label"), ("task", "worker", "label")])
@pytest.mark.parametrize("aggregate", [majority_vote, dawid_skene])
def test_a_long_frame_is_its_pivot(aggregate, names):
    frame = long_frame(names)
    wide = frame.pivot(index=names[0], columns=names[1], values=names[2])
    frame["seconds"] = 1.0  # columns beside do not matter, nor does the order of columns and rows
    found, expected = aggregate(frame.sample(frac=1, random_state=0)[frame.columns[::-1]]), aggregate(wide)
    assert found.items.tolist() == expected.items.tolist() == ["q3", "q7", "q9"]
    assert found.labels.tolist() == expected.labels.tolist() == ["ham", "spam", "spam"]
    np.testing.assert_array_equal(found.proba, expected.proba)
    if aggregate is dawid_skene:
        assert found.annotators.tolist() == expected.annotators.tolist() == ["ann", "bob", "cat"]
        np.testing.assert_array_equal(found.confusion, expected.confusion)


def test_numbers_and_categories_in_long_frames():
    frame = pd.DataFrame({"item": [0, 0, 1, 1], "annotator": [0, 1, 0, 1], "label": [1, 1, 0, 0]})
    assert majority_vote(frame).labels.tolist() == [1, 0]
    assert dawid_skene(long_frame().astype("category")).labels.tolist() == ["ham", "spam", "spam"]
    gaps = pd.concat([long_frame(), pd.DataFrame([("q3", "cat", None)], columns=["item", "annotator", "label"])])
    assert majority_vote(gaps).labels.tolist() == ["ham", "spam", "spam"]


@pytest.mark.parametrize("aggregate", [majority_vote, dawid_skene])
@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (long_frame(("id", "user", "class")), "share no value, so they are probably item, annotator and label"),
        (long_frame().to_numpy(), "share no value"),
        (LONG, "share no value"),
        (long_frame(("q", "who", "what")).assign(seconds=[0.5 * k for k in range(8)]), "4 columns .* share no value"),
        (CODED, "name each pair once"),
        (pd.DataFrame(CODED[::-1], columns=["question", "user", "answer"]), "name each pair once"),
        (long_frame(("item_id", "annotator_id", "answer")), "name its columns item, annotator and label"),
        (long_frame(("item", "annotator", "answer")), "name its columns item, annotator and label"),
        (long_frame(("Item", "Annotator", "Label")), "name its columns item, annotator and label"),
        (long_frame(("item", "annotator", "value")).assign(kind="label"), r"rename\(columns=\{'value': 'label'\}\)"),
        (pd.DataFrame({"item": ["q1", "q2"], "ann": ["a", "b"], "bob": ["a", "a"]}), "make the items the index"),
        (pd.concat([long_frame(), long_frame()[:1]]), "2 of 9 rows are of an item .* first of item 'q7' by 'bob'"),
        (long_frame().replace("bob", None), "3 of 8 rows have no item or no annotator"),
        (long_frame().replace({"label": {"ham": None}}), r"1 of 3 items have no label \(rows \[0\] first\)"),
        (long_frame()[:0], "0 of 0 items"),
        (long_frame().to_dict("records"), "or a DataFrame with the columns item, annotator and label"),
    ],
)
def test_other_long_forms_are_refused(aggregate, labels, message):
    with pytest.raises(ValueError, match=message):
        aggregate(labels)


@pytest.mark.parametrize("library", ["polars", "pyarrow"])
def test_long_frames_of_other_libraries(library):
    frame = pytest.importorskip(library)
    make = frame.DataFrame if library == "polars" else frame.table
    assert dawid_skene(make(long_frame().to_dict("list"))).labels.tolist() == ["ham", "spam", "spam"]
    wide = dawid_skene(make({"ann": ["a", "b", "a"], "bob": ["a", "b", "b"]}))
    assert wide.annotators.tolist() == ["ann", "bob"]


@pytest.mark.parametrize("n_classes", [2, 5, 40])
@pytest.mark.parametrize("accuracy", [0.5, 0.9])
def test_three_people_are_not_a_long_form(n_classes, accuracy):
    """Not even where one of them gives every item the same label."""
    rng = np.random.RandomState(n_classes)
    for n_items in (3, 20, 100):
        truth = rng.randint(n_classes, size=n_items)
        wide = [np.where(rng.rand(n_items) < accuracy, truth, rng.randint(n_classes, size=n_items)) for _ in range(2)]
        wide.append(np.zeros(n_items, int))
        assert majority_vote(np.stack(wide, 1)).labels.shape == (n_items,)


def test_no_iterations():
    with pytest.raises(ValueError, match="max_iter=0"):
        dawid_skene([["a"]], max_iter=0)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(("n_classes", "per_item", "spammers"), [(2, 3, 0.2), (5, 5, 0.4), (10, 7, 0.3)])
def test_beside_crowd_kit(n_classes, per_item, spammers, seed):
    peers = pytest.importorskip("crowdkit.aggregation", reason="crowd-kit is not installed")
    labels, truth = synthetic_crowd(1000, 30, n_classes, per_item, seed, spammers)
    item, annotator = np.nonzero(labels != None)  # noqa: E711
    votes = pd.DataFrame({"task": item, "worker": annotator, "label": labels[item, annotator]})
    theirs = peers.DawidSkene(n_iter=300).fit_predict(votes).sort_index().to_numpy()
    ours = dawid_skene(labels, confusion_prior=None).labels
    assert abs((ours == truth).mean() - (theirs == truth).mean()) < 0.01
