"""Deep ensembles: members differ, are seeded, and serve every strategy."""

import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks
from torch import nn

from alkit import (
    ActiveLearner,
    ActiveLearningClassifier,
    DropoutMLPClassifier,
    EnsembleClassifier,
    NetClassifier,
)
from tests.nets.checks import run
from tests.nets.networks import blobs, net, rng_states

X, Y = blobs()


def test_it_learns_and_its_members_differ():
    ensemble = EnsembleClassifier(net(), n_estimators=4, random_state=0).fit(X, Y)
    samples = ensemble.sample_proba(X)
    assert samples.shape == (90, 4, 3)
    assert samples.dtype == np.float32
    np.testing.assert_allclose(ensemble.predict_proba(X), samples.mean(1))
    assert ensemble.score(X, Y) > 0.95
    assert samples.std(1).max() > 1e-3
    assert ensemble.embed(X).shape == (90, 4 * 16)
    assert len({member.random_state for member in ensemble.estimators_}) == 4


def test_same_seed_same_members_and_nothing_global_is_drawn():
    before = rng_states()
    first, again = (EnsembleClassifier(net(), 3, random_state=5).fit(X, Y).sample_proba(X) for _ in range(2))
    assert np.array_equal(first, again)
    assert rng_states() == before


def test_members_that_are_no_networks():
    frame = pd.DataFrame(X, columns=list("abcd"))
    ensemble = EnsembleClassifier(LogisticRegression(), 2).fit(frame, Y)
    assert ensemble.feature_names_in_.tolist() == list("abcd")
    assert not hasattr(ensemble, "embed")
    pipeline = EnsembleClassifier(make_pipeline(StandardScaler(), net()), 2, random_state=0).fit(X, Y)
    assert pipeline.sample_proba(X).shape == (90, 2, 3)


@pytest.mark.parametrize("strategy", ["bald", "batch_bald", "epig", "badge", "mc_margin"])
def test_strategies_run_on_it(strategy):
    ensemble = EnsembleClassifier(net(max_epochs=2), 3, random_state=0)
    learner = ActiveLearner(ensemble, strategy, X[:30], Y[:30], random_state=0)
    again = pickle.loads(pickle.dumps(learner))
    assert learner.query(X, 4)[0].tolist() == again.query(X, 4)[0].tolist()


def test_in_the_loop():
    loop = ActiveLearningClassifier(EnsembleClassifier(net(max_epochs=2), 2), "bald", n_queries=1, random_state=0)
    assert clone(loop).fit(X, Y).predict(X).shape == (90,)


def test_an_instance_warns():
    with pytest.warns(UserWarning, match="instance of Linear, so all 8 members start from its weights"):
        EnsembleClassifier(NetClassifier(nn.Linear(4, 3), max_epochs=1)).fit(X, Y)


@pytest.mark.parametrize("n", [0, -1, 2.0, "3"])
def test_bad_counts(n):
    with pytest.raises(ValueError, match="n_estimators=.*: an ensemble needs one member or more"):
        EnsembleClassifier(net(), n).fit(X, Y)


@parametrize_with_checks([EnsembleClassifier(DropoutMLPClassifier(max_epochs=20, lr=0.01), 2)])
def test_scikit_learns_checks(estimator, check):
    run(check, estimator, estimator__dropout=0.0, estimator__batch_size=-1)
