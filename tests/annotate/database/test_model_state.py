"""The state of the model: what it says of a fit that takes long, and how long the end of a session waits for one."""

import time

import pytest

from alkit.annotate.database.model_state import model_state, patience

COUNTS = {"spam": 3, "ham": 2}


@pytest.fixture
def told(session):
    """Write down how training goes, and return the state of the model."""

    def told(crash=None, seconds=0.0, **state):
        session.store.put_meta(trainer={"since": time.time() - seconds, **state})
        return model_state(session.store, COUNTS, crash)

    return told


@pytest.mark.parametrize(
    ("seconds", "usual", "slow"),
    [
        (5, {}, None),
        (95, {}, "the model has been fitting for 95 s"),
        (95, {"usual_seconds": 1.2}, "the model has been fitting for 95 s, usually 2 s"),
        (9, {"usual_seconds": 0.1}, None),
        (95, {"usual_seconds": 40.0}, None),
        (125, {"usual_seconds": 40.0}, "the model has been fitting for 125 s, usually 40 s"),
    ],
)
def test_a_fit_that_takes_long_is_told(told, seconds, usual, slow):
    state = told(seconds=seconds, doing="fitting", **usual)
    assert (state["training"], state["slow"]) == (True, slow)


def test_what_comes_before_the_first_fit_may_take_long_as_well(told):
    assert told(seconds=5, doing="reading the items")["slow"] is None
    state = told(seconds=50, doing="reading the items")
    assert (state["slow"], state["training"]) == ("the model has been reading the items for 50 s", False)
    assert state["waiting"] == "the model starts when it has read the items"


def test_a_process_that_died_does_nothing_for_long(told):
    state = told(crash="it was killed", seconds=95, doing="fitting", error="it failed before")
    assert (state["training"], state["slow"], state["error"]) == (False, None, "it failed before; it was killed")


def test_a_clock_that_was_put_back(told):
    assert told(seconds=-500, doing="fitting")["slow"] is None


@pytest.mark.parametrize(
    ("doing", "seconds", "usual", "crash", "waits"),
    [
        (None, 0, None, None, 30.0),
        (None, 0, 20.0, None, 100.0),
        (None, 0, 1000.0, None, 600.0),
        ("fitting", 20, None, None, 30.0),
        ("fitting", 40, None, None, 1.0),
        ("fitting", 40, 20.0, None, 100.0),
        ("fitting", 40, None, "it was killed", 30.0),
        ("reading the items", 40, None, None, 30.0),
    ],
)
def test_the_end_of_a_session_waits_as_long_as_a_fit_may_take(told, session, doing, seconds, usual, crash, waits):
    told(seconds=seconds, doing=doing, **({} if usual is None else {"usual_seconds": usual}))
    assert patience(session.store, crash) == waits
