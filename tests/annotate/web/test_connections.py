"""Connections that send nothing, too little or too slowly, or take nothing: none of them may keep others out."""

import json
import random
import socket
import threading
import time
import uuid
from contextlib import contextmanager
from http.client import HTTPResponse

import pytest

from alkit.annotate import Items, LabelingSession
from alkit.annotate.web import connections
from alkit.annotate.web.server import make_app
from tests.annotate.clients import Server

REQUEST = b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"
LIMIT = 6


@pytest.fixture
def impatient(monkeypatch):
    for name in ("REQUEST_SECONDS", "BODY_SECONDS", "STALLED_SECONDS"):
        monkeypatch.setattr(connections, name, 0.5)
    monkeypatch.setattr(connections, "KEEP_ALIVE_SECONDS", 60)


@contextmanager
def running(tmp_path):
    """Serve one large picture; gives its port, and a token."""
    picture = tmp_path / "a.png"
    picture.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(30_000_000))
    session = LabelingSession(Items(["a"], image=[picture]), ["x", "y"], tmp_path / "labels.db")
    server = connections.Server(make_app(session))
    listener = socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        yield listener.getsockname()[1], session.new_token("ann")
    finally:
        server.should_exit = True
        thread.join()
        session.close()


@pytest.fixture
def connect():
    opened = []

    def connect(port, source="127.0.0.1"):
        opened.append(socket.create_connection(("127.0.0.1", port), timeout=20, source_address=(source, 0)))
        return opened[-1]

    yield connect
    for connection in opened:
        connection.close()


def answer(connection):
    """Return the status of an answer."""
    response = HTTPResponse(connection)
    response.begin()
    response.read()
    return response.status


def ask(connection):
    connection.sendall(REQUEST)
    return answer(connection)


def ends(connection, trickle=b""):
    """Return whether the other side closes, even while something is sent now and then."""
    connection.settimeout(0.05)
    until = time.monotonic() + 20
    while time.monotonic() < until:
        try:
            if not connection.recv(65_536):
                return True
        except TimeoutError:
            pass
        except ConnectionResetError:
            return True
        if trickle:
            try:
                connection.sendall(trickle)
            except OSError:
                return True
    return False


POST = b"POST /api/events HTTP/1.1\r\nHost: localhost\r\n"


@pytest.mark.parametrize(
    ("begin", "trickle"),
    [
        (b"", b""),
        (b"", b"\r\n"),
        (b"GET / HT", b""),
        (b"GET /health HTTP/1.1\r\n", b"x: y\r\n"),
        (REQUEST, b""),
        (REQUEST + b"GET /health HTTP/1.1\r\n", b"x: y\r\n"),
        (POST + b"Content-Length: 60000\r\n\r\n{", b" "),
        (POST + b"Content-Length: 60000\r\n\r\n{", b""),
        (POST + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n"),
        (REQUEST.replace(b"\r\n\r\n", b"\r\nContent-Length: 60000\r\n\r\n"), b" "),
    ],
)
def test_what_never_comes_to_an_end_is_ended(tmp_path, impatient, connect, begin, trickle):
    with running(tmp_path) as (port, _):
        connection = connect(port)
        connection.sendall(begin)
        assert ends(connection, trickle)
        assert ask(connect(port)) == 200


def test_who_takes_nothing_of_an_answer_is_let_go(tmp_path, impatient, connect):
    with running(tmp_path) as (port, token):
        connection = connect(port)
        connection.sendall(f"GET /api/image/a?token={token} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        time.sleep(2)
        assert ends(connection)


def test_who_is_slow_but_goes_on_gets_all_of_it(tmp_path, impatient, connect):
    with running(tmp_path) as (port, token):
        connection = connect(port)
        request = f"GET /api/image/a?token={token} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        connection.sendall(request.encode())
        received, started = 0, time.monotonic()
        while chunk := connection.recv(400_000):
            received += len(chunk)
            time.sleep(0.02)
        assert received > 30_000_000
        assert time.monotonic() - started > 0.5  # longer than anything may be waited for


def test_the_newest_connection_is_answered(tmp_path, monkeypatch, connect):
    monkeypatch.setattr(connections, "MAX_CONNECTIONS", LIMIT)
    with running(tmp_path) as (port, _):
        served = connect(port)
        assert ask(served) == 200
        idle = [connect(port) for _ in range(5 * LIMIT)]
        newest = connect(port)
        assert ask(newest) == 200
        assert ask(served) == 200  # those that never asked for anything go first
        assert ends(idle[0])
        assert ask(idle[-1]) == 200


def test_who_is_being_answered_is_not_closed_for_others(tmp_path, monkeypatch, connect):
    monkeypatch.setattr(connections, "MAX_CONNECTIONS", LIMIT)
    with running(tmp_path) as (port, token):
        busy = [connect(port) for _ in range(LIMIT)]
        for connection in busy:
            connection.sendall(f"GET /api/image/a?token={token} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            assert connection.recv(1) == b"H"
        assert ends(connect(port))
        for connection in busy:
            assert connection.recv(1) == b"T"
        busy[0].close()
        time.sleep(0.2)
        assert ask(connect(port)) == 200


def test_the_address_with_most_connections_makes_room(tmp_path, monkeypatch, connect):
    monkeypatch.setattr(connections, "MAX_CONNECTIONS", LIMIT)
    with running(tmp_path) as (port, _):
        patient = connect(port, "127.0.0.2")
        for _ in range(5 * LIMIT):
            connect(port)
        assert ask(patient) == 200


def test_bodies_that_never_come_make_room(tmp_path, monkeypatch, connect):
    monkeypatch.setattr(connections, "MAX_CONNECTIONS", LIMIT)
    with running(tmp_path) as (port, _):
        for _ in range(5 * LIMIT):
            connect(port).sendall(POST + b"Content-Length: 10\r\n\r\n12345")
        assert ask(connect(port)) == 200


@pytest.mark.slow
@pytest.mark.parametrize("n_files", [256, 64])
def test_labelling_goes_on_beside_three_hundred_connections(tmp_path, connect, n_files):
    """Some say nothing, some begin a request and never end it; all come again when they are closed."""
    (tmp_path / "posts.csv").write_text("body\n" + "".join(f"text {k}\n" for k in range(400)))
    arguments = ["posts.csv", "--text", "body", "--classes", "spam,ham"]
    server = Server(tmp_path, ["ann"], *arguments, n_files=n_files)
    port = int(server.addresses["ann"][0].rsplit(":", 1)[1])
    rng = random.Random(0)

    def open_idle():
        connection = connect(port)
        connection.sendall(rng.choice([b"", b"GET / HT", POST, POST + b"Content-Length: 9\r\n\r\n{"]))
        return connection

    idle = [open_idle() for _ in range(300)]
    labelled = 0
    until = time.monotonic() + 20
    with socket.create_connection(("127.0.0.1", port)):
        while time.monotonic() < until:
            ann = server.person("ann")
            item = ann.get("/api/next").json()["item"]
            sent = {"uuid": str(uuid.uuid4()), "item": item, "kind": "label", "value": "spam"}
            assert ann.post("/api/events", content=json.dumps(sent)).status_code == 200
            labelled += 1
            idle[rng.randrange(300)].close()
            idle.append(open_idle())
    log = server.log.stat().st_size
    assert server.stop() == 0
    assert labelled > 10
    assert log < 100_000
    print(f"{labelled} labels beside 300 idle connections at {n_files} files, {log} bytes of log")
