"""Runs of the simulated loop: played in parallel, on one thread each, and kept in a store."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import RLock
from typing import Any, NamedTuple

import numpy as np
import torch
from joblib.parallel import get_active_backend
from sklearn.base import clone
from sklearn.utils.parallel import Parallel, delayed
from threadpoolctl import threadpool_limits
from tqdm.auto import tqdm

from alkit._parallel import results_of
from alkit._progress import inside
from alkit._random import generator, seed_estimator
from alkit.experiment.curves import area_under_curve
from alkit.experiment.run_keys import run_keys
from alkit.experiment.run_store import RunStore
from alkit.experiment.scorers import Scorers, named_scorers
from alkit.experiment.simulated_loop import SimulatedLoop
from alkit.experiment.splits import Data
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
    scores: Mapping[str, np.ndarray] = {}
    """Of every scorer, by name; `score` is one of them."""


class Round(NamedTuple):
    """What a callback is told after each round of a run."""

    estimator: str
    strategy: str
    seed: int
    round: int
    n_labels: int
    scores: dict[str, float]
    """On the test set, by name of the scorer."""
    query_seconds: float
    fit_seconds: float
    model: Any
    """The loop, which predicts by the model of this round; the next round trains it further."""


Callbacks = Sequence[Callable[[Round], Any]]


class Job(NamedTuple):
    """One run to play, and how."""

    label: tuple[str, str, int]
    loop: SimulatedLoop
    data: Data
    scorers: dict[str, Any]
    purchases: Any
    callbacks: Callbacks


def play(
    loops: Sequence[SimulatedLoop],
    labels: Sequence[tuple[str, str, int]],
    data: Sequence[Data],
    scoring: Any,
    n_jobs: int | None,
    store: str | Path | None = None,
    *,
    purchases: Sequence[Any] | None = None,
    callbacks: Callbacks = (),
    progress: bool = True,
    only_stored: bool = False,
) -> list[Run]:
    """Play loops in parallel, skipping those in the store; return the runs in their order.

    Seeds take turns on the `data` of several splits. All loops of a seed are played before those of the next one, so
    that what is finished can be compared while the rest is played.
    """
    for part in data:
        check_label_a_row(part.X_test, part.y_test, "_test")
    scorers = named_scorers(scoring)
    Scorers(loops[0], scorers)  # refuses those that do not suit, before any run
    acquired = purchases or [None] * len(loops)
    of_seeds = [data[seed % len(data)] for _, _, seed in labels]
    jobs = [
        Job(label, loop, of_seeds[i], scorers, acquired[i], callbacks)
        for i, (label, loop) in enumerate(zip(labels, loops, strict=True))
    ]
    run_store = None
    keys: list[dict[str, dict[str, Any]]] = [{}] * len(loops)
    results: dict[int, dict[str, Any]] = {}
    if store is not None:
        run_store = RunStore.open(store)
        keys = run_keys(loops, labels, of_seeds, scorers)
        results = _stored(run_store, keys)
    elif only_stored:
        raise ValueError("only_stored=True needs a store to read from; pass store=")
    if only_stored:
        return _of_whole_seeds(results, labels)
    missing = sorted(set(range(len(jobs))) - results.keys(), key=lambda i: labels[i][2])
    delayed_jobs = (delayed(_job)(i, jobs[i], run_store, keys[i]) for i in missing)
    for i, run in _with_bar(run_apart(delayed_jobs, n_jobs, ordered=False), results, labels, progress):
        results[i] = run
    _warn_once([run["warnings"] for run in results.values()])
    return [_as_run(label, results[i]) for i, label in enumerate(labels)]


def _stored(run_store: RunStore, keys: Sequence[dict[str, Any]]) -> dict[int, dict[str, Any]]:
    """Return the results that are in the store, by position: those of runs of which every scorer's are there."""
    found = {}
    for i, of_scorers in enumerate(keys):
        files = [run_store.get(key) for key in of_scorers.values()]
        runs = [run for run in files if run is not None]
        if len(runs) == len(of_scorers):
            scores = {name: run["score"] for name, run in zip(of_scorers, runs, strict=True)}
            found[i] = runs[0] | {"scores": scores}
    return found


def _of_whole_seeds(results: dict[int, dict[str, Any]], labels: Sequence[tuple[str, str, int]]) -> list[Run]:
    """Return the runs of those seeds of which all are in the store."""
    there = {seed for _, _, seed in labels} - {label[2] for i, label in enumerate(labels) if i not in results}
    if not there:
        raise ValueError(
            f"only_stored=True, but of no seed are all runs in the store ({len(results)} of {len(labels)} runs are "
            "there); wait, or play with fewer strategies"
        )
    return [_as_run(label, results[i]) for i, label in enumerate(labels) if label[2] in there]


def _with_bar(
    finished: Iterable[tuple[int, dict[str, Any]]],
    stored: dict[int, dict[str, Any]],
    labels: Sequence[tuple[str, str, int]],
    progress: bool,
) -> Iterator[tuple[int, dict[str, Any]]]:
    """Pass on runs as they are finished, with a bar that says how many there are, and which strategies lead."""
    if not progress:
        yield from finished
        return
    runs = {labels[i]: _as_run(labels[i], result) for i, result in stored.items()}
    with tqdm(total=len(labels), initial=len(stored), desc="runs") as bar:
        for i, result in finished:
            runs[labels[i]] = _as_run(labels[i], result)
            bar.set_postfix_str(leaders(runs))
            bar.update()
            yield i, result


def leaders(runs: Mapping[tuple[str, str, int], Run], n_best: int = 3) -> str:
    """Return the mean scores of the best strategies so far, over the seeds that all of them have finished."""
    seeds_of: dict[tuple[str, str], set[int]] = {}
    for estimator, strategy, seed in runs:
        seeds_of.setdefault((estimator, strategy), set()).add(seed)
    seeds = set.intersection(*seeds_of.values())
    if len(seeds_of) < 2 or not seeds:
        return ""
    curves = {way: [runs[*way, seed] for seed in seeds] for way in seeds_of}
    area = {way: np.mean([area_under_curve(run.n_labels, run.score) for run in curves[way]]) for way in curves}
    best = sorted(area, key=lambda way: -area[way])[:n_best]
    several = len({estimator for estimator, _ in area}) > 1
    named = [f"{', '.join(reversed(way)) if several else way[1]} {area[way]:.3f}" for way in best]
    return f"{'; '.join(named)} (over {len(seeds)} of the seeds)"


def _as_run(label: tuple[str, str, int], result: dict[str, Any]) -> Run:
    """Return a result with arrays in place of lists."""
    # the first three fields are the label, and the last one is a dict
    fields: dict[str, Any] = {name: np.array(result[name]) for name in Run._fields[3:-1]}
    fields["scores"] = {name: np.array(score) for name, score in result["scores"].items()}
    return Run(*label, **fields)


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


def _job(i: int, job: Job, store: RunStore | None, keys: dict[str, dict[str, Any]]) -> tuple[int, dict[str, Any]]:
    """Play one loop and store its results, those of each scorer in a file; an error names the run."""
    try:
        run = _play_one(job)
    except Exception as error:
        error.add_note(f"in the run of {', '.join(map(str, job.label))} (estimator, strategy, seed)")
        raise
    if store is not None:
        shared = {name: value for name, value in run.items() if name != "scores"}
        for name, key in keys.items():
            store.put(key, shared | {"score": run["scores"][name]})
    return i, run


def _play_one(job: Job) -> dict[str, Any]:
    """Play one loop, score each round, and return the results as plain JSON types."""
    loop, data = job.loop, job.data
    score = Scorers(loop, job.scorers)
    scores: dict[str, list[float]] = {name: [] for name in job.scorers}
    with one_thread(), inside(), warnings.catch_warnings(record=True) as caught:
        for number, model in enumerate(loop.iter_fit(data.X, data.y, job.purchases, pool=data.pool)):
            found = score(model, data.X_test, data.y_test)
            for name, value in found.items():
                scores[name].append(value)
            seconds = float(loop.query_seconds_[-1]), float(loop.fit_seconds_[-1])
            for callback in job.callbacks:
                callback(Round(*job.label, number, int(loop.n_labels_[-1]), found, *seconds, model))
    return {
        "n_labels": loop.n_labels_.tolist(),
        "score": next(iter(scores.values())),
        "query_seconds": loop.query_seconds_.tolist(),
        "fit_seconds": loop.fit_seconds_.tolist(),
        "labeled_indices": loop.labeled_indices_.tolist(),
        "scores": scores,
        "warnings": sorted({f"{warning.category.__name__}: {warning.message}" for warning in caught}),
    }


def _warn_once(messages: list[list[str]]) -> None:
    """Pass on the warnings of runs, which may have been played in other processes; each message once."""
    of_all_runs = [message for run in messages for message in run]
    for message in dict.fromkeys(of_all_runs):
        n = of_all_runs.count(message)
        warnings.warn(f"{message} ({n} of {len(messages)} runs)", stacklevel=4)
