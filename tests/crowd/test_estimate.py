"""Truth and confusion together: against the same, one answer at a time."""

import numpy as np
import pytest

from alkit.crowd.answers import read_answers
from alkit.crowd.confusion import choose_strengths, expected_counts, pseudo_counts
from alkit.crowd.estimate import estimate_truth
from tests.crowd.crowds import synthetic_crowd


def one_round(answers, proba, log_prior):
    """Each answer weighed by the counts of the person's other answers."""
    counts = expected_counts(answers, proba)
    with_prior = counts + pseudo_counts(counts, choose_strengths(counts))
    new = np.exp(log_prior) * np.ones_like(proba)
    for item, annotator, label in zip(answers.item, answers.annotator, answers.label, strict=True):
        for true in range(proba.shape[1]):
            own = proba[item, true]
            row = with_prior[annotator, true]
            new[item, true] *= (row[label] - own) / (row.sum() - own)
    return new / new.sum(1, keepdims=True)


@pytest.mark.parametrize("given", [True, False])
def test_a_round_by_hand(given):
    labels, _ = synthetic_crowd(25, 5, 3, per_item=3, seed=0)
    answers = read_answers(labels)
    start = answers.vote_shares()
    log_prior = np.log(np.random.default_rng(0).dirichlet(np.ones(3), size=25))
    frequencies = np.log((start.sum(0) + 1) / (25 + 3))
    found = estimate_truth(answers, start, log_prior if given else None, max_iter=1)
    expected = one_round(answers, start, log_prior if given else frequencies)
    np.testing.assert_allclose(found.proba, expected, atol=1e-12)
    assert (found.n_iter, found.converged) == (1, False)


def test_what_is_known_of_items_counts():
    answers = read_answers([["a"], ["b"], ["a"]])
    sure = np.log(np.array([[0.001, 0.999], [0.5, 0.5], [0.5, 0.5]]))
    found = estimate_truth(answers, answers.vote_shares(), sure)
    assert found.proba[0].argmax() == 1
    assert found.converged


def test_a_majority_of_equals_wins_however_few_they_are():
    answers = read_answers([["a", "a", "b"], ["b", "b", "b"], ["a", "a", "b"]])
    assert estimate_truth(answers, answers.vote_shares()).proba.argmax(1).tolist() == [0, 1, 0]
