"""One coin, GLAD and MACE: against their equations written out, on crowds with known truth, and beside crowd-kit."""

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import approx_fprime
from sklearn.exceptions import ConvergenceWarning

from alkit.crowd import glad, mace, majority_vote, one_coin
from alkit.crowd.aggregation.glad import _log_answers, _loss
from alkit.crowd.answers import read_answers
from tests.crowd.crowds import synthetic_crowd

METHODS = [one_coin, glad, mace]


def test_one_coin_against_reference():
    labels, _ = synthetic_crowd(40, 6, 3, per_item=4, seed=0)
    answers = read_answers(labels)
    proba = answers.vote_shares()
    for _ in range(5):
        prior, accuracy = proba.mean(0), np.empty(6)
        for person in range(6):
            own = answers.annotator == person
            right = sum(proba[i, k] for i, k in zip(answers.item[own], answers.label[own], strict=True))
            accuracy[person] = (right + 2) / (own.sum() + 3)
        proba = np.tile(prior, (40, 1))
        for i, r, k in zip(answers.item, answers.annotator, answers.label, strict=True):
            proba[i] *= [accuracy[r] if true == k else (1 - accuracy[r]) / 2 for true in range(3)]
        proba /= proba.sum(1, keepdims=True)
    with pytest.warns(ConvergenceWarning, match="One-coin"):
        found = one_coin(labels, max_iter=5)
    np.testing.assert_allclose(found.proba, proba, atol=1e-10)
    np.testing.assert_allclose(found.accuracy, accuracy, atol=1e-10)


def test_glads_gradient_and_probabilities():
    labels, _ = synthetic_crowd(8, 4, 3, per_item=3, seed=1)
    answers = read_answers(labels)
    rng = np.random.default_rng(0)
    parameters, right = rng.normal(size=12), rng.random(len(answers.label))
    value, gradient = _loss(parameters, answers, right)
    numeric = approx_fprime(parameters, lambda p: _loss(p, answers, right)[0], 1e-7)
    np.testing.assert_allclose(gradient, numeric, atol=1e-4)
    expected = 0.5 * np.square(parameters - 1).sum()
    log_answer = _log_answers(answers, parameters)
    for m, (i, r, k) in enumerate(zip(answers.item, answers.annotator, answers.label, strict=True)):
        p = 1 / (1 + np.exp(-parameters[r] * np.exp(parameters[4 + i])))
        expected -= right[m] * np.log(p) + (1 - right[m]) * np.log(1 - p)
        np.testing.assert_allclose(np.exp(log_answer[m]), [p if c == k else (1 - p) / 2 for c in range(3)])
    assert value == pytest.approx(expected)


def test_mace_tells_who_does_not_look():
    rng = np.random.default_rng(0)
    truth = rng.integers(3, size=300)
    labels = np.stack([truth, truth, np.zeros(300, int), rng.integers(3, size=300)], axis=1)
    found = mace(labels)
    assert (found.labels == truth).all()
    assert found.competence[:2].min() > 0.9
    assert found.competence[2:].max() < 0.15
    assert found.guesses[2].argmax() == 0
    assert found.guesses[2, 0] > 0.85


def test_glad_tells_who_is_able_and_what_is_difficult():
    rng = np.random.default_rng(0)
    truth, easy = rng.integers(2, size=400), np.arange(400) < 200
    right = rng.random((400, 8)) < np.where(easy[:, None], 0.97, [0.5] * 4 + [0.8] * 4)
    found = glad(np.where(right, truth[:, None], 1 - truth[:, None]))
    assert found.difficulty[easy].mean() < found.difficulty[~easy].mean()
    assert found.ability[:4].max() < found.ability[4:].min()


@pytest.mark.parametrize("method", METHODS)
def test_beats_the_majority_among_spammers(method):
    labels, truth = synthetic_crowd(400, 20, 4, per_item=5, seed=0, spammers=0.5)
    assert (method(labels).labels == truth).mean() > (majority_vote(labels, 0).labels == truth).mean() + 0.04


@pytest.mark.parametrize("method", METHODS)
def test_bad_and_odd_input(method):
    with pytest.raises(ValueError, match="1 of 2 items have no label"):
        method([["a", "b"], [None, None]])
    with pytest.raises(ValueError, match="max_iter=0"):
        method([["a"]], max_iter=0)
    with pytest.warns(ConvergenceWarning, match="max_iter=1"):
        method([["a", "b", "a"], ["b", "b", "a"]], max_iter=1)
    assert method([["a"]]).labels.tolist() == ["a"]
    assert method([["a", "a"], ["b", "b"]]).labels.tolist() == ["a", "b"]
    assert method([["a", None], [None, "b"]]).labels.tolist() == ["a", "b"]


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(("n_classes", "per_item", "spammers"), [(2, 3, 0.2), (5, 5, 0.4)])
def test_beside_crowd_kit(method, n_classes, per_item, spammers):
    peers = pytest.importorskip("crowdkit.aggregation", reason="crowd-kit is not installed")
    peer = {"one_coin": "OneCoinDawidSkene", "glad": "GLAD", "mace": "MACE"}[method.__name__]
    labels, truth = synthetic_crowd(1000, 30, n_classes, per_item, 0, spammers)
    item, annotator = np.nonzero(labels != None)  # noqa: E711
    votes = pd.DataFrame({"task": item, "worker": annotator, "label": labels[item, annotator]})
    theirs = getattr(peers, peer)().fit_predict(votes).sort_index().to_numpy()
    assert abs((method(labels).labels == truth).mean() - (theirs == truth).mean()) < 0.01
