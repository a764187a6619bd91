"""Learners: modAL's, for any kind of rows, with named strategies, seeds, and failures that lose nothing.

What is modAL's and what is not. Each class here inherits modAL's of the same name, so that ``isinstance`` holds and
modAL's own strategies, which call ``learner.predict_proba`` and the like, run unchanged. Kept are ``predict``,
``predict_proba``, ``score`` and what committees compute from their members. Overridden are `query` (strategies by
name, candidates, a seeded generator), `fit` and `teach` (a failure restores everything), ``_add_training_data`` and
``_fit_to_known`` (modAL stacks numpy arrays alone, and checks rows by a function that scikit-learn 1.8 has changed),
and `vote` and `vote_proba` (labels of any type, members that know other classes). The repairs in `alkit._modal` are
for modAL's own classes and functions, beneath these.

A person calls `teach`, which adds rows to those taught; the simulated loop calls `fit` with all labelled rows each
round, because it has them side by side in one pool and need not stack them again.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any, Self

import numpy as np
from modAL import models as modal
from modAL.acquisition import max_EI
from modAL.disagreement import max_std_sampling
from sklearn.exceptions import NotFittedError

from alkit._random import RandomState, generator
from alkit._restore import restored_on_failure
from alkit.rows import Rows, n_rows, stack, take
from alkit.strategies import Strategy, as_strategy
from alkit.validation import (
    as_labels,
    candidate_rows,
    check_columns,
    check_rows_and_labels,
    check_same_features,
    check_same_labels,
    checked,
    checked_count,
)

QueryStrategy = str | Strategy | Callable[..., Any]


class _Querying:
    """Queries by name, on any kind of rows, from a seeded generator that is pickled with the learner."""

    query_strategy: Any
    _rng: np.random.Generator

    def query(
        self, X_pool: Rows, *query_args: Any, candidates: Any = None, return_metrics: bool = False, **query_kwargs: Any
    ) -> tuple[Any, ...]:
        """Pick the rows of a pool worth labelling.

        Parameters
        ----------
        X_pool : rows of any kind
            The pool.
        *query_args, **query_kwargs
            Passed to the query strategy: ``n_instances``, and parameters of the strategy for this query alone.
        candidates : bool mask (N,) or int array, optional
            The only rows of `X_pool` to pick from.
        return_metrics : bool, default=False
            Also return the utility of each row picked.

        Returns
        -------
        indices : int array (n_instances,)
            Positions in `X_pool`, most useful first.
        instances : rows, the kind `X_pool` is
            The rows themselves.
        scores : array (n_instances,)
            Only with ``return_metrics=True``.

        Raises
        ------
        ValueError, TypeError
            See `Strategy.select`.
        """
        strategy = as_strategy(self.query_strategy)
        check_columns(X_pool, self)
        taught = getattr(self, "X_training", None)
        if taught is not None:
            check_same_features(X_pool, taught)
        if isinstance(strategy, Strategy):
            query_kwargs.pop("random_tie_break", None)  # as scripts tell modAL; here ties always break at random
            before = self._rng.bit_generator.state
            try:
                picks = strategy.select(self, X_pool, *query_args, candidates=candidates, **query_kwargs)
            except BaseException:
                self._rng.bit_generator.state = before
                raise
            answer = (picks.indices, take(X_pool, picks.indices))
            return (*answer, picks.scores) if return_metrics else answer
        if return_metrics:
            raise TypeError(f"return_metrics=True needs one of alkit's strategies, and {strategy!r} returns no scores")
        rows = candidate_rows(candidates, n_rows(X_pool))
        if "n_instances" in query_kwargs:
            checked_count(query_kwargs["n_instances"], n_rows(X_pool) if rows is None else len(rows))
        result = strategy(self, X_pool if rows is None else take(X_pool, rows), *query_args, **query_kwargs)
        if isinstance(result, tuple):
            warnings.warn("a query strategy should return indices alone, not a tuple", DeprecationWarning, stacklevel=2)
            return result if rows is None else (rows[result[0]], *result[1:])
        indices = result if rows is None else rows[result]
        return indices, take(X_pool, indices)

    def __sklearn_clone__(self) -> Self:
        raise TypeError(
            f"{type(self).__name__} cannot be cloned: it holds labels, and its constructor trains; search over "
            "alkit.ActiveLearningClassifier(estimator, query_strategy=...) instead"
        )


class _Taught(_Querying):
    """Teaching with any kind of rows and labels; a fit that fails leaves everything as it was."""

    estimator: Any
    X_training: Rows
    y_training: Any
    force_all_finite: bool

    def __init__(
        self,
        estimator: Any,
        query_strategy: QueryStrategy = "margin",
        X_training: Rows = None,
        y_training: Any = None,
        bootstrap_init: bool = False,
        on_transformed: bool = False,
        force_all_finite: bool = True,
        random_state: RandomState = None,
        **fit_kwargs: Any,
    ) -> None:
        self.random_state = random_state
        self._rng = generator(random_state)
        super().__init__(  # type: ignore[call-arg]
            estimator,
            as_strategy(query_strategy),
            bootstrap_init=bootstrap_init,
            on_transformed=on_transformed,
            force_all_finite=force_all_finite,
        )
        self.query_strategy = query_strategy
        if X_training is not None:
            self.fit(X_training, y_training, bootstrap=bootstrap_init, **fit_kwargs)

    def __repr__(self) -> str:
        labels = 0 if self.X_training is None else n_rows(self.X_training)
        strategy = getattr(self.query_strategy, "__name__", self.query_strategy)
        return f"{type(self).__name__}({self.estimator!r}, {strategy!r}, labels={labels})"

    @property
    def classes_(self) -> np.ndarray:
        """The labels the estimator knows, (C,)."""
        return self.estimator.classes_

    def fit(self, X: Rows, y: Any, bootstrap: bool = False, **fit_kwargs: Any) -> Self:
        """Forget what was taught and learn from X and y.

        Parameters
        ----------
        X : rows of any kind
        y : labels, as many
        bootstrap : bool, default=False
            Whether to train on a sample drawn with replacement.
        **fit_kwargs
            Passed to the estimator's ``fit``.

        Returns
        -------
        self
        """
        with restored_on_failure(self):
            self.X_training, self.y_training = X, self._checked_labels(X, y)
            return self._fit_to_known(bootstrap=bootstrap, **fit_kwargs)

    def teach(self, X: Rows, y: Any, bootstrap: bool = False, only_new: bool = False, **fit_kwargs: Any) -> None:
        """Add labelled rows to what was taught and retrain; if anything fails, nothing has changed.

        Parameters
        ----------
        X : rows of the kind taught so far
        y : labels, as many
        bootstrap : bool, default=False
            Whether to train on a sample drawn with replacement.
        only_new : bool, default=False
            Train on X and y alone, for estimators whose ``fit`` goes on from where it was.
        **fit_kwargs
            Passed to the estimator's ``fit``.
        """
        with restored_on_failure(self):
            super().teach(X, y, bootstrap=bootstrap, only_new=only_new, **fit_kwargs)  # type: ignore[misc]

    def _add_training_data(self, X: Rows, y: Any) -> None:
        y = self._checked_labels(X, y)
        if self.X_training is None:
            self.X_training, self.y_training = X, y
            return
        check_same_features(X, self.X_training)
        check_same_labels(y, self.y_training)
        self.X_training, self.y_training = stack([self.X_training, X]), stack([self.y_training, y])

    def _fit_to_known(self, bootstrap: bool = False, **fit_kwargs: Any) -> Self:
        # each block of rows was looked at when it was added
        with checked(self.X_training) if self.force_all_finite else nullcontext():
            return self._fit(self.X_training, self.y_training, bootstrap, **fit_kwargs)

    def _fit_on_new(self, X: Rows, y: Any, bootstrap: bool = False, **fit_kwargs: Any) -> Self:
        return self._fit(X, as_labels(y), bootstrap, **fit_kwargs)

    def _fit(self, X: Rows, y: Any, bootstrap: bool, **fit_kwargs: Any) -> Self:
        if bootstrap:
            rows = self._rng.integers(n_rows(X), size=n_rows(X))
            X, y = take(X, rows), take(y, rows)
        self.estimator.fit(X, y, **fit_kwargs)
        return self

    def _checked_labels(self, X: Rows, y: Any) -> Any:
        y = as_labels(y)
        check_rows_and_labels(X, y, self.estimator, finite=self.force_all_finite)
        return y


class ActiveLearner(_Taught, modal.ActiveLearner):
    """modAL's ActiveLearner on today's stack: an estimator, what it was taught, and a strategy that asks for more.

    Parameters
    ----------
    estimator : estimator with fit and predict
        Any scikit-learn or skorch estimator, or a Pipeline of them.
    query_strategy : str, Strategy or callable, default="margin"
        A name from `get_strategy_names`, a `Strategy`, or any callable as modAL takes them.
    X_training, y_training : rows and labels, optional
        What to learn at once.
    bootstrap_init : bool, default=False
        Whether that first fit sees a sample drawn with replacement.
    on_transformed : bool, default=False
        Whether modAL's ranked batches measure distances after the Pipeline's transformers.
    force_all_finite : bool, default=True
        Whether rows with NaN (unless the estimator's tags allow it) or infinity are refused.
    random_state : int, RandomState or None
        Seeds queries by alkit's strategies, and bootstraps; the generator goes on from query to query and is pickled
        with the learner. The estimator has a ``random_state`` of its own.
    **fit_kwargs
        Passed to the estimator's first ``fit``.

    Attributes
    ----------
    X_training, y_training : rows and labels
        All that was taught.
    classes_ : array (C,)
        The labels the estimator knows.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from alkit import ActiveLearner
    >>> X, y = load_iris(return_X_y=True)
    >>> start = np.arange(0, 150, 25)
    >>> learner = ActiveLearner(LogisticRegression(), "margin", X[start], y[start], random_state=0)
    >>> indices, instances = learner.query(X, n_instances=5)
    >>> learner.teach(instances, y[indices])
    >>> len(learner.y_training)
    11
    """


class BayesianOptimizer(_Taught, modal.BayesianOptimizer):
    """modAL's BayesianOptimizer on today's stack: queries where a function may have its maximum.

    Parameters
    ----------
    estimator : regressor with ``predict(X, return_std=True)``
    query_strategy : callable, default=modAL.acquisition.max_EI
    X_training, y_training : rows and values, optional
        What to learn at once.
    bootstrap_init, on_transformed, force_all_finite, random_state, **fit_kwargs
        As in `ActiveLearner`.

    Attributes
    ----------
    X_max, y_max : row and float
        Where the largest value so far is, and the value.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.gaussian_process import GaussianProcessRegressor
    >>> from sklearn.gaussian_process.kernels import RBF
    >>> from alkit.learners import BayesianOptimizer
    >>> X = np.linspace(0, 1, 101).reshape(-1, 1)
    >>> y = X.ravel() * (1 - X.ravel())
    >>> surrogate = GaussianProcessRegressor(RBF(0.3, "fixed"))
    >>> optimizer = BayesianOptimizer(surrogate, X_training=X[[0, 100]], y_training=y[[0, 100]])
    >>> for _ in range(3):
    ...     indices, instances = optimizer.query(X)
    ...     optimizer.teach(instances, y[indices])
    >>> float(optimizer.get_max()[1].round(2))
    0.25
    """

    def __init__(
        self,
        estimator: Any,
        query_strategy: QueryStrategy = max_EI,
        X_training: Rows = None,
        y_training: Any = None,
        bootstrap_init: bool = False,
        on_transformed: bool = False,
        force_all_finite: bool = True,
        random_state: RandomState = None,
        **fit_kwargs: Any,
    ) -> None:
        super().__init__(
            estimator,
            query_strategy,
            X_training,
            y_training,
            bootstrap_init,
            on_transformed,
            force_all_finite,
            random_state,
            **fit_kwargs,
        )
        if X_training is not None:
            self._set_max(self.X_training, self.y_training)


class _Voting(_Querying):
    """Committees of any learners, on any kind of rows and labels; a fit that fails leaves everything as it was."""

    learner_list: list[Any]

    def __init__(
        self, learner_list: list[Any], query_strategy: QueryStrategy, on_transformed: bool, random_state: RandomState
    ) -> None:
        self.random_state = random_state
        self._rng = generator(random_state)
        super().__init__(learner_list, as_strategy(query_strategy), on_transformed)  # type: ignore[call-arg]
        self.query_strategy = query_strategy

    def __repr__(self) -> str:
        strategy = getattr(self.query_strategy, "__name__", self.query_strategy)
        return f"{type(self).__name__}({self.learner_list!r}, {strategy!r})"

    def fit(self, X: Rows, y: Any, **fit_kwargs: Any) -> Self:
        """Make every learner forget what it was taught and learn from X and y.

        Parameters
        ----------
        X : rows of any kind
        y : labels, as many
        **fit_kwargs
            ``bootstrap=True`` trains each learner on its own sample drawn with replacement; the rest goes to the
            estimators' ``fit``.

        Returns
        -------
        self
        """
        with restored_on_failure(self):
            super().fit(X, y, **fit_kwargs)  # type: ignore[misc]
        return self

    def teach(self, X: Rows, y: Any, bootstrap: bool = False, only_new: bool = False, **fit_kwargs: Any) -> None:
        """Add labelled rows to what every learner was taught and retrain; if anything fails, nothing has changed.

        Parameters
        ----------
        X : rows of the kind taught so far
        y : labels, as many
        bootstrap, only_new, **fit_kwargs
            As in `ActiveLearner.teach`.
        """
        with restored_on_failure(self):
            super().teach(X, y, bootstrap=bootstrap, only_new=only_new, **fit_kwargs)  # type: ignore[misc]

    def rebag(self, **fit_kwargs: Any) -> None:
        """Refit every learner on a sample drawn with replacement from what it was taught.

        Parameters
        ----------
        **fit_kwargs
            Passed to the estimators' ``fit``.
        """
        with restored_on_failure(self):
            super().rebag(**fit_kwargs)  # type: ignore[misc]

    def vote(self, X: Rows, **predict_kwargs: Any) -> np.ndarray:
        """Return what each learner predicts.

        Parameters
        ----------
        X : rows of any kind
        **predict_kwargs
            Passed to the learners' ``predict``.

        Returns
        -------
        array (n, K)
            Labels or values, in the learners' own type.
        """
        return np.column_stack([np.ravel(learner.predict(X, **predict_kwargs)) for learner in self.learner_list])


class Committee(_Voting, modal.Committee):
    """modAL's Committee on today's stack: several learners that vote, asked where they disagree.

    Parameters
    ----------
    learner_list : list of ActiveLearner
    query_strategy : str, Strategy or callable, default="vote_entropy"
        Any strategy that reads ``proba`` or ``samples``: the members are the posterior samples.
    on_transformed : bool, default=False
        As in `ActiveLearner`.
    random_state : int, RandomState or None
        Seeds queries.

    Attributes
    ----------
    classes_ : array (C,)
        All labels any learner knows, sorted.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.naive_bayes import GaussianNB
    >>> from sklearn.tree import DecisionTreeClassifier
    >>> from alkit import ActiveLearner, Committee
    >>> X, y = load_iris(return_X_y=True)
    >>> start = np.arange(0, 150, 15)
    >>> models = GaussianNB(), DecisionTreeClassifier(random_state=0)
    >>> committee = Committee([ActiveLearner(m, X_training=X[start], y_training=y[start]) for m in models])
    >>> indices, instances = committee.query(X, n_instances=5)
    >>> committee.teach(instances, y[indices])
    """

    def __init__(
        self,
        learner_list: list[Any],
        query_strategy: QueryStrategy = "vote_entropy",
        on_transformed: bool = False,
        random_state: RandomState = None,
    ) -> None:
        super().__init__(learner_list, query_strategy, on_transformed, random_state)

    def vote_proba(self, X: Rows, **predict_proba_kwargs: Any) -> np.ndarray:
        """Return what each learner thinks of each class; a class it has not seen is a zero.

        Parameters
        ----------
        X : rows of any kind
        **predict_proba_kwargs
            Passed to the learners' ``predict_proba``.

        Returns
        -------
        array (n, K, C)
            Columns in the order of `classes_`.

        Raises
        ------
        NotFittedError
            If a learner has not been taught.
        """
        self._set_classes()
        if self.classes_ is None:
            raise NotFittedError(f"not all {len(self)} learners of the Committee are fitted; teach it first")
        proba = np.zeros((n_rows(X), len(self), self.n_classes_))
        for k, learner in enumerate(self.learner_list):
            columns = np.searchsorted(self.classes_, learner.estimator.classes_)
            proba[:, k, columns] = learner.predict_proba(X, **predict_proba_kwargs)
        return proba


class CommitteeRegressor(_Voting, modal.CommitteeRegressor):
    """modAL's CommitteeRegressor on today's stack: regressors asked where their predictions spread.

    Parameters
    ----------
    learner_list : list of ActiveLearner
    query_strategy : callable, default=modAL.disagreement.max_std_sampling
    on_transformed, random_state
        As in `Committee`.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import LinearRegression
    >>> from alkit.learners import ActiveLearner, CommitteeRegressor
    >>> X = np.linspace(0, 1, 20).reshape(-1, 1)
    >>> parts = X[:4], X[8:12]
    >>> members = [ActiveLearner(LinearRegression(), X_training=x, y_training=np.sin(9 * x.ravel())) for x in parts]
    >>> CommitteeRegressor(members).query(X)[0]
    array([19])
    """

    def __init__(
        self,
        learner_list: list[Any],
        query_strategy: QueryStrategy = max_std_sampling,
        on_transformed: bool = False,
        random_state: RandomState = None,
    ) -> None:
        super().__init__(learner_list, query_strategy, on_transformed, random_state)
