"""Strategy: a record of what to compute and how to pick, and the way of a query from the pool to `Picks`.

What a query asks for is checked in `alkit.validation`, what the model answers in `alkit.strategies.quantities`, and how
the parameters of scores and picks are read in `alkit.strategies.signatures`.
"""

from __future__ import annotations

import inspect
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.utils.validation import check_is_fitted

from alkit._random import RandomState, draw_seed, generator
from alkit.protocols import Pick, Score
from alkit.rows import Rows, n_rows, take
from alkit.strategies.answers import ANSWERED, check_reduce, several_labels_in
from alkit.strategies.picks.single import Picks, top_k
from alkit.strategies.pool import QUANTITIES, PoolPass, ScoredPool
from alkit.strategies.quantities import Quantities
from alkit.strategies.signatures import (
    GIVEN_BY_ANSWERS,
    GIVEN_BY_NEEDS,
    HANDED_TO_PICKS,
    check_parameters,
    own_parameters,
    sees_scores,
    takes,
    with_values,
)
from alkit.validation import candidate_rows, check_aligned, check_pool, checked_count


@dataclass(frozen=True, eq=False, repr=False)
class Strategy:
    """A query strategy: what to ask the model, how to score a row, how to pick from the scores.

    Calling it as ``strategy(learner, X_pool, n_instances=1)`` gives bare indices, as modAL expects; `select` gives
    `Picks`. Strategies are equal, hash and print by name and parameters, and can be pickled and searched over.

    Parameters
    ----------
    name : str
        Its name in the table.
    score : callable, optional
        ``score(*needs) -> (n,)``, row by row, higher is more useful: see `alkit.protocols.Score`. Keyword-only
        arguments are parameters of the strategy.
    needs : tuple of str
        What `score` reads: ``"proba"``, ``"samples"``, ``"embedding"`` ... (an unknown name lists them all).
    pick : callable, default=picks.top_k
        ``pick(*pick_needs, k=, rng=) -> Picks`` on the whole pool; one that takes ``scores`` first sees them. See
        `alkit.protocols.Pick`.
    pick_needs : tuple of str
        What `pick` reads, for the whole pool at once.
    params : dict, optional
        Parameters other than the defaults.
    of : Strategy, optional
        The strategy this one is made from, see `alkit.strategies.wrappers`.
    part : int, optional
        Score only this many rows, drawn at random.
    one_answer : bool
        Whether it is defined for one label per row alone: models of several labels or of positions are then refused.

    Raises
    ------
    ValueError
        If a need is unknown.
    TypeError
        If `score` or `pick` has parameters that `alkit.strategies.signatures` refuses.

    Examples
    --------
    >>> from alkit.strategies import Strategy, get_strategy
    >>> get_strategy("bald", n_samples=50)
    bald(n_samples=50)
    >>> gini = Strategy("gini", score=lambda proba: 1 - proba.square().sum(-1), needs=("proba",))
    """

    name: str
    score: Score | None = None
    needs: tuple[str, ...] = ()
    pick: Pick = top_k
    pick_needs: tuple[str, ...] = ()
    params: dict[str, Any] = field(default_factory=dict)
    of: Strategy | None = None
    part: int | None = None
    one_answer: bool = False

    def __post_init__(self) -> None:
        unknown = [need for need in (*self.needs, *self.pick_needs) if need not in QUANTITIES]
        if unknown:
            raise ValueError(f"strategy {self.name} needs {unknown[0]!r}; there are {', '.join(QUANTITIES)}")
        check_parameters(self.name, self.score, self.pick, (*self.needs, *self.pick_needs))
        # what `help` shows of an instance; the class's own docstring says what a Strategy is
        object.__setattr__(self, "__doc__", inspect.getdoc(self._told_by()))

    def _told_by(self) -> Any:
        """Return the function that tells what this strategy does: its pick, unless that takes the best-scored rows."""
        return self.score if self.score is not None and self.pick is top_k else self.pick

    def __repr__(self) -> str:
        # what the inner strategy shows already is not repeated
        inner = self.of.params if self.of else {}
        own = {
            key: value for key, value in sorted(self.params.items()) if key not in inner or not _same(inner[key], value)
        }
        given = [f"{key}={value!r}" for key, value in own.items()]
        if self.of:
            given.insert(0, repr(self.of))
            if self.part != self.of.part:
                given.append(f"size={self.part}")
        return f"{self.name}({', '.join(given)})" if given else self.name

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Strategy):
            return False
        alike = (self.name, self.of, self.part) == (other.name, other.of, other.part)
        same_names = self.params.keys() == other.params.keys()
        return alike and same_names and all(_same(value, other.params[key]) for key, value in self.params.items())

    def __hash__(self) -> int:
        # names of parameters only: their values, such as a transformer, may not be hashable
        return hash((self.name, self.of, *sorted(self.params)))

    def parameters(self) -> dict[str, Any]:
        """Return every parameter the strategy takes with its value."""
        defaults = own_parameters(self.score) | own_parameters(self.pick, HANDED_TO_PICKS)
        for need in (*self.needs, *self.pick_needs):
            if need in GIVEN_BY_NEEDS:
                name = GIVEN_BY_NEEDS[need]
                defaults[name] = getattr(Quantities, name)
        if not ANSWERED.keys().isdisjoint(self.needs):
            defaults[GIVEN_BY_ANSWERS] = Quantities.reduce
        return defaults | self.params

    def with_params(self, **params: Any) -> Strategy:
        """Return the same strategy with other parameters.

        Parameters
        ----------
        **params
            Some of `parameters`.

        Returns
        -------
        Strategy

        Raises
        ------
        TypeError
            If the strategy takes no parameter of that name.
        """
        known = self.parameters()
        unknown = sorted(params.keys() - known)
        if unknown:
            accepted = ", ".join(f"{key}={value!r}" for key, value in known.items()) or "none"
            raise TypeError(f"strategy {self.name} has no parameter {unknown[0]!r}; its parameters: {accepted}")
        return replace(self, params=self.params | params) if params else self

    def __call__(self, learner: Any, X_pool: Rows, n_instances: int | None = None, **kwargs: Any) -> np.ndarray:
        """Return the positions of the rows to label: `select` for callers who expect what modAL's strategies give."""
        return self.select(learner, X_pool, n_instances, **kwargs).indices

    def select(
        self,
        model: Any,
        X_pool: Rows,
        n_instances: int | None = None,
        *,
        candidates: Any = None,
        random_state: RandomState = None,
        y_pool: Any = None,
        X_target: Rows = None,
        costs: Any = None,
        budget: float | None = None,
        chunk_bytes: int = PoolPass.chunk_bytes,
        max_bytes: int = PoolPass.max_bytes,
        **params: Any,
    ) -> Picks:
        """Pick the rows of a pool worth labelling.

        Parameters
        ----------
        model : fitted estimator, Pipeline, modAL learner or Committee
            What the strategy asks for predictions.
        X_pool : rows of any kind
            The pool; nothing is copied but the chunk being scored. ``joblib.parallel_config`` has chunks scored in
            parallel, on a cluster too.
        n_instances : int, default=1
            How many rows to pick.
        candidates : bool mask (N,) or int array, optional
            The only rows of `X_pool` to read and pick from.
        random_state : int, RandomState or Generator, optional
            Breaks ties and seeds posterior samples.
        y_pool : labels (N,), optional
            For `ideal_loss`; only a simulation has them.
        X_target : rows, optional
            What predictions are wanted for, where a strategy asks (`epig`); by default a seeded part of the pool.
        costs : array (N,), optional
            What each label costs, for `cost_aware` strategies.
        budget : float, optional
            What all labels may cost, in place of `n_instances`.
        chunk_bytes : int, default=64 MiB
            About how much memory the rows scored at a time may take.
        max_bytes : int, default=1 GiB
            How much memory a strategy that picks on the whole set may take for what it reads. Beyond that it warns
            and picks from the best-scored part (a random part, if it does not score single rows).
        **params
            Parameters of the strategy, for this query alone. Where rows have several answers (labels, or positions),
            ``reduce="mean"``, ``"max"`` or ``"sum"`` says how the scores of a row's answers become one.

        Returns
        -------
        Picks
            Indices into `X_pool`.

        Raises
        ------
        TypeError
            If the model lacks what the strategy needs.
        ValueError
            If there are too few rows, if the model refuses rows or what it says of them is not finite, or if distances
            are measured between rows with NaN or infinity.
        """
        strategy = self.with_params(**params)
        check_pool(X_pool, model)
        rows = candidate_rows(candidates, n_rows(X_pool))
        for name, values in (("y_pool", y_pool), ("costs", costs)):
            if values is not None:
                check_aligned(name, values, X_pool)
        n = n_rows(X_pool) if rows is None else len(rows)
        k = self._count(n_instances, budget, n)
        rng = _generator_of(model, random_state)
        rows, n_scored = self._subsampled(rows, n, k if budget is None else 1, rng)
        k = min(k, n_scored)
        given = {"y_pool": y_pool, "costs": costs, "X_target": X_target}
        pool = strategy._pass(model, X_pool, rows, rng, **given, chunk_bytes=chunk_bytes, max_bytes=max_bytes)
        scored = pool.run(strategy._score_with_values(), strategy.needs, strategy.pick_needs, k)
        picks = strategy._picked(scored, k, rng, budget)
        # a row is picked if it is in the part that is scored and then picked from it
        probability = None if picks.probability is None else n_scored / n * picks.probability
        indices = scored.positions[picks.indices]
        return Picks(indices if rows is None else rows[indices], picks.scores, probability)

    def score_rows(
        self,
        model: Any,
        X: Rows,
        *,
        random_state: RandomState = None,
        y_pool: Any = None,
        X_target: Rows = None,
        chunk_bytes: int = PoolPass.chunk_bytes,
        **params: Any,
    ) -> np.ndarray:
        """Score rows without picking any: for streams, plots and rules of one's own.

        Parameters
        ----------
        model : fitted estimator, Pipeline, modAL learner or Committee
            What the strategy asks for predictions.
        X : rows of any kind
            The rows to score, N of them.
        random_state, y_pool, X_target, chunk_bytes
            As in `select`.
        **params
            Parameters of the strategy, for these rows alone.

        Returns
        -------
        ndarray of shape (N,)
            Higher is more useful. A strategy that scores rows and then picks on the set, such as ``batch_bald``, gives
            the scores that its pick begins with.

        Raises
        ------
        TypeError
            If the strategy has no score of single rows, or the model lacks what it needs.
        ValueError
            As in `select`.

        Examples
        --------
        >>> from sklearn.datasets import load_iris
        >>> from sklearn.naive_bayes import GaussianNB
        >>> from alkit import get_strategy
        >>> X, y = load_iris(return_X_y=True)
        >>> get_strategy("least_confident").score_rows(GaussianNB().fit(X, y), X[:3]).round(3)
        array([0., 0., 0.])
        """
        if self.score is None:
            raise TypeError(
                f"strategy {self!r} picks on the whole set and has no score of single rows; choose one that has, such "
                "as 'margin', 'entropy' or 'bald'"
            )
        strategy = self.with_params(**params)
        check_pool(X, model)
        if y_pool is not None:
            check_aligned("y_pool", y_pool, X)
        rng = _generator_of(model, random_state)
        pool = strategy._pass(model, X, None, rng, y_pool=y_pool, X_target=X_target, chunk_bytes=chunk_bytes)
        return pool.run(strategy._score_with_values(), strategy.needs, (), len(pool)).scores

    def _subsampled(
        self, rows: np.ndarray | None, n: int, least: int, rng: np.random.Generator
    ) -> tuple[np.ndarray | None, int]:
        """Return the rows to score, of the n asked for, and how many they are: `part` of them, or `least`."""
        if self.part is None or self.part >= n:
            return rows, n
        size = max(least, self.part)
        chosen = np.sort(rng.choice(n, size, replace=False))
        return chosen if rows is None else rows[chosen], size

    def _pass(self, model: Any, X: Rows, rows: np.ndarray | None, rng: np.random.Generator, **given: Any) -> PoolPass:
        """Return the pass over rows that this strategy reads them in."""
        return PoolPass(self._quantities(model, X, rows, draw_seed(rng)), X, rows, rng, **given, **_known_to(model))

    def _quantities(self, model: Any, X_pool: Rows, rows: np.ndarray | None, seed: int) -> Quantities:
        """Return what is to be asked of the model, by this strategy's parameters."""
        settings = self.parameters()
        reduce = settings.get("reduce", Quantities.reduce)
        check_reduce(reduce)
        return Quantities(
            model,
            asked_by=repr(self),
            seed=seed,
            n_samples=settings.get("n_samples", Quantities.n_samples),
            embed=_fitted(settings.get("embed"), X_pool, rows),
            cost=settings.get("cost"),
            joint="target_samples" in self.needs or "samples" in self.pick_needs,
            on_transformed=getattr(model, "on_transformed", False),
            one_answer=self.one_answer,
            any_values=not all(getattr(learner, "force_all_finite", True) for learner in _learners(model)),
            reduce=reduce,
            several_labels=several_labels_in(_known_to(model)["y_training"]),
        )

    def _score_with_values(self) -> Score | None:
        """Return the score with its own parameters filled in."""
        return None if self.score is None else with_values(self.score, self.parameters())

    def _picked(self, scored: ScoredPool, k: int, rng: np.random.Generator, budget: float | None) -> Picks:
        """Return the picks, as positions among the rows that were scored and kept."""
        pick = with_values(self.pick, self.parameters(), HANDED_TO_PICKS)
        scores = [scored.scores] if sees_scores(self.pick) else []
        handed = {"budget": budget} if takes(self.pick, "budget") else {}
        before = rng.bit_generator.state
        try:
            return pick(*scores, *scored.inputs, k=k, rng=rng, **handed)
        except torch.OutOfMemoryError:
            rng.bit_generator.state = before
        # outside, where the error no longer holds what the pick had made
        return pick(*scores, *(values.cpu() for values in scored.inputs), k=k, rng=rng, **handed)

    def _count(self, n_instances: Any, budget: float | None, n: int) -> int:
        """Return how many rows to pick at most."""
        if budget is None:
            return checked_count(1 if n_instances is None else n_instances, n)
        if n_instances is not None:
            raise ValueError(f"n_instances={n_instances} and budget={budget} are both given; give one of them")
        if not takes(self.pick, "budget"):
            remedy = f"wrap it: cost_aware({self!r})"
            if self.score is None or self.pick is not top_k:
                remedy = "ask for n_instances, among the rows that can be paid for: candidates="
            raise TypeError(f"strategy {self!r} takes no budget; {remedy}")
        return checked_count(max(n, 1), n)


def _same(first: Any, second: Any) -> bool:
    """Tell whether two values of a parameter are equal; whether arrays are is no single truth value to Python."""
    if hasattr(first, "shape") or hasattr(second, "shape"):
        return np.array_equal(first, second)
    return bool(first == second)


def _generator_of(model: Any, random_state: RandomState) -> np.random.Generator:
    """Return what draws in a query: no `random_state` means a learner's own generator, which is pickled with it."""
    if random_state is not None:
        return generator(random_state)
    # estimators of scikit-learn may have an attribute of that name, which is theirs
    rng = getattr(model, "_rng", None)
    return rng if isinstance(rng, np.random.Generator) else np.random.default_rng()


def _known_to(model: Any) -> dict[str, Any]:
    """Return what a pass over the pool takes from a learner: the rows it was taught."""
    # `teach` gives all members of a Committee the same rows, so the first stands for all
    first = _learners(model)[0]
    return {
        "X_training": getattr(first, "X_training", None),
        "y_training": getattr(first, "y_training", None),
    }


def _learners(model: Any) -> list[Any]:
    """Return the learners of a Committee, or the model itself."""
    return getattr(model, "learner_list", None) or [model]


def _fitted(embed: Any, X: Rows, rows: np.ndarray | None) -> Any:
    """Return a transformer that is fitted: as it is, or a copy of it on the rows asked for, without their labels."""
    if embed is None:
        return None
    try:
        check_is_fitted(embed)
    except NotFittedError:
        return clone(embed).fit(X if rows is None else take(X, rows))
    return embed
