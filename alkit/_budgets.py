"""Budget managers of a stream: from the score of each row that arrives to whether its label is asked for.

References
----------
.. [1] I. Zliobaite, A. Bifet, B. Pfahringer and G. Holmes, "Active Learning With Drifting Streaming Data", IEEE
   Transactions on Neural Networks and Learning Systems 25(1), 2014.
.. [2] D. Kottke, G. Krempl and M. Spiliopoulou, "Probabilistic Active Learning in Datastreams", IDA 2015.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections import deque

import numpy as np

_GENEROSITY = 1.5
"""Rank that ``fixed`` asks up to, in budgets. Useful rows come in runs, so that the budget is spent at times: up to one
budget, an eighth of it would be left over (budget .1, window 100), up to 1.5 a twentieth."""
_STEP = 0.01
"""How much the variable threshold of [1]_ moves with each row, as a share of itself."""
_NOISE = 1.0
"""Standard deviation of the factor that the random threshold of [1]_ is multiplied with."""
_LEFT_TO_CHANCE = 0.2
"""Share of rows that ``split`` leaves to chance."""
_TOLERANCE = 0.5
"""Rows over which [2]_ evens out what was asked too much or too little, as a share of the window."""


class BudgetManager:
    """What decides, row after row.

    Parameters
    ----------
    budget : float in (0, 1]
        Share of rows to ask labels for.
    window : int
        Number of latest rows to look back at.
    rng : numpy.random.Generator
        Draws where chance decides.
    """

    reads_scores = True

    def __init__(self, budget: float, window: int, rng: np.random.Generator) -> None:
        self.budget = budget
        self.window = window
        self.rng = rng

    def asks(self, score: float) -> bool:
        """Tell whether to ask for the label of the next row, given its score, higher for a more useful row."""
        raise NotImplementedError


class Random(BudgetManager):
    """Each row with the same probability."""

    reads_scores = False

    def asks(self, score: float) -> bool:
        return bool(self.rng.random() < self.budget)


class Periodic(BudgetManager):
    """Rows at even distances, the first one included."""

    reads_scores = False

    def __init__(self, budget: float, window: int, rng: np.random.Generator) -> None:
        super().__init__(budget, window, rng)
        self._due = 1.0

    def asks(self, score: float) -> bool:
        # ten times .1 is a little less than 1
        is_due = self._due > 1 - 1e-9
        # the remainder alone is carried on: a count of all rows would lose digits in a long stream
        self._due += self.budget - is_due
        return is_due


class _LatestScores:
    """The last scores, in order of arrival and sorted."""

    def __init__(self, window: int) -> None:
        self._window = window
        self._arrived: deque[float] = deque()
        self.ascending: list[float] = []

    def add(self, score: float) -> None:
        if len(self._arrived) == self._window:
            oldest = self._arrived.popleft()
            del self.ascending[bisect_left(self.ascending, oldest)]
        self._arrived.append(score)
        insort(self.ascending, score)

    def share_above(self, score: float, rng: np.random.Generator) -> float:
        """Share of the last scores that are higher; equal ones, the row's own among them, count by chance.

        Where scores follow one distribution, whatever it is, this is uniform on (0, 1).
        """
        n = len(self.ascending)
        n_higher = n - bisect_right(self.ascending, score)
        n_equal = n - n_higher - bisect_left(self.ascending, score) + 1
        return float((n_higher + rng.random() * n_equal) / (n + 1))

    def quantile(self, share: float) -> float:
        """Score below which a share of the last scores lies, interpolated."""
        position = share * (len(self.ascending) - 1)
        below = int(position)
        above = min(below + 1, len(self.ascending) - 1)
        weight = position - below
        return (1 - weight) * self.ascending[below] + weight * self.ascending[above]


class Fixed(BudgetManager):
    """Rows whose rank among the last ones is within 1.5 budgets, as long as there is budget left [1]_."""

    def __init__(self, budget: float, window: int, rng: np.random.Generator) -> None:
        super().__init__(budget, window, rng)
        self._latest = _LatestScores(window)
        # estimate of the labels asked for within the window, which needs no memory of single rows
        self._n_asked = 0.0

    def asks(self, score: float) -> bool:
        share = self._latest.share_above(score, self.rng)
        self._latest.add(score)
        has_budget = self.budget == 1 or self._n_asked < self.budget * self.window
        is_asked = has_budget and self._wants(share)
        self._n_asked = self._n_asked * (1 - 1 / self.window) + is_asked
        return is_asked

    def _wants(self, share: float) -> bool:
        """Tell whether a row is useful enough, by the share of rows that are more useful; asked if budget is left."""
        return share <= _GENEROSITY * self.budget


class Variable(Fixed):
    """Rows whose rank is below a threshold that adapts [1]_.

    It falls as fast as it rises, so that half of the rows, and never more, come below it; the budget asks for fewer.
    """

    def __init__(self, budget: float, window: int, rng: np.random.Generator) -> None:
        super().__init__(budget, window, rng)
        self._threshold = 1.0

    def _wants(self, share: float) -> bool:
        is_wanted = share < self._threshold * self._factor()
        # above 1 the threshold would only have to come all the way back
        self._threshold = min(1.0, self._threshold * (1 - _STEP if is_wanted else 1 + _STEP))
        return is_wanted

    def _factor(self) -> float:
        return 1.0


class RandomVariable(Variable):
    """The adapting threshold, times a random factor for each row [1]_."""

    def _factor(self) -> float:
        return float(self.rng.normal(1, _NOISE))


class Split(Variable):
    """Some rows by chance alone, the others by the adapting threshold [1]_."""

    def _wants(self, share: float) -> bool:
        if self.rng.random() < _LEFT_TO_CHANCE:
            return bool(self.rng.random() < self.budget)
        return super()._wants(share)


class Quantile(BudgetManager):
    """The balanced incremental quantile filter [2]_: a quantile of the last scores, moved by the balance of labels."""

    def __init__(self, budget: float, window: int, rng: np.random.Generator) -> None:
        super().__init__(budget, window, rng)
        self._latest = _LatestScores(window)
        # labels that the budget allows so far, less those asked for
        self._balance = 0.0

    def asks(self, score: float) -> bool:
        self._latest.add(score)
        self._balance += self.budget
        scores = self._latest.ascending
        spread = scores[-1] - scores[0]
        threshold = self._latest.quantile(1 - self.budget) - spread * self._balance / (_TOLERANCE * self.window)
        # where all scores are equal nothing moves the threshold, and every row would reach it
        is_asked = score >= threshold if spread > 0 else self._balance > 0
        self._balance -= is_asked
        return is_asked


MANAGERS: dict[str, type[BudgetManager]] = {
    "quantile": Quantile,
    "fixed": Fixed,
    "variable": Variable,
    "random_variable": RandomVariable,
    "split": Split,
    "random": Random,
    "periodic": Periodic,
}
