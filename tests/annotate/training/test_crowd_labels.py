"""What the trainer makes of several people's labels: soft labels, items asked about again, and who is asked."""

import threading

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import make_blobs
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.svm import LinearSVC

from alkit import ActiveLearner, Committee, DropoutMLPClassifier
from alkit.annotate import LabelingSession
from alkit.annotate.database.ranking import read_labels
from alkit.annotate.training.assigning import share_out
from alkit.annotate.training.choosing import BestCandidate
from alkit.annotate.training.crowd_labels import CrowdLabels, Truth
from alkit.annotate.training.job import Job
from alkit.annotate.training.rounds import Training
from alkit.crowd.answers import read_answers

X, Y = make_blobs(150, centers=[[0, 0], [4, 0], [0, 4]], random_state=0)
X = X.astype(np.float32)
CLASSES = ["a", "b", "c"]
TRUE = [CLASSES[k] for k in Y]
ACCURACY = {"ann": 0.95, "bob": 0.8, "gus": 0.34}


@pytest.fixture
def session(tmp_path):
    with LabelingSession([f"row {k}" for k in range(150)], CLASSES, tmp_path / "labels.db", random_state=0) as session:
        yield session


def training_of(session, learner=None, **settings):
    learner = LogisticRegression() if learner is None else learner
    return Training(session.store, Job(X, learner, None, session.classes, **settings))


def work(training):
    once = threading.Event()
    once.set()
    assert training.run(once), training.told["error"]


def said(name, key, rng):
    """What a person says of an item; errors are spread evenly."""
    if rng.random() < ACCURACY[name]:
        return TRUE[int(key)]
    return rng.choice([label for label in CLASSES if label != TRUE[int(key)]])


def label_by_turns(session, training, n, rng, n_between=2):
    for turn in range(n):
        for name in ACCURACY:
            item = session.next(name)
            if item is not None:
                session.label(item["item"], str(said(name, item["item"], rng)), name)
        if turn % n_between == n_between - 1:
            work(training)


def label_all(session, names=ACCURACY, seed=0):
    rng = np.random.default_rng(seed)
    for key in range(150):
        for name in names:
            session.label(str(key), str(said(name, key, rng)), name)


def queue(session):
    rows = session.store.query("SELECT i.key, q.* FROM queue q JOIN item i ON i.id = q.item")
    return {row["key"]: (row["n_labels"], row["wanted"]) for row in rows}


# ---- soft labels


def test_the_model_learns_from_weighed_labels(session):
    """Each row once per label that it may have; one answer per item tells who guesses."""
    rng = np.random.default_rng(0)
    for key in range(150):
        name = list(ACCURACY)[key % 3]
        session.label(str(key), str(said(name, key, rng)), name)
    training = training_of(session)
    work(training)
    weights = training.learner.sample_weight_training
    assert weights.sum() == pytest.approx(150)
    assert (weights < 0.99).any()
    given = [answer["value"] == TRUE[int(answer["item"])] for answer in session.export()]
    assert np.mean(given) < 0.75
    assert (training.learner.predict(X) == TRUE).mean() > 0.95
    people = {person["annotator"]: person for person in session.store.meta("people")["people"]}
    assert people["gus"]["high"] < people["bob"]["accuracy"] < people["ann"]["accuracy"]


def test_labels_of_one_person_are_learnt_as_they_are(session):
    training = training_of(session)
    label_all(session, ["ann"])
    work(training)
    assert training.learner.sample_weight_training is None
    assert session.store.meta("people") is None


LEARNERS = {
    "takes no weights": lambda: KNeighborsClassifier(5),
    "predicts labels alone": lambda: LinearSVC(),
    "committee": lambda: Committee([ActiveLearner(GaussianNB(), "margin"), ActiveLearner(LogisticRegression())]),
    "network that was told more classes": lambda: DropoutMLPClassifier(
        classes=[*CLASSES, "d"], max_epochs=8, lr=0.05, random_state=0, warm_start=True
    ),
    "refuses a part of the labels": lambda: Fussy(),
}


class Fussy(LogisticRegression):
    """Refuses fewer rows than there are labels in the tests below."""

    def fit(self, X, y, sample_weight=None):
        if len(X) < 150:
            raise ValueError("too few rows")
        return super().fit(X, y, sample_weight)


@pytest.mark.parametrize("name", LEARNERS)
def test_whatever_learns(session, name):
    strategy = "margin" if "labels alone" in name else None
    training = Training(session.store, Job(X, LEARNERS[name](), strategy, CLASSES, assign="expertise", overlap=(1, 3)))
    label_all(session)
    work(training)
    session.label("0", TRUE[0], "bob")
    work(training)
    assert (training.learner.predict(X) == TRUE).mean() > 0.9


def test_a_class_that_is_said_once_and_outvoted_is_no_class_of_its_own(session):
    training = training_of(session)
    for key, values in (("0", "aab"), ("1", "aaa"), ("2", "aaa")):
        for name, value in zip(ACCURACY, values, strict=True):
            session.label(key, value, name)
    work(training)
    assert "so far only 'a'" in session.progress()["model"]["waiting"]


def test_each_round_goes_on_from_the_last_one():
    """Labels come a few at a time, one answer per item: who errs is found out on the way."""
    rng = np.random.default_rng(0)
    labels = [(key, name, str(said(name, key, rng))) for key, name in zip(range(150), list(ACCURACY) * 50, strict=True)]
    learner = LogisticRegression()
    crowd = CrowdLabels(learner, 150, np.random.default_rng(0))
    for n in range(60, 151, 5):
        truth = crowd.weigh(labels[:n], X, np.arange(150), learner)
        rows, values, weights = truth.to_fit(np.arange(150), or_else=(), weighted=True)
        learner.fit(X[rows], values, **weights)
    accuracy = np.trace(truth.confusion, axis1=1, axis2=2) / 3
    np.testing.assert_allclose(accuracy, list(ACCURACY.values()), atol=0.15)  # 50 answers each: 0.07 at one sigma
    given = np.mean([value == TRUE[key] for key, _, value in labels])
    assert given < 0.75
    assert (truth.proba.argmax(1) == Y).mean() > given + 0.2


def test_candidates_are_compared_once_per_round_and_not_in_every_fit_of_weighing(session):
    fits = []

    class Constant(DummyClassifier):
        def fit(self, X, y, sample_weight=None):
            fits.append(len(y))
            return super().fit(X, y, sample_weight)

    learner = BestCandidate([("good", LogisticRegression()), ("constant", Constant())], random_state=0)
    label_all(session)
    work(training_of(session, learner))
    assert len(fits) == 3  # a fit per fold of one comparison


def test_items_that_cannot_be_read_are_weighed_by_what_people_say(session):
    label_all(session)
    labels = read_labels(session.store).answers
    rows = np.where(np.arange(150) < 20, -1, np.arange(150))
    truth = CrowdLabels(LogisticRegression(), 150, np.random.default_rng(0)).weigh(labels, X, rows, None)
    assert len(truth.proba) == 150
    places, values, fit = truth.to_fit(rows, or_else=(rows, rows), weighted=True)
    assert places.min() == 20
    assert len(places) == len(values) == len(fit["sample_weight"])


# ---- asking again


def truth_of(proba, labels):
    frame = pd.DataFrame(labels, columns=["item", "annotator", "label"])
    return Truth(read_answers(frame), np.array(proba), np.full((frame["annotator"].nunique(), 2, 2), 0.5))


def test_an_item_is_asked_about_again_while_its_label_is_not_sure():
    labels = [(3, "ann", "x"), (3, "bob", "y"), (5, "ann", "x"), (7, "bob", "y"), (9, "cat", "y")]
    truth = truth_of([[0.5, 0.5], [0.99, 0.01], [0.3, 0.7], [0.06, 0.94]], labels)
    assert truth.labels_asked(1, 3) == {3: 3, 7: 2, 9: 2}
    assert truth.labels_asked(1, 2) == {7: 2, 9: 2}
    assert truth.labels_asked(2, 3) == {3: 3}  # the others get their second label in any case
    assert truth.labels_asked(1, 9)[3] == 3
    assert truth_of([[0.5, 0.5]], labels[:2]).labels_asked(1, 3) == {}  # there is no third person


def test_disagreement_is_asked_about_and_what_is_sure_is_not(session):
    label_all(session, ["ann", "bob"])
    session.label("0", TRUE[0], "gus")
    training = training_of(session, overlap=(1, 3))
    work(training)
    said_of = {key: {a["value"] for a in session.export() if a["item"] == key} for key in map(str, range(150))}
    again = {key for key, (_, wanted) in queue(session).items() if wanted}
    assert 0 < len(again) < sum(len(values) > 1 for values in said_of.values())
    disagreed = [key for key in again if len(said_of[key]) > 1]
    assert disagreed
    assert len(again) - len(disagreed) <= 3  # of these, the model holds both people to be wrong
    key = disagreed[0]
    session.label(key, TRUE[int(key)], "gus")  # three labels are the most
    work(training)
    assert queue(session)[key] == (3, 0)


def test_a_range_ends_with_as_few_labels_as_are_needed(session, monkeypatch):
    """People who are right nearly always are asked once about most items, not three times."""
    monkeypatch.setattr("tests.annotate.training.test_crowd_labels.ACCURACY", dict.fromkeys(ACCURACY, 0.97))
    training = training_of(session, overlap=(1, 3), assign="expertise")
    label_by_turns(session, training, 40, np.random.default_rng(1), n_between=4)
    counts = [n for n, _ in queue(session).values() if n]
    assert len(counts) > 75
    assert np.mean(counts) < 1.6


# ---- whom to ask


def test_an_item_is_given_to_whom_it_serves_best():
    """Two people know two classes each: items that may be of the one pair go to the person who knows that pair."""
    truth = truth_of(np.eye(2)[[0, 0, 1]], [(0, "ann", "x"), (1, "bob", "x"), (2, "bob", "y")])
    knows_ab = np.array([[0.95, 0.05, 0], [0.05, 0.95, 0], [0.33, 0.33, 0.34]])
    truth = truth._replace(confusion=np.stack([knows_ab, knows_ab[::-1, ::-1]]))
    items = np.arange(10, 50)
    proba = np.tile([[0.5, 0.5, 0.0], [0.0, 0.5, 0.5]], (20, 1))
    given = share_out(items, proba, 0, ["ann", "bob"], [(12, "ann")], truth, np.random.default_rng(0))
    assert sorted(one.item for one in given) == items.tolist()
    by_ann = {one.item for one in given if one.annotator == "ann"}
    assert 12 not in by_ann
    assert len([item for item in by_ann if item % 2 == 0]) >= 19
    assert all(one.position <= 5 for one in given if one.item < 20)  # the best-ranked ten come before any others
    places = sorted(one.position for one in given if one.annotator == "ann")
    assert places == list(range(len(places)))


def test_sharing_out_nothing_or_to_nobody():
    truth = truth_of([[0.5, 0.5]], [(3, "ann", "x"), (3, "bob", "y")])
    rng = np.random.default_rng(0)
    assert share_out(np.arange(3), np.full((3, 2), 0.5), 0, [], [], truth, rng) == []
    assert share_out(np.arange(0), np.empty((0, 2)), 0, ["ann"], [], truth, rng) == []
    assert share_out(np.arange(1), np.full((1, 2), 0.5), 1, ["ann"], [(0, "ann")], truth, rng) == []
    new = share_out(np.arange(3), np.full((3, 2), 0.5), 1, ["new"], [], truth, rng)
    assert sorted(one.item for one in new) == [0, 1, 2]


def test_who_is_not_there_is_given_nothing(session):
    label_all(session, ["ann", "bob"])
    for key in (1, 2, 3):
        session.label(str(key), "a" if TRUE[key] != "a" else "b", "bob")
    session.next("cat")
    work(training_of(session, assign="expertise", overlap=(1, 3)))
    people = {row["annotator"] for row in session.store.query("SELECT DISTINCT annotator FROM assignment")}
    assert people <= {"cat"}


def test_nobody_is_given_what_they_skipped_or_labelled(session):
    training = training_of(session, assign="expertise", overlap=(1, 3))
    rng = np.random.default_rng(0)
    label_by_turns(session, training, 6, rng)
    for name in ACCURACY:
        session.skip(session.next(name)["item"], name)
    work(training)
    assert session.store.count("SELECT COUNT(*) FROM assignment") > 50
    assert session.store.query("SELECT * FROM assignment s JOIN answer a USING (item, annotator)") == []


def test_no_label_is_told_by_a_ranking(session):
    """Items that somebody labelled are assigned, but neither ranked nor predicted for the second person."""
    training = training_of(session, assign="expertise", overlap=(1, 3))
    label_by_turns(session, training, 10, np.random.default_rng(0))
    labelled = set(read_labels(session.store).items)
    ranked = {row["item"] for row in session.store.query("SELECT item FROM ranking")}
    assert not labelled & ranked


# ---- labels that are known


def test_a_decision_is_the_label_and_says_who_errs(session):
    for key in range(60):
        session.label(str(key), TRUE[key], "ann")
        session.label(str(key), CLASSES[(Y[key] + 1) % 3], "bob")  # always wrong, and as sure as ann
    before = training_of(session)
    work(before)
    for key in range(20):
        session.adjudicate(str(key), TRUE[key])
    session.flag("70", "ann")
    session.adjudicate("70", TRUE[70])  # which nobody labelled
    session.exclude("59")
    labels = read_labels(session.store)
    training = training_of(session)
    truth = training.crowd.weigh(labels.answers, X, training.rows, training.learner, labels.decided)
    found = dict(zip(truth.answers.items.tolist(), truth.answers.classes[truth.proba.argmax(1)], strict=True))
    keys = {row["id"]: int(row["key"]) for row in session.store.query("SELECT id, key FROM item")}
    assert {keys[item]: label for item, label in found.items()} == {key: TRUE[key] for key in range(59)}
    decided = np.isin(truth.answers.items, list(labels.decided))
    np.testing.assert_array_equal(truth.proba[decided].max(1), 1.0)
    accuracy = dict(zip(truth.answers.annotators, np.diagonal(truth.confusion, axis1=1, axis2=2).mean(1), strict=True))
    assert accuracy["ann"] > 0.8 > 0.4 > accuracy["bob"]
    work(training)
    people = {person["annotator"]: person["accuracy"] for person in session.store.meta("people")["people"]}
    assert people["ann"] > 0.9 > 0.1 > people["bob"]


def test_a_decision_has_the_model_fitted_anew_with_its_label(session):
    fitted = []

    class Noted(LogisticRegression):
        def fit(self, X, y, sample_weight=None):
            fitted.append(list(y))
            return super().fit(X, y, sample_weight)

    for key in range(4):
        session.label(str(key), TRUE[key], "ann")
    training = training_of(session, Noted())
    work(training)
    wrong = next(name for name in CLASSES if name != TRUE[3])
    session.adjudicate("3", wrong)
    session.flag("5", "ann")
    session.adjudicate("5", "c")
    work(training)
    assert sorted(fitted[-1]) == sorted([*TRUE[:3], wrong, "c"])
    session.exclude("3")
    work(training)
    assert sorted(fitted[-1]) == sorted([*TRUE[:3], "c"])
