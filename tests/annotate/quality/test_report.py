"""The report: counts, times, costs and agreement, and what it says while there is nothing to report."""

import re

import pytest

from alkit.annotate import LabelingSession
from alkit.annotate.quality.report import aggregate, report
from tests.annotate.sessions import CLASSES, TEXTS


def test_report(database):
    with LabelingSession(TEXTS[:4], CLASSES, database, overlap=2, random_state=0) as session:
        for name, value in (("ann", "spam"), ("bob", "ham")):
            for _ in range(2):
                session.label(session.next(name)["item"], value, name, seconds=2.0)
        session.label(session.next("ann")["item"], "ham", "ann", seconds=4.0)
        session.flag(session.next("ann")["item"], "ann", note="torn")
        text = report(session.store, cost_per_hour=36)
    assert "4 items, 3 labelled; 5 labels, 0 late" in text
    counts, _, _ = text.partition("expertise")
    rows = {line.split()[0]: line.split()[1:] for line in counts.splitlines() if line}
    assert rows["ann"][:3] == ["3", "0", "1"]
    assert rows["all"][-1] == "0.024"  # 12 seconds at 0.01 per second, over 5 labels
    assert "Krippendorff's alpha" in text
    assert re.search(r"ann, bob +2 +0 +0", text)


def test_before_there_is_anything_to_report(database):
    with LabelingSession(TEXTS, CLASSES, database, overlap=2) as session:
        assert report(session.store) == "20 items, no labels yet"
        with pytest.raises(ValueError, match="holds no labels yet; there is nothing to aggregate"):
            aggregate(session.store)
        session.label("0", "spam", "ann")
        session.label("1", "spam", "bob")
        assert report(session.store).endswith("no item has two labels yet, so agreement is not known")


def test_annotators_with_any_name(database):
    """Names of columns elsewhere are names of people here."""
    with LabelingSession(TEXTS[:4], CLASSES, database, overlap=3, random_state=0) as session:
        for name in ("item", "annotator", "label"):
            while (item := session.next(name)) is not None:
                session.label(item["item"], "spam" if item["item"] == "0" else "ham", name)
        for method in ("majority", "dawid-skene"):
            found = aggregate(session.store, method)
            assert found["label"].tolist() == ["spam", "ham", "ham", "ham"]
            assert found["n_labels"].tolist() == [3, 3, 3, 3]
        assert "Krippendorff's alpha 1.000" in report(session.store)
