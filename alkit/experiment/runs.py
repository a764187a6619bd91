"""Runs of the simulated loop: in parallel, on one thread each, kept in a store."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from sklearn.base import clone
from sklearn.metrics import check_scoring
from sklearn.utils.parallel import Parallel, delayed
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]
from tqdm.auto import tqdm

from alkit._random import generator, seed_estimator
from alkit.experiment.loop import ActiveLearningClassifier
from alkit.experiment.run_keys import run_keys
from alkit.experiment.run_store import RunStore
from alkit.rows import Rows
from alkit.validation import check_label_a_row


class Run(NamedTuple):
    """One strategy, one estimator, one seed, played to the end; one entry a round."""

    estimator: str
    strategy: str
    seed: int
    n_labels: np.ndarray
    score: np.ndarray
    query_seconds: np.ndarray
    fit_seconds: np.ndarray
    labeled_indices: np.ndarray


class Data(NamedTuple):
    """What every run reads."""

    X: Rows
    y: np.ndarray
    X_test: Rows
    y_test: np.ndarray


def play(
    loops: Sequence[ActiveLearningClassifier],
    labels: Sequence[tuple[str, str, int]],
    data: Data,
    scoring: Any,
    n_jobs: int | None,
    store: str | Path | None = None,
    purchases: Sequence[Any] | None = None,
) -> list[Run]:
    """Play loops in parallel, skipping those in the store; return the runs in their order."""
    check_label_a_row(data.X_test, data.y_test, "_test")
    kept = None if store is None else RunStore.open(store)
    keys = run_keys(loops, labels, data, scoring) if kept else [{}] * len(loops)
    found = {i: run for i, key in enumerate(keys) if kept and (run := kept.get(key))}
    n_kept = len(found)
    bought = purchases or [None] * len(loops)
    jobs = (
        delayed(_job)(i, loop, labels[i], bought[i], data, scoring, kept, keys[i])
        for i, loop in enumerate(loops)
        if i not in found
    )
    done = Parallel(n_jobs=n_jobs, return_as="generator_unordered")(jobs)
    found |= dict(tqdm(done, total=len(loops), initial=n_kept, desc="runs"))
    _warn_once([run["warnings"] for run in found.values()])
    return [Run(*label, *(np.array(found[i][name]) for name in Run._fields[3:])) for i, label in enumerate(labels)]


def seeded(estimator: Any, seed: int) -> Any:
    """Clone an estimator with every random state in it set, so that the loop's draws do not depend on it."""
    estimator = clone(estimator)
    seed_estimator(estimator, generator(seed))
    return estimator


@contextmanager
def one_thread() -> Iterator[None]:
    """Let torch and BLAS compute on one thread: sums depend on how many there are."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with threadpool_limits(1):
            yield
    finally:
        torch.set_num_threads(before)


def _job(i: int, loop: Any, label: tuple, bought: Any, data: Data, scoring: Any, store: Any, key: Any) -> tuple:
    """Play one loop and keep what it found; an error says whose it is."""
    try:
        run = _play(loop, bought, data, scoring)
    except Exception as error:
        error.add_note(f"in the run of {', '.join(map(str, label))} (estimator, strategy, seed)")
        raise
    if store is not None:
        store.put(key, run)
    return i, run


def _play(loop: ActiveLearningClassifier, bought: Any, data: Data, scoring: Any) -> dict[str, Any]:
    """Play one loop to the end, scoring each round; plain types, as JSON has them."""
    score = check_scoring(loop, scoring)
    with one_thread(), warnings.catch_warnings(record=True) as caught:
        rounds = loop.iter_fit(data.X, data.y, bought)
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
    """Pass on what runs, perhaps in other processes, warned of."""
    everything = [message for run in messages for message in run]
    for message in dict.fromkeys(everything):
        n = everything.count(message)
        warnings.warn(f"{message} ({n} of {len(messages)} runs)", stacklevel=4)
