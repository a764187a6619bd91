"""Preparing a database: a session continues on its own items and classes, and on no others."""

import pytest

from alkit.annotate import LabelingSession
from tests.annotate.sessions import CLASSES, TEXTS


def test_a_session_goes_on_where_it_ended(tmp_path):
    path = tmp_path / "labels.db"
    with LabelingSession(TEXTS, CLASSES, path, random_state=0) as session:
        held = session.next("ann")
        session.label(held["item"], "ham", "ann")
        held = session.next("ann")
    with LabelingSession(TEXTS, [*CLASSES, "eggs"], path, overlap=2) as session:
        assert session.next("ann", resume=True)["item"] == held["item"]
        assert session.progress("ann")["mine"] == 1
        session.label(held["item"], "eggs", "ann")
    with pytest.raises(ValueError, match=r"holds labels \['eggs'\], which are not among the classes"):
        LabelingSession(TEXTS, CLASSES, path)


def test_other_items_are_refused_and_the_difference_named(tmp_path):
    path = tmp_path / "labels.db"
    LabelingSession(TEXTS, CLASSES, path).close()
    before = path.read_bytes()
    with pytest.raises(ValueError, match=r"made for other items: text of item '4' was 'text 4' and is now 'changed'"):
        LabelingSession([*TEXTS[:4], "changed", *TEXTS[5:]], CLASSES, path)
    with pytest.raises(ValueError, match=r"made for other items: text of item '4' was 'text 4' and is now 'changed'"):
        LabelingSession([*TEXTS[:4], "changed", *TEXTS[5:], "more"], CLASSES, path)
    with pytest.raises(
        ValueError, match=r"made for 20 items and there are now 19: 1 items are gone, the first is '19'"
    ):
        LabelingSession(TEXTS[:19], CLASSES, path)
    assert path.read_bytes() == before
    LabelingSession(TEXTS, CLASSES, path).close()
