"""ALFA-Mix against the authors' closed form with a network's own last layer and autograd."""

import pytest
import torch
from torch.nn.functional import cross_entropy, one_hot

from alkit.strategies.picks import feature_mixing
from alkit.strategies.picks.feature_mixing import alfa_mix
from tests.strategies.picks.helpers import rng


def case(n=200, d=6, n_classes=4, seed=0):
    """Return the head of a network, embeddings of pool and labelled rows, and the labels of the latter."""
    generator = torch.Generator().manual_seed(seed)
    head = torch.nn.Linear(d, n_classes, dtype=torch.float64)
    with torch.no_grad():
        head.weight.normal_(generator=generator)
    embedding = torch.randn(n, d, generator=generator, dtype=torch.float64).relu()
    # no zeros: the paper divides by differences
    labelled = torch.randn(15, d, generator=generator, dtype=torch.float64).relu() + 0.01
    return head, embedding, labelled, torch.arange(15) % (n_classes - 1)


def changes(head, h, anchor, alpha):
    """Whether the prediction of one row changes, by the elementwise mixing of the paper."""
    h = h.clone().requires_grad_()
    predicted = head(h).argmax()
    gradient = torch.autograd.grad(cross_entropy(head(h), predicted), h)[0]
    z = anchor - h
    shares = alpha / len(h) ** 0.5 * z.norm() / gradient.norm() * gradient / z
    return bool(head((1 - shares) * h + shares * anchor).argmax() != predicted)


def brute_candidates(head, embedding, labelled, y, alpha):
    anchors = [labelled[y == c].mean(0) for c in y.unique()]
    return [i for i, h in enumerate(embedding) if any(changes(head, h, a, alpha) for a in anchors)]


@pytest.mark.parametrize("alpha", [0.1, 0.4, 1.0])
def test_predictions_change_as_with_the_last_layer_itself(alpha):
    head, embedding, labelled, y = case()
    proba = head(embedding).softmax(1).detach()
    needed = feature_mixing._needed_alpha(proba, embedding, feature_mixing._class_means(labelled, y))
    expected = brute_candidates(head, embedding, labelled, y, alpha)
    assert 3 < len(expected) < 197
    assert (needed <= alpha).nonzero()[:, 0].tolist() == expected


def test_weights_are_read_off_the_pool():
    head, embedding, _, _ = case()
    weights = feature_mixing._last_layer(head(embedding).log_softmax(1).detach(), embedding)
    torch.testing.assert_close(weights, (head.weight - head.weight.mean(0)).detach())


def test_alpha_grows_until_there_are_enough():
    head, embedding, labelled, y = case()
    proba = head(embedding).softmax(1).detach()
    few = brute_candidates(head, embedding, labelled, y, 0.1)
    more = brute_candidates(head, embedding, labelled, y, 0.2)
    assert len(few) < len(more)
    got = alfa_mix(proba, embedding, labelled, y, k=len(few), rng=rng(), alpha=0.1)
    assert set(got.indices) == set(few)
    got = alfa_mix(proba, embedding, labelled, y, k=len(few) + 1, rng=rng(), alpha=0.1)
    assert set(got.indices) <= set(more)
    assert len(set(got.indices)) == len(few) + 1


def test_rows_that_never_change_are_drawn_at_the_end():
    head, embedding, labelled, y = case(n=40)
    proba = head(embedding).softmax(1).detach()
    candidates = brute_candidates(head, embedding, labelled, y, 1.0)
    got = alfa_mix(proba, embedding, labelled, y, k=40, rng=rng())
    assert set(got.indices[: len(candidates)]) == set(candidates)
    assert sorted(got.indices) == list(range(40))
    assert (got.scores[len(candidates) :] == 0).all()


def test_hostile_input():
    head, embedding, labelled, y = case(n=30)
    proba = head(embedding).softmax(1).detach()
    none = alfa_mix(proba, embedding, labelled[:0], y[:0], k=5, rng=rng())
    assert len(set(none.indices)) == 5
    same, sure = embedding[:1].repeat(9, 1), one_hot(torch.zeros(9, dtype=torch.long), 4).double()
    for p in (sure, proba[:1].repeat(9, 1)):
        assert sorted(alfa_mix(p, same, same[:1], y[:1], k=9, rng=rng()).indices) == list(range(9))
    proba, embedding, labelled = proba.float(), embedding.float(), labelled.float()
    # a power of two, which changes no digit
    huge = alfa_mix(proba, embedding * 2.0**100, labelled * 2.0**100, y, k=8, rng=rng())
    assert huge.indices.tolist() == alfa_mix(proba, embedding, labelled, y, k=8, rng=rng()).indices.tolist()


def test_what_makes_no_sense_is_refused():
    head, embedding, labelled, y = case(n=10)
    proba = head(embedding).softmax(1).detach()
    with pytest.raises(ValueError, match=r"alpha=0\.0"):
        alfa_mix(proba, embedding, labelled, y, k=1, rng=rng(), alpha=0.0)
    with pytest.raises(ValueError, match="proba has 9 rows, but the embedding 10"):
        alfa_mix(proba[:9], embedding, labelled, y, k=1, rng=rng())
    with pytest.raises(ValueError, match="y_train has 14 rows, but the embedding 15"):
        alfa_mix(proba, embedding, labelled, y[:14], k=1, rng=rng())
