"""Label Studio's protocol: requests as its server sends them, and what it must be answered."""

import copy
import json
import threading
import time
import urllib.request

import pytest
from starlette.testclient import TestClient

from alkit.annotate import LabelingSession
from alkit.annotate.database.ranking import Ranked, put_ranking
from alkit.annotate.web import backend
from alkit.annotate.web.label_config import read_label_config
from tests.annotate.models import words

TEXTS = [f"offer {k}{'!' * (k % 5)}" for k in range(12)]
CLASSES = ["spam", "ham"]
CONFIG = (
    '<View><Text name="t" value="$body"/><!-- one question --><Choices name="y" toName="t" choice="single">'
    '<Choice value="spam"/><Choice value="ham"/></Choices></View>'
)
TASKS = [
    {"id": 100 + k, "data": {"body": text}, "project": 7, "annotations": [], "predictions": []}
    for k, text in enumerate(TEXTS)
]
SETUP = {
    "project": "7.1714557600", "schema": CONFIG, "hostname": "http://localhost:8080", "access_token": "0a1b",
    "extra_params": None,
}  # fmt: skip
PREDICT = {
    "tasks": TASKS,
    "project": "7.1714557600",
    "label_config": CONFIG,
    "params": {"login": None, "context": None},
}
CREATED = {
    "action": "ANNOTATION_CREATED",
    "annotation": {
        "id": 31,
        "result": [{"id": "x1", "from_name": "y", "to_name": "t", "type": "choices", "value": {"choices": ["spam"]}}],
        "completed_by": 1,
        "was_cancelled": False,
        "ground_truth": False,
        "created_at": "2024-05-01T10:00:00.250000Z",
        "updated_at": "2024-05-01T10:00:00.250000Z",
        "lead_time": 2.5,
        "task": 102,
        "project": 7,
        "unique_id": "b3f0c3d2-0000-4000-8000-000000000031",
        "prediction": {},
    },
    "task": TASKS[2],
    "project": {"id": 7, "title": "posts", "label_config": CONFIG},
}


def changed(request, **annotation):
    request = copy.deepcopy(request)
    request["annotation"] |= annotation
    return request


@pytest.fixture
def session(database):
    with LabelingSession(TEXTS, CLASSES, database, random_state=0) as session:
        yield session


@pytest.fixture
def client(session):
    token = session.new_token(backend.HOLDER)
    client = TestClient(backend.make_backend(session), f"http://127.0.0.1/{token}/")
    assert client.post("setup", json=SETUP).status_code == 200
    return client


def labels(session):
    return {(answer["item"], answer["annotator"], answer["kind"], answer["value"]) for answer in session.export()}


def test_health_and_setup(client):
    health = client.get("health")
    assert (health.status_code, health.json()) == (200, {"status": "UP", "model_class": "alkit"})
    assert client.post("setup", json=SETUP).json() == {"model_version": "v0"}


def test_ascending_scores_are_the_order_of_the_strategy(client, session):
    ids = {row["key"]: row["id"] for row in session.store.query("SELECT key, id FROM item")}
    order = ["7", "3", "5"]  # as of a strategy that picks on the set: its utilities do not descend
    rows = [Ranked(ids[key], place, (0.1, 5.0, 2.0)[place], "spam", 0.6) for place, key in enumerate(order)]
    put_ranking(session.store, [*rows, Ranked(ids["9"], None, None, "ham", 0.7)], 4, 0.0)
    results = client.post("predict", json=PREDICT).json()["results"]
    assert len(results) == len(TASKS)
    scores = [result["score"] for result in results]
    assert sorted(range(len(TASKS)), key=scores.__getitem__)[:3] == [int(key) for key in order]
    assert all(0.0 <= score <= 1.0 for score in scores)
    chosen = {"from_name": "y", "to_name": "t", "type": "choices", "value": {"choices": ["spam"]}}
    assert results[7] == {"model_version": "v1", "score": 0.0, "result": [chosen]}
    assert (results[9]["score"], results[9]["result"][0]["value"]) == (1.0, {"choices": ["ham"]})
    assert results[0] == {"model_version": "v1", "score": 1.0, "result": []}


def test_every_task_gets_an_answer(client):
    tasks = [{"id": 1, "data": {"body": "unknown"}}, {"id": 2}, None, {"data": {"body": ["a"]}}, TASKS[0], TASKS[0]]
    results = client.post("predict", json=PREDICT | {"tasks": tasks}).json()["results"]
    assert [set(result) for result in results] == [{"model_version", "score", "result"}] * 6
    assert client.post("predict", json=PREDICT | {"tasks": []}).json() == {"results": []}
    assert client.post("predict", json={"tasks": {}}).status_code == 400


def test_annotations(client, session):
    assert client.post("webhook", json=CREATED).status_code == 201
    assert client.post("webhook", json=CREATED).status_code == 201
    assert labels(session) == {("2", "1", "label", "spam")}
    (answer,) = session.export()
    assert (answer["source"], answer["late"], answer["seconds"], answer["time"]) == (
        "imported", False, 2.5, 1714557600.25,
    )  # fmt: skip
    ham = copy.deepcopy(CREATED["annotation"]["result"])
    ham[0]["value"]["choices"] = ["ham"]
    update = changed(CREATED, result=ham, updated_at="2024-05-01T11:00:00Z") | {"action": "ANNOTATION_UPDATED"}
    assert client.post("webhook", json=update).status_code == 201
    assert labels(session) == {("2", "1", "label", "ham")}
    back = changed(CREATED, updated_at="2024-05-01T12:00:00Z") | {"action": "ANNOTATION_UPDATED"}
    client.post("webhook", json=back)
    assert labels(session) == {("2", "1", "label", "spam")}
    skip = changed(CREATED, id=32, completed_by=2, was_cancelled=True, result=[])
    client.post("webhook", json=skip)
    assert labels(session) == {("2", "1", "label", "spam"), ("2", "2", "skip", None)}
    client.post(
        "webhook", json={"action": "ANNOTATIONS_DELETED", "annotations": [{"id": 3}, {"id": 31}], "project": {}}
    )
    assert labels(session) == {("2", "2", "skip", None)}
    assert session.progress()["n_labels"] == 0


def test_several_annotations_at_once(client, session):
    many = {
        "action": "ANNOTATIONS_CREATED",
        "annotation": [CREATED["annotation"] | {"id": 40 + k, "task": 100 + k} for k in range(3)],
        "task": TASKS[:3],
        "project": {"id": 7},
    }
    assert client.post("webhook", json=many).status_code == 201
    assert labels(session) == {(str(k), "1", "label", "spam") for k in range(3)}


def test_what_cannot_be_taken_is_said(client, session, capsys):
    eggs = [{"from_name": "y", "to_name": "t", "type": "choices", "value": {"choices": ["eggs"]}}]
    client.post("webhook", json=changed(CREATED, result=eggs))
    client.post("webhook", json=CREATED | {"task": {"id": 5, "data": {"body": "foreign"}}})
    told = capsys.readouterr().err
    assert "1 are of 1 classes that the project lacks, and are left out: 'eggs' (1)" in told
    assert "1 are of items that the project does not have" in told
    for harmless in ({"action": "START_TRAINING", "project": {}}, {"action": "TASKS_CREATED", "tasks": [{}]}, {}):
        assert client.post("webhook", json=harmless).status_code == 201
    wider = CONFIG.replace('<Choice value="ham"/>', '<Choice value="ham"/><Choice value="eggs"/>')
    client.post("webhook", json={"action": "PROJECT_UPDATED", "project": {"id": 7, "label_config": wider}})
    assert "choices ['eggs'] of Label Studio are not among --classes" in capsys.readouterr().err
    assert labels(session) == set()


@pytest.mark.parametrize(
    ("path", "body", "status", "message"),
    [
        ("predict", b"{", 400, "not JSON"),
        ("predict", b"[" * 100_000, 400, "not JSON"),
        ("predict", b"[]", 400, "a JSON list, not an object"),
        ("setup", json.dumps({"schema": "<View>"}).encode(), 400, "is no XML"),
        ("setup", json.dumps({"schema": "<View/>"}).encode(), 400, "0 groups of choices"),
        ("setup", b'{"schema": "<!DOCTYPE x [<!ENTITY a \'b\'>]><View>&a;</View>"}', 400, "document type or entities"),
        ("webhook", json.dumps(changed(CREATED, updated_at="noon")).encode(), 400, "time is 'noon'"),
        ("webhook", json.dumps(changed(CREATED, lead_time="long")).encode(), 400, "seconds is 'long'"),
    ],
)
def test_bad_requests(client, session, path, body, status, message):
    answer = client.post(path, content=body)
    assert answer.status_code == status
    assert message in answer.json()["error"]
    assert labels(session) == set()


def test_who_is_let_in(session):
    app = backend.make_backend(session)
    for token in ("x", session.new_token("ann"), session.new_token(None)):
        client = TestClient(app, f"http://127.0.0.1/{token}/")
        assert client.post("webhook", json=CREATED).status_code == 401
        assert client.get("health").status_code == 401
    token = session.new_token(backend.HOLDER)
    assert TestClient(app, f"http://elsewhere.example/{token}/").get("health").status_code == 400
    assert labels(session) == set()


def test_configurations():
    image = '<View><Image name="i" value="$url"/><Choices name="c" toName="i"><Choice value="a"/></Choices></View>'
    assert read_label_config(image).columns == {"image": "url"}
    with pytest.raises(ValueError, match=r"2 groups of choices \(a, b\)"):
        read_label_config('<View><Choices name="a" toName="t"/><Choices name="b" toName="t"/></View>')


@pytest.mark.slow
def test_a_real_backend_within_its_time_outs(database):
    """Webhooks until the model has learnt; every answer in time while it trains."""
    session = LabelingSession(
        TEXTS, CLASSES, database, learner=words(), n_ranked=len(TEXTS), random_share=0.0, random_state=0
    )
    addresses = []
    serving = threading.Thread(
        target=backend.serve_backend, args=(session,), kwargs={"ready": addresses.append}, daemon=True
    )
    serving.start()

    def ask(path, body=None, within=1.0):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{addresses[0]}/{path}", data, {"content-type": "application/json"})
        with urllib.request.urlopen(request, timeout=within) as answer:
            return answer.status, json.load(answer)

    until = time.monotonic() + 60
    while not addresses:
        time.sleep(0.05)
        assert time.monotonic() < until
    for k in range(6):
        value = ("ham", "spam")["!!" in TEXTS[k]]
        result = [{"from_name": "y", "to_name": "t", "type": "choices", "value": {"choices": [value]}}]
        given = changed(CREATED, id=k, task=100 + k, result=result) | {"task": TASKS[k]}
        assert ask("setup", SETUP, 3.0)[0] == 200
        assert ask("webhook", given)[0] == 201
        assert ask("health")[0] == 200
    until = time.monotonic() + 120
    while session.progress()["model"]["n_labels"] != 6:
        time.sleep(0.1)
        assert time.monotonic() < until, session.progress()["model"]
    _, answer = ask("predict", PREDICT, 100.0)
    ranked = [result for result in answer["results"] if result["score"] < 1.0]
    assert len(ranked) == 6
    assert all(result["result"] for result in ranked)
    session.close()
