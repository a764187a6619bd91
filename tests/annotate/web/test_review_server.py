"""The owner's requests: open to the owner alone, checked like an annotator's, and answered in full."""

import pytest
from starlette.testclient import TestClient

from alkit.annotate.web.server import make_app


@pytest.fixture
def clients(session):
    """Let ann and two owners in; ann and bob differ about item 0."""
    session.label("0", "spam", "ann")
    session.label("0", "ham", "bob")
    app = make_app(session)
    tokens = [session.new_token(name) for name in ("ann", None, None)]
    return [TestClient(app, "http://127.0.0.1", headers={"Authorization": f"Bearer {token}"}) for token in tokens]


def decision(**more):
    return {
        "uuid": "a",
        "item": "0",
        "kind": "label",
        "value": "ham",
        "note": None,
        "seen": None,
        "last_event": 2,
    } | more


def test_the_owner_reviews_and_decides(clients, session):
    _, owner, other = clients
    (item,) = owner.get("/api/review/items").json()["answers"]
    assert [vote["value"] for vote in item["votes"]] == ["spam", "ham"]
    assert owner.get("/api/review/team").json()["review"]["open"] == 1
    sent = decision(seen=item["seen"], last_event=item["last_event"])
    for _ in range(2):
        assert owner.post("/api/review/decisions", json=sent).json()["newer"] == []
    refused = other.post("/api/review/decisions", json=decision(uuid="b", value="spam"))
    assert (refused.status_code, "somebody else decided 'ham'" in refused.json()["error"]) == (409, True)
    assert owner.get("/api/review/items").json() == {"answers": [], "before": None}
    assert owner.get("/api/review/team").json()["review"]["open"] == 0
    assert owner.get("/api/progress").json()["annotator"] is None


def test_annotators_and_strangers_are_kept_out(clients, session):
    ann, owner, _ = clients
    stranger = TestClient(ann.app, "http://127.0.0.1")
    for client, status in ((ann, 403), (stranger, 401)):
        for path in ("team", "items"):
            assert client.get(f"/api/review/{path}").status_code == status
        assert client.post("/api/review/decisions", json=decision()).status_code == status
    assert session.store.count("SELECT COUNT(*) FROM decision") == 0
    assert owner.get("/review").status_code == 200
    assert owner.get("/api/next").status_code == 403


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        ({"item": "nowhere"}, 404),
        ({"item": "1"}, 409),
        ({"value": "eggs"}, 409),
        ({"kind": "drop"}, 400),
        ({"seen": 7}, 400),
        ({"last_event": "x"}, 400),
        ({"uuid": None}, 400),
    ],
)
def test_what_cannot_be_decided(clients, session, sent, status):
    _, owner, _ = clients
    assert owner.post("/api/review/decisions", json=decision(**sent)).status_code == status
    for body in (b"{", b"[]", b" " * 70_000):
        assert owner.post("/api/review/decisions", content=body).status_code in (400, 413)
    for wanted in ("only=x", "limit=0", "limit=101", "before=-1"):
        assert owner.get(f"/api/review/items?{wanted}").status_code == 400, wanted
    assert session.store.count("SELECT COUNT(*) FROM decision") == 0


def test_guidelines_are_sent_to_all(clients, session):
    for client in clients:
        assert client.get("/api/guidelines").json() == {"version": None, "nodes": [], "classes": {}}
