"""Progress: counts of items and labels."""

from tests.annotate.sessions import CALM


def test_progress(session):
    item = session.next("ann")["item"]
    uuid = session.label(item, "ham", "ann")["uuid"]
    session.flag(session.next("bob")["item"], "bob", note="torn")
    state = session.progress("ann")
    assert {name: state[name] for name in ("n_items", "n_done", "n_flagged", "n_labels", "mine")} == {
        "n_items": 20, "n_done": 1, "n_flagged": 1, "n_labels": 1, "mine": 1,
    }  # fmt: skip
    assert state["counts"] == {"spam": 0, "ham": 1}
    assert state["unlabelled"] == ["spam"]
    assert state["model"] == CALM
    session.undo(uuid, "ann")
    assert session.progress("ann")["n_labels"] == 0
