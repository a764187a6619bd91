"""The overview of a team: every number against a count by hand or by another library."""

import re

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import cohen_kappa_score, confusion_matrix

from alkit.annotate import LabelingSession
from alkit.annotate.quality import team as team_module
from alkit.annotate.quality.agreement import krippendorff_alpha
from alkit.annotate.quality.report import report
from alkit.annotate.quality.team import Overviews, team_overview
from tests.annotate.sessions import CLASSES, TEXTS


def test_people_side_by_side(tmp_path):
    gold = {"0": "spam", "1": "ham"}
    with LabelingSession(TEXTS, CLASSES, tmp_path / "labels.db", random_state=0, gold=gold) as session:
        for item in "01234":
            session.label(item, "spam", "ann", seconds=2.0)
        for item in "0123":
            session.label(item, "ham" if item in "13" else "spam", "bob", seconds=4.0)
        session.skip("4", "bob", seconds=1.0)
        session.flag("5", "cat")
        session.adjudicate("3", "ham")
        overview = team_overview(session.store)
        ann, bob, cat = overview["people"]
        assert (ann["annotator"], ann["labels"], ann["skips"], ann["flags"], ann["seconds"]) == ("ann", 5, 0, 0, 10.0)
        assert (bob["labels"], bob["skips"], bob["seconds"]) == (4, 1, 17.0)
        assert (cat["flags"], cat["gold"]["n"], cat["others"]["n"]) == (1, 0, 0)
        assert (ann["gold"], bob["gold"]) == ({"n": 2, "same": 1}, {"n": 2, "same": 2})
        assert (ann["others"], bob["others"]) == ({"n": 4, "same": 2}, {"n": 4, "same": 2})
        assert (ann["owner"], bob["owner"]) == ({"n": 1, "same": 0}, {"n": 1, "same": 1})
        (pair,) = overview["pairs"]
        kappa = cohen_kappa_score(["spam"] * 4, ["spam", "ham", "spam", "ham"])
        assert pair == {"first": "ann", "second": "bob", "items": 4, "same": 2, "kappa": pytest.approx(kappa)}
        assert overview["n_shared"] == 4
        # references: items 0 and 1 are gold, 2 is unanimous, 3 decided; 4 has one label
        truth = ["spam", "ham", "spam", "ham"] * 2
        given = ["spam"] * 4 + ["spam", "ham", "spam", "ham"]
        expected = confusion_matrix(truth, given, labels=["ham", "spam"]).tolist()
        assert overview["confusion"] == {"classes": ["ham", "spam"], "counts": expected, "n_left_out": 0}
        assert overview["review"] == {
            "open": 2, "disputed": 2, "flag": 1, "decided": 1, "excluded": 0, "since": 0, "gold": 2
        }  # fmt: skip
        told = report(session.store)
        assert "2 gold items, whose answer is known" in told
        assert re.search(r"ann +2 +1 +0\.5\n +bob +2 +2 +1\b", told)


def test_agreement_is_that_of_the_report(tmp_path):
    rng = np.random.default_rng(0)
    classes = [f"class {k:02}" for k in range(15)]
    with LabelingSession(TEXTS, classes, tmp_path / "labels.db", random_state=0) as session:
        rows = []
        for name in ("ann", "bob", "cat"):
            for item in rng.permutation(20)[:12]:
                value = classes[(item if rng.random() < 0.6 else rng.integers(15)) % 15]
                session.label(str(item), value, name)
                rows.append((str(item), name, value))
        overview = team_overview(session.store)
        labels = pd.DataFrame(rows, columns=["item", "annotator", "label"])
        assert overview["alpha"] == pytest.approx(krippendorff_alpha(labels))
        others = {person["annotator"]: person["others"] for person in overview["people"]}
        for name, counted in others.items():
            pairs = [
                (value == other)
                for item, one, value in rows
                for twin, two, other in rows
                if one == name and two != name and item == twin
            ]
            assert counted == {"n": len(pairs), "same": sum(pairs)}
        confusion = overview["confusion"]
        assert len(confusion["classes"]) == len(confusion["counts"]) == len(confusion["counts"][0]) <= 12


def test_nothing_yet(session):
    overview = team_overview(session.store)
    assert (overview["people"], overview["alpha"], overview["pairs"]) == ([], None, [])
    assert overview["confusion"] == {"classes": [], "counts": [], "n_left_out": 0}
    assert set(overview["review"].values()) == {0}


def test_an_overview_rests_but_never_lacks_a_decision(session, monkeypatch):
    monkeypatch.setattr(team_module, "_REST", 1e9)
    overviews = Overviews(session.store)
    assert overviews.latest()["people"] == []
    session.label("0", "spam", "ann")
    session.label("0", "ham", "bob")
    assert overviews.latest()["people"] == []
    session.adjudicate("0", "ham")
    assert len(overviews.latest()["people"]) == 2
    assert overviews.latest()["review"]["decided"] == 1
