"""Jobs in parallel, in whichever backend of joblib is active, with results one after another."""

from __future__ import annotations

import multiprocessing.context
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

import joblib
import torch
from joblib.parallel import get_active_backend
from threadpoolctl import threadpool_limits

_JOBS_PER_WORKER = 4
"""Jobs handed to each worker at once by backends that return lists: so many results are held in memory together."""
# where processes are never forked, there is no such class
_FORKED: Any = getattr(multiprocessing.context, "ForkProcess", ())


def results_of(
    jobs: Iterable[Any],
    n_jobs: int | None = None,
    *,
    ordered: bool = True,
    parallel: type[joblib.Parallel] = joblib.Parallel,
) -> Iterator[Any]:
    """Run jobs and yield their results, of which only a few are held at the same time.

    Parameters
    ----------
    jobs : iterable of ``delayed`` calls
        Made one by one, as workers become free.
    n_jobs : int, optional
        Number of workers; by default what ``joblib.parallel_config`` says.
    ordered : bool, default=True
        Whether results come in the order of the jobs, or as they are ready where the backend can do that.
    parallel : class
        joblib's or scikit-learn's, which takes scikit-learn's configuration to the workers.

    Yields
    ------
    result
        What each job returns.

    Examples
    --------
    >>> from joblib import delayed
    >>> from alkit._parallel import results_of
    >>> list(results_of(delayed(abs)(x) for x in (-1, 2, -3)))
    [1, 2, 3]
    """
    backend, _ = get_active_backend()
    if backend.supports_return_generator:
        return_as = "generator" if ordered else "generator_unordered"
        yield from parallel(n_jobs=n_jobs, return_as=return_as)(jobs)
        return
    # multiprocessing and Ray return lists alone; one list of all results would hold those of a whole pool
    waiting = iter(jobs)
    n_at_once = _JOBS_PER_WORKER * joblib.effective_n_jobs(n_jobs)
    with parallel(n_jobs=n_jobs) as run:
        while some := list(islice(waiting, n_at_once)):
            yield from run(some)


def shares_memory(n_jobs: int | None = None) -> bool:
    """Tell whether jobs run in this process, so that their results are not sent to it."""
    backend, _ = get_active_backend()
    return getattr(backend, "supports_sharedmem", False) or joblib.effective_n_jobs(n_jobs) == 1


def keep_forks_to_one_thread() -> None:
    """Let a forked process compute on one thread from now on; any other process is left as it is.

    It has the OpenMP of its parent without the threads that its parent had started, for which it would wait for ever.
    """
    if isinstance(multiprocessing.current_process(), _FORKED):
        torch.set_num_threads(1)
        threadpool_limits(1)
