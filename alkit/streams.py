"""Rows that stream by: which of them to ask a label for, at once and within a budget.

`StreamSampler` scores rows by any strategy that scores single rows, and hands the scores to a budget manager, one after
another. How managers decide is in `alkit._budgets`.
"""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator

from alkit._budgets import MANAGERS, BudgetManager
from alkit._random import RandomState, draw_seed, generator
from alkit.rows import Rows, n_rows
from alkit.strategies import Strategy, as_strategy
from alkit.strategies.names import StrategyName

__all__ = ["StreamSampler"]


class StreamSampler(BaseEstimator):
    """Decide for rows in order of arrival whether to ask for their labels.

    Each row is seen once and decided on at once. Memory does not grow with the stream, and rows may come one at a time
    or many: what is asked is the same.

    Parameters
    ----------
    strategy : str or Strategy, default="margin"
        One that scores single rows, such as ``"margin"``, ``"entropy"`` or ``"bald"``.
    budget : float in (0, 1], default=0.1
        Share of rows that labels are asked for.
    manager : str, default="quantile"
        How scores become decisions.

        - ``"quantile"``: rows among the best `budget` of the last `window`, with a threshold that falls while less was
          asked than the budget allows, and rises while more was [2]_.
        - ``"fixed"``: rows among the best ``1.5 * budget`` of the window, as long as budget is left [1]_.
        - ``"variable"``: a threshold that falls with every label asked and rises with every row passed over [1]_.
          It asks for half of the rows at most, and spends budgets up to 0.3.
        - ``"random_variable"``: that threshold times a random factor, so that sure rows are asked at times [1]_.
        - ``"split"``: one row in five is left to chance, the rest to ``"variable"`` [1]_. Chance notices where the
          stream has changed and the model is wrong with certainty.
        - ``"random"`` and ``"periodic"``: baselines that read no scores; the model may be None.
    window : int, default=100
        Number of latest rows that scores are compared with, and that the budget is kept over.
    random_state : int, RandomState instance or None, default=None
        Seeds posterior samples, chance, and the order of equal scores.

    Attributes
    ----------
    n_seen_ : int
        Rows seen.
    n_queried_ : int
        Rows whose labels were asked for.

    Notes
    -----
    Thresholds of [1]_ are on the probability of the likeliest class. Here they are on the rank of a row's score among
    the last `window`, a number between 0 and 1 as well, so that any score serves and none needs a scale.

    References
    ----------
    .. [1] I. Zliobaite, A. Bifet, B. Pfahringer and G. Holmes, "Active Learning With Drifting Streaming Data", IEEE
       Transactions on Neural Networks and Learning Systems 25(1), 2014.
    .. [2] D. Kottke, G. Krempl and M. Spiliopoulou, "Probabilistic Active Learning in Datastreams", IDA 2015.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import SGDClassifier
    >>> from alkit.streams import StreamSampler
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(1000, 2))
    >>> y = (X[:, 0] > 0).astype(int)
    >>> model = SGDClassifier(random_state=0).fit(X[:20], y[:20])
    >>> sampler = StreamSampler("margin", budget=0.1, random_state=0)
    >>> for row, label in zip(X[20:], y[20:], strict=True):
    ...     if sampler.query(model, [row])[0]:
    ...         _ = model.partial_fit([row], [label])
    >>> sampler.n_seen_, sampler.n_queried_
    (980, 98)
    """

    n_seen_: int
    n_queried_: int

    def __init__(
        self,
        strategy: StrategyName | str | Strategy = "margin",
        budget: float = 0.1,
        manager: str = "quantile",
        window: int = 100,
        random_state: RandomState = None,
    ) -> None:
        self.strategy = strategy
        self.budget = budget
        self.manager = manager
        self.window = window
        self.random_state = random_state

    def query(self, model: Any, X: Rows, **score_params: Any) -> np.ndarray:
        """Tell which of the rows that arrived to ask labels for.

        Parameters
        ----------
        model : fitted estimator, Pipeline, modAL learner or Committee
            The model of today. It is not changed: teach it the labels that come back.
        X : rows of any kind
            n rows, in order of arrival.
        **score_params
            Passed to `Strategy.score_rows`: parameters of the strategy, and ``X_target`` for ``epig``.

        Returns
        -------
        ndarray of shape (n,), bool

        Raises
        ------
        TypeError
            If the strategy has no score of single rows, or the model lacks what it needs.
        ValueError
            If a parameter is out of range, or a score is not finite. No row of X then counts as seen.
        """
        if not hasattr(self, "n_seen_"):
            self._start()
        n = n_rows(X)
        if n == 0:
            return np.zeros(0, dtype=bool)
        if self._manager.reads_scores:
            # one seed for the whole stream, so that rows are scored alike whether they come alone or together
            scores = self._strategy.score_rows(model, X, random_state=self._seed, **score_params)
        else:
            scores = np.zeros(n)
        asked = np.array([self._manager.asks(score) for score in scores.tolist()])
        self.n_seen_ += n
        self.n_queried_ += int(asked.sum())
        return asked

    def _start(self) -> None:
        """Check parameters, and begin with nothing seen."""
        _check_number("budget", self.budget, Real)
        _check_number("window", self.window, Integral)
        if not 0 < self.budget <= 1:
            raise ValueError(f"budget={self.budget}: the share of rows to ask labels for lies above 0 and is 1 at most")
        if self.window < 1:
            raise ValueError(f"window={self.window}; scores are compared with those of 1 row or more")
        if self.manager not in MANAGERS:
            raise ValueError(f"manager={self.manager!r}; there are {', '.join(map(repr, MANAGERS))}")
        strategy = as_strategy(self.strategy)
        if not isinstance(strategy, Strategy):
            raise TypeError(f"a stream needs one of alkit's strategies, and {strategy!r} has no score of single rows")
        rng = generator(self.random_state)
        self._seed = draw_seed(rng)
        self._strategy = strategy
        self._manager: BudgetManager = MANAGERS[self.manager](float(self.budget), int(self.window), rng)
        self.n_seen_ = 0
        self.n_queried_ = 0


def _check_number(name: str, value: Any, kind: type) -> None:
    if not isinstance(value, kind) or isinstance(value, bool):
        what = "an integer" if kind is Integral else "a number"
        raise TypeError(f"{name} must be {what}, got {value!r}")
