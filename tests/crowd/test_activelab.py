"""ActiveLab's score: against the paper's sums written out item by item, and on crowds that tell little."""

import numpy as np
import pytest
from scipy.optimize import brute

from alkit.crowd.activelab import activelab_scores
from alkit.crowd.answers import read_answers


def crowd(seed, n_items=60, n_people=6, n_classes=3, most=4):
    """Answers (n, A) with NaN where nobody was asked, and a model's probabilities; some items have no answer."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(n_classes, size=n_items)
    skill = rng.uniform(0.3, 0.95, n_people)
    table = np.full((n_items, n_people), np.nan)
    for item in range(n_items):
        for person in rng.choice(n_people, rng.integers(most), replace=False):
            table[item, person] = truth[item] if rng.random() < skill[person] else rng.integers(n_classes)
    logits = rng.normal(size=(n_items, n_classes)) + 2 * np.eye(n_classes)[truth]
    proba = np.exp(logits)
    return table, proba / proba.sum(1, keepdims=True)


def scores(table, proba):
    answers = read_answers(np.where(np.isnan(table), None, table.astype(object)), np.arange(float(proba.shape[1])))
    return activelab_scores(proba, answers)


def scaled(proba, temperature):
    powers = proba ** (1 / temperature)
    return powers / powers.sum(1, keepdims=True)


def by_the_paper(table, proba):
    """The paper's scores, item by item and person by person."""
    n_items, n_people = table.shape
    n_classes = proba.shape[1]
    given = [[(j, int(table[i, j])) for j in range(n_people) if not np.isnan(table[i, j])] for i in range(n_items)]

    def misfit(log_temperature):
        at = scaled(proba, np.exp(log_temperature[0]))
        return sum(-np.mean([np.log(at[i, label]) for _, label in said]) for i, said in enumerate(given) if said)

    proba = scaled(proba, np.exp(brute(misfit, [(np.log(0.1), np.log(8))], Ns=200)[0]))
    consensus = []
    for i, said in enumerate(given):
        votes = [sum(label == c for _, label in said) for c in range(n_classes)]
        consensus.append(max(range(n_classes), key=lambda c, votes=votes, i=i: (votes[c], proba[i, c])))
    several = [i for i in range(n_items) if len(given[i]) > 1]
    for step in range(2):
        most_common = max(range(n_classes), key=lambda c: sum(consensus[i] == c for i in several))
        base = max(np.mean([consensus[i] != most_common for i in several]), 1e-6)
        agreement = np.mean([np.mean([label == consensus[i] for _, label in given[i]]) for i in several])
        weights = np.full(n_people, np.nan)
        for j in range(n_people):
            others = [
                (label == mine)
                for i in several
                for k, mine in given[i]
                if k == j
                for other, label in given[i]
                if other != j
            ]
            if others:
                weights[j] = np.mean(others)
        weights[np.isnan(weights)] = np.nanmean(weights)
        weights = np.maximum(1 - (1 - weights) / base, 1e-6)
        wrong = np.mean([proba[i].argmax() != consensus[i] for i in several])
        n_per_item = np.mean([len(said) for said in given if said])
        model = max(1 - wrong / base, 1e-6) * np.sqrt(n_per_item)
        agreed, totals = [], []
        for i, said in enumerate(given):
            total = model + sum(weights[j] for j, _ in said)
            mean = model * proba[i]
            for j, label in said:
                mean = mean + weights[j] * np.where(
                    np.arange(n_classes) == label, agreement, (1 - agreement) / (n_classes - 1)
                )
            agreed.append(mean / total)
            totals.append(total)
        if step == 0:
            consensus = [int(mean.argmax()) for mean in agreed]
    extra = weights.mean()
    return np.array(
        [
            (total * mean[c] + extra / n_classes) / (total + extra)
            for total, mean, c in zip(totals, agreed, consensus, strict=True)
        ]
    )


@pytest.mark.parametrize("seed", range(4))
def test_scores_are_the_papers(seed):
    table, proba = crowd(seed, n_classes=2 + seed)
    np.testing.assert_allclose(scores(table, proba), by_the_paper(table, proba), atol=1e-4)


def test_one_answer_per_item_at_most():
    table, proba = crowd(0, most=2)
    n_classes = proba.shape[1]
    expected = []
    for said, p in zip(table, proba, strict=True):
        labels = said[~np.isnan(said)].astype(int)
        expected.append((2 * p[labels[0]] + 1 / n_classes) / 3 if labels.size else (p.max() + 1 / n_classes) / 2)
    np.testing.assert_allclose(scores(table, proba), expected)


def test_agreement_makes_surer_and_disagreement_less_sure():
    table, proba = crowd(1, n_items=200, n_people=10)
    table[:3, :3] = [[0, 0, 0], [0, 1, 2], [np.nan] * 3]
    table[:3, 3:] = np.nan
    proba[:3] = [0.5, 0.3, 0.2]
    agreed, disagreed, nobody = scores(table, proba)[:3]
    assert agreed > nobody > disagreed


@pytest.mark.parametrize(
    "table",
    [
        np.zeros((5, 2)),  # all agree on one class
        np.array([[0, 1]] * 5, float),  # never
        np.array([[0, np.nan], [np.nan, 1]] * 3, float),  # nobody can be compared
        np.array([[1.0]]),
        np.array([[0, 0], [1, np.nan], [np.nan, np.nan]], float),
    ],
)
@pytest.mark.parametrize("sure", [False, True])
def test_crowds_that_tell_little(table, sure):
    proba = np.tile([1.0, 0.0] if sure else [0.5, 0.5], (len(table), 1))
    found = scores(table, proba)
    assert ((found >= 0) & (found <= 1)).all()


def test_a_thousand_classes():
    table, proba = crowd(0, n_items=30, n_classes=1000)
    found = scores(table, proba)
    assert ((found >= 0) & (found <= 1)).all()
