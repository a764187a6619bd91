"""Learners: modAL's, for any kind of rows, with named strategies, seeds, and failures that lose nothing.

What is modAL's and what is not. Each class here inherits modAL's of the same name, so that ``isinstance`` holds and
modAL's own strategies, which call ``learner.predict_proba`` and the like, run unchanged. Kept are ``predict``,
``predict_proba``, ``score`` and what committees compute from their members. Overridden are `query` (strategies by
name, candidates, a seeded generator), `fit`, `teach` and a committee's `rebag` (a failure restores everything),
``_add_training_data``, ``_fit_to_known`` and ``_fit_on_new`` (modAL stacks numpy arrays alone, and checks rows by a
function that scikit-learn 1.8 has changed), and `vote` and `vote_proba` (labels of any type, members that know other
classes).
What several classes override alike is in `alkit._learning`. The repairs in `alkit._modal` are for modAL's own classes
and functions, beneath these.

A person calls `teach`, which adds rows to those taught; the simulated loop calls `fit` with all labelled rows each
round, because it has them side by side in one pool and need not stack them again.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from modAL import models as modal
from modAL.acquisition import max_EI
from modAL.disagreement import max_std_sampling
from sklearn.exceptions import NotFittedError

from alkit._learning import QueryStrategy, Teaching, Voting
from alkit._random import RandomState
from alkit._restore import restored_on_failure
from alkit.labels import most_probable
from alkit.rows import Rows, n_rows
from alkit.strategies.answers import has_several_labels, label_proba_of

__all__ = ["ActiveLearner", "BayesianOptimizer", "Committee", "CommitteeRegressor", "QueryStrategy"]


class ActiveLearner(Teaching, modal.ActiveLearner):
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
        Whether strategies measure distances between rows after the Pipeline's transformers.
    force_all_finite : bool, default=True
        Whether networks refuse rows with NaN or infinity; False is for those that take them. What other estimators
        take is their own business.
    random_state : int, RandomState or None
        Seeds queries by alkit's strategies, and bootstraps; the generator goes on from query to query and is pickled
        with the learner. The estimator has a ``random_state`` of its own.
    **fit_kwargs
        Passed to the first `fit`: ``sample_weight``, and whatever the estimator's takes.

    Attributes
    ----------
    X_training, y_training : rows and labels
        All that was taught.
    sample_weight_training : array or None
        Its weights, one per row, once any were given.
    classes_ : array (C,)
        The labels the estimator knows.

    See Also
    --------
    Committee : Several learners, asked where they disagree.
    alkit.compare_strategies : Which strategy saves labels, in a simulation.

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


class BayesianOptimizer(Teaching, modal.BayesianOptimizer):
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

    def teach(self, X: Rows, y: Any, *args: Any, **kwargs: Any) -> None:
        """Add rows and values to what was taught and retrain; if anything fails, nothing has changed.

        Parameters
        ----------
        X, y : rows and values
        *args, **kwargs
            As in `ActiveLearner.teach`.
        """
        with restored_on_failure(self):
            super().teach(X, y, *args, **kwargs)
            self._set_max(X, y)


class Committee(Voting, modal.Committee):
    """modAL's Committee on today's stack: several learners that vote, asked where they disagree.

    Parameters
    ----------
    learner_list : list of ActiveLearner or estimator
        An estimator, fitted or not, becomes a learner that was taught nothing yet.
    query_strategy : str, Strategy or callable, default="vote_entropy"
        Any strategy that reads ``proba``, ``samples`` or ``votes``: the members are the posterior samples. Members
        that only predict, such as `LinearSVC`, serve those that read votes.
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
        super().__init__(_as_learners(learner_list), query_strategy, on_transformed, random_state)

    def _set_classes(self) -> None:
        if not has_several_labels(self):
            super()._set_classes()
            return
        # of several labels, their numbers
        self.classes_ = np.arange(len(self.learner_list[0].classes_))
        self.n_classes_ = len(self.classes_)

    def predict(self, X: Rows, **predict_proba_kwargs: Any) -> np.ndarray:
        """Return the label that learners find most probable on average; of several labels, those that are on.

        Parameters
        ----------
        X : rows of any kind
        **predict_proba_kwargs
            Passed to the learners' ``predict_proba``.

        Returns
        -------
        array (n,), or 0/1 array (n, L)
        """
        if has_several_labels(self):
            return most_probable(self.predict_proba(X, **predict_proba_kwargs), None, True)
        return super().predict(X, **predict_proba_kwargs)

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
            Columns in the order of `classes_`; of several labels (n, K, L), the probability that each is on; of
            positions ``(n, K, C, *S)``.

        Raises
        ------
        NotFittedError
            If a learner has not been taught.
        """
        self._set_classes()
        if self.classes_ is None:
            raise NotFittedError(f"not all {len(self)} learners of the Committee are fitted; teach it first")
        if has_several_labels(self):
            of_learners = [label_proba_of(learner, X, **predict_proba_kwargs) for learner in self.learner_list]
            return np.stack(of_learners, axis=1)
        of_learners = [learner.predict_proba(X, **predict_proba_kwargs) for learner in self.learner_list]
        positions = np.shape(of_learners[0])[2:]
        proba = np.zeros((n_rows(X), len(self), self.n_classes_, *positions))
        for k, learner in enumerate(self.learner_list):
            # a member may know fewer classes, or have them in another order
            columns = np.searchsorted(self.classes_, learner.estimator.classes_)
            proba[:, k, columns] = of_learners[k]
        return proba


class CommitteeRegressor(Voting, modal.CommitteeRegressor):
    """modAL's CommitteeRegressor on today's stack: regressors asked where their predictions spread.

    Parameters
    ----------
    learner_list : list of ActiveLearner or estimator
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
        super().__init__(_as_learners(learner_list), query_strategy, on_transformed, random_state)


def _as_learners(members: Any) -> list[Any]:
    """Return learners as they are, and each estimator in a learner of its own."""
    if not isinstance(members, (list, tuple)) or not members:
        raise TypeError(f"learner_list is {members!r}; pass a list of one learner or estimator or more")
    return [_as_learner(member) for member in members]


def _as_learner(member: Any) -> Any:
    """Return a learner as it is, and an estimator in a learner."""
    if isinstance(member, type) or not (hasattr(member, "fit") and hasattr(member, "predict")):
        raise TypeError(
            f"learner_list holds {member!r}, which is neither a learner nor an estimator; pass objects with fit and "
            "predict, such as LogisticRegression() or ActiveLearner(LogisticRegression())"
        )
    # modAL's own tests have learners that are never taught, and so no `teach`; loops have a strategy, too
    is_learner = hasattr(member, "teach") or (hasattr(member, "query_strategy") and not hasattr(member, "get_params"))
    return member if is_learner else ActiveLearner(member)
