"""Runs of the simulated loop: played in parallel, on one thread each, and kept in a store."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import RLock
from typing import Any, NamedTuple

import numpy as np
import torch
from joblib.parallel import get_active_backend
from sklearn.base import clone
from sklearn.metrics import check_scoring
from sklearn.utils.parallel import Parallel, delayed
from threadpoolctl import threadpool_limits
from tqdm.auto import tqdm

from alkit._parallel import results_of
from alkit._random import generator, seed_estimator
from alkit.experiment.run_keys import run_keys
from alkit.experiment.run_store import RunStore
from alkit.experiment.simulated_loop import SimulatedLoop
from alkit.rows import Rows
from alkit.validation import check_label_a_row


class Run(NamedTuple):
    """The results of one strategy, one estimator and one seed; arrays have one entry per round."""

    estimator: str
    strategy: str
    seed: int
    n_labels: np.ndarray
    score: np.ndarray
    query_seconds: np.ndarray
    fit_seconds: np.ndarray
    labeled_indices: np.ndarray


class Data(NamedTuple):
    """The rows and labels that every run reads."""

    X: Rows
    y: np.ndarray
    X_test: Rows
    y_test: np.ndarray


def play(
    loops: Sequence[SimulatedLoop],
    labels: Sequence[tuple[str, str, int]],
    data: Data,
    scoring: Any,
    n_jobs: int | None,
    store: str | Path | None = None,
    purchases: Sequence[Any] | None = None,
) -> list[Run]:
    """Play loops in parallel, skipping those in the store; return the runs in their order."""
    check_label_a_row(data.X_test, data.y_test, "_test")
    run_store = None
    keys: list[dict[str, Any]] = [{}] * len(loops)
    results: dict[int, dict[str, Any]] = {}
    if store is not None:
        run_store = RunStore.open(store)
        keys = run_keys(loops, labels, data, scoring)
        results = _stored(run_store, keys)
    acquired = purchases or [None] * len(loops)
    jobs = (
        delayed(_job)(i, loop, labels[i], acquired[i], data, scoring, run_store, keys[i])
        for i, loop in enumerate(loops)
        if i not in results
    )
    n_stored = len(results)
    finished = run_apart(jobs, n_jobs, ordered=False)
    results |= dict(tqdm(finished, total=len(loops), initial=n_stored, desc="runs"))
    _warn_once([run["warnings"] for run in results.values()])
    return [_as_run(label, results[i]) for i, label in enumerate(labels)]


def _stored(run_store: RunStore, keys: Sequence[dict[str, Any]]) -> dict[int, dict[str, Any]]:
    """Return the results that are in the store, by position."""
    stored = {i: run_store.get(key) for i, key in enumerate(keys)}
    return {i: run for i, run in stored.items() if run is not None}


def _as_run(label: tuple[str, str, int], result: dict[str, Any]) -> Run:
    """Return a result with arrays in place of lists."""
    # the first three fields are the label
    arrays = [np.array(result[name]) for name in Run._fields[3:]]
    return Run(*label, *arrays)


def seeded(estimator: Any, seed: int) -> Any:
    """Clone an estimator and set every random state in it, so that the draws of the loop do not depend on it."""
    estimator = clone(estimator)
    seed_estimator(estimator, generator(seed))
    return estimator


def run_apart(jobs: Iterable[Any], n_jobs: int | None, *, ordered: bool) -> Iterator[Any]:
    """Run jobs that need a process of their own; where workers are threads of this one, one after another.

    They seed the global generators and set the number of threads, which all threads of a process share.
    """
    backend, _ = get_active_backend()
    are_threads = getattr(backend, "supports_sharedmem", False)
    n_workers = 1 if are_threads else n_jobs
    return results_of(jobs, n_workers, ordered=ordered, parallel=Parallel)


# workers of a cluster may be processes with several threads: these take turns
_PLAYING = RLock()


@contextmanager
def one_thread() -> Iterator[None]:
    """Let torch and BLAS compute on one thread, because sums depend on the number of threads."""
    with _PLAYING:
        # threadpoolctl does not know the threads of torch
        before = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            with threadpool_limits(1):
                yield
        finally:
            torch.set_num_threads(before)


def _job(i: int, loop: Any, label: tuple, purchases: Any, data: Data, scoring: Any, store: Any, key: Any) -> tuple:
    """Play one loop and store its results; an error names the run."""
    try:
        run = _play_one(loop, purchases, data, scoring)
    except Exception as error:
        error.add_note(f"in the run of {', '.join(map(str, label))} (estimator, strategy, seed)")
        raise
    if store is not None:
        store.put(key, run)
    return i, run


def _play_one(loop: SimulatedLoop, purchases: Any, data: Data, scoring: Any) -> dict[str, Any]:
    """Play one loop, score each round, and return the results as plain JSON types."""
    score = check_scoring(loop, scoring)
    with one_thread(), warnings.catch_warnings(record=True) as caught:
        rounds = loop.iter_fit(data.X, data.y, purchases)
        scores = [float(score(model, data.X_test, data.y_test)) for model in rounds]
    return {
        "n_labels": loop.n_labels_.tolist(),
        "score": scores,
        "query_seconds": loop.query_seconds_.tolist(),
        "fit_seconds": loop.fit_seconds_.tolist(),
        "labeled_indices": loop.labeled_indices_.tolist(),
        "warnings": sorted({f"{warning.category.__name__}: {warning.message}" for warning in caught}),
    }


def _warn_once(messages: list[list[str]]) -> None:
    """Pass on the warnings of runs, which may have been played in other processes; each message once."""
    of_all_runs = [message for run in messages for message in run]
    for message in dict.fromkeys(of_all_runs):
        n = of_all_runs.count(message)
        warnings.warn(f"{message} ({n} of {len(messages)} runs)", stacklevel=4)
