"""The trainer: fits the model in a process of its own, so that no annotator waits for a fit."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import threading
import time
import traceback
from contextlib import suppress
from io import BufferedReader

import cloudpickle

from alkit.annotate.database.model_state import starting
from alkit.annotate.database.places import Place
from alkit.annotate.database.store import LabelStore
from alkit.annotate.training.job import Job
from alkit.annotate.training.rounds import Training, one_line
from alkit.annotate.training.several_labels import SeveralLabelsTraining

_RESTART_SECONDS = 30.0
_KILLED_SECONDS = 5.0  # a killed process is gone at once, unless the operating system cannot end it
_NICENESS = 19
_POLL_SECONDS = 1.0
_BOOTSTRAP = (
    "import pickle, sys; sys.path[:] = pickle.load(sys.stdin.buffer); "
    "from alkit.annotate.training.trainer import main; main()"
)


class Trainer:
    """The process of the trainer, as the labelling process sees it.

    The trainer ends when the labelling process does, even by SIGKILL, because its standard input ends then. A crash is
    reported, and the next label starts a new process.

    Parameters
    ----------
    path : Path or PostgresUrl
        The database.
    job : Job
    """

    def __init__(self, path: Place, job: Job):
        self._path = pickle.dumps(path)  # not an argument of the process, which all users see: it may hold a password
        self._job = cloudpickle.dumps(job)  # unlike pickle, it takes classes that a notebook or script defines
        self._one_at_a_time = threading.Lock()
        self._start()

    def _start(self) -> None:
        self._started = time.monotonic()
        command = [sys.executable, "-c", _BOOTSTRAP]
        quiet = os.environ | {"TQDM_DISABLE": "1"}
        # in a process group of its own: Ctrl-C is for the server, which then asks for a last fit
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, env=quiet, process_group=0)
        self._sender = threading.Thread(
            target=self._send, args=(pickle.dumps(sys.path), self._path, self._job), daemon=True
        )
        self._sender.start()

    def _send(self, *parts: bytes) -> None:
        assert self._process.stdin is not None
        try:
            for part in parts:
                self._process.stdin.write(part)
            self._process.stdin.flush()
        except (BrokenPipeError, ValueError):  # the process died or was stopped: `error` and `stop` report that
            pass

    def error(self) -> str | None:
        """Return how the process died, None if it did not.

        Returns
        -------
        str or None
        """
        code = self._process.poll()
        if code is None:
            return None
        how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"stopped with exit code {code}"
        hint = " (out of memory?)" if code == -signal.SIGKILL else ""
        return (
            f"the trainer {how}{hint}; the last ranking stays, and a label after {_RESTART_SECONDS:.0f} s restarts it"
        )

    def revive(self) -> None:
        """Start a new process after a crash, unless the last one was started just before."""
        with self._one_at_a_time:
            if time.monotonic() - self._started > _RESTART_SECONDS:
                self._start_if_dead()

    def _start_if_dead(self) -> None:
        if self._process.poll() is not None:
            self._process.communicate()  # closes the pipe
            self._start()

    def stop(self, timeout: float) -> bool:
        """Have the process fit on the last labels, and end.

        Parameters
        ----------
        timeout : float
            Seconds after which it is killed.

        Returns
        -------
        bool
            Whether it fitted on all labels.
        """
        self._start_if_dead()
        until = time.monotonic() + timeout
        try:
            self._sender.join(timeout)
            if self._sender.is_alive():
                return False
            self._send(b"stop\n")
            return self._process.wait(max(0.0, until - time.monotonic())) == 0
        except subprocess.TimeoutExpired:
            return False
        finally:
            self._kill()

    def _kill(self) -> None:
        """End the process and those that its model has started, which would keep the pipe open."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        with suppress(subprocess.TimeoutExpired):
            self._process.communicate(timeout=_KILLED_SECONDS)  # closes the pipe


def main() -> None:
    """Train until asked to stop, or until the labelling process is gone."""
    if hasattr(os, "nice"):
        os.nice(_NICENESS)
    store = LabelStore(pickle.load(sys.stdin.buffer), durable=False)
    stopping = threading.Event()
    try:
        job = pickle.load(sys.stdin.buffer)
        threading.Thread(target=_watch, args=(sys.stdin.buffer, stopping), daemon=True).start()
        complete = True
        if _is_to_train(store, stopping):
            store.put_meta(trainer=starting())
            training = SeveralLabelsTraining if job.multi else Training
            complete = training(store, job).run(stopping)
    except Exception as error:
        traceback.print_exc()
        with suppress(OSError):  # the database is gone
            store.put_meta(trainer={"doing": None, "error": one_line(error)})
        os._exit(1)
    store.close()
    os._exit(0 if complete else 1)  # without waiting for the thread that reads


def _is_to_train(store: LabelStore, stopping: threading.Event) -> bool:
    """Wait until no other server's trainer is at work; return False if asked to stop before."""
    while not store.try_lock("train"):
        if stopping.wait(_POLL_SECONDS):
            return False
    return True


def _watch(stdin: BufferedReader, stopping: threading.Event) -> None:
    """Wait for the line that asks to stop; if the input ends instead, the labelling process is gone."""
    if stdin.readline():
        stopping.set()
        stdin.readline()
    os._exit(1)
