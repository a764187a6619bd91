"""How long people wait: 4 annotators at 2 labels a second each, 100,000 items, a network training in the background.

A real server (``alkit label`` in all but the command line), four clients in another process, each on a connection of
its own. The network reads 256 hashed words, is fitted on all labels after each new one, and ranks the whole pool.
Run: ``python tests/benchmarks/annotate.py [--items N] [--seconds 60] [--per-second 2] [--model network|python|none]``.
The bar: p95 of next item and label below 50 ms. With ``--expertise``, items go to whom they serve best, and are asked
about again while their label is not sure; each annotator errs on a tenth more than the one before.

With ``--postgres 2`` (as ``python -m tests.benchmarks.annotate``: it starts the PostgreSQL server that tests have), two
servers share a database, and the annotators are shared out between them. The bar: p95 below 100 ms.

With ``--idle 300 --files 256``, 300 more connections say nothing, and come again whenever they are closed, while the
server may open 256 files. The bar: labelling goes on, and the server writes less than 100 kB of log.
"""

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
import uuid
from contextlib import ExitStack, suppress
from pathlib import Path
from resource import RLIMIT_NOFILE, setrlimit

import httpx2
import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.feature_extraction.text import HashingVectorizer

from alkit import DropoutMLPClassifier
from alkit.annotate import LabelingSession
from alkit.annotate.web.server import serve

CLASSES = ["spam", "ham"]
N_ANNOTATORS = 4


class PurePython(ClassifierMixin, BaseEstimator):
    """A model in a loop that holds the interpreter."""

    def fit(self, X, y):
        until = time.monotonic() + 2
        while time.monotonic() < until:
            sum(range(1000))
        self.classes_ = np.unique(y)
        return self

    def predict_proba(self, X):
        return np.full((X.shape[0], len(self.classes_)), 1 / len(self.classes_))

    def predict(self, X):
        return np.full(X.shape[0], self.classes_[0])


MODELS = {
    "network": lambda: DropoutMLPClassifier(warm_start="shrink_perturb", random_state=0),
    "python": PurePython,
    "none": lambda: None,
}


def texts(n):
    """Thirty words each, a few of which tell the class."""
    rng = np.random.default_rng(0)
    words = np.array([f"word{k}" for k in range(2000)])
    drawn = words[np.minimum(rng.zipf(1.3, size=(n, 30)), 2000) - 1]
    return [" ".join(row) for row in drawn]


def run_server(database, n, model, asking):
    """Serve until killed; print the address and the tokens."""
    learner = MODELS[model]()
    embed = HashingVectorizer(n_features=256, alternate_sign=False)
    session = LabelingSession(texts(n), CLASSES, database, learner=learner, embed=embed, random_state=0, **asking)
    tokens = [session.new_token(f"a{k}") for k in range(N_ANNOTATORS)]
    serve(session, ready=lambda url: print(json.dumps([url, tokens]), flush=True))


async def annotate(url, token, error, per_second, until, seconds):
    """Label as a page does: the label sent, and the next item fetched, side by side."""

    async def timed(what, request, *args, **kwargs):
        started = time.perf_counter()
        answer = None
        while answer is None:
            with suppress(httpx2.TransportError):  # a connection was closed before it was used: browsers try again, too
                answer = await request(*args, **kwargs)
        seconds[what].append(time.perf_counter() - started)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async with httpx2.AsyncClient(base_url=url, headers={"Authorization": f"Bearer {token}"}, timeout=60) as client:
        page = {"page": token[:8]}
        item = await timed("next", client.get, "/api/next", params=page)
        turn = time.perf_counter() + np.random.default_rng().random() / per_second
        while time.perf_counter() < until:
            await asyncio.sleep(max(0.0, turn - time.perf_counter()))
            turn += 1 / per_second
            is_wrong = bool(np.random.default_rng().random() < error)
            value = CLASSES[("word7" in item["text"].split()) != is_wrong]
            event = {"uuid": str(uuid.uuid4()), "item": item["item"], "kind": "label", "value": value, "seconds": 0.5}
            _, item = await asyncio.gather(
                timed("label", client.post, "/api/events", content=json.dumps(event)),
                timed("next", client.get, "/api/next", params=page | {"have": item["item"]}),
            )
            await timed("progress", client.get, "/api/progress")
            await timed("renew", client.post, "/api/renew", params=page | {"have": item["item"]})


async def wait_idly(url, until):
    """Open a connection, say nothing, and come again when it is closed."""
    host, port = url.removeprefix("http://").rsplit(":", 1)
    while time.perf_counter() < until:
        with suppress(OSError, TimeoutError):
            reader, writer = await asyncio.open_connection(host, int(port))
            await asyncio.wait_for(reader.read(), max(0.0, until - time.perf_counter()))
            writer.close()
        await asyncio.sleep(1)


async def all_annotate(people, errors, per_second, duration, n_idle):
    seconds = {"next": [], "label": [], "progress": [], "renew": []}
    until = time.perf_counter() + duration
    url, token = people[0]
    idle = (wait_idly(url, until) for _ in range(n_idle))
    who = zip(people, errors, strict=True)
    labelling = (annotate(*address, error, per_second, until, seconds) for address, error in who)
    await asyncio.gather(*labelling, *idle)
    async with httpx2.AsyncClient(base_url=url, timeout=60) as client:
        return seconds, (await client.get("/api/progress", params={"token": token})).json()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, default=100_000)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--per-second", type=float, default=2.0)
    parser.add_argument("--model", choices=MODELS, default="network")
    parser.add_argument("--expertise", action="store_true", help="ask by expertise, one to three people per item")
    parser.add_argument("--idle", type=int, default=0, help="connections that say nothing")
    parser.add_argument("--files", type=int, help="how many files the server may open")
    parser.add_argument("--postgres", type=int, default=0, metavar="N", help="servers on a database of PostgreSQL")
    parser.add_argument("--serve", metavar="DATABASE", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.serve:
        asking = {"assign": "expertise", "overlap": (1, 3)} if chosen.expertise else {}
        return run_server(chosen.serve, chosen.items, chosen.model, asking)
    with tempfile.TemporaryDirectory(dir=".") as folder, ExitStack() as started:  # on a real disk, to which labels go
        database = str(Path(folder) / "labels.db")
        if chosen.postgres:
            from tests.annotate.postgres import Cluster

            cluster = Cluster(on_disk=True)
            started.callback(cluster.remove)
            database = cluster.url()
        limit = None if chosen.files is None else lambda: setrlimit(RLIMIT_NOFILE, (chosen.files, chosen.files))
        log, addresses = Path(folder) / "log", []
        for _ in range(chosen.postgres or 1):
            server = subprocess.Popen([sys.executable, *sys.argv, "--serve", database], stdout=subprocess.PIPE,
                                      text=True, stderr=log.open("a"), preexec_fn=limit)  # fmt: skip
            started.callback(server.wait)
            started.callback(server.kill)
            addresses.append(json.loads(server.stdout.readline()))
        people = [(url, tokens[k]) for k in range(N_ANNOTATORS) for url, tokens in [addresses[k % len(addresses)]]]
        errors = np.arange(N_ANNOTATORS) / 10 * chosen.expertise
        seconds, state = asyncio.run(all_annotate(people, errors, chosen.per_second, chosen.seconds, chosen.idle))
        started.close()
        n_bytes = os.path.getsize(log)
    kind = f"{chosen.postgres} servers on PostgreSQL" if chosen.postgres else "SQLite"
    print(f"{chosen.items} items, {N_ANNOTATORS} annotators, {chosen.per_second:g} labels a second each, "
          f"model: {chosen.model}, {kind}; {state['n_labels']} labels, {state['model']['version'] or 0} rankings, "
          f"error: {state['model']['error']}; {chosen.idle} idle connections, {n_bytes} bytes of log")  # fmt: skip
    print(f"{'ms':10}{'p50':>8}{'p95':>8}{'max':>8}{'n':>8}")
    for what, took in seconds.items():
        p50, p95, most = np.percentile(took, [50, 95, 100]) * 1000
        print(f"{what:10}{p50:8.1f}{p95:8.1f}{most:8.1f}{len(took):8}")


if __name__ == "__main__":
    main()
