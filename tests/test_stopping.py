"""Stopping: when models agree, when they are sure, by hand and in the simulated loop."""

from itertools import pairwise

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import make_blobs
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import cohen_kappa_score

from alkit import ActiveLearningClassifier
from alkit.stopping import OverallUncertainty, StabilizingPredictions
from tests.fakes import LinearPosterior

X, y = make_blobs(300, centers=3, random_state=1)


class Says:
    """A model that predicts what it is told."""

    def __init__(self, predicted):
        self.predicted = predicted

    def predict(self, X):
        return np.array(self.predicted)


def test_agreement_is_kappa_over_a_window():
    rounds = [[0, 0, 1, 1], [0, 1, 1, 1], [0, 0, 1, 1], [0, 0, 1, 1], [0, 0, 1, 1]]
    stopping = StabilizingPredictions(threshold=0.9, window=2)
    assert [stopping.update(Says(r), range(4)) for r in rounds] == [False, False, False, False, True]
    expected = [cohen_kappa_score(a, b) for a, b in pairwise(rounds)]
    np.testing.assert_allclose(stopping.agreements_, expected)


def test_constant_predictions_agree():
    stopping = StabilizingPredictions(window=1)
    assert not stopping.update(Says([1, 1]), range(2))
    assert stopping.update(Says([1, 1]), range(2))
    with pytest.raises(ValueError, match="X has 3 rows, but 2 a round before"):
        stopping.update(Says([1, 1, 1]), range(3))


def test_uncertainty_is_mean_entropy_over_its_maximum():
    model = LinearPosterior(n_classes=3).fit(X)
    proba = model.predict_proba(X)
    stopping = OverallUncertainty()
    stopping.update(model, X)
    expected = -(proba * np.log(proba + 1e-300)).sum(1).mean() / np.log(3)
    assert stopping.uncertainties_[0] == pytest.approx(expected, rel=1e-6)


def test_one_class_is_no_reason_to_stop():
    class Constant:
        def predict_proba(self, X):
            return np.ones((len(X), 1))

    stopping = OverallUncertainty()
    assert not stopping.update(Constant(), X)
    assert np.isnan(stopping.uncertainties_).all()


def test_a_window_of_nothing():
    with pytest.raises(ValueError, match="window=0; the mean is over 1 agreement or more"):
        StabilizingPredictions(window=0).update(Says([1]), range(1))


@pytest.mark.parametrize(
    "stopping", [StabilizingPredictions(), OverallUncertainty(0.2)], ids=lambda s: type(s).__name__
)
def test_the_loop_stops(stopping):
    loop = ActiveLearningClassifier(LogisticRegression(), n_initial=6, n_instances=3, stopping=stopping, random_state=0)
    fitted = loop.fit(X, y)
    assert fitted.stopped_
    assert fitted.n_labels_[-1] < 6 + 20 * 3
    assert fitted.score(X, y) > 0.95
    assert vars(clone(stopping)) == vars(stopping)  # the loop asks a copy: the one given can be used again
    assert not loop.set_params(stopping=None).fit(X, y).stopped_
