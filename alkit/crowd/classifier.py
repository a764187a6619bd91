"""A classifier that learns from people who err, and how much each of them errs."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, MetaEstimatorMixin, clone
from sklearn.utils import check_scalar
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from alkit._inner import take_over_features, take_over_tags
from alkit._random import RandomState, generator, seed_estimator
from alkit.crowd.alternation import alternate
from alkit.crowd.confusion import accuracy
from alkit.crowd.rows_and_answers import answers_by_row
from alkit.crowd.soft_labels import draw_folds, fit_on_proba
from alkit.rows import Rows, n_rows, take


def _has(name: str) -> Any:
    """Return a condition: that the estimator inside has a method."""
    return available_if(lambda crowd: hasattr(getattr(crowd, "estimator_", crowd.estimator), name))


class CrowdClassifier(MetaEstimatorMixin, ClassifierMixin, BaseEstimator):
    """A classifier that learns from several people's answers, and at once how each of them errs.

    Expectation maximisation in which the estimator is the prior of the true label [1]_ [2]_ [3]_: what it predicts of
    a row, and what people say of it, each weighed by the person's confusion matrix, give the row's probable labels;
    on these the estimator is fitted again. One answer per row is enough to tell who errs.

    Three things make it robust. The estimator's predictions are of rows it was not fitted on (`cv`), so that a network
    that learns wrong answers by heart does not confirm them. How far they are trusted is chosen by the evidence of the
    answers (their probabilities are taken to a power). And confusion matrices are shrunk towards each person's
    accuracy, and that towards everybody's, as strongly as the evidence says, see `alkit.crowd.dawid_skene`.

    Parameters
    ----------
    estimator : classifier
        With ``predict_proba``, and ``sample_weight`` in ``fit``: any of scikit-learn's or alkit's, or a Pipeline.
    classes : array-like, optional
        All labels there may be; by default, those that were given.
    cv : int, default=3
        Folds in which rows are predicted; 1 predicts rows by an estimator that was fitted on them, which is faster and,
        with few answers, may be far worse.
    max_iter : int, default=15
        Rounds at most, of `cv` fits each.
    tol : float, default=0.01
        Stop once a round moves less than this share of all labels' probability.
    random_state : int, RandomState or None, default=None
        Seeds folds, and every ``random_state`` inside the estimator that is None.

    Attributes
    ----------
    estimator_ : classifier
        Fitted on the probable labels of all rows that somebody answered.
    classes_ : array (C,)
    annotators_ : array (A,)
        Columns of a DataFrame, sorted annotators of a long form, else column numbers.
    confusion_ : array (A, C, C)
        Person a, true class j, label l: how often a gives label l to a row of class j.
    accuracy_ : array (A,)
        How often each person is right, on classes as frequent as they are here.
    true_proba_ : array (n, C)
        Probable labels of the rows fitted; of rows that nobody answered, what the estimator predicts.
    predicted_proba_ : array (n, C)
        What the estimator predicts of each row without the answers to it, fitted on the rows of other folds.
    n_iter_ : int
        Rounds up to the last one that explains answers as well as any, which is kept.
    n_features_in_, feature_names_in_
        As in scikit-learn, where the estimator has them.

    References
    ----------
    .. [1] V. C. Raykar et al., "Learning From Crowds", JMLR 2010.
    .. [2] S. Albarqouni et al., "AggNet: Deep Learning From Crowds for Mitosis Detection", IEEE TMI 2016.
    .. [3] J. Yang, T. Drake, A. Damianou and Y. Maarek, "Leveraging Crowdsourcing Data for Deep Active Learning", WWW
       2018.

    Examples
    --------
    Three people label flowers; the third guesses:

    >>> import numpy as np
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from alkit.crowd import CrowdClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> rng = np.random.default_rng(0)
    >>> right = rng.random((150, 3)) < [0.9, 0.8, 0.33]
    >>> annotations = np.where(right, y[:, None], rng.integers(3, size=(150, 3)))
    >>> model = CrowdClassifier(LogisticRegression(max_iter=1000), random_state=0).fit(X, annotations)
    >>> int(model.accuracy_.argmin()), model.score(X, y) > 0.9
    (2, True)
    """

    estimator_: Any

    def __init__(
        self,
        estimator: Any,
        classes: Any = None,
        cv: int = 3,
        max_iter: int = 15,
        tol: float = 0.01,
        random_state: RandomState = None,
    ) -> None:
        self.estimator = estimator
        self.classes = classes
        self.cv = cv
        self.max_iter = max_iter
        self.tol = tol
        self.random_state = random_state

    def __sklearn_tags__(self) -> Any:
        return take_over_tags(super().__sklearn_tags__(), self.estimator)

    def fit(self, X: Rows, annotations: Any) -> Self:
        """Estimate true labels and people's confusion matrices, and fit the estimator.

        Parameters
        ----------
        X : rows of any kind the estimator takes
            The rows, n of them.
        annotations : array (n, A), DataFrame or array (n,)
            What people said of each row: one column per person, None or NaN where the person was not asked. Or a
            DataFrame in long form with one row per answer and the columns ``item``, ``annotator`` and ``label``, where
            items are positions in X, or labels of its index where X is a DataFrame. Or one person's labels.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If annotations do not fit the rows, if there is no answer, if a label is none of `classes`, or if there are
            fewer than two classes.
        TypeError
            If the estimator has no ``predict_proba``, or takes no ``sample_weight``.
        """
        self._check_parameters()
        answers = answers_by_row(X, annotations, self.classes)
        self.classes_ = answers.classes
        self.annotators_ = answers.annotators
        rng = generator(self.random_state)
        estimator = clone(self.estimator)
        seed_estimator(estimator, rng)
        # rows that nobody answered teach nothing
        rows = np.unique(answers.item)
        answered = answers.of_items(np.isin(np.arange(n_rows(X)), rows))
        X_answered = X if len(rows) == n_rows(X) else take(X, rows)
        folds = draw_folds(len(rows), self.cv, rng)
        found, predicted, self.n_iter_ = alternate(
            estimator, X_answered, answered, answered.vote_shares(), folds, self.max_iter, self.tol
        )
        self.confusion_ = found.confusion
        self.accuracy_ = accuracy(found.confusion, found.proba.mean(0))
        self.estimator_ = fit_on_proba(estimator, X_answered, found.proba, self.classes_)
        self.true_proba_ = self._of_all_rows(X, rows, found.proba)
        self.predicted_proba_ = self.true_proba_.copy()
        self.predicted_proba_[rows] = predicted
        take_over_features(self, self.estimator_)
        return self

    def _check_parameters(self) -> None:
        check_scalar(self.cv, "cv", Integral, min_val=1)
        check_scalar(self.max_iter, "max_iter", Integral, min_val=1)
        check_scalar(self.tol, "tol", Real, min_val=0)
        if not hasattr(self.estimator, "predict_proba"):
            raise TypeError(
                f"CrowdClassifier weighs what its estimator predicts, and {type(self.estimator).__name__} has no "
                "predict_proba; use a classifier that has it, such as LogisticRegression or NetClassifier"
            )

    def _of_all_rows(self, X: Rows, rows: np.ndarray, proba: np.ndarray) -> np.ndarray:
        """Return the labels of rows with answers, and what the estimator predicts of the others, (n, C)."""
        n = n_rows(X)
        true_proba = np.empty((n, len(self.classes_)))
        true_proba[rows] = proba
        others = np.setdiff1d(np.arange(n), rows)
        if others.size:
            true_proba[others] = self.estimator_.predict_proba(take(X, others))
        return true_proba

    @property
    def _predicts_by(self) -> Any:
        """The estimator that predicts; `alkit.strategies.levels` sees through to it."""
        return getattr(self, "estimator_", None)

    def predict(self, X: Rows) -> np.ndarray:
        """Return the most probable true label of each row.

        Parameters
        ----------
        X : rows of the kind fitted

        Returns
        -------
        array (n,)
        """
        check_is_fitted(self)
        return self.estimator_.predict(X)

    def predict_proba(self, X: Rows) -> np.ndarray:
        """Return probabilities of the true labels, without regard to what people said of these rows.

        Parameters
        ----------
        X : rows of the kind fitted

        Returns
        -------
        array (n, C)
        """
        check_is_fitted(self)
        return self.estimator_.predict_proba(X)

    @_has("sample_proba")
    def sample_proba(self, X: Rows, n_samples: int = 20, random_state: Any = None, **params: Any) -> np.ndarray:
        """Return probabilities of the true labels under posterior samples of the estimator.

        Parameters
        ----------
        X : rows of the kind fitted
        n_samples : int, default=20
        random_state : int, RandomState or None, default=None
        **params
            Passed to the estimator's method.

        Returns
        -------
        array (n, K, C)
        """
        check_is_fitted(self)
        return self.estimator_.sample_proba(X, n_samples=n_samples, random_state=random_state, **params)

    @_has("embed")
    def embed(self, X: Rows) -> np.ndarray:
        """Return the estimator's embedding of each row.

        Parameters
        ----------
        X : rows of the kind fitted

        Returns
        -------
        array (n, D)
        """
        check_is_fitted(self)
        return self.estimator_.embed(X)
