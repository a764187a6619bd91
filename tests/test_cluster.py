"""Scoring is parallel over chunks: on a real cluster, in processes and in threads the picks are the serial ones."""

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import make_blobs

from alkit import ActiveLearner, DropoutMLPClassifier
from tests.experiment.helpers import compare, small_net, table

distributed = pytest.importorskip("distributed")

X, Y = make_blobs(2000, centers=4, n_features=6, cluster_std=4.0, random_state=0)
X = X.astype(np.float32)


@pytest.fixture(scope="module")
def cluster():
    """Two worker processes."""
    with (
        distributed.LocalCluster(n_workers=2, threads_per_worker=2, processes=True, dashboard_address=":0") as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


def query(strategy, pool):
    model = DropoutMLPClassifier(max_epochs=3, random_state=0)
    learner = ActiveLearner(model, strategy, X[:60], Y[:60], random_state=0)
    indices, _, scores = learner.query(pool, n_instances=20, chunk_bytes=40_000, return_metrics=True)
    return indices, scores


@pytest.fixture
def memmap(tmp_path):
    pool = np.memmap(tmp_path / "pool.f32", np.float32, "w+", shape=X.shape)
    pool[:] = X
    pool.flush()
    return np.memmap(tmp_path / "pool.f32", np.float32, "r", shape=X.shape)


@pytest.mark.parametrize("strategy", ["bald", "entropy", "badge"])
@pytest.mark.parametrize("backend", ["dask", "loky", "threading"])
def test_picks_equal_the_serial_ones(strategy, backend, cluster, memmap):
    serial, scores = query(strategy, memmap)
    with joblib.parallel_config(backend=backend, n_jobs=None if backend == "dask" else 2):
        indices, parallel_scores = query(strategy, memmap)
    assert indices.tolist() == serial.tolist()
    np.testing.assert_allclose(parallel_scores, scores, atol=1e-6)


def test_runs_on_workers_with_several_threads_are_the_serial_ones(cluster):
    settings = {"estimator": small_net(), "strategies": ["bald"], "n_seeds": 2, "n_queries": 2}
    serial = compare(**settings)
    with joblib.parallel_config(backend="dask"):
        on_cluster = compare(**settings)
    pd.testing.assert_frame_equal(table(on_cluster), table(serial), check_exact=True)


def test_both_workers_score(cluster):
    with joblib.parallel_config(backend="dask"):
        query("bald", X)
    done = cluster.run(lambda dask_worker: len(dask_worker.state.log))
    assert len(done) == 2
    assert min(done.values()) > 0
