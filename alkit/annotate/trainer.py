"""The trainer: fits the model in a process of its own, so that no annotator waits for a fit."""

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
from alkit.annotate.files import write_private
from alkit.learners import ActiveLearner
from alkit.rows import Rows, take
from alkit.strategies import Strategy, as_strategy

_POLL_SECONDS = 0.3
_RESTART_SECONDS = 30.0
_N_SET_PICKS = 200  # ranked items of strategies that pick on the set, such as BADGE: they are slow for many picks
_N_PREDICTED = 500  # next items of the random order of which predictions are kept, too
_NICENESS = 19
_BOOTSTRAP = (
    "import pickle, sys; sys.path[:] = pickle.load(sys.stdin.buffer); "
    "from alkit.annotate.trainer import main; main(sys.argv[1])"
)


class Job(NamedTuple):
    """What a trainer works on."""

    X: Rows
    """One row per item, in the order of the data."""
    learner: Any
    """Estimator, ActiveLearner or Committee."""
    strategy: Any
    """Query strategy, or None for the learner's own."""
    classes: list[str]
    """The labels to choose from."""
    embed: Any = None
    """Transformer fitted once, on all of X; the learner is given its output."""
    cold_start: Any = "random"
    """Query strategy until each class has a label."""
    n_ranked: int = 2000
    """Number of items in a ranking."""
    seed: int = 0
    """Seeds ties and posterior samples."""


class Trainer:
    """The process of the trainer, as the labelling process sees it.

    The trainer ends when the labelling process does, even by SIGKILL, because its standard input ends then. A crash is
    reported, and the next label starts a new process.

    Parameters
    ----------
    path : Path
        The database.
    job : Job
    """

    def __init__(self, path: Path, job: Job):
        self._path = path
        self._job = cloudpickle.dumps(job)  # unlike pickle, it takes classes that a notebook or script defines
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
    """Train until asked to stop, or until the labelling process is gone.

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
    """Wait for the line that asks to stop; if the input ends instead, the labelling process is gone."""
    if stdin.readline():
        stopping.set()
        stdin.readline()
    os._exit(1)


class _Training:
    """Fitting and ranking, for as long as there are new labels."""

    def __init__(self, store: LabelStore, job: Job):
        self.store, self.job = store, job
        self.X = job.X if job.embed is None else job.embed.fit_transform(job.X)
        self.rng = generator(job.seed)
        items = store.query("SELECT id, position FROM item ORDER BY id")
        self.positions = np.array([row["position"] for row in items])  # rows of X, by the id of the item
        self.item_ids = np.argsort(self.positions)  # ids of items, by the row of X
        self.learner = self._fresh_learner()
        self.cold = True

    def _fresh_learner(self) -> Any:
        """Return a learner without labels; also after a failure, which may leave weights that are useless."""
        learner = copy.deepcopy(self.job.learner)
        if not hasattr(learner, "query"):
            return ActiveLearner(learner, self.job.strategy or "margin", random_state=draw_seed(self.rng))
        if self.job.strategy is not None:
            learner.query_strategy = self.job.strategy
        return learner

    def run(self, stopping: threading.Event) -> bool:
        """Train until asked to stop and done with the last labels; return whether the last fit went well."""
        seen, error = -1, None
        while True:
            last_round = stopping.is_set()  # asked before labels are read, so that the last round misses none
            if last_event(self.store) == seen:
                if last_round:
                    return error is None
                stopping.wait(_POLL_SECONDS)
                continue
            labels = read_labels(self.store)
            error = None
            last_error = self.store.meta("trainer", {}).get("error")  # shown until this fit ends
            self.store.put_meta(trainer={"training": True, "error": last_error})
            try:
                self._round(labels)
            except Exception as failure:  # a model may raise anything; the last ranking stays in use
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
        ranked, utilities = np.empty(0, dtype=np.intp), np.empty(0)
        if fresh.size:
            n_ranked = self._count(strategy, fresh)
            ranked, _, utilities = self.learner.query(
                self.X, n_instances=n_ranked, candidates=fresh, return_metrics=True
            )
        # the lowest ids are drawn next, see the schema
        only_predicted = np.setdiff1d(fresh[:_N_PREDICTED], ranked)
        predictions, confidences = self._predict(np.concatenate([ranked, only_predicted]))
        self._put(ranked, utilities, only_predicted, predictions, confidences, labels.n_labels)
        write_private(model_path(self.store.path), cloudpickle.dumps(self._model()))

    def _count(self, strategy: Any, fresh: np.ndarray) -> int:
        """Return how many items to rank."""
        n_ranked = min(len(fresh), self.job.n_ranked)
        if isinstance(strategy, Strategy) and strategy.pick_needs:
            return min(n_ranked, _N_SET_PICKS)
        return n_ranked

    def _cold_start(self, fresh: np.ndarray) -> None:
        """Rank by a strategy that needs no model; only once, since labels do not change that ranking."""
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
        """Return the most probable class of each row, and its probability (None where the learner has none)."""
        if not rows.size:
            return np.empty(0, dtype=object), np.empty(0)
        X = take(self.X, rows)
        if not hasattr(self.learner, "predict_proba"):
            return self.learner.predict(X), np.full(len(rows), None)
        proba = np.asarray(self.learner.predict_proba(X), dtype=float)
        if not np.isfinite(proba).all():
            n_broken = (~np.isfinite(proba)).any(1).sum()
            raise ValueError(f"predict_proba returned NaN or infinity for {n_broken} rows")
        return np.asarray(self.learner.classes_)[proba.argmax(1)], proba.max(1)

    def _put(
        self,
        ranked: np.ndarray,
        utilities: np.ndarray,
        only_predicted: np.ndarray,
        predictions: np.ndarray,
        confidences: np.ndarray,
        n_labels: int,
    ) -> None:
        """Write the ranking: the ranked rows in order, then those only predicted."""
        items = self.item_ids[np.concatenate([ranked, only_predicted])].tolist()
        unranked = [None] * len(only_predicted)
        places = [*range(len(ranked)), *unranked]
        scores = [*np.asarray(utilities, dtype=float).tolist(), *unranked]
        classes = [None if value is None else str(value) for value in predictions.tolist()]
        rows = zip(items, places, scores, classes, confidences.tolist(), strict=True)
        put_ranking(self.store, [Ranked(*row) for row in rows], n_labels, time.time())

    def _model(self) -> Any:
        """Return the fitted model; with an embedding, a Pipeline, so that it takes rows of X in any case."""
        model = getattr(self.learner, "estimator", self.learner)
        if self.job.embed is None:
            return model
        return make_pipeline(self.job.embed, model)


def _one_line(error: Exception) -> str:
    """Return an error as the page shows it."""
    return " ".join(f"{type(error).__name__}: {error}".split())[:500]


def check_job(job: Job) -> None:
    """Refuse a job that the trainer could not do.

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
