"""How long an annotator waits while the owner exports 150,000 labels: a real server, the exports in other processes.

One annotator labels about 40 items a second, before and during two exports by the owner's address and one ``alkit
export`` in another process. Run: ``python tests/benchmarks/export.py [--labels 150000]``.
The bar: no request of the annotator takes longer than 0.3 s. Before it was 5.3 s.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from pathlib import Path

import httpx2
import numpy as np

from alkit.annotate import LabelingSession
from alkit.annotate.web.server import serve

CLASSES = ["spam", "ham"]
N_FRESH = 20_000  # items left to label meanwhile


def run_server(folder, n_labels):
    """Serve until killed; print the address, and the tokens of an annotator and the owner."""
    texts = [f"item {number}: " + "word " * 40 for number in range(n_labels + N_FRESH)]
    session = LabelingSession(texts, CLASSES, Path(folder) / "labels.db", random_state=0)
    with session.store.transaction() as db:  # as `record` would, label by label
        events = ((str(uuid.uuid4()), item) for item in range(n_labels))
        db.executemany(
            "INSERT INTO event (uuid, item, annotator, kind, value, seconds, late, recorded) "
            "VALUES (?, ?, 'bob', 'label', 'spam', 1.0, 0, 1.0)",
            events,
        )
        db.execute("INSERT INTO answer SELECT item, annotator, kind, value, seq FROM event")
        db.execute("UPDATE queue SET n_labels = 1, wanted = 0 WHERE item < ?", (n_labels,))
    tokens = [session.new_token(name) for name in ("ann", None)]
    serve(session, ready=lambda url: print(json.dumps([url, tokens]), flush=True))


def label(url, token, stopped, seconds):
    """Label, with short pauses; note when each request began, and how long it took."""
    with httpx2.Client(base_url=url, headers={"Authorization": f"Bearer {token}"}, timeout=60) as client:
        while not stopped.is_set():
            started = time.perf_counter()
            item = client.get("/api/next").json()["item"]
            fetched = time.perf_counter()
            event = {"uuid": str(uuid.uuid4()), "item": item, "kind": "label", "value": "spam", "seconds": 1.0}
            assert client.post("/api/events", json=event).status_code == 200
            seconds += [(started, fetched - started), (fetched, time.perf_counter() - fetched)]
            stopped.wait(0.015)


def export_over_http(url, token):
    command = [sys.executable, __file__, "--download", f"{url}/api/export?token={token}"]
    return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def export_by_command(folder):
    output = Path(folder) / "labels.jsonl"
    command = [sys.executable, "-m", "alkit", "export", "--db", Path(folder) / "labels.db", "--output", output]
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
    return len(output.read_text().splitlines())


def download(address):
    with httpx2.stream("GET", address, timeout=600) as answer:
        print(sum(chunk.count(b"\n") for chunk in answer.iter_bytes()))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--labels", type=int, default=150_000)
    parser.add_argument("--serve", metavar="FOLDER", help=argparse.SUPPRESS)
    parser.add_argument("--download", metavar="ADDRESS", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.serve:
        return run_server(chosen.serve, chosen.labels)
    if chosen.download:
        return download(chosen.download)
    with tempfile.TemporaryDirectory(dir=".") as folder:  # on a real disk: labels are synced to it
        server = subprocess.Popen([sys.executable, *sys.argv, "--serve", folder], stdout=subprocess.PIPE, text=True)
        url, (annotator, owner) = json.loads(server.stdout.readline())
        stopped, seconds = threading.Event(), []
        thread = threading.Thread(target=label, args=(url, annotator, stopped, seconds))
        thread.start()
        spans = []
        for what, run in [
            ("nothing else", lambda: time.sleep(10)),
            ("owner's export", lambda: export_over_http(url, owner)),
            ("owner's export", lambda: export_over_http(url, owner)),
            ("alkit export", lambda: export_by_command(folder)),
        ]:
            started = time.perf_counter()
            n_lines = run()
            spans.append((what, started, time.perf_counter(), n_lines))
        stopped.set()
        thread.join()
        server.kill()
        server.wait()
    print(f"{chosen.labels} labels; an annotator's requests, in ms")
    print(f"{'meanwhile':16}{'lines':>8}{'seconds':>9}{'p50':>8}{'p95':>8}{'max':>8}{'n':>8}")
    for what, started, ended, n_lines in spans:
        took = [duration for begun, duration in seconds if begun + duration > started and begun < ended]
        p50, p95, most = np.percentile(took, [50, 95, 100]) * 1000
        print(f"{what:16}{n_lines or 0:8}{ended - started:9.1f}{p50:8.1f}{p95:8.1f}{most:8.1f}{len(took):8}")


if __name__ == "__main__":
    main()
