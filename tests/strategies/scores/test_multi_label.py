"""Scores of rows with several labels, against loops over their definitions, and modAL's where it follows them."""

import numpy as np
import pytest
import torch
from modAL import multilabel

from alkit.strategies import scores

P = np.random.default_rng(0).random((40, 5))
P[0], P[1], P[2, 1:] = 0.0, 1.0, 0.0


def losses_if_alone(p, label):
    """Sum of hinges if one label were on and the others off, with 2 p - 1 for an SVM's decision value."""
    signs = [1 if other == label else -1 for other in range(len(p))]
    return sum(max(0, 1 - sign * (2 * q - 1)) for sign, q in zip(signs, p, strict=True))


def mean_over_predicted(p):
    predicted = [label for label, q in enumerate(p) if q > 0.5] or [int(np.argmax(p))]
    return np.mean([losses_if_alone(p, label) for label in predicted])


BY_ROW = {
    "min_confidence": lambda p: 1 - min(abs(2 * q - 1) for q in p),
    "avg_confidence": lambda p: 1 - sum(abs(2 * q - 1) for q in p) / len(p),
    "max_score": max,
    "avg_score": lambda p: sum(p) / len(p),
    "max_loss": lambda p: losses_if_alone(p, int(np.argmax(p))),
    "mean_max_loss": mean_over_predicted,
}


@pytest.mark.parametrize("name", BY_ROW)
def test_scores_are_what_they_are_defined_as(name):
    found = getattr(scores, name)(torch.from_numpy(P))
    np.testing.assert_allclose(found, [BY_ROW[name](p.tolist()) for p in P], atol=1e-12)


class Probabilities:
    """What modAL's functions ask of a learner whose rows are its probabilities."""

    classes_ = np.arange(5)

    def predict_proba(self, X):
        return X

    def predict(self, X):
        return (X > 0.5).astype(int)


@pytest.mark.parametrize("name", ["max_score", "avg_score"])
def test_modal_ranks_rows_alike_whose_labels_are_predicted_on(name):
    """Of labels predicted off, modAL's scores fall with their probability."""
    on = 0.5 + P[3:] / 2
    found = getattr(scores, name)(torch.from_numpy(on)).numpy()
    by_modal = getattr(multilabel, name)(Probabilities(), on, n_instances=10, random_tie_break=False)
    indices = by_modal[0] if isinstance(by_modal, tuple) else by_modal
    assert set(np.argsort(-found)[:10]) == set(np.asarray(indices))


def test_modal_agrees_about_the_largest_loss_of_sure_labels():
    sure = (P[3:] > 0.5).astype(float)
    sure = sure[sure.any(1)]
    found = scores.max_loss(torch.from_numpy(sure))
    by_modal = multilabel._SVM_loss(Probabilities(), sure, most_certain_classes=sure.argmax(1))
    np.testing.assert_allclose(found, by_modal)


@pytest.mark.parametrize("name", ["min_confidence", "avg_confidence"])
def test_the_row_that_is_sure_of_every_label_comes_last(name):
    """modAL would ask for row 0, whose labels are surely off, first or last; both are as sure as it gets."""
    found = getattr(scores, name)(torch.from_numpy(P))
    assert found[0] == found[1] == 0
    assert (found[3:] > 0).all()
