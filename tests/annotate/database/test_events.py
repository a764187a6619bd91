"""Events: each one that is malformed is refused before it reaches the database."""

import pytest

from alkit.annotate.database.events import Conflict, UnknownItem


def test_events_are_checked(session):
    good = {"uuid": "u", "item": "3", "kind": "label", "value": "spam", "seconds": 1.0}
    wrong = [
        ([], "an event is an object"),
        ({"kind": "delete"}, "kind is 'delete'"),
        ({"uuid": ""}, "uuid of event 'label' is ''"),
        ({"uuid": 7}, "uuid of event 'label' is 7"),
        ({"item": None}, "item of event 'label' is None"),
        ({"item": 3}, "item of event 'label' is 3"),
        ({"value": None}, "value of event 'label' is None"),
        ({"value": "x" * 10_001}, "has 10001 characters; at most 10000"),
        ({"kind": "undo", "value": None}, "value of event 'undo' is None"),
        ({"kind": "skip", "value": ["spam"]}, "value of event 'skip' is .*must be a text"),
        ({"kind": "flag", "value": "\ud83d"}, "half of a surrogate pair"),
        ({"seconds": -1}, "seconds is -1"),
        ({"seconds": float("nan")}, "seconds is nan"),
        ({"seconds": True}, "seconds is True"),
        ({"seconds": "1"}, "seconds is '1'"),
        ({"seconds": 10**30}, "seconds is 10+; it must be a number from 0 to 1e"),
    ]
    for change, message in wrong:
        with pytest.raises(ValueError, match=message):
            session.record(good | change if change else change, "ann")
    with pytest.raises(Conflict, match="'eggs' is not one of the classes"):
        session.record(good | {"value": "eggs"}, "ann")
    with pytest.raises(UnknownItem):
        session.record(good | {"item": "33"}, "ann")
    assert list(session.export()) == []
    assert session.record(good | {"more": 1}, "ann") == {"uuid": "u", "item": "3", "kind": "label", "late": True}
