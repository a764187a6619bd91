"""Expertise: accuracies and intervals against the truth, errors, and labels that look wrong."""

import numpy as np
import pandas as pd

from alkit.annotate import LabelingSession
from alkit.annotate.quality.expertise import describe
from alkit.annotate.quality.report import report
from alkit.crowd.answers import read_answers
from alkit.crowd.estimate import estimate_truth
from tests.annotate.sessions import CLASSES, TEXTS

ACCURACY = {"p0": 0.95, "p1": 0.9, "p2": 0.8, "p3": 0.7, "p4": 0.6}


def crowd(seed, n=120):
    """Answers of people who are right now and then, on three classes; each item is asked about three times."""
    rng = np.random.default_rng(seed)
    y = rng.integers(3, size=n)
    person = np.argsort(rng.random((n, len(ACCURACY))), axis=1)[:, :3].ravel()
    item = np.repeat(np.arange(n), 3)
    right = rng.random(len(item)) < np.array(list(ACCURACY.values()))[person]
    said = np.where(right, y[item], (y[item] + rng.integers(1, 3, size=len(item))) % 3)
    frame = pd.DataFrame({"item": item, "annotator": [f"p{k}" for k in person], "label": [f"c{k}" for k in said]})
    return read_answers(frame)


def described(answers):
    found = estimate_truth(answers, answers.vote_shares())
    return describe(answers, found.proba, found.confusion)


def test_intervals_hold_the_true_accuracy():
    held, widths = [], []
    for seed in range(40):
        for person in described(crowd(seed))["people"]:
            held.append(person["low"] <= ACCURACY[person["annotator"]] <= person["high"])
            widths.append(person["high"] - person["low"])
    assert np.mean(held) >= 0.95 - 2 * 0.015  # of 200: 1.5 points are the standard error
    assert np.mean(widths) < 0.3


def test_who_errs_most_comes_first_and_errors_are_named():
    confused = np.array(["spam", "ham"] * 20)
    frame = pd.DataFrame(
        {
            "item": np.tile(np.arange(40), 3),
            "annotator": np.repeat(["ann", "bob", "cat"], 40),
            "label": np.concatenate([confused, confused, np.where(np.arange(40) % 4 == 1, "spam", confused)]),
        }
    )
    told = described(read_answers(frame))
    assert told["people"][0]["annotator"] == "cat"
    cat = told["people"][0]
    assert cat["low"] < 0.75 < cat["high"]
    worst = max(told["errors"], key=lambda error: error["share"])
    assert (worst["annotator"], worst["is"], worst["called"]) == ("cat", "ham", "spam")
    assert {(label["annotator"], label["label"], label["probably"]) for label in told["suspicious"]} == {
        ("cat", "spam", "ham")
    }
    assert [label["quality"] for label in told["suspicious"]] == sorted(
        label["quality"] for label in told["suspicious"]
    )
    assert all(label["item"] % 4 == 1 for label in told["suspicious"])


def test_the_report_names_people_and_labels(database):
    with LabelingSession(TEXTS, CLASSES, database, overlap=3, random_state=0) as session:
        for name in ("ann", "bob", "cat"):
            for k in range(20):
                value = "spam" if k % 2 or (name == "cat" and k < 8) else "ham"
                session.label(str(k), value, name)
        text = report(session.store)
    assert "expertise, from people's labels alone, as of 60 labels" in text
    people = text[text.index("expertise") :]
    assert people.index(" cat ") < people.index(" ann ")
    wrong = text[text.index("labels that look wrong") :]
    assert {line.split()[0] for line in wrong.splitlines()[3:] if line} == {"0", "2", "4", "6"}
