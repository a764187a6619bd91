"""Strategy: a record of what to compute and how to pick, and the only place where a query is checked."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from alkit._random import RandomState, draw_seed, generator
from alkit.rows import Rows, n_rows, take
from alkit.strategies.picks.single import Picks, top_k
from alkit.strategies.pool import QUANTITIES, View
from alkit.strategies.quantities import Quantities
from alkit.validation import candidate_rows, check_aligned, checked_count, input_tag


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
        ``score(*needs) -> (n,)`` on torch tensors, row by row, higher is more useful. Keyword-only arguments are
        parameters of the strategy.
    needs : tuple of str
        What `score` reads: ``"proba"``, ``"samples"``, ``"embedding"`` ... (an unknown name lists them all).
    pick : callable, default=picks.top_k
        ``pick(*pick_needs, k=, rng=) -> Picks`` on the whole pool; one that takes ``scores`` first sees them.
    pick_needs : tuple of str
        What `pick` reads, for the whole pool at once.
    params : dict, optional
        Parameters other than the defaults.
    of : Strategy, optional
        The strategy this one is made from, see `alkit.strategies.wrappers`.
    part : int, optional
        Score only so many rows, drawn at random.

    Examples
    --------
    >>> from alkit.strategies import Strategy, get_strategy
    >>> get_strategy("bald", n_samples=50)
    bald(n_samples=50)
    >>> gini = Strategy("gini", score=lambda proba: 1 - proba.square().sum(-1), needs=("proba",))
    """

    name: str
    score: Callable[..., Tensor] | None = None
    needs: tuple[str, ...] = ()
    pick: Callable[..., Picks] = top_k
    pick_needs: tuple[str, ...] = ()
    params: dict[str, Any] = field(default_factory=dict)
    of: Strategy | None = None
    part: int | None = None

    def __post_init__(self) -> None:
        unknown = [need for need in (*self.needs, *self.pick_needs) if need not in QUANTITIES]
        if unknown:
            raise ValueError(f"strategy {self.name} needs {unknown[0]!r}; there are {', '.join(QUANTITIES)}")

    def __repr__(self) -> str:
        inner = self.of.params if self.of else {}
        own = (f"{key}={value!r}" for key, value in sorted(self.params.items()) if inner.get(key, self) != value)
        size = [f"size={self.part}"] if self.of and self.part != self.of.part else []
        given = ", ".join([repr(self.of), *own, *size] if self.of else own)
        return f"{self.name}({given})" if given else self.name

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Strategy) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash((self.name, self.of, *sorted(self.params)))

    def _key(self) -> tuple[Any, ...]:
        return self.name, self.params, self.of, self.part

    def parameters(self) -> dict[str, Any]:
        """Return every parameter the strategy takes with its value."""
        defaults = {**_keywords(self.score), **_keywords(self.pick)}
        needs = {*self.needs, *self.pick_needs}
        if needs & {"samples", "target_samples"}:
            defaults["n_samples"] = Quantities.n_samples
        if "features" in needs:
            defaults["embed"] = None
        if "cost" in needs:
            defaults["cost"] = None
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
            takes = ", ".join(f"{key}={value!r}" for key, value in known.items()) or "none"
            raise TypeError(f"strategy {self.name} has no parameter {unknown[0]!r}; its parameters: {takes}")
        given = self.params | params
        return replace(self, params=given) if params else self

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
        chunk_bytes: int = View.chunk_bytes,
        max_bytes: int = View.max_bytes,
        **params: Any,
    ) -> Picks:
        """Pick the rows of a pool worth labelling.

        Parameters
        ----------
        model : fitted estimator, Pipeline, modAL learner or Committee
            What the strategy asks.
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
            For `ideal_loss`, which only a simulation can ask.
        X_target : rows, optional
            What predictions are wanted for, where a strategy asks (`epig`); by default a seeded part of the pool.
        costs : array (N,), optional
            What each label costs, for `cost_aware` strategies.
        budget : float, optional
            What all labels may cost, in place of `n_instances`.
        chunk_bytes : int, default=64 MiB
            About how much memory the rows scored at a time may take.
        max_bytes : int, default=1 GiB
            How much memory a strategy that picks on the whole set may take for what it reads; beyond, it picks from
            the best-scored part (a random part, if it does not score single rows), and warns.
        **params
            Parameters of the strategy, for this query alone.

        Returns
        -------
        Picks
            Indices into `X_pool`.

        Raises
        ------
        TypeError
            If the model lacks what the strategy needs.
        ValueError
            If there are too few rows, or NaN or infinity in rows or in what the model says of them.
        """
        strategy = self.with_params(**params)
        rows = candidate_rows(candidates, n_rows(X_pool))
        for name, values in (("y_pool", y_pool), ("costs", costs)):
            if values is not None:
                check_aligned(name, values, X_pool)
        n = n_rows(X_pool) if rows is None else len(rows)
        k = self._count(n_instances, budget, n)
        # a learner's own generator if it has one; scoring draws from no global one
        own = getattr(model, "_rng", None) or np.random.default_rng()
        rng = own if random_state is None else generator(random_state)
        rows, size = self._drawn(rows, n, k if budget is None else 1, rng)
        k, share = min(k, size), size / n
        settings = strategy.parameters()
        members = getattr(model, "learner_list", None) or [model]
        view = View(
            strategy._quantities(model, X_pool, rows, draw_seed(rng)),
            X_pool,
            rows,
            rng,
            X_training=getattr(members[0], "X_training", None),
            y_training=getattr(members[0], "y_training", None),
            y_pool=y_pool,
            costs=costs,
            X_target=X_target,
            chunk_bytes=chunk_bytes,
            max_bytes=max_bytes,
            allow_nan=all(input_tag(member, "allow_nan") for member in members),
            check_finite=all(getattr(member, "force_all_finite", True) for member in members),
        )
        found = view.scan(_bind(strategy.score, settings), strategy.needs, strategy.pick_needs, k)
        seen = [found.scores, *found.views] if "scores" in _parameters(strategy.pick) else found.views
        limit = {} if budget is None else {"budget": budget}
        picks = _bind(strategy.pick, settings)(*seen, k=k, rng=rng, **limit)
        indices = found.positions[picks.indices]
        return Picks(
            indices if rows is None else rows[indices],
            picks.scores,
            None if picks.probability is None else share * picks.probability,
        )

    def _drawn(
        self, rows: np.ndarray | None, n: int, least: int, rng: np.random.Generator
    ) -> tuple[np.ndarray | None, int]:
        """Return the rows that are scored, of the n asked for, and how many they are."""
        if self.part is None or self.part >= n:
            return rows, n
        size = max(least, self.part)
        chosen = np.sort(rng.choice(n, size, replace=False))
        return chosen if rows is None else rows[chosen], size

    def _quantities(self, model: Any, X_pool: Rows, rows: np.ndarray | None, seed: int) -> Quantities:
        """Return what is to be asked of the model, by this strategy's parameters."""
        settings = self.parameters()
        return Quantities(
            model,
            asked_by=repr(self),
            seed=seed,
            n_samples=settings.get("n_samples", Quantities.n_samples),
            embed=_fitted(settings.get("embed"), X_pool, rows),
            cost=settings.get("cost"),
            joint="target_samples" in self.needs or "samples" in self.pick_needs,
        )

    def _count(self, n_instances: Any, budget: float | None, n: int) -> int:
        """Return how many rows to pick at most."""
        if budget is None:
            return checked_count(1 if n_instances is None else n_instances, n)
        if n_instances is not None:
            raise ValueError(f"n_instances={n_instances} and budget={budget} are both given; give one of them")
        if "budget" not in _parameters(self.pick):
            raise TypeError(f"strategy {self!r} takes no budget; wrap it: cost_aware({self!r}, cost=...)")
        return checked_count(max(n, 1), n)


def _parameters(function: Callable) -> Mapping[str, inspect.Parameter]:
    return inspect.signature(function).parameters


def _keywords(function: Callable | None) -> dict[str, Any]:
    """Return the keyword-only parameters of a score or pick with their defaults."""
    parameters = () if function is None else _parameters(function).values()
    return {p.name: p.default for p in parameters if p.kind is p.KEYWORD_ONLY and p.name not in ("k", "rng", "budget")}


def _fitted(embed: Any, X: Rows, rows: np.ndarray | None) -> Any:
    """Return a transformer that is fitted: as it is, or a copy of it on the rows asked for, without their labels."""
    if embed is None:
        return None
    try:
        check_is_fitted(embed)
    except NotFittedError:
        return clone(embed).fit(X if rows is None else take(X, rows))
    return embed


def _bind(function: Any, settings: dict[str, Any]) -> Any:
    """Fix a score's or pick's own parameters."""
    own = {key: settings[key] for key in _keywords(function)}
    return (lambda *args, **kwargs: function(*args, **own, **kwargs)) if own else function
