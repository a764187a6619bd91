"""CVIRS against a loop over its definition, and other picks of rows with several answers."""

from math import log

import numpy as np
import pytest
import torch

from alkit.strategies.picks import badge, balance_classes, batch_bald, cvirs

RNG = np.random.default_rng(0)


def entropy(counts, n):
    return -sum(c / n * log(c / n) for c in counts if c)


def set_distance(a, b):
    """Normalised entropy distance of two label sets, 1 where all labels differ (Reyes et al. 2018, section 3)."""
    n = len(a)
    pairs = [(x, y) for x, y in zip(a, b, strict=True)]
    if all(x != y for x, y in pairs):
        return 1.0
    joint = entropy([pairs.count(pair) for pair in ((0, 0), (0, 1), (1, 0), (1, 1))], n)
    alone = [entropy([list(s).count(0), list(s).count(1)], n) for s in (a, b)]
    return (2 * joint - sum(alone)) / joint if joint else 0.0


def reference(proba, taught):
    n, n_labels = proba.shape
    margins = abs(proba - (1 - proba))
    scores = []
    for i in range(n):
        ranks = [1 + sum(margins[:, label] < margins[i, label]) for label in range(n_labels)]
        borda = sum(n - rank for rank in ranks) / (n_labels * (n - 1))
        predicted = (proba[i] > 0.5).astype(int).tolist()
        scores.append(borda * np.mean([set_distance(predicted, labels) for labels in taught.tolist()]))
    return np.array(scores)


def rng():
    return np.random.default_rng(0)


def test_cvirs_is_what_it_is_defined_as():
    proba, taught = RNG.random((30, 4)), RNG.integers(0, 2, (11, 4))
    taught[0], taught[1] = 0, 1
    picks = cvirs(torch.from_numpy(proba), torch.from_numpy(taught), k=30, rng=rng())
    expected = reference(proba, taught)
    np.testing.assert_allclose(picks.scores, expected[picks.indices], atol=1e-12)
    assert (np.diff(picks.scores) <= 0).all()


def test_cvirs_of_one_row_and_of_nothing_taught():
    proba = torch.from_numpy(RNG.random((5, 3)))
    assert cvirs(proba[:1], torch.ones(2, 3), k=1, rng=rng()).indices.tolist() == [0]
    untaught = cvirs(proba, torch.zeros(0, dtype=torch.int64), k=5, rng=rng())
    assert sorted(untaught.indices.tolist()) == list(range(5))
    same = cvirs(torch.full((6, 3), 0.3), torch.ones(2, 3), k=6, rng=rng())
    assert len(set(same.scores.tolist())) == 1


def test_badge_of_several_answers_sees_the_gradients_of_all():
    """Squared distances of gradients, written out: the rows picked are as far apart as scored."""
    proba, embedding = torch.from_numpy(RNG.dirichlet((1, 1, 1), (12, 4))), torch.from_numpy(RNG.normal(size=(12, 5)))
    error = proba - torch.nn.functional.one_hot(proba.argmax(-1), 3)
    gradients = torch.einsum("nac,nd->nacd", error, embedding).flatten(1)
    picks = badge(proba, embedding, k=6, rng=rng())
    for t in range(1, 6):
        before, now = gradients[picks.indices[:t]], gradients[picks.indices[t]]
        nearest = (before - now).square().sum(1).min()
        assert picks.scores[t] == pytest.approx(nearest.item(), rel=1e-5)


def test_batch_bald_of_several_answers_adds_up_their_gains():
    samples = torch.from_numpy(RNG.dirichlet((1, 1), (8, 3, 4)))  # rows, answers, draws, classes
    picks = batch_bald(samples, k=3, rng=rng())
    gains = np.zeros(3)
    for answer in range(3):
        alone = [batch_bald(samples[picks.indices[: t + 1], answer], k=t + 1, rng=rng()).scores.sum() for t in range(3)]
        gains += alone
    np.testing.assert_allclose(np.cumsum(picks.scores), gains, atol=1e-9)
    one = batch_bald(samples[:, :1], k=3, rng=rng())
    same = batch_bald(samples[:, 0], k=3, rng=rng())
    assert one.indices.tolist() == same.indices.tolist()


def test_class_balance_of_several_answers_is_that_of_one_if_there_is_one():
    proba, y = RNG.dirichlet((1, 1, 1), 20), RNG.integers(0, 3, 9)
    one = balance_classes(np.ones(20), proba, y, k=5, rng=rng())
    several = balance_classes(np.ones(20), proba[:, None], y[:, None], k=5, rng=rng())
    assert one.indices.tolist() == several.indices.tolist()
    masked = balance_classes(np.ones(20), proba[:, None], np.r_[y, -1][:, None], k=5, rng=rng())
    assert masked.indices.tolist() == one.indices.tolist()
