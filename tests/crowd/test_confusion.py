"""How people err: evidence by an urn, priors by their definition, and how strong they are found to be."""

import numpy as np
import pytest

from alkit.crowd.answers import read_answers
from alkit.crowd.confusion import (
    Strengths,
    accuracy,
    choose_strengths,
    expected_counts,
    log_evidence,
    pseudo_counts,
    rates,
)


def urn(counts, pseudo):
    """Log-probability of drawing labels in some order from a Polya urn."""
    pseudo, total = list(pseudo), 0.0
    for label, n in enumerate(counts):
        for _ in range(int(n)):
            total += np.log(pseudo[label] / sum(pseudo))
            pseudo[label] += 1
    return total


def test_evidence_is_that_of_an_urn():
    rng = np.random.default_rng(0)
    counts, pseudo = rng.integers(5, size=(4, 3)), rng.uniform(0.2, 3, size=(4, 3))
    expected = sum(urn(*pair) for pair in zip(counts, pseudo, strict=True))
    assert log_evidence(counts, pseudo) == pytest.approx(expected, abs=1e-10)


def test_counts_one_answer_at_a_time():
    answers = read_answers([["a", "b"], ["b", None], ["a", "a"]])
    proba = np.array([[0.7, 0.3], [0.2, 0.8], [0.5, 0.5]])
    expected = np.zeros((2, 2, 2))
    for item, annotator, label in zip(answers.item, answers.annotator, answers.label, strict=True):
        expected[annotator, :, label] += proba[item]
    np.testing.assert_allclose(expected_counts(answers, proba), expected)


def test_priors_by_hand():
    counts = np.array([[[8.0, 2], [1, 9]], [[3, 7], [5, 5]]])
    everybody = (8 + 9 + 3 + 5 + 1) / 42  # one right and one wrong answer are added
    expected = []
    for person in counts:
        right = (np.trace(person) + 4 * everybody) / 24
        expected.append(16 * np.array([[right, 1 - right], [1 - right, right]]))
    np.testing.assert_allclose(pseudo_counts(counts, Strengths(4.0, 16.0)), expected)


def people(accuracies, n, rng):
    """Counts of people who are equally accurate on both classes, n answers of each."""
    right = rng.binomial(n, accuracies, size=(2, len(accuracies))).T
    counts = np.empty((len(accuracies), 2, 2))
    counts[:, [0, 1], [0, 1]] = right
    counts[:, [0, 1], [1, 0]] = n - right
    return counts


def test_people_who_differ_are_left_as_they_are():
    rng = np.random.default_rng(0)
    alike = choose_strengths(people(np.full(60, 0.8), 50, rng))
    different = choose_strengths(people(rng.uniform(0.5, 1, 60), 50, rng))
    assert alike.of_accuracy > 200 > 30 > different.of_accuracy
    assert different.of_rows > 200  # both classes alike


def test_few_answers_take_people_to_be_alike():
    assert choose_strengths(np.array([[[1.0, 0], [0, 1]], [[0, 1], [1, 0]]])) == (1024, 1024)


def test_rates_and_accuracy():
    np.testing.assert_allclose(rates(np.array([[1.0, 3], [0, 0]])), [[0.25, 0.75], [0.5, 0.5]])
    assert accuracy(np.array([[[0.9, 0.1], [0.4, 0.6]]]), np.array([0.25, 0.75])) == pytest.approx(0.675)
