"""Trainer: fits the model in a process of its own, so that nobody who labels ever waits for it."""

from __future__ import annotations

import copy
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
import traceback
from io import BufferedReader
from pathlib import Path
from typing import Any, NamedTuple

import cloudpickle
import numpy as np
from sklearn.pipeline import make_pipeline

from alkit._random import draw_seed, generator
from alkit.annotate.database.ranking import Labels, Ranked, last_event, put_ranking, read_labels
from alkit.annotate.database.store import LabelStore
from alkit.learners import ActiveLearner
from alkit.rows import Rows, take
from alkit.strategies import Strategy, as_strategy

_POLL_SECONDS = 0.3
_RESTART_SECONDS = 30.0
_N_SET_PICKS = 200  # what picks on the whole set, such as BADGE, is slow in the number of picks
_N_DRAWN = 500  # of the next items of the random order, predictions are kept, too
_NICENESS = 19
_BOOTSTRAP = (
    "import pickle, sys; sys.path[:] = pickle.load(sys.stdin.buffer); "
    "from alkit.annotate.trainer import main; main(sys.argv[1])"
)


class Job(NamedTuple):
    """What a trainer works on."""

    X: Rows
    """A row for each item, in the order of the data."""
    learner: Any
    """Estimator, ActiveLearner or Committee."""
    strategy: Any
    """Query strategy, or None for the learner's own."""
    classes: list[str]
    """The labels there are."""
    embed: Any = None
    """Transformer fitted once, on all of X; the learner sees what it makes of them."""
    cold_start: Any = "random"
    """Query strategy until each class has a label."""
    n_ranked: int = 2000
    """How many items a ranking holds."""
    seed: int = 0
    """For ties and posterior samples."""


class Trainer:
    """The trainer's process, seen from the one that labels.

    It dies when this one does, by whatever signal: its standard input ends then. A crash is reported, and mended with
    the next label by a new process.

    Parameters
    ----------
    path : Path
        The database.
    job : Job
    """

    def __init__(self, path: Path, job: Job):
        self._path = path
        self._job = cloudpickle.dumps(job)  # by value what a notebook or script defines
        self._one_at_a_time = threading.Lock()
        self._start()

    def _start(self) -> None:
        self._started = time.monotonic()
        command = [sys.executable, "-c", _BOOTSTRAP, str(self._path)]
        quiet = os.environ | {"TQDM_DISABLE": "1"}
        # in a process group of its own: Ctrl-C is for the server, which then asks for a last fit
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, env=quiet, process_group=0)
        self._sender = threading.Thread(target=self._send, args=(pickle.dumps(sys.path), self._job), daemon=True)
        self._sender.start()

    def _send(self, *parts: bytes) -> None:
        assert self._process.stdin is not None
        try:
            for part in parts:
                self._process.stdin.write(part)
            self._process.stdin.flush()
        except (BrokenPipeError, ValueError):  # it died, or was stopped; both are reported elsewhere
            pass

    def error(self) -> str | None:
        """Say how the process died, if it did.

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
        """Start anew after a crash, but not at once again."""
        with self._one_at_a_time:
            if time.monotonic() - self._started > _RESTART_SECONDS:
                self._start_if_dead()

    def _start_if_dead(self) -> None:
        if self._process.poll() is not None:
            self._process.communicate()  # closes the pipe
            self._start()

    def stop(self, timeout: float) -> bool:
        """Have it fit on the last labels, and end.

        Parameters
        ----------
        timeout : float
            Seconds after which it is killed.

        Returns
        -------
        bool
            Whether it did.
        """
        self._start_if_dead()
        try:
            self._sender.join(timeout)
            if self._sender.is_alive():
                return False
            self._send(b"stop\n")
            return self._process.wait(timeout) == 0
        except subprocess.TimeoutExpired:
            return False
        finally:
            self._process.kill()
            self._process.wait()
            self._process.communicate()  # closes the pipe


def model_path(database: Path) -> Path:
    """Return where the fitted model is kept.

    Parameters
    ----------
    database : Path

    Returns
    -------
    Path
    """
    return database.with_name(database.name + ".model")


def main(database: str) -> None:
    """Train until told to stop, or until the process that labels is gone.

    Parameters
    ----------
    database : str
    """
    if hasattr(os, "nice"):
        os.nice(_NICENESS)
    store = LabelStore(database, durable=False)
    stopping = threading.Event()
    try:
        job = pickle.load(sys.stdin.buffer)
        threading.Thread(target=_watch, args=(sys.stdin.buffer, stopping), daemon=True).start()
        complete = _Training(store, job).run(stopping)
    except Exception as error:
        store.put_meta(trainer={"training": False, "error": _one_line(error)})
        traceback.print_exc()
        os._exit(1)
    store.close()
    os._exit(0 if complete else 1)  # without waiting for the thread that reads


def _watch(stdin: BufferedReader, stopping: threading.Event) -> None:
    """Wait for the word to stop; if it never comes, the other process is gone."""
    if stdin.readline():
        stopping.set()
        stdin.readline()
    os._exit(1)


class _Training:
    """Fit, rank, and swap in the ranking, for as long as there are new labels."""

    def __init__(self, store: LabelStore, job: Job):
        self.store, self.job = store, job
        self.X = job.X if job.embed is None else job.embed.fit_transform(job.X)
        self.rng = generator(job.seed)
        items = store.query("SELECT id, position FROM item ORDER BY id")
        self.positions = np.array([row["position"] for row in items])  # of items by id
        self.item_ids = np.argsort(self.positions)  # and the other way round
        self.learner = self._fresh_learner()
        self.cold = True

    def _fresh_learner(self) -> Any:
        """Return a learner that was taught nothing: after a failure, the weights it has may be worth nothing."""
        given = copy.deepcopy(self.job.learner)
        if not hasattr(given, "query"):
            return ActiveLearner(given, self.job.strategy or "margin", random_state=draw_seed(self.rng))
        if self.job.strategy is not None:
            given.query_strategy = self.job.strategy
        return given

    def run(self, stopping: threading.Event) -> bool:
        """Work until told to stop and done with the last labels; return whether that went well."""
        seen, error = -1, None
        while True:
            last_round = stopping.is_set()  # first this, then the labels: none may come in between
            if last_event(self.store) == seen:
                if last_round:
                    return error is None
                stopping.wait(_POLL_SECONDS)
                continue
            labels, error = read_labels(self.store), None
            self.store.put_meta(trainer={"training": True, "error": self.store.meta("trainer", {}).get("error")})
            try:
                self._round(labels)
            except Exception as failure:  # whatever a model may raise
                error = _one_line(failure)
                self.learner = self._fresh_learner()
            self.store.put_meta(trainer={"training": False, "error": error})
            seen = labels.last_event

    def _round(self, labels: Labels) -> None:
        """Fit on the labels there are, or rank without a model while a class has none."""
        fresh = self.positions[labels.fresh]
        if set(labels.values) < set(self.job.classes):
            if self.cold and fresh.size:
                self._cold_start(fresh)
            return
        rows = self.positions[labels.items]
        self.learner.fit(take(self.X, rows), np.array(labels.values))
        strategy = as_strategy(self.learner.query_strategy)
        ranked = np.empty(0, dtype=np.intp), np.empty(0)
        if fresh.size:
            ranked = self.learner.query(
                self.X, n_instances=self._count(strategy, fresh), candidates=fresh, return_metrics=True
            )[::2]
        drawn = np.setdiff1d(fresh[:_N_DRAWN], ranked[0])
        self._put(*ranked, drawn, *self._predict(np.concatenate([ranked[0], drawn])), labels.n_labels)
        _write(model_path(self.store.path), self._model())

    def _count(self, strategy: Any, fresh: np.ndarray) -> int:
        on_set = isinstance(strategy, Strategy) and strategy.pick_needs
        return min(len(fresh), self.job.n_ranked, _N_SET_PICKS if on_set else len(fresh))

    def _cold_start(self, fresh: np.ndarray) -> None:
        """Rank by a strategy that needs no model; once, for without a model it would say the same again."""
        self.cold = False
        strategy = as_strategy(self.job.cold_start)
        if strategy.name == "random":
            return
        picks = strategy.select(
            self.learner, self.X, self._count(strategy, fresh), candidates=fresh, random_state=self.rng
        )
        nothing = np.full(len(picks.indices), None)
        self._put(picks.indices, picks.scores, np.empty(0, dtype=np.intp), nothing, nothing, 0)

    def _predict(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the class the model thinks likeliest of each row, and how likely."""
        if not rows.size:
            return np.empty(0, dtype=object), np.empty(0)
        X = take(self.X, rows)
        if not hasattr(self.learner, "predict_proba"):
            return self.learner.predict(X), np.full(len(rows), None)
        proba = np.asarray(self.learner.predict_proba(X), dtype=float)
        if not np.isfinite(proba).all():
            raise ValueError(f"predict_proba returned NaN or infinity for {(~np.isfinite(proba)).any(1).sum()} rows")
        return np.asarray(self.learner.classes_)[proba.argmax(1)], proba.max(1)

    def _put(
        self,
        ranked: np.ndarray,
        utilities: np.ndarray,
        drawn: np.ndarray,
        predictions: np.ndarray,
        confidences: np.ndarray,
        n_labels: int,
    ) -> None:
        """Write the ranking: the ranked rows in order, then those only predicted."""
        items = self.item_ids[np.concatenate([ranked, drawn])].tolist()
        places = [*range(len(ranked)), *[None] * len(drawn)]
        scores = [*np.asarray(utilities, dtype=float).tolist(), *[None] * len(drawn)]
        told = [None if value is None else str(value) for value in predictions.tolist()]
        rows = zip(items, places, scores, told, confidences.tolist(), strict=True)
        put_ranking(self.store, [Ranked(*row) for row in rows], n_labels, time.time())

    def _model(self) -> Any:
        """Return what was fitted, as it takes the rows of X."""
        model = getattr(self.learner, "estimator", self.learner)
        return model if self.job.embed is None else make_pipeline(self.job.embed, model)


def _write(path: Path, model: Any) -> None:
    """Write a model that is there whole or not at all."""
    temporary = path.with_name(f".{path.name}.tmp")
    temporary.write_bytes(cloudpickle.dumps(model))
    temporary.replace(path)


def _one_line(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())[:500]


def check_job(job: Job) -> None:
    """Refuse what a trainer could only fail with.

    Parameters
    ----------
    job : Job
    """
    if not (hasattr(job.learner, "fit") and hasattr(job.learner, "predict")):
        raise TypeError(f"learner is {job.learner!r}; pass an estimator with fit and predict, a learner or a Committee")
    if job.strategy is not None:
        as_strategy(job.strategy)
    if not isinstance(as_strategy(job.cold_start), Strategy):
        raise TypeError(f"cold_start is {job.cold_start!r}; pass a name or a Strategy, such as 'random'")
