"""Labels survive what happens to processes, disks and people: killed groups, retries, full disks, closed browsers."""

import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
import uuid
from collections import Counter
from contextlib import closing
from pathlib import Path

import httpx2
import pytest

from alkit.annotate import LabelingSession
from alkit.annotate.database.answers import read_answers
from alkit.annotate.database.backup import backup
from alkit.annotate.database.complete import reading
from alkit.annotate.database.store import LabelStore
from tests.annotate.clients import Server, in_threads, label_all
from tests.annotate.databases import only_postgres

pytestmark = pytest.mark.slow

N_KILLS = 50
N_COPIES = 20


def data(folder, n):
    rows = "".join(f"offer number {k}{'!' * (k % 10)}\n" for k in range(n))
    (folder / "posts.csv").write_text("body\n" + rows)
    return ["posts.csv", "--text", "body", "--classes", "spam,ham"]


def rows_of(database, sql):
    with closing(LabelStore(database, read_only=True)) as store:
        return [tuple(row) for row in store.query(sql)]


ONE = [["ann", "bob", "cat", "dan"]]
TWO = [["ann", "bob"], ["cat", "dan"]]


@pytest.mark.parametrize(
    ("database", "teams", "n_kills"),
    [("sqlite", ONE, N_KILLS), ("postgres", ONE, 20), ("postgres", TWO, 20)],
    indirect=["database"],
)
def test_sigkill_of_the_group_loses_no_acknowledged_label(tmp_path, database, teams, n_kills):
    """Again and again under load; the trainer has work, too, for both classes get labels; each team has a server."""
    arguments = [*data(tmp_path, 20_000), "--db", str(database)]
    rng, acknowledged = random.Random(0), []
    at_work = []
    for number in range(n_kills):
        while len(at_work) < len(teams):
            team = teams[(number + len(at_work)) % len(teams)]
            at_work.append(server_with_people(tmp_path, team, acknowledged, *arguments))
        wait_for_labels(acknowledged, len(acknowledged) + rng.randrange(1, 61))
        time.sleep(rng.uniform(0.0, 0.1))
        server, threads = at_work.pop(0)
        server.kill(threads)
        sent = {uuid for uuid, _ in list(acknowledged)}  # others go on
        if not is_shared(database):
            assert rows_of(database, "PRAGMA integrity_check") == [("ok",)]
        assert sent <= {uuid for (uuid,) in rows_of(database, "SELECT uuid FROM event")}
    for server, threads in at_work:
        server.kill(threads)
    assert {uuid for uuid, _ in acknowledged} <= {uuid for (uuid,) in rows_of(database, "SELECT uuid FROM event")}
    assert len(acknowledged) > 20 * n_kills
    assert not rows_of(database, "SELECT item FROM event GROUP BY item HAVING COUNT(*) > 1")
    print(f"{n_kills} kills, {len(acknowledged)} labels acknowledged, all kept")


def server_with_people(folder, names, acknowledged, *arguments):
    """Return a server, and the threads of those who label through it."""
    server = Server(folder, names, *arguments)
    people = [server.person(name) for name in names]
    return server, in_threads(
        label_all, [(who, acknowledged, ["spam", "ham"][number % 2]) for number, who in enumerate(people)]
    )


def is_shared(database):
    return not isinstance(database, Path)


def wait_for_labels(acknowledged, n):
    """Wait for so many labels, however busy the machine is."""
    until = time.monotonic() + 300
    while len(acknowledged) < n:
        assert time.monotonic() < until, f"{len(acknowledged)} labels of {n}"
        time.sleep(0.002)


def test_copies_at_random_moments_are_complete_or_refused(tmp_path):
    """Under load and at rest, of the file alone and with what is beside it, and by ``alkit backup``."""
    arguments = data(tmp_path, 20_000)
    server = Server(tmp_path, ["ann"], *arguments)
    rng, acknowledged, n_complete = random.Random(0), [], Counter()
    stopped = threading.Event()
    threads = in_threads(label_in_bouts, [(server.person("ann"), acknowledged, stopped)])
    for number in range(N_COPIES):
        time.sleep(rng.uniform(0.1, 3.0))
        folder = tmp_path / f"copy{number}"
        folder.mkdir()
        how = rng.choice(["labels.db", "labels.db", "labels.db*", "backup"])
        before = {sent for sent, _ in acknowledged}
        if how == "backup":
            backup(tmp_path / "labels.db", folder / "labels.db")
        else:
            subprocess.run(f"cp ../{how} .", shell=True, cwd=folder, check=True)
        n_complete[how] += is_complete(folder, before)
        assert is_complete(tmp_path, before)  # the original, at any moment
    stopped.set()
    server.kill(threads)
    subprocess.run("mkdir killed; cp labels.db killed", shell=True, cwd=tmp_path, check=True)
    is_complete(tmp_path / "killed", {sent for sent, _ in acknowledged})
    print(f"{N_COPIES} copies, {len(acknowledged)} labels acknowledged; complete: {dict(n_complete)}")
    assert n_complete["labels.db"]
    assert n_complete["backup"]


def label_in_bouts(person, acknowledged, stopped):
    """Label fast, then rest, so that copies meet the database busy and quiet."""
    rng = random.Random(1)
    while not stopped.is_set():
        until = time.monotonic() + rng.uniform(0.5, 3.0)
        while time.monotonic() < until:
            try:
                item = person.get("/api/next").json()["item"]
                sent = {"uuid": str(uuid.uuid4()), "item": item, "kind": "label", "value": rng.choice(["spam", "ham"])}
                if person.post("/api/events", json=sent).status_code == 200:
                    acknowledged.append((sent["uuid"], item))
            except httpx2.HTTPError:
                return
        stopped.wait(rng.uniform(0.5, 6.0))


def is_complete(folder, acknowledged):
    """Return whether a copy has all labels that were acknowledged before; else it must say what to do."""
    refusal = None
    try:
        with reading(folder / "labels.db") as store:
            kept = {answer["uuid"] for answer in read_answers(store)}
    except (ValueError, OSError) as error:
        refusal = str(error)
    if refusal is None:
        assert acknowledged <= kept
    else:
        assert "alkit backup" in refusal
    return refusal is None


@pytest.mark.parametrize("overlap", [1, 3])
def test_eight_clients_two_thousand_items(tmp_path, database, overlap):
    """Through one server, and through two on PostgreSQL."""
    names = [f"a{k}" for k in range(8)]
    teams = [names[::2], names[1::2]] if is_shared(database) else [names]
    arguments = [*data(tmp_path, 2000), "--overlap", str(overlap), "--db", str(database)]
    servers = [Server(tmp_path, team, *arguments) for team in teams]
    acknowledged = []
    people = [(server.person(name), name) for server in servers for name in server.addresses]
    for thread in in_threads(
        label_all, [(person, acknowledged, "spam" if name < "a4" else "ham") for person, name in people]
    ):
        thread.join()
    assert [server.stop() for server in servers] == [0] * len(servers)
    assert len(acknowledged) == 2000 * overlap
    by_item = rows_of(database, "SELECT item, COUNT(DISTINCT annotator), COUNT(*) FROM answer GROUP BY item")
    assert Counter(row[1:] for row in by_item) == {(overlap, overlap): 2000}
    assert rows_of(database, "SELECT n_labels FROM model ORDER BY version DESC LIMIT 1") == [(2000 * overlap,)]


@only_postgres
def test_a_database_server_that_crashes_and_starts_again(tmp_path, database, cluster):
    """Labels go on once it is back, through the same server of alkit; what was acknowledged is there."""
    arguments = [*data(tmp_path, 20_000), "--db", str(database)]
    acknowledged = []
    server = Server(tmp_path, ["ann", "bob"], *arguments)
    for how in (signal.SIGQUIT, signal.SIGINT, signal.SIGQUIT):
        threads = in_threads(
            label_all, [(server.person(name), acknowledged, value) for name, value in (("ann", "spam"), ("bob", "ham"))]
        )
        wait_for_labels(acknowledged, len(acknowledged) + 20)
        cluster.stop(how)
        for thread in threads:
            thread.join()
        answer = server.person("ann").get("/api/next")
        assert answer.status_code >= 500
        cluster.start()
        assert {uuid for uuid, _ in acknowledged} <= {uuid for (uuid,) in rows_of(database, "SELECT uuid FROM event")}
    assert server.person("ann").get("/api/next").status_code == 200
    assert not rows_of(database, "SELECT item FROM event GROUP BY item HAVING COUNT(*) > 1")
    server.kill()


def test_a_crowd_is_asked_by_expertise_until_labels_are_sure(tmp_path):
    """Three people, one of whom guesses: that is found out, and doubtful items get more labels than others."""
    hints = {0: "our lunch", 1: "free prize", 2: "post", 3: "post"}  # of half of the posts the model knows nothing
    (tmp_path / "posts.csv").write_text("body\n" + "".join(f"{hints[k % 4]} {k}\n" for k in range(120)))
    arguments = ["posts.csv", "--text", "body", "--classes", "spam,ham", "--overlap", "1-3", "--assign", "expertise"]
    server = Server(tmp_path, ["ann", "bob", "gus"], *arguments)
    rng = random.Random(0)
    people = {name: server.person(name) for name in server.addresses}
    n_sent = 0
    for turn in range(60):
        for name, person in people.items():
            answer = person.get("/api/next")
            if answer.status_code == 204:
                continue
            item = answer.json()
            value = "spam" if int(item["item"]) % 2 else "ham"
            if rng.random() < {"ann": 0.02, "bob": 0.02, "gus": 0.5}[name]:
                value = rng.choice(["spam", "ham"])
            sent = {"uuid": str(uuid.uuid4()), "item": item["item"], "kind": "label", "value": value}
            assert person.post("/api/events", json=sent).status_code == 200
            n_sent += 1
        until = time.monotonic() + 300
        while turn % 10 == 9 and person.get("/api/progress").json()["model"]["n_labels"] != n_sent:
            assert time.monotonic() < until, server.log.read_text()
            time.sleep(0.1)
    assert server.stop() == 0
    n_labels = [n for (n,) in rows_of(tmp_path / "labels.db", "SELECT n_labels FROM queue WHERE n_labels > 0")]
    assert set(n_labels) <= {1, 2, 3}
    assert len(n_labels) > 60
    assert max(n_labels) > 1
    assert rows_of(tmp_path / "labels.db", "SELECT COUNT(*) FROM assignment")[0][0] > 0
    report = subprocess.run(
        [sys.executable, "-m", "alkit", "report"], cwd=tmp_path, capture_output=True, text=True, check=True,
        env=os.environ | {"PYTHONPATH": os.getcwd()},
    ).stdout  # fmt: skip
    people = report[report.index("expertise, from people's labels and the model's predictions, as of") :]
    assert people.index(" gus ") < people.index(" ann ")
    assert "labels that look wrong, the worst first" in people


def test_retries_and_double_presses_are_one_label(tmp_path, database):
    arguments = [*data(tmp_path, 50), "--db", str(database)]
    server = Server(tmp_path, ["ann"], *arguments)
    item = server.person("ann").get("/api/next").json()["item"]
    sent = {"uuid": str(uuid.uuid4()), "item": item, "kind": "label", "value": "spam"}
    answers = []

    def press():
        answers.append(server.person("ann").post("/api/events", json=sent).json())

    for thread in in_threads(press, [()] * 16):
        thread.join()
    server.kill()
    server = Server(tmp_path, ["ann"], *arguments)
    answers.append(server.person("ann").post("/api/events", json=sent).json())
    server.kill()
    assert answers == [{"uuid": sent["uuid"], "item": item, "kind": "label", "late": False}] * 17
    assert rows_of(database, "SELECT uuid FROM event") == [(sent["uuid"],)]


def test_a_client_that_left_with_leases(tmp_path):
    """Others finish after expiry; what the one who left sends then is kept and marked."""
    with LabelingSession(
        [f"text {k}" for k in range(60)], ["a", "b"], tmp_path / "labels.db", lease_seconds=2
    ) as session:
        held = [session.next("gone")["item"] for _ in range(10)]
        until = time.monotonic() + 30
        while session.progress()["n_done"] < 60 and time.monotonic() < until:
            for name in ("ann", "bob"):
                item = session.next(name)
                if item is not None:
                    session.label(item["item"], "a", name)
            time.sleep(0.01)
        assert session.progress()["n_done"] == 60
        assert session.label(held[0], "b", "gone")["late"]
        answers = [answer for answer in session.export() if answer["item"] == held[0]]
        assert [(answer["value"], answer["late"]) for answer in answers] == [("a", False), ("b", True)]


def test_two_servers(tmp_path):
    arguments = data(tmp_path, 50)
    server = Server(tmp_path, ["ann"], *arguments)
    with pytest.raises(AssertionError, match=r"labels.db is in use by another session or server"):
        Server(tmp_path, ["bob"], *arguments)
    assert server.person("ann").get("/health").status_code == 200
    server.kill()
    Server(tmp_path, ["bob"], *arguments).kill()


def test_a_changed_file_under_an_old_database(tmp_path):
    arguments = data(tmp_path, 50)
    Server(tmp_path, ["ann"], *arguments).kill()
    data(tmp_path, 49)
    with pytest.raises(AssertionError, match=r"made for 50 items and there are now 49: 1 items are gone, .*'49'"):
        Server(tmp_path, ["ann"], *arguments)


def test_the_page_learns_of_a_trainer_that_died(tmp_path):
    (tmp_path / "mine.py").write_text("import tests.annotate.models as m\nmodel = lambda: m.Moody('mood')\n")
    (tmp_path / "mood").write_text("kill")
    server = Server(tmp_path, ["ann"], *data(tmp_path, 50), "--estimator", "mine:model")
    ann = server.person("ann")
    for value in ("spam", "ham"):
        item = ann.get("/api/next").json()["item"]
        ann.post("/api/events", json={"uuid": value, "item": item, "kind": "label", "value": value})
    until = time.monotonic() + 300
    while not (error := ann.get("/api/progress").json()["model"]["error"]) and time.monotonic() < until:
        time.sleep(0.1)
    assert "killed by SIGKILL" in error
    assert ann.get("/api/next").status_code == 200
    server.kill()


@pytest.fixture
def small_disk(tmp_path):
    """Mount a disk of two megabytes."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = shutil.which("mount") and subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", folder], capture_output=True
    ).returncode == 0  # fmt: skip
    if not mounted:
        pytest.skip("a small disk can only be mounted by root")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


def test_a_full_disk_refuses_labels_and_loses_none(tmp_path, small_disk):
    arguments = data(tmp_path, 500)
    server = Server(tmp_path, ["ann"], *arguments, "--db", str(small_disk / "labels.db"))
    ann = server.person("ann")
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(max(0, shutil.disk_usage(small_disk).free - 100_000)))
    acknowledged, refused = [], 0
    for k in range(200):
        sent = {"uuid": str(k), "item": str(k), "kind": "skip", "value": "x" * 4000}
        try:
            status = ann.post("/api/events", json=sent).status_code
        except httpx2.HTTPError:
            status = None
        if status == 200:
            acknowledged.append(sent["uuid"])
        else:
            assert status == 507
            refused += 1
    assert acknowledged
    assert refused > 100
    ballast.unlink()
    assert ann.post("/api/events", json={"uuid": "after", "item": "499", "kind": "skip"}).status_code == 200
    server.kill()
    with closing(sqlite3.connect(small_disk / "labels.db")) as db:
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert {row[0] for row in db.execute("SELECT uuid FROM event")} == {*acknowledged, "after"}


def test_a_limit_on_file_sizes_is_a_full_disk_as_well(tmp_path):
    code = """
import resource, signal, sys
from alkit.annotate import LabelingSession
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
session = LabelingSession([str(k) for k in range(300)], ["a", "b"], "labels.db")
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
for k in range(300):
    try:
        print(session.label(str(k), "a", "ann")["uuid"] and k, flush=True)
    except OSError as error:
        print(error, file=sys.stderr)
        break
"""
    environment = os.environ | {"PYTHONPATH": os.getcwd()}
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, env=environment)
    assert "nothing was saved" in done.stderr
    kept = {
        k for (k,) in rows_of(tmp_path / "labels.db", "SELECT i.position FROM event e JOIN item i ON i.id = e.item")
    }
    assert kept == set(map(int, done.stdout.split()))
    assert 0 < len(kept) < 300
