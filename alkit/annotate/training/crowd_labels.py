"""What several people's labels say together: probable labels, which the model learns, and how each person errs.

It is the expectation maximisation of `alkit.crowd.CrowdClassifier`, spread over the rounds of the trainer: a round
begins where the last one ended, and the model predicts all labelled items anew only when their number has grown by a
tenth. So a round takes little longer than a fit on plain labels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from sklearn.base import clone

from alkit._inner import tell_classes
from alkit._random import seed_estimator
from alkit._weights import weights_parameter
from alkit.annotate.quality.known import possible_classes, read_with_known
from alkit.annotate.training.choosing import BestCandidate
from alkit.crowd.alternation import INNER_ITERATIONS, alternate
from alkit.crowd.answers import Answers
from alkit.crowd.confusion import rates
from alkit.crowd.estimate import estimate_truth, trusted
from alkit.crowd.soft_labels import draw_folds, proba_of, weighted_labels
from alkit.rows import Rows, take

_FOLDS = 3
_GROWTH = 1.1  # the model predicts anew once there are this many times as many labelled items
_MAX_ITER, _TOL = 5, 0.01  # of fits and estimates in turn; the next time goes on from there
_SURE = 0.95  # a label that is more probable than this needs no other person


class Truth(NamedTuple):
    """The probable labels of the items that people labelled.

    Attributes
    ----------
    answers : Answers
        Its items are numbers of items in the database.
    proba : array (N, C)
    confusion : array (A, C, C)
        As of `alkit.crowd.CrowdClassifier`.
    """

    answers: Answers
    proba: np.ndarray
    confusion: np.ndarray

    def labels_asked(self, least: int, most: int) -> dict[int, int]:
        """Return how many labels the items are to have that need more than `least`, by the item's number.

        Parameters
        ----------
        least, most : int
            Labels that each item gets, and gets at most; nobody labels an item twice.

        Returns
        -------
        dict of int to int
        """
        n_labels_N = self.answers.votes().sum(1)
        most = min(most, len(self.answers.annotators))
        unsure_N = (self.proba.max(1) < _SURE) & (n_labels_N >= least) & (n_labels_N < most)
        items = self.answers.items[unsure_N].tolist()
        return dict(zip(items, (n_labels_N[unsure_N] + 1).tolist(), strict=True))

    def to_fit(
        self, rows: np.ndarray, or_else: tuple[np.ndarray, np.ndarray], *, weighted: bool
    ) -> tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]]:
        """Return what to fit a model on.

        Parameters
        ----------
        rows : int array
            Which row is which item; -1 for items that cannot be read, which are left out.
        or_else : (rows, values)
            What to fit on if only one class would be left.
        weighted : bool
            Whether the model takes weights; it learns the most probable labels otherwise.

        Returns
        -------
        rows : int array (M,)
        values : array (M,)
        parameters : dict
            Further ones of ``fit``.
        """
        readable = rows[self.answers.items] >= 0
        rows, proba = rows[self.answers.items[readable]], self.proba[readable]
        if not len(rows):
            return *or_else, {}
        row, code, weight = weighted_labels(proba)
        if not weighted:
            row, code = np.arange(len(rows)), proba.argmax(1)
        if len(np.unique(code)) < 2:
            return *or_else, {}
        return rows[row], self.answers.classes[code], {"sample_weight": weight} if weighted else {}

    def of_others(self, n: int, proba: np.ndarray | None, classes: np.ndarray | None) -> np.ndarray:
        """Return what is known of n items that nobody labelled, (n, C).

        Parameters
        ----------
        n : int
        proba : array (n, K) or None
            What the model predicts; without that, each item is of each class as often as labelled items are.
        classes : array (K,) or None
            Of the model.

        Returns
        -------
        array (n, C)
        """
        if proba is None or classes is None:
            return np.tile(self.proba.mean(0), (n, 1))
        found = np.zeros((n, len(self.answers.classes)))
        columns = {name: column for column, name in enumerate(np.asarray(classes).tolist())}
        for code, name in enumerate(self.answers.classes.tolist()):
            if name in columns:
                found[:, code] = proba[:, columns[name]]
        return rates(found)


class CrowdLabels:
    """Estimates the truth anew in each round.

    Parameters
    ----------
    learner : estimator, ActiveLearner or Committee
        Without labels; copies of its estimator predict. What a committee predicts is left out of account, and what an
        estimator does without ``predict_proba``, or that takes no weights.
    n_items : int
    rng : Generator
    """

    def __init__(self, learner: Any, n_items: int, rng: np.random.Generator):
        self.estimator = _estimator_that_weighs(learner)
        self.n_items, self.rng = n_items, rng
        self._begin(np.empty(0, dtype=object))

    def _begin(self, classes: np.ndarray) -> None:
        """Forget what was found for other classes."""
        self.classes = classes
        self.n_predicted = 0  # labelled items when all were predicted last
        self.predicted = np.full((self.n_items, len(classes)), np.nan)  # by models that did not see the item's labels
        self.proba = np.full((self.n_items, len(classes)), np.nan)

    def weigh(
        self,
        labels: Sequence[tuple[int, str, str]],
        X: Rows,
        rows: np.ndarray,
        learner: Any,
        decided: Mapping[int, str] | None = None,
    ) -> Truth:
        """Return the probable labels of all labelled items.

        Parameters
        ----------
        labels : sequence of (item, annotator, label)
        X : rows
        rows : int array (n_items,)
            Which row of X is which item; -1 for items that cannot be read.
        learner : estimator, ActiveLearner or Committee
            As of the last round, fitted without the items that are new in this one; or not fitted.
        decided : mapping of int to str, optional
            Labels that are known, by the item's number: of these items, people's labels say how the people err.

        Returns
        -------
        Truth
        """
        answers = read_with_known(pd.DataFrame(labels, columns=["item", "annotator", "label"]), decided or {})
        possible = possible_classes(answers, decided or {})
        if not np.array_equal(answers.classes, self.classes):
            self._begin(answers.classes)
        known: dict[str, Any] = {"max_iter": INNER_ITERATIONS, "possible_N_C": possible}
        found = estimate_truth(answers, answers.vote_shares(), **known)
        before = self.proba[answers.items]
        self.proba[answers.items] = np.where(np.isnan(before), found.proba, before)
        self._predict(answers, possible, X, rows, learner)
        predicted = self.predicted[answers.items]
        if not np.isnan(predicted).all():
            predicted = np.where(np.isnan(predicted), found.prior, predicted)
            log_prior = trusted(predicted, answers, found.confusion)
            found = estimate_truth(answers, self.proba[answers.items], log_prior, **known)
        self.proba[answers.items] = found.proba
        return Truth(answers, found.proba, found.confusion)

    def _predict(self, answers: Answers, possible: np.ndarray | None, X: Rows, rows: np.ndarray, learner: Any) -> None:
        """Predict items by models that were not fitted on them: all once they have grown by a tenth, else new ones."""
        readable = rows[answers.items] >= 0
        answers, possible = answers.of_items(readable), None if possible is None else possible[readable]
        items = answers.items
        if self.estimator is None or len(items) < 2:
            return
        if len(items) >= _GROWTH * self.n_predicted:
            self.n_predicted = len(items)
            # an estimator may refuse a part of the labels that takes all of them: people's labels then say it alone
            with suppress(ValueError):
                self._alternate(answers, possible, take(X, rows[items]), learner)
            return
        new = items[np.isnan(self.predicted[items, 0])]
        if new.size and set(self.classes.tolist()) <= set(np.asarray(getattr(learner, "classes_", ())).tolist()):
            self.predicted[new] = proba_of(self.classes, learner, take(X, rows[new]))

    def _alternate(self, answers: Answers, possible: np.ndarray | None, X: Rows, learner: Any) -> None:
        """Take labels and the models' predictions from each other in turn."""
        estimator = tell_classes(_unfitted(self.estimator, learner), self.classes)
        seed_estimator(estimator, self.rng)
        folds = draw_folds(len(answers.items), _FOLDS, self.rng)
        found = alternate(estimator, X, answers, self.proba[answers.items], folds, _MAX_ITER, _TOL, possible)
        self.predicted[answers.items], self.proba[answers.items] = found.predicted, found.estimate.proba


def _unfitted(estimator: Any, learner: Any) -> Any:
    """Return an unfitted copy of an estimator; of one that chooses, what the learner's has chosen last.

    Each of the many fits would else compare all candidates again.
    """
    chooses = getattr(learner, "estimator", learner)
    return chooses.unfitted_choice() if isinstance(chooses, BestCandidate) else clone(estimator)


def takes_weights(estimator: Any) -> bool:
    """Return whether an estimator can be fitted on weighted rows.

    Parameters
    ----------
    estimator : estimator

    Returns
    -------
    bool
    """
    try:
        weights_parameter(estimator)
    except TypeError:
        return False
    return True


def _estimator_that_weighs(learner: Any) -> Any:
    """Return the estimator of a learner if it can predict labels out of weighted ones, else None."""
    estimator = getattr(learner, "estimator", learner)
    fits = hasattr(estimator, "predict_proba") and hasattr(estimator, "get_params") and takes_weights(estimator)
    return estimator if fits else None
