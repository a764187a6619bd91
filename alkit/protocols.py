"""Protocols: what an object must offer to take part, whoever wrote it.

Nothing here has to be inherited from. Any object with the method will do, and nothing needs to be registered: a plain
class with `sample_proba` serves every strategy that reads posterior samples. What each protocol is for:

================== ================================================== ==========================================
protocol           offers                                             read as (`needs` of a `Strategy`)
================== ================================================== ==========================================
`Estimator`        ``predict_proba(X) -> (N, C)``                     ``proba``, ``true_loss``, ``class_scores``
`Posterior`        ``sample_proba(X, n_samples, random_state)``       ``samples``, ``target_samples``, ``votes``
`Embedding`        ``embed(X) -> (N, D)``                             ``embedding``, ``train_embedding``
`LossPredictor`    ``predict_loss(X) -> (N,)``                        ``loss``
`Regressor`        ``predict(X, return_std=False)``                   ``prediction``, ``std``, ``true_loss``
`ValueSampler`     ``sample_y(X, n_samples, random_state)``           ``values``
`Score`            ``score(*needs) -> (n,)``                          the `score` of a `Strategy`
`Pick`             ``pick(scores, *pick_needs, k=, rng=) -> Picks``   the `pick` of a `Strategy`
`StoppingRule`     ``update(model, X) -> bool``
`RowFunctions`     ``n_rows, take, stack, row_shape``                 how X is read, whatever kind it is
================== ================================================== ==========================================

Sizes: N rows of a pool, n of a chunk of it, M of another set, K posterior samples, C classes, D numbers per row.

The protocols with a named method can be asked by ``isinstance``, which sees that the method is there and nothing more:
neither its parameters nor its shapes. (From Python 3.12 on it also says yes for a method that scikit-learn makes
available only at times, such as that of a Pipeline; ``hasattr`` does not.) `Score` and `Pick` cannot: every callable
would pass. What a strategy is answered is checked in `alkit.strategies.quantities` when it is used.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np
from torch import Tensor

from alkit.rows import Rows

if TYPE_CHECKING:
    from alkit.strategies.picks import Picks

__all__ = [
    "Embedding",
    "Estimator",
    "LossPredictor",
    "Pick",
    "Posterior",
    "Regressor",
    "RowFunctions",
    "Score",
    "StoppingRule",
    "ValueSampler",
]


@runtime_checkable
class Estimator(Protocol):
    """Fitted classifier with probabilities.

    A `Pipeline` with one as its last step, a search over one, and a modAL learner of one do as well. Where labels are
    compared with predictions (``y_train``, ``true_loss``), it also needs the attribute ``classes_``, (C,), which names
    the columns, as every classifier of scikit-learn has.

    Examples
    --------
    >>> import numpy as np
    >>> from alkit import get_strategy
    >>> from alkit.protocols import Estimator
    >>> class Threshold:
    ...     def predict_proba(self, X):
    ...         return np.hstack([1 - X, X])
    >>> isinstance(Threshold(), Estimator)
    True
    >>> get_strategy("margin").select(Threshold(), np.array([[0.1], [0.5], [0.8]]), 1).indices
    array([1])
    """

    def predict_proba(self, X: Rows) -> np.ndarray:
        """Return class probabilities.

        Parameters
        ----------
        X : rows of any kind, N of them

        Returns
        -------
        array (N, C)
            Between 0 and 1, one row per row of X, in its order. Of several answers per row: (N, L), the probability
            that each of L labels is on, with ``multilabel_ = True`` on the estimator; a list of an array per output; or
            ``(N, C, *S)`` of positions (`alkit.strategies.answers`).

        Raises
        ------
        ValueError
            If X holds what the model cannot take. An answer of NaN, out of [0, 1] or of another shape is refused by
            the strategy.
        """
        ...


@runtime_checkable
class Posterior(Protocol):
    """Fitted model that draws from its posterior: MC dropout, an ensemble, a Laplace approximation or your own.

    The method is all that a posterior needs. `Committee` counts as one by its ``vote_proba``, (N, K, C), which holds
    its members' probabilities; so do ensembles with classifiers in ``estimators_``, and networks of skorch by their
    dropout. Members that only predict serve ``votes``.

    Examples
    --------
    >>> import numpy as np
    >>> from alkit import get_strategy
    >>> from alkit.protocols import Posterior
    >>> class NoisyThreshold:
    ...     def sample_proba(self, X, n_samples=20, random_state=None):
    ...         slopes = np.random.default_rng(random_state).normal(size=n_samples)
    ...         p = 1 / (1 + np.exp(-X * slopes))
    ...         return np.stack([1 - p, p], axis=-1)
    >>> isinstance(NoisyThreshold(), Posterior)
    True
    >>> get_strategy("bald").select(NoisyThreshold(), np.array([[0.0], [1.0], [9.0]]), 2, random_state=0).indices
    array([2, 1])
    """

    def sample_proba(self, X: Rows, n_samples: int = 20, random_state: Any = None) -> np.ndarray:
        """Return class probabilities under posterior samples of the model.

        Parameters
        ----------
        X : rows of any kind, N of them
        n_samples : int, default=20
            Number of posterior samples K. A model that holds a fixed number of them, such as an ensemble, may give
            those.
        random_state : int or RandomState, optional
            Seeds the samples. A strategy passes the same int for every chunk of a pool: with one seed, sample k should
            be the same model whatever the rows, as BatchBALD and EPIG assume.

        Returns
        -------
        array (N, K, C)
            Between 0 and 1. Of several labels (N, K, L), of positions ``(N, K, C, *S)``.

        Raises
        ------
        RuntimeError or ValueError
            If there is nothing to draw. K equal samples would make every score of disagreement zero, silently.

        Notes
        -----
        A method with a parameter ``consistent`` may share its draws between rows or not. ``consistent=True`` is passed
        by strategies that read joint probabilities of several rows.
        """
        ...


@runtime_checkable
class Embedding(Protocol):
    """Fitted model that says where its last layer sees each row.

    Examples
    --------
    >>> import numpy as np
    >>> from alkit import get_strategy
    >>> from alkit.protocols import Embedding
    >>> class Logarithm:
    ...     def embed(self, X):
    ...         return np.log(X)
    >>> isinstance(Logarithm(), Embedding)
    True
    >>> pool = np.array([[1.0], [1.1], [1e3], [1e6]])
    >>> sorted(get_strategy("kmeans").select(Logarithm(), pool, 3, random_state=0).indices.tolist())[1:]
    [2, 3]
    """

    def embed(self, X: Rows) -> np.ndarray:
        """Return what the last layer reads.

        Parameters
        ----------
        X : rows of any kind, N of them

        Returns
        -------
        array (N, D)
            Finite; D is the same for every X.
        """
        ...


@runtime_checkable
class LossPredictor(Protocol):
    """Fitted model that predicts its own loss.

    Examples
    --------
    >>> import numpy as np
    >>> from alkit import get_strategy
    >>> from alkit.protocols import LossPredictor
    >>> class FarIsHard:
    ...     def predict_loss(self, X):
    ...         return np.abs(X).sum(axis=1)
    >>> isinstance(FarIsHard(), LossPredictor)
    True
    >>> get_strategy("learning_loss").select(FarIsHard(), np.array([[1.0], [-7.0], [2.0]]), 2).indices
    array([1, 2])
    """

    def predict_loss(self, X: Rows) -> np.ndarray:
        """Return the loss that is expected of each row.

        Parameters
        ----------
        X : rows of any kind, N of them

        Returns
        -------
        array (N,)
            On a scale of the model's own: only its order is used. Never NaN.
        """
        ...


@runtime_checkable
class Regressor(Protocol):
    """Fitted regressor, which may say how sure it is, as scikit-learn's Gaussian processes and `BayesianRidge` do.

    One that only predicts serves ``prediction``. Ensembles with regressors in ``estimators_``, and a
    `CommitteeRegressor`, are as sure as their members agree.

    Examples
    --------
    >>> import numpy as np
    >>> from alkit import get_strategy
    >>> class FarIsUnsure:
    ...     def predict(self, X, return_std=False):
    ...         return (X[:, 0], np.abs(X[:, 0])) if return_std else X[:, 0]
    >>> get_strategy("std").select(FarIsUnsure(), np.array([[1.0], [-7.0], [2.0]]), 2).indices
    array([1, 2])
    """

    def predict(self, X: Rows, return_std: bool = False) -> Any:
        """Return predictions.

        Parameters
        ----------
        X : rows of any kind, N of them
        return_std : bool, default=False
            Whether to return standard deviations too.

        Returns
        -------
        array (N,), or (N, T) of T numbers per row
            With ``return_std=True`` a pair of them.
        """
        ...


@runtime_checkable
class ValueSampler(Protocol):
    """Fitted regressor that draws predictions from its posterior.

    Examples
    --------
    >>> import numpy as np
    >>> from alkit import get_strategy
    >>> class Slopes:
    ...     def sample_y(self, X, n_samples=20, random_state=None):
    ...         return X * np.random.default_rng(random_state).normal(size=n_samples)
    >>> get_strategy("qbc").select(Slopes(), np.array([[1.0], [-7.0], [2.0]]), 2, random_state=0).indices
    array([1, 2])
    """

    def sample_y(self, X: Rows, n_samples: int = 20, random_state: Any = None) -> np.ndarray:
        """Return predictions under posterior samples of the model, as `Posterior.sample_proba` does.

        Parameters
        ----------
        X : rows of any kind, N of them
        n_samples : int, default=20
            Number of samples K. A model that holds a fixed number of them may give those.
        random_state : int or RandomState, optional
            Seeds the samples.

        Returns
        -------
        array (N, K), or (N, K, T) of T numbers per row
        """
        ...


class Score(Protocol):
    """Function that says how useful each single row is, given what the model says of it.

    Its positional parameters are the quantities that `needs` names, in that order; their names are free. Keyword-only
    parameters are parameters of the strategy and need a value (`alkit.strategies.signatures`).

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.naive_bayes import GaussianNB
    >>> from alkit.strategies import Strategy
    >>> def gini(proba, *, power=2.0):
    ...     return 1 - proba.pow(power).sum(-1)
    >>> strategy = Strategy("gini", gini, needs=("proba",))
    >>> X = np.array([[0.0], [1.0], [2.0], [4.0], [5.0], [6.0]])
    >>> strategy.select(GaussianNB().fit(X, [0, 0, 0, 1, 1, 1]), np.array([[1.0], [2.9]]), 1, power=3.0).indices
    array([1])
    """

    def __call__(self, *needs: Any, **params: Any) -> Tensor:
        """Return the utility of each row.

        Parameters
        ----------
        *needs : Tensor (n, ...)
            Quantities of a chunk of rows: ``proba (n, C)``, ``class_scores (n, C)`` (probabilities, or decision values
            in (-1, 0]), ``samples (n, K, C)``, ``votes (n, K, C)``, ``embedding (n, D)``, ``features (n, D)``, ``loss
            (n,)``, ``true_loss (n,)``, ``cost (n,)``, ``label_proba (n, L)`` of several labels; of regressors
            ``prediction (n,)``, ``std (n,)``, ``values (n, K)``, with T outputs ``(n, T)`` and ``(n, K, T)``;
            ``last_layer (n, D)``, the embedding, or else the features; or of a set of its own, which is the same for
            every chunk: ``target_samples (M, K, C)``, ``train_proba (M, C)``, ``train_embedding (M, D)``,
            ``train_features (M, D)``, ``y_train (M,)``. They must not be changed in place. Where rows have several
            answers, each answer is scored as a row, and the scores are reduced to one per row.
        **params
            Parameters of the strategy.

        Returns
        -------
        Tensor (n,)
            Higher is more useful, on any scale. The score of a row must not depend on the other rows, because the
            pool is scored chunk by chunk; functions of the whole set are a `Pick`. NaN is refused.
        """
        ...


class Pick(Protocol):
    """Function that chooses rows, looking at the whole set.

    Its positional parameters are the quantities that `pick_needs` names, in that order; their names are free, but a
    parameter called ``scores`` must come first and is handed the scores. Other keyword-only parameters than `k`, `rng`
    and `budget` are parameters of the strategy and need a value (`alkit.strategies.signatures`).

    Examples
    --------
    >>> import numpy as np
    >>> from alkit.strategies import Picks, Strategy
    >>> def farthest(features, *, k, rng):
    ...     distance = features.norm(dim=1).numpy()
    ...     indices = np.argsort(-distance)[:k]
    ...     return Picks(indices, distance[indices])
    >>> strategy = Strategy("farthest", pick=farthest, pick_needs=("features",))
    >>> strategy.select(None, np.array([[1.0], [-7.0], [2.0]]), 2).indices
    array([1, 2])
    """

    # `k` and `rng` are not spelled out in the type, because it would then refuse every pick whose positional parameters
    # have names and number of their own, which is all of them.
    def __call__(self, *inputs: Any, **keywords: Any) -> Picks:
        """Return the rows to label.

        Parameters
        ----------
        *inputs : array (N,) of scores, where the pick takes them, then Tensor (N, ...)
            Quantities as for `Score`, of the whole set at once. They must not be changed in place.
        **keywords
            ``k``, an int from 1 to N: number of rows. ``rng``, a `numpy.random.Generator`: the only source of
            randomness; `alkit.strategies.picks.ties` breaks ties with it. Where the pick has it, ``budget``, a
            float or None: what all labels may cost, in which case fewer than k rows may be picked. And the
            parameters of the strategy.

        Returns
        -------
        Picks
            ``indices (k,)``, distinct positions from 0 to N - 1 in the order chosen, ``scores (k,)``, and ``probability
            (k,)`` where rows are drawn with known probability.
        """
        ...


@runtime_checkable
class StoppingRule(Protocol):
    """Rule that says when to stop asking for labels.

    Examples
    --------
    >>> from alkit.protocols import StoppingRule
    >>> class AfterRounds:
    ...     n_rounds = 0
    ...
    ...     def update(self, model, X):
    ...         self.n_rounds += 1
    ...         return self.n_rounds >= 2
    >>> rule = AfterRounds()
    >>> isinstance(rule, StoppingRule)
    True
    >>> rule.update(None, None), rule.update(None, None)
    (False, True)
    """

    def update(self, model: Any, X: Rows) -> bool:
        """Say whether to stop; called once per round, after the model was retrained.

        Parameters
        ----------
        model : fitted classifier or learner
            In a simulated loop the learner, which has ``y_training``; a loop of one's own may pass a classifier.
        X : rows of any kind
            Unlabelled rows, the same each time.

        Returns
        -------
        bool
        """
        ...


@runtime_checkable
class RowFunctions(Protocol):
    """Functions that read X, whatever kind of rows it holds: the module `alkit.rows` offers them.

    A kind of X takes part once a `alkit.rows.RowKind` is registered for its type, by which these functions find it
    (`functools.singledispatch`).

    Examples
    --------
    >>> from alkit import rows
    >>> from alkit.protocols import RowFunctions
    >>> isinstance(rows, RowFunctions)
    True
    >>> rows.n_rows(["a", "b", "c"]), rows.take(["a", "b", "c"], [2, 0]), rows.stack([["a"], ["b"]])
    (3, ['c', 'a'], ['a', 'b'])
    """

    def n_rows(self, X: Rows) -> int:
        """Return the number of rows N.

        Raises
        ------
        TypeError
            If the kind of X is not known.
        """
        ...

    def take(self, X: Rows, rows: Any) -> Rows:
        """Return some rows by position, in the kind X is, without reading the others.

        Parameters
        ----------
        X : rows of any kind
        rows : int, slice or array of int
            Positions in the order wanted; an int gives a single row.
        """
        ...

    def stack(self, blocks: Sequence[Rows]) -> Rows:
        """Return the rows of all blocks, one after the other, in the kind of the first.

        Raises
        ------
        ValueError
            If columns, keys or widths differ.
        """
        ...

    def row_shape(self, X: Rows) -> Any:
        """Return the shape of one row: a tuple, a dict of tuples, or None where rows have no shape."""
        ...
