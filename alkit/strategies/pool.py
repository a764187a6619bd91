"""View: one pass over a pool, a chunk at a time, in parallel where joblib is told to."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from multiprocessing import parent_process
from typing import Any, NamedTuple

import numpy as np
import torch
from joblib import Parallel, delayed
from torch import Tensor
from tqdm.auto import tqdm

from alkit.rows import Rows, n_rows, row_bytes, slices, take
from alkit.strategies.quantities import OF_ROWS, Quantities, finite
from alkit.validation import check_finite

_MAX_CHUNK_ROWS = 16_384
_MAX_TARGETS = 500
_OF_TRAINING = {"train_embedding": "embedding", "train_features": "features"}
_SETS = (*_OF_TRAINING, "y_train", "target_samples")
QUANTITIES = (*OF_ROWS, *_SETS)


class Scan(NamedTuple):
    """What one pass over a pool found."""

    positions: np.ndarray
    """Which of the rows asked for a pick may choose from, (n,)."""
    scores: np.ndarray
    """Their scores, (n,); zeros for a strategy without."""
    views: list[Tensor]
    """What the pick needs, (n, ...) each, or a set of its own length."""


@dataclass
class View:
    """What a model says about a pool: each quantity computed once, in chunks; the pool is never copied.

    Parameters
    ----------
    quantities : Quantities
        What is asked of the model.
    X : rows of any kind
        The pool.
    rows : int array or None
        The only rows read, as positions in X; None for all of them.
    X_training, y_training : rows and labels, optional
        What the learner was taught.
    y_pool, costs : array (N,), optional
        Labels, which only a simulation has, and costs; aligned to X.
    X_target : rows, optional
        What predictions are wanted for; by default a seeded part of the pool.
    chunk_bytes : int
        About how much memory a chunk and its posterior samples may take.
    max_bytes : int
        How much memory the views of a pick on the whole set may take.
    allow_nan, check_finite : bool
        Whether NaN is let through, and whether rows are checked at all.
    """

    quantities: Quantities
    X: Rows
    rows: np.ndarray | None
    rng: np.random.Generator
    X_training: Rows = None
    y_training: Any = None
    y_pool: Any = None
    costs: Any = None
    X_target: Rows = None
    chunk_bytes: int = 2**26
    max_bytes: int = 2**30
    allow_nan: bool = False
    check_finite: bool = True

    def __len__(self) -> int:
        return n_rows(self.X) if self.rows is None else len(self.rows)

    def scan(self, score: Callable[..., Tensor] | None, needs: tuple[str, ...], keep: tuple[str, ...], k: int) -> Scan:
        """Read the pool once: score each chunk and keep what a pick needs whole.

        Parameters
        ----------
        score : callable or None
            ``score(*needs) -> (n,)``, called chunk by chunk; None scores every row zero.
        needs : tuple of str
            Quantities that `score` reads; gone with their chunk.
        keep : tuple of str
            Quantities a pick on the whole set reads.
        k : int
            How many rows will be picked.

        Returns
        -------
        Scan
        """
        by_row, kept_by_row = _by_row((*needs, *keep)), _by_row(keep)
        self.quantities.check((*by_row, *(_OF_TRAINING.get(name, "") for name in keep)))
        sets = {name: self._set(name) for name in needs if name in _SETS}
        scores = np.zeros(len(self))
        kept = _Kept(self, kept_by_row, k, scored=score is not None)
        if by_row:
            read = delayed(_read_chunk)
            jobs = (read(self.quantities, score, needs, kept_by_row, sets, *chunk) for chunk in self._chunks(by_row))
            for part, chunk_scores, views in Parallel(return_as="generator")(jobs):
                scores[part] = chunk_scores
                kept.add(part, chunk_scores, views)
        positions, views = kept.finish()
        by_name = dict(zip(kept_by_row, views, strict=True))
        return Scan(
            positions, scores[positions], [by_name[name] if name in by_name else self._set(name) for name in keep]
        )

    def _set(self, name: str) -> Tensor:
        """Return a quantity of rows other than the pool's."""
        if self.X_training is None and name in _OF_TRAINING:
            one = slice(0, 1) if self.rows is None else self.rows[:1]  # a row of the pool tells the width
            return self._whole(_OF_TRAINING[name], take(self.X, one))[:0]
        if name == "y_train":
            y = () if self.y_training is None else self.quantities.class_positions(self.y_training)
            return torch.as_tensor(np.asarray(y, dtype=np.int64))
        if name == "target_samples":
            return self._whole("samples", self._targets())
        return self._whole(_OF_TRAINING[name], self.X_training)

    def _targets(self) -> Rows:
        targets = self.X_target
        if targets is None:
            chosen = self.rng.choice(len(self), min(_MAX_TARGETS, len(self)), replace=False)
            targets = take(self.X, chosen if self.rows is None else self.rows[chosen])
        if n_rows(targets) == 0:
            raise ValueError("X_target has 0 rows; give the rows that predictions are wanted for, or None")
        if self.check_finite:
            check_finite(targets, "X_target (by default a part of the pool)", allow_nan=self.allow_nan)
        return targets

    def _whole(self, name: str, X: Rows) -> Tensor:
        parts = slices(n_rows(X), self._chunk_rows((name,)))
        return torch.cat([self.quantities.read((name,), take(X, part))[name] for part in parts])

    def _chunk_rows(self, names: tuple[str, ...]) -> int:
        per_row = row_bytes(self.X)
        if "samples" in names:
            per_row += 8 * self.quantities.n_samples * self.quantities.n_classes()
        return int(np.clip(self.chunk_bytes // max(1, per_row), 1, _MAX_CHUNK_ROWS))

    def _chunks(self, names: tuple[str, ...]) -> Iterator[tuple[slice, Rows, Any, Any]]:
        """Yield slices of the rows asked for with the rows themselves, their labels and their costs."""
        # a bar only where a person has to wait: those of worker processes would write over each other
        hidden = parent_process() is not None
        name = self.quantities.asked_by
        with tqdm(total=len(self), desc=name, unit=" rows", delay=2, leave=False, disable=hidden) as progress:
            for part in slices(len(self), self._chunk_rows(names)):
                rows = part if self.rows is None else self.rows[part]
                chunk = take(self.X, rows)
                if self.check_finite:
                    check_finite(chunk, "the pool asked for", allow_nan=self.allow_nan, start=part.start)
                yield (
                    part,
                    chunk,
                    *(None if given is None else take(given, rows) for given in (self.y_pool, self.costs)),
                )
                progress.update(part.stop - part.start)


def _by_row(names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for name in names if name not in _SETS))


def _read_chunk(
    quantities: Quantities,
    score: Callable[..., Tensor] | None,
    needs: tuple[str, ...],
    keep: tuple[str, ...],
    sets: dict[str, Tensor],
    part: slice,
    X: Rows,
    y: Any,
    costs: Any,
) -> tuple[slice, np.ndarray, list[np.ndarray]]:
    """Score a chunk, wherever it is computed, and return what is kept of it."""
    said = quantities.read(_by_row((*needs, *keep)), X, part.start, y, costs) | sets
    scores = np.zeros(n_rows(X))
    if score is not None:
        scores = finite(score(*(said[name] for name in needs)).numpy(), "score", part.start)
    return part, scores, [said[name].numpy() for name in keep]


class _Kept:
    """Views of the rows a pick may choose from: all, or the best-scored part that fits in ``max_bytes``."""

    def __init__(self, view: View, names: tuple[str, ...], k: int, scored: bool) -> None:
        self.view, self.names, self.k, self.scored = view, names, k, scored
        self.room = len(view)
        self.positions, self.scores, self.ties = np.empty(0, dtype=np.intp), np.empty(0), np.empty(0)
        self.parts: list[list[np.ndarray]] = []

    def add(self, part: slice, scores: np.ndarray, views: list[np.ndarray]) -> None:
        if not self.names:
            return
        if not self.parts:
            self._make_room(sum(values[:1].nbytes for values in views))
        self.positions = np.concatenate([self.positions, np.arange(part.start, part.stop)])
        self.scores = np.concatenate([self.scores, scores])
        self.ties = np.concatenate([self.ties, self.view.rng.random(len(scores))])
        self.parts.append(views)
        if len(self.positions) > 2 * self.room:
            self._drop()

    def finish(self) -> tuple[np.ndarray, list[Tensor]]:
        if not self.names:
            return np.arange(len(self.view)), []
        if len(self.positions) > self.room:
            self._drop()
        return self.positions, [torch.from_numpy(np.concatenate(column)) for column in zip(*self.parts, strict=True)]

    def _make_room(self, per_row: int) -> None:
        """Decide how many rows to keep; twice as many are held for a moment."""
        if per_row * len(self.view) <= self.view.max_bytes:
            return
        self.room = max(self.k, int(self.view.max_bytes // (2 * per_row)))
        warnings.warn(
            f"strategy {self.view.quantities.asked_by} picks on the whole set, but {', '.join(self.names)} of "
            f"{len(self.view):,} rows take {per_row * len(self.view) / 2**20:,.0f} MB, more than max_bytes="
            f"{self.view.max_bytes / 2**20:,.0f} MB; it picks from {'the best-scored' if self.scored else 'a random'} "
            f"{self.room:,} of them",
            stacklevel=6,
        )

    def _drop(self) -> None:
        # rows of equal score, and all where there is no score, are kept at random, whatever the chunks
        best = np.sort(np.lexsort((self.ties, self.scores))[-self.room :])
        self.parts = [[np.concatenate(column)[best] for column in zip(*self.parts, strict=True)]]
        self.positions, self.scores, self.ties = self.positions[best], self.scores[best], self.ties[best]
