"""Expected gradient length against autograd, and the share of votes that disagree."""

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy

from alkit.strategies.scores import disagreement, egl


def test_egl_is_the_mean_length_of_gradients_by_autograd():
    torch.manual_seed(0)
    head = torch.nn.Linear(5, 4).double()
    embedding = torch.randn(8, 5).double()
    proba = head(embedding).softmax(1).detach()
    expected = []
    for h, p in zip(embedding, proba, strict=True):
        losses = [cross_entropy(head(h), torch.tensor(y)) for y in range(4)]
        lengths = [torch.autograd.grad(loss, head.weight)[0].norm() for loss in losses]
        expected.append(sum(p[y] * length for y, length in enumerate(lengths)))
    torch.testing.assert_close(egl(proba, embedding), torch.stack(expected))
    torch.testing.assert_close(egl(proba.float(), embedding.float()), torch.stack(expected).float())


def test_egl_of_certain_rows_and_huge_embeddings():
    certain = torch.tensor([[1.0, 0.0]])
    assert egl(certain, torch.full((1, 3), 1e30)).item() == 0
    assert egl(torch.tensor([[0.5, 0.5]]), torch.full((1, 4), 1e30)).item() == pytest.approx(2e30 / 2**0.5)


def test_disagreement_counts_other_predictions():
    votes = torch.from_numpy(np.random.default_rng(0).dirichlet(np.ones(3), size=(10, 7)))
    proba = votes.mean(1)
    expected = [np.mean([v.argmax() != p.argmax() for v in vs]) for vs, p in zip(votes, proba, strict=True)]
    np.testing.assert_allclose(disagreement(proba, votes), expected)
