"""HTTP: who is let in, what is answered, and what no request gets at."""

import json
import os
import sqlite3
import uuid
from contextlib import closing

import pytest
from starlette.testclient import TestClient

from alkit.annotate import Items, LabelingSession
from alkit.annotate.database.ranking import Ranked, put_ranking
from alkit.annotate.web import server
from tests.annotate.databases import only_sqlite

PNG = b"\x89PNG\r\n\x1a\n" + bytes(20)
CLASSES = ["spam", "ham"]


@pytest.fixture
def session(tmp_path, database):
    for name in ("a.png", "b.png"):
        (tmp_path / name).write_bytes(PNG + name.encode())
    (tmp_path / "secret.png").write_bytes(PNG + b"secret")
    items = Items(["a/1", "b"], ["<script>alert(1)</script>", "ok"], [tmp_path / "a.png", tmp_path / "b.png"])
    with LabelingSession(items, CLASSES, database, title="posts.csv", random_state=0) as session:
        yield session


@pytest.fixture
def app(session, tmp_path, monkeypatch):
    static = tmp_path / "static"
    static.mkdir()
    (static / "index.html").write_text("<title>page</title>")
    (static / "label.js").write_text("export default {}")
    monkeypatch.setattr(server, "STATIC", static)
    return server.make_app(session)


@pytest.fixture
def client(app, session):
    """Let ann in."""
    return TestClient(app, "http://127.0.0.1", headers={"Authorization": f"Bearer {session.new_token('ann')}"})


def event(item, kind="label", value="spam", **more):
    return {"uuid": str(uuid.uuid4()), "item": item, "kind": kind, "value": value, "seconds": 1.5} | more


def test_labelling(client, session):
    item = client.get("/api/next").json()
    assert item["item"] in ("a/1", "b")
    sent = event(item["item"])
    answer = client.post("/api/events", json=sent)
    assert (answer.status_code, answer.json()) == (
        200,
        {"uuid": sent["uuid"], "item": item["item"], "kind": "label", "late": False},
    )
    assert client.post("/api/events", json=sent).json() == answer.json()
    assert client.get("/api/progress").json()["mine"] == 1
    other = client.get("/api/next").json()["item"]
    assert client.get("/api/next").status_code == 204
    assert client.get("/api/next?resume=1").json()["item"] == other
    assert client.get("/api/next?resume=0").status_code == 204
    assert client.post("/api/events", json=event(None, "undo", sent["uuid"])).status_code == 200
    assert client.get("/api/progress").json()["mine"] == 0
    assert session.store.count("SELECT COUNT(*) FROM event") == 2


def test_looking_back(client, app, session):
    for item in ("a/1", "b"):
        client.post("/api/events", json=event(item))
    assert client.post("/api/events", json=event("b", "note", "why?")).status_code == 200
    page = client.get("/api/answers", params={"limit": 1}).json()
    assert [(answer["item"], answer["note"]) for answer in page["answers"]] == [("b", "why?")]
    (last,) = client.get("/api/answers", params={"before": page["before"]}).json()["answers"]
    assert (last["item"], last["text"], last["image"]) == ("a/1", "<script>alert(1)</script>", True)
    assert "a.png" not in str(last)  # no request or response holds a path
    found = {
        "only=flag": 0,
        "value=spam": 2,
        "value=ham": 0,
        "search=SCRIPT&only=label": 1,
        "search=%25": 0,
        "only=": 2,
    }
    for wanted, n in found.items():
        assert len(client.get(f"/api/answers?{wanted}").json()["answers"]) == n, wanted
    for wrong in (
        "limit=0",
        "limit=x",
        "before=-1",
        "before=9999999999999999999",
        "only=all",
        "limit=1e1",
        "limit=201",
    ):
        assert client.get(f"/api/answers?{wrong}").status_code == 400, wrong
    bob = TestClient(app, "http://127.0.0.1", headers={"Authorization": f"Bearer {session.new_token('bob')}"})
    assert bob.get("/api/answers").json() == {"answers": [], "before": None}
    owner = TestClient(app, "http://127.0.0.1", headers={"Authorization": f"Bearer {session.new_token(None)}"})
    assert owner.get("/api/answers").status_code == 403
    assert TestClient(app, "http://127.0.0.1").get("/api/answers").status_code == 401


def test_pages(client):
    first, second = (client.get(f"/api/next?page={page}").json()["item"] for page in "pq")
    assert {first, second} == {"a/1", "b"}
    assert client.get("/api/next", params={"page": "p"}).json()["item"] == first
    assert client.get("/api/next", params={"page": "p", "have": [first, "b c&d"]}).status_code == 204
    renewed = client.post("/api/renew", params={"page": "p", "have": ["a/1", "b", "c"]})
    assert (renewed.status_code, renewed.json()) == (200, {"held": [first]})
    assert client.get("/api/renew").status_code == 405
    for ask in (client.get, client.post):
        refused = ask("/api/next" if ask == client.get else "/api/renew", params={"have": ["x"] * 300})
        assert refused.status_code == 400
        assert "200 items at most, this one 300" in refused.json()["error"]


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (event("nobody"), 404),
        (event("b", value="eggs"), 409),
        (event("b", "undo", "no-such-uuid"), 409),
        (event("b", kind="drop"), 400),
        (event("b", uuid=""), 400),
        ([1], 400),
        (event("b", seconds="fast"), 400),
        (event("b", seconds=10**400), 400),
    ],
)
def test_what_cannot_be_recorded(client, session, sent, status):
    answer = client.post("/api/events", json=sent)
    assert answer.status_code == status
    assert answer.json()["error"]
    assert session.store.count("SELECT COUNT(*) FROM event") == 0


@pytest.mark.parametrize(("body", "status"), [(b"{", 400), (b"\xff", 400), (b"[" * 60_000, 400), (b" " * 70_000, 413)])
def test_bodies_that_are_no_events(client, body, status):
    assert client.post("/api/events", content=body).status_code == status


@only_sqlite
def test_a_full_disk(client, session, database):
    item = client.get("/api/next").json()["item"]
    session.store._db.execute(f"PRAGMA max_page_count = {session.store.count('PRAGMA page_count')}")
    refused = [
        answer
        for k in range(200)
        if (answer := client.post("/api/events", json=event(item, "skip", "x" * 5000, uuid=str(k)))).status_code != 200
    ]
    assert refused
    assert {answer.status_code for answer in refused} == {507}
    assert "nothing was saved" in refused[0].json()["error"]
    assert session.store.count("SELECT COUNT(*) FROM event") == 200 - len(refused)


@only_sqlite
def test_a_lock_of_another_program(client, session, database, monkeypatch):
    monkeypatch.setattr(session.store, "_seconds", 0.1)
    session.store._db.execute("PRAGMA busy_timeout = 100")
    with closing(sqlite3.connect(database, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        for answer in (client.get("/api/next"), client.post("/api/events", json=event("b"))):
            assert answer.status_code == 503
            assert "locked by another program, and nothing was saved" in answer.json()["error"]
        for path in ("/api/progress", "/api/export", "/api/image/b"):
            assert client.get(path).status_code == 200
    assert client.post("/api/events", json=event("b")).status_code == 200


PATHS = ["/api/next", "/api/progress", "/api/export", "/api/image/b"]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("token", [None, "", "wrong", "Bearer", "ü"])
def test_nobody_gets_in_without_a_token(app, session, path, token):
    session.new_token("ann")
    stranger = TestClient(app, "http://127.0.0.1")
    headers = {} if token is None else {"Authorization": f"Bearer {token}".encode()}
    assert stranger.get(path, headers=headers).status_code == 401
    assert stranger.get(path, params={} if token is None else {"token": token}).status_code == 401
    assert stranger.post("/api/events", json=event("b"), headers=headers).status_code == 401
    assert stranger.post("/api/renew?have=b", headers=headers).status_code == 401
    assert session.store.count("SELECT COUNT(*) FROM event") + session.store.count("SELECT COUNT(*) FROM lease") == 0


def test_a_token_in_the_address_does_as_well(app, session):
    token = session.new_token("ann")
    assert (
        TestClient(app, "http://localhost").get("/api/progress", params={"token": token}).json()["annotator"] == "ann"
    )


def test_the_owner_looks_and_annotators_see_their_own(app, client, session):
    owner = TestClient(app, "http://127.0.0.1", headers={"Authorization": f"Bearer {session.new_token(None)}"})
    for name in ("ann", "bob"):
        session.label(session.next(name)["item"], "spam", name)
    seen = {
        who: [json.loads(line)["annotator"] for line in asking.get("/api/export").text.splitlines()]
        for who, asking in (("owner", owner), ("ann", client))
    }
    assert seen == {"owner": ["ann", "bob"], "ann": ["ann"]}
    assert owner.get("/api/next").status_code == 403
    assert owner.post("/api/events", json=event("b")).status_code == 403
    assert owner.get("/api/progress").json()["n_labels"] == 2


def test_an_export_of_many_pieces(tmp_path):
    texts = [f"text {number}" for number in range(1050)]
    with LabelingSession(texts, CLASSES, tmp_path / "many.db") as session:
        for number in range(1050):
            session.label(str(number), "spam", "ann")
        owner = TestClient(server.make_app(session), "http://127.0.0.1")
        lines = owner.get("/api/export", params={"token": session.new_token(None)}).text.splitlines()
    assert [json.loads(line)["item"] for line in lines] == [str(number) for number in range(1050)]


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "evil.example:80", "", "10.0.0.1"])
@pytest.mark.parametrize("path", ["/", "/health", *PATHS])
def test_foreign_hosts_are_refused(client, path, host):
    assert client.get(path, headers={"Host": host}).status_code == 400


@pytest.mark.parametrize("host", ["127.0.0.1:8000", "localhost", "[::1]:8000", "LOCALHOST:1"])
def test_the_loopback_s_own_names_are_fine(client, host):
    assert client.get("/health", headers={"Host": host}).json() == {"status": "UP"}


def test_pictures_by_id(client, session):
    picture = client.get("/api/image/a/1")
    assert picture.content == PNG + b"a.png"
    assert picture.headers["content-type"] == "image/png"
    (path,) = [path for path in session.items.image if path.name == "b.png"]
    path.write_text("<script>alert(1)</script>")
    assert client.get("/api/image/b").status_code == 404
    path.unlink()
    assert client.get("/api/image/b").status_code == 404
    path.mkdir()
    answer = client.get("/api/image/b")
    assert answer.status_code == 404
    assert str(path) not in answer.text
    path.rmdir()
    os.mkfifo(path)
    assert client.get("/api/image/b").status_code == 404


@pytest.mark.parametrize(
    "path",
    [
        "/api/image/secret.png",
        "/api/image/../secret.png",
        "/api/image/..%2fsecret.png",
        "/api/image/%2e%2e/%2e%2e/etc/passwd",
        "/api/image//etc/passwd",
        "/api/image/b%00",
        "/static/../secret.png",
        "/static/..%2fsecret.png",
        "/static/%2e%2e%2flabels.db",
        "/static/..%5clabels.db",
        "/static//etc/passwd",
        "/labels.db",
        "/../labels.db",
    ],
)
def test_no_path_leads_out(client, path):
    assert client.get(path).status_code == 404


@pytest.mark.parametrize("path", ["/", "/static/label.js", "/health", "/api/next", "/nowhere"])
def test_headers(client, path):
    headers = client.get(path).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cache-control"] == "no-store"
    policy = dict(rule.split(" ", 1) for rule in headers["content-security-policy"].split("; "))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    assert "access-control-allow-origin" not in headers


def test_the_page_needs_no_token(app):
    stranger = TestClient(app, "http://127.0.0.1")
    assert stranger.get("/").text == "<title>page</title>"
    assert stranger.get("/static/label.js").status_code == 200


def test_a_suggestion_and_what_is_recorded_of_it(client, session):
    ids = [row["id"] for row in session.store.query("SELECT id FROM item")]
    put_ranking(session.store, [Ranked(item, k, 1.0, "ham", 0.75) for k, item in enumerate(ids)], 4, 0.0)
    session.random_share = 0.0
    item = client.get("/api/next").json()
    assert item["suggestion"] == {"value": "ham", "confidence": 0.75}
    client.post("/api/events", json=event(item["item"], value="ham"))
    (line,) = client.get("/api/export").text.splitlines()
    assert json.loads(line)["suggestion"] == item["suggestion"]
