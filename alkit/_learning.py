"""Querying, teaching and voting: what the learners do in their own way, in place of what modAL's classes do.

`alkit.learners` has the learners themselves, and says what they inherit from modAL and what is overridden here. Each
class is put before one of modAL's (``class ActiveLearner(Teaching, modal.ActiveLearner)``), so that ``super()`` is
modAL's.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal, Self, overload

import numpy as np

from alkit._random import RandomState, generator
from alkit._restore import restored_on_failure
from alkit._turns import takes_turns
from alkit._weights import checked_weights, joined_weights, weights_parameter
from alkit.labels import as_labels, as_numbers, check_same_labels, flattened
from alkit.rows import Rows, n_rows, padded, readable, stack, take
from alkit.strategies import Picks, Strategy, as_strategy
from alkit.strategies.levels import has_steps
from alkit.strategies.names import StrategyName
from alkit.strategies.regressors import one_output_flat
from alkit.strategies.skorch_networks import is_plain_network
from alkit.validation import (
    candidate_rows,
    check_pool,
    check_rows_and_labels,
    check_same_features,
    checked,
    checked_count,
    is_known_finite,
    is_of_type,
    let_through,
    naming_rows,
    reads_tokens,
    refuse_non_finite_rows,
)

# with names beside `str`, editors complete them and a name may still come from a list or a command line
QueryStrategy = StrategyName | str | Strategy | Callable[..., Any]


class Querying:
    """Queries by name, on any kind of rows, from a seeded generator that is pickled with the learner."""

    query_strategy: Any
    _rng: np.random.Generator

    if TYPE_CHECKING:
        # they are modAL's, whose types name arrays and DataFrames alone
        def predict(self, X: Rows, **kwargs: Any) -> Any: ...
        def predict_proba(self, X: Rows, **kwargs: Any) -> Any: ...
        def score(self, X: Rows, y: Any, **kwargs: Any) -> Any: ...

    @overload
    def query(
        self,
        X_pool: Rows,
        *query_args: Any,
        candidates: Any = None,
        return_metrics: Literal[False] = False,
        **query_kwargs: Any,
    ) -> tuple[np.ndarray, Any]: ...
    @overload
    def query(
        self,
        X_pool: Rows,
        *query_args: Any,
        candidates: Any = None,
        return_metrics: Literal[True],
        **query_kwargs: Any,
    ) -> tuple[np.ndarray, Any, np.ndarray]: ...
    @overload
    def query(
        self, X_pool: Rows, *query_args: Any, candidates: Any = None, return_metrics: bool, **query_kwargs: Any
    ) -> tuple[Any, ...]: ...
    @takes_turns
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
        if not isinstance(strategy, Strategy):
            check_pool(X_pool, self)
            if return_metrics:
                raise TypeError(
                    f"return_metrics=True needs one of alkit's strategies, and {strategy!r} returns no scores"
                )
            return self._query_by_callable(strategy, X_pool, candidates, *query_args, **query_kwargs)
        # scripts written for modAL pass it; here ties always break at random
        query_kwargs.pop("random_tie_break", None)
        picks = self._picks(strategy, X_pool, *query_args, candidates=candidates, **query_kwargs)
        instances = take(X_pool, picks.indices)
        if return_metrics:
            return picks.indices, instances, picks.scores
        return picks.indices, instances

    def _picks(self, strategy: Strategy, X_pool: Rows, /, *args: Any, **kwargs: Any) -> Picks:
        """Return what a strategy picks; the learner's generator goes on only if that succeeds."""
        before = self._rng.bit_generator.state
        try:
            return strategy.select(self, X_pool, *args, **kwargs)
        except BaseException:
            # a query that failed, or was interrupted, can be asked again with the same answer
            self._rng.bit_generator.state = before
            raise

    def _query_by_callable(
        self, strategy: Callable[..., Any], X_pool: Rows, candidates: Any, /, *args: Any, **kwargs: Any
    ) -> tuple[Any, ...]:
        """Query by a function written for modAL, which knows no candidates: it is shown those rows alone."""
        rows = candidate_rows(candidates, n_rows(X_pool))
        shown = X_pool if rows is None else take(X_pool, rows)
        if "n_instances" in kwargs:
            checked_count(kwargs["n_instances"], n_rows(shown))
        answer = strategy(self, shown, *args, **kwargs)
        if isinstance(answer, tuple):
            message = "a query strategy should return indices alone, not a tuple"
            warnings.warn(message, DeprecationWarning, stacklevel=3)
            if rows is None:
                return answer
            indices, *rest = answer
            return rows[indices], *rest
        indices = answer if rows is None else rows[answer]
        return indices, take(X_pool, indices)

    def _strategy_name(self) -> str:
        """Return the strategy as `repr` shows it, a function by its name."""
        return repr(getattr(self.query_strategy, "__name__", self.query_strategy))

    def __sklearn_clone__(self) -> Self:
        raise TypeError(
            f"{type(self).__name__} cannot be cloned: it holds labels, and its constructor trains; search over "
            "alkit.ActiveLearningClassifier(estimator, query_strategy=...) instead"
        )


class Teaching(Querying):
    """Teaching with any kind of rows and labels; a fit that fails leaves everything as it was."""

    estimator: Any
    X_training: Rows
    y_training: Any
    force_all_finite: bool
    sample_weight_training: np.ndarray | None = None
    _is_finite = False

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
        # as it was given, so that `get_params` and `repr` show a name where one was passed
        self.query_strategy = query_strategy
        # modAL's constructor would train without what is overridden here, and so it is not handed the rows
        if X_training is not None:
            self.fit(X_training, y_training, bootstrap=bootstrap_init, **fit_kwargs)

    def __repr__(self) -> str:
        labels = 0 if self.X_training is None else n_rows(self.X_training)
        return f"{type(self).__name__}({self.estimator!r}, {self._strategy_name()}, labels={labels})"

    @property
    def classes_(self) -> np.ndarray:
        """The labels the estimator knows, (C,)."""
        return self.estimator.classes_

    @takes_turns
    def fit(self, X: Rows, y: Any, bootstrap: bool = False, sample_weight: Any = None, **fit_kwargs: Any) -> Self:
        """Forget what was taught and learn from X and y.

        Parameters
        ----------
        X : rows of any kind
        y : labels, as many
        bootstrap : bool, default=False
            Whether to train on a sample drawn with replacement.
        sample_weight : array (n,), optional
            One weight per row. They are kept with the labels, and drawn with them.
        **fit_kwargs
            Passed to the estimator's ``fit``.

        Returns
        -------
        self
        """
        with restored_on_failure(self):
            self.X_training, self.y_training = X, self._checked_labels(X, y)
            self.sample_weight_training = checked_weights(sample_weight, X, self.estimator)
            self._is_finite = self._look(X)
            with naming_rows(X, "X"):
                return self._fit_to_known(bootstrap=bootstrap, **fit_kwargs)

    @takes_turns
    def teach(
        self,
        X: Rows,
        y: Any,
        bootstrap: bool = False,
        only_new: bool = False,
        sample_weight: Any = None,
        **fit_kwargs: Any,
    ) -> None:
        """Add labelled rows to what was taught and retrain; if anything fails, nothing has changed.

        Parameters
        ----------
        X : rows of the kind taught so far
        y : labels, as many
        bootstrap : bool, default=False
            Whether to train on a sample drawn with replacement.
        only_new : bool, default=False
            Train on X and y alone, for estimators whose ``fit`` goes on from where it was.
        sample_weight : array (n,), optional
            One weight per new row; rows without count as 1, those taught before as well.
        **fit_kwargs
            Passed to the estimator's ``fit``.
        """
        with restored_on_failure(self):
            self._add_training_data(X, y, sample_weight)
            with naming_rows(X, "X"):
                if only_new:
                    self._fit_on_new(X, y, bootstrap=bootstrap, sample_weight=sample_weight, **fit_kwargs)
                else:
                    self._fit_to_known(bootstrap=bootstrap, **fit_kwargs)

    def _add_training_data(self, X: Rows, y: Any, sample_weight: Any = None) -> None:
        y = self._checked_labels(X, y)
        weights = checked_weights(sample_weight, X, self.estimator)
        is_finite = self._look(X)
        if self.X_training is None:
            self.X_training, self.y_training = X, y
            self.sample_weight_training, self._is_finite = weights, is_finite
            return
        of_tokens = reads_tokens(self)
        check_same_features(X, self.X_training, of_tokens)
        check_same_labels(y, self.y_training)
        n_before = n_rows(self.X_training)
        blocks = [self.X_training, X]
        self.X_training = stack(padded(blocks) if of_tokens else blocks)
        self.y_training = stack([self.y_training, y])
        self.sample_weight_training = joined_weights(self.sample_weight_training, n_before, weights, n_rows(X))
        self._is_finite = self._is_finite and is_finite

    def _fit_to_known(self, bootstrap: bool = False, **fit_kwargs: Any) -> Self:
        return self._fit(self.X_training, self.y_training, self.sample_weight_training, bootstrap, **fit_kwargs)

    def _fit_on_new(
        self, X: Rows, y: Any, bootstrap: bool = False, sample_weight: Any = None, **fit_kwargs: Any
    ) -> Self:
        weights = checked_weights(sample_weight, X, self.estimator)
        return self._fit(X, as_labels(y), weights, bootstrap, **fit_kwargs)

    def _fit(self, X: Rows, y: Any, weights: np.ndarray | None, bootstrap: bool, **fit_kwargs: Any) -> Self:
        if bootstrap:
            rows = self._rng.integers(n_rows(X), size=n_rows(X))
            X, y = take(X, rows), take(y, rows)
            weights = None if weights is None else weights[rows]
        if weights is not None:
            fit_kwargs[weights_parameter(self.estimator)] = weights
        X = readable(X)
        # Each block of rows was looked at when it was taught, so a network need not look at all of them again; one
        # behind a Pipeline must, as steps may write to the rows they are given.
        looked_at = X if self._is_finite and not has_steps(self.estimator) else None
        with checked(looked_at) if self.force_all_finite else let_through():
            self.estimator.fit(X, y, **fit_kwargs)
        return self

    def _look(self, X: Rows) -> bool:
        """Return whether rows are known to be finite; what else they may hold is the estimator's business."""
        if not self.force_all_finite:
            return False
        is_finite = is_known_finite(X)
        # alkit's networks refuse it themselves; one of skorch would become NaN, and all that it has learnt be lost
        if not is_finite and is_plain_network(self.estimator):
            refuse_non_finite_rows(X, self.estimator)
        return is_finite

    def _checked_labels(self, X: Rows, y: Any) -> Any:
        y = flattened(as_labels(y)) if is_of_type(self.estimator, "classifier") else as_labels(y)
        check_rows_and_labels(X, y, self.estimator)
        if is_of_type(self.estimator, "regressor"):
            as_numbers(y)  # refuses what is none
        return y


class Voting(Querying):
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
        return f"{type(self).__name__}({self.learner_list!r}, {self._strategy_name()})"

    @takes_turns
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

    @takes_turns
    def teach(self, X: Rows, y: Any, bootstrap: bool = False, only_new: bool = False, **fit_kwargs: Any) -> None:
        """Add labelled rows to what every learner was taught and retrain; if anything fails, nothing has changed.

        Parameters
        ----------
        X : rows of the kind taught so far
        y : labels, as many
        bootstrap, only_new, **fit_kwargs
            As in `ActiveLearner.teach`; ``sample_weight`` as well, where every learner takes it.
        """
        with restored_on_failure(self):
            for learner in self.learner_list:
                learner.teach(X, y, bootstrap=bootstrap, only_new=only_new, **fit_kwargs)
            # a committee of classifiers knows the classes of all its members
            if hasattr(self, "_set_classes"):
                self._set_classes()

    @takes_turns
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
        array (n, K), or (n, K, T) of T numbers, or as many labels, per row
            Labels or values, in the learners' own type.
        """
        # some regressors predict a column, (n, 1)
        votes = [one_output_flat(learner.predict(X, **predict_kwargs), 1) for learner in self.learner_list]
        return np.stack(votes, axis=1)
