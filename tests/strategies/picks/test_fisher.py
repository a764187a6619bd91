"""BAIT against brute force: Fisher matrices written out, and an inverse for every row at every step."""

import numpy as np
import pytest
import torch

from alkit.strategies.picks import fisher, geometry
from alkit.strategies.picks.fisher import bait
from tests.strategies.picks.helpers import rng


def case(n, d, n_classes, seed=0):
    proba = rng(seed).dirichlet(np.full(n_classes, 0.7), size=n)
    return torch.from_numpy(proba), torch.from_numpy(rng(seed + 1).normal(size=(n, d)))


def softmax_fisher(p, h):
    """Expected outer product of the gradient of the log-likelihood, over labels."""
    gradients = [np.outer(np.eye(len(p))[c] - p, h).ravel() for c in range(len(p))]
    return sum(p[c] * np.outer(g, g) for c, g in enumerate(gradients))


def binary_fisher(p, h):
    return p.max() * (1 - p.max()) * np.outer(h, h)


def brute(information, labelled, k, regularization, oversampling):
    """Forward and backward greedy; rows in the order picked."""
    F = np.mean(information, axis=0)
    M = regularization * np.eye(len(F)) + sum(labelled)
    chosen = []
    for _ in range(min(len(information), int(np.ceil(oversampling * k)))):
        left = [i for i in range(len(information)) if i not in chosen]
        traces = [np.trace(np.linalg.inv(M + information[i]) @ F) for i in left]
        chosen.append(left[int(np.argmin(traces))])
        M = M + information[chosen[-1]]
    while len(chosen) > k:
        traces = [np.trace(np.linalg.inv(M - information[i]) @ F) for i in chosen]
        worst = chosen[int(np.argmin(traces))]
        M = M - information[worst]
        chosen.remove(worst)
    return chosen


@pytest.mark.parametrize(("max_parameters", "of_row"), [(1024, softmax_fisher), (1, binary_fisher)])
@pytest.mark.parametrize("n_labelled", [0, 12])
@pytest.mark.parametrize("regularization", [0.01, 1.0])
def test_picks_are_those_of_brute_force(max_parameters, of_row, n_labelled, regularization):
    (proba, embedding), (p, h) = case(40, 3, 4), case(n_labelled, 3, 4, 7)
    information = [of_row(*row) for row in zip(proba.numpy(), embedding.numpy(), strict=True)]
    labelled = [of_row(*row) for row in zip(p.numpy(), h.numpy(), strict=True)]
    expected = brute(information, labelled, 7, regularization, 2.0)
    settings = {"regularization": regularization, "max_parameters": max_parameters}
    assert bait(proba, embedding, p, h, k=7, rng=rng(), **settings).indices.tolist() == expected


def test_in_blocks_and_in_single_precision(monkeypatch):
    (proba, embedding), (p, h) = case(40, 3, 4), case(5, 3, 4, 7)
    expected = bait(proba, embedding, p, h, k=9, rng=rng())
    monkeypatch.setattr(geometry, "_BLOCK_NUMBERS", 100)
    got = bait(proba, embedding, p, h, k=9, rng=rng())
    assert got.indices.tolist() == expected.indices.tolist()
    np.testing.assert_allclose(got.scores, expected.scores)
    single = bait(proba.float(), embedding.float(), p.float(), h.float(), k=9, rng=rng())
    assert single.indices.tolist() == expected.indices.tolist()


def test_without_oversampling_scores_are_the_falls_of_the_trace():
    proba, embedding = case(30, 2, 3)
    information = [softmax_fisher(*row) for row in zip(proba.numpy(), embedding.numpy(), strict=True)]
    got = bait(proba, embedding, proba[:0], embedding[:0], k=6, rng=rng(), oversampling=1.0)
    F, M = np.mean(information, axis=0), np.eye(6)
    for i, score in zip(got.indices, got.scores, strict=True):
        after = M + information[i]
        assert score == pytest.approx(np.trace(np.linalg.inv(M) @ F) - np.trace(np.linalg.inv(after) @ F))
        M = after


def test_many_classes_are_one_against_the_rest():
    proba, embedding = case(20, 5, 1000)
    selection = fisher._Selection(
        fisher._Rows(embedding, fisher._binary_factors(proba)), fisher._Rows(embedding[:0], proba[:0, :1, None]), 1.0
    )
    assert selection.inverse.shape == (5, 5)
    assert len(set(bait(proba, embedding, proba[:0], embedding[:0], k=20, rng=rng()).indices)) == 20


@pytest.mark.parametrize("factor", [0.0, 1e-30, 1e30])
def test_hostile_input(factor):
    proba, embedding = case(12, 3, 3)
    rows = (factor * embedding).float()
    assert sorted(bait(proba, rows, proba, rows, k=12, rng=rng()).indices) == list(range(12))
    same = bait(proba[:1].repeat(8, 1), rows[:1].repeat(8, 1), proba[:0], rows[:0], k=4, rng=rng())
    assert len(set(same.indices)) == 4


def test_what_makes_no_sense_is_refused():
    proba, embedding = case(5, 3, 3)
    ask = {"k": 2, "rng": rng()}
    with pytest.raises(ValueError, match="proba has 4 and 5 rows, but embedding 5 and 5"):
        bait(proba[:4], embedding, proba, embedding, **ask)
    with pytest.raises(ValueError, match=r"regularization=0\.0"):
        bait(proba, embedding, proba, embedding, **ask, regularization=0.0)
    with pytest.raises(ValueError, match=r"oversampling=0\.5"):
        bait(proba, embedding, proba, embedding, **ask, oversampling=0.5)
