"""A server in a process group of its own, and people who label through it."""

import os
import re
import signal
import subprocess
import sys
import threading
import time
import uuid
from itertools import count
from pathlib import Path
from resource import RLIMIT_NOFILE, setrlimit
from typing import ClassVar

import httpx2

ADDRESS = re.compile(r"^(\w+): (http://\S+)/\?token=(\S+)$", re.MULTILINE)


class Server:
    """``alkit label`` at work; killed when its test ends, however that ends."""

    running: ClassVar = []
    numbers: ClassVar = count()

    def __init__(self, folder, annotators, *arguments, port=0, wait=300, n_files=None):
        self.log = Path(folder) / f"server{next(self.numbers)}.log"
        limit = None if n_files is None else lambda: setrlimit(RLIMIT_NOFILE, (n_files, n_files))
        command = [sys.executable, "-m", "alkit", "label", *arguments, "--annotators", ",".join(annotators)]
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [*command, "--port", str(port)], stdout=log, stderr=log, cwd=folder, start_new_session=True,
                preexec_fn=limit, env=os.environ | {"PYTHONPATH": os.getcwd(), "PYTHONUNBUFFERED": "1"},
            )  # fmt: skip
        self.people = []
        self.running.append(self)
        until = time.monotonic() + wait
        while True:
            printed = self.log.read_text()
            if "Ctrl-C" in printed:
                break
            assert self.process.poll() is None, printed
            assert time.monotonic() < until, printed
            time.sleep(0.05)
        self.addresses = {name: (url, token) for name, url, token in ADDRESS.findall(printed)}

    def person(self, name):
        url, token = self.addresses[name]
        self.people.append(httpx2.Client(base_url=url, headers={"Authorization": f"Bearer {token}"}, timeout=30))
        return self.people[-1]

    def kill(self, threads=()):
        """SIGKILL to the whole group: server, trainer, everything; wait for those who were labelling."""
        return self._end(signal.SIGKILL, threads)

    def stop(self):
        """Stop as Ctrl-C does."""
        return self._end(signal.SIGINT)

    def _end(self, how, threads=()):
        self.running.remove(self)
        if self.process.poll() is None:
            os.killpg(self.process.pid, how)
        code = self.process.wait(60)
        for thread in threads:
            thread.join()
        for person in self.people:
            person.close()
        return code


def label_all(person, acknowledged, value="spam", pause=0.0):
    """Label until nothing is left, or the server or its database is gone; note what was acknowledged."""
    while True:
        try:
            answer = person.get("/api/next")
            if answer.status_code == 204:
                return
            if answer.status_code >= 500:
                return
            sent = {"uuid": str(uuid.uuid4()), "item": answer.json()["item"], "kind": "label", "value": value}
            if person.post("/api/events", json=sent).status_code == 200:
                acknowledged.append((sent["uuid"], sent["item"]))
        except httpx2.HTTPError:
            return
        time.sleep(pause)


def in_threads(work, many):
    threads = [threading.Thread(target=work, args=arguments) for arguments in many]
    for thread in threads:
        thread.start()
    return threads
