"""Strategy: a record of what to compute and how to pick, and the only place where a query is checked."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from torch import Tensor

from alkit._random import RandomState, draw_seed, generator
from alkit.checks import candidate_rows, checked_count, input_tag
from alkit.rows import Rows, n_rows
from alkit.strategies.picks import Picks, top_k
from alkit.strategies.view import View


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
        What `score` reads: ``"proba"``, ``"samples"``, ``"embedding"``.
    pick : callable, default=picks.top_k
        ``pick(scores, *pick_needs, k=, rng=) -> Picks`` on the whole pool; without `score`, ``pick(*pick_needs, ...)``.
    pick_needs : tuple of str
        What `pick` reads, for the whole pool at once.
    params : dict, optional
        Parameters other than the defaults.

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

    def __repr__(self) -> str:
        given = ", ".join(f"{key}={value!r}" for key, value in sorted(self.params.items()))
        return f"{self.name}({given})" if given else self.name

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Strategy) and (self.name, self.params) == (other.name, other.params)

    def __hash__(self) -> int:
        return hash((self.name, *sorted(self.params)))

    def parameters(self) -> dict[str, Any]:
        """Return every parameter the strategy takes with its value."""
        defaults = {**_keywords(self.score), **_keywords(self.pick)}
        if "samples" in (*self.needs, *self.pick_needs):
            defaults["n_samples"] = View.n_samples
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
        return Strategy(self.name, self.score, self.needs, self.pick, self.pick_needs, given) if params else self

    def __call__(self, learner: Any, X_pool: Rows, n_instances: int = 1, **kwargs: Any) -> np.ndarray:
        """Return the positions of the rows to label: `select` for callers who expect what modAL's strategies give."""
        return self.select(learner, X_pool, n_instances, **kwargs).indices

    def select(
        self,
        model: Any,
        X_pool: Rows,
        n_instances: int = 1,
        *,
        candidates: Any = None,
        random_state: RandomState = None,
        chunk_bytes: int = View.chunk_bytes,
        **params: Any,
    ) -> Picks:
        """Pick the rows of a pool worth labelling.

        Parameters
        ----------
        model : fitted estimator, Pipeline, modAL learner or Committee
            What the strategy asks.
        X_pool : rows of any kind
            The pool; nothing is copied but the chunk being scored.
        n_instances : int, default=1
            How many rows to pick.
        candidates : bool mask (N,) or int array, optional
            The only rows of `X_pool` to read and pick from.
        random_state : int, RandomState or Generator, optional
            Breaks ties and seeds posterior samples.
        chunk_bytes : int, default=64 MiB
            About how much memory the rows scored at a time may take.
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
        k = checked_count(n_instances, n_rows(X_pool) if rows is None else len(rows))
        rng = generator(random_state)
        settings = strategy.parameters()
        view = View(
            model,
            X_pool,
            rows,
            asked_by=repr(strategy),
            seed=draw_seed(rng),
            n_samples=settings.get("n_samples", View.n_samples),
            chunk_bytes=chunk_bytes,
            allow_nan=input_tag(model, "allow_nan"),
            check_finite=getattr(model, "force_all_finite", True),
        )
        scores, kept = view.scan(_bind(strategy.score, settings), strategy.needs, strategy.pick_needs)
        # a pick that reads views alone is called with those: picks.badge(proba, embedding, k=, rng=)
        seen = kept if strategy.pick_needs and strategy.score is None else (scores, *kept)
        picks = _bind(strategy.pick, settings)(*seen, k=k, rng=rng)
        return picks if rows is None else picks._replace(indices=rows[picks.indices])


def _keywords(function: Callable | None) -> dict[str, Any]:
    """Return the keyword-only parameters of a score or pick with their defaults."""
    if function is None:
        return {}
    parameters = inspect.signature(function).parameters.values()
    return {p.name: p.default for p in parameters if p.kind is p.KEYWORD_ONLY and p.name not in ("k", "rng")}


def _bind(function: Any, settings: dict[str, Any]) -> Any:
    """Fix a score's or pick's own parameters."""
    own = {key: settings[key] for key in _keywords(function)}
    return (lambda *args, **kwargs: function(*args, **own, **kwargs)) if own else function
