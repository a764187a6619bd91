"""joblib's backends that return lists alone, and comparisons in threads: the same picks and runs as without workers.

Queries in processes, in threads and on a cluster are in `tests/test_cluster.py`.
"""

import warnings

import joblib
import numpy as np
import pandas as pd
import pytest
import torch
from joblib.parallel import MultiprocessingBackend
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB

from alkit import ActiveLearner, DropoutMLPClassifier
from alkit._parallel import results_of, shares_memory
from alkit.experiment import score_gain_correlation
from tests.experiment.helpers import compare, small_net, table

X = np.random.default_rng(0).normal(size=(300, 4)).astype(np.float32)
Y = (X[:, 0] > 0).astype(int)


@pytest.fixture
def ray_backend(monkeypatch):
    """Ray's workers; Ray itself is not among what the tests need."""
    # it would write a token into the home folder
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    ray = pytest.importorskip("ray")
    register_ray = pytest.importorskip("ray.util.joblib").register_ray
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    register_ray()
    yield "ray"
    ray.shutdown()


def picks_of(estimator, strategy, **options):
    """The rows that a seeded query picks among those that were not taught, scored in chunks of a few."""
    learner = ActiveLearner(estimator, strategy, X[:40], Y[:40], random_state=0)
    return learner.query(X[40:], n_instances=5, chunk_bytes=2000, **options)[0].tolist()


def models():
    return {"margin": LogisticRegression(), "badge": DropoutMLPClassifier(max_epochs=2, random_state=0)}


@pytest.fixture
def two_threads():
    """A process that computes on several threads, which those forked from it do not have."""
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("strategy", ["margin", "badge"])
def test_multiprocessing_picks_the_same_rows(strategy, two_threads):
    serial = picks_of(models()[strategy], strategy)
    with joblib.parallel_config("multiprocessing", n_jobs=2):
        assert picks_of(models()[strategy], strategy) == serial


@pytest.mark.parametrize("backend", ["multiprocessing", "threading"])
def test_backends_play_the_same_runs(backend):
    settings = {"estimator": small_net(), "strategies": ["bald"], "n_seeds": 2, "n_queries": 2}
    serial = compare(**settings)
    torch_threads, filters = torch.get_num_threads(), list(warnings.filters)
    with joblib.parallel_config(backend, n_jobs=2):
        parallel = compare(**settings)
    pd.testing.assert_frame_equal(table(parallel), table(serial), check_exact=True)
    # what runs set in their own process, they do not leave in this one
    assert (torch.get_num_threads(), warnings.filters) == (torch_threads, filters)


def test_correlations_in_a_backend_that_returns_lists():
    sizes = {"n_train": 60, "n_pool": 120, "n_groups": 4, "n_seeds": 3}
    serial = score_gain_correlation(GaussianNB(), X, Y, ["margin"], **sizes)
    with joblib.parallel_config("multiprocessing", n_jobs=2):
        parallel = score_gain_correlation(GaussianNB(), X, Y, ["margin"], **sizes)
    pd.testing.assert_frame_equal(parallel.to_frame(), serial.to_frame(), check_exact=True)


@pytest.mark.slow
def test_ray_picks_the_same_rows_and_plays_the_same_runs(ray_backend):
    settings = {"n_seeds": 2, "n_queries": 2}
    serial = [picks_of(model, strategy) for strategy, model in models().items()]
    runs = table(compare(GaussianNB(), **settings))
    with joblib.parallel_config(ray_backend, n_jobs=2):
        assert [picks_of(model, strategy) for strategy, model in models().items()] == serial
        pd.testing.assert_frame_equal(table(compare(GaussianNB(), **settings)), runs, check_exact=True)


def test_lists_hold_the_results_of_a_few_jobs_at_a_time():
    made = []

    def jobs():
        for number in range(100):
            made.append(number)
            yield joblib.delayed(abs)(-number)

    with joblib.parallel_config("multiprocessing", n_jobs=2):
        results = results_of(jobs())
        assert next(results) == 0
        # so that neither all rows of a pool nor all their results are in memory together
        assert len(made) <= 10
        assert list(results) == list(range(1, 100))


def test_jobs_that_fail_in_a_backend_that_returns_lists():
    jobs = [joblib.delayed(divmod)(1, number) for number in (1, 0)]
    with joblib.parallel_config(MultiprocessingBackend(), n_jobs=2), pytest.raises(ZeroDivisionError):
        list(results_of(jobs))


def test_no_jobs():
    for backend in ("multiprocessing", "threading"):
        with joblib.parallel_config(backend, n_jobs=2):
            assert list(results_of([])) == []


@pytest.mark.parametrize(
    ("backend", "n_jobs", "shares"), [("threading", 2, True), ("loky", 1, True), ("loky", 2, False)]
)
def test_whether_results_are_sent_to_this_process(backend, n_jobs, shares):
    with joblib.parallel_config(backend, n_jobs=n_jobs):
        assert shares_memory() is shares
