"""One pass over a pool: rows are read and scored a chunk at a time, in parallel where joblib is told to."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from joblib import delayed
from torch import Tensor
from tqdm.auto import tqdm

from alkit._memory import FittingParts, read_ahead
from alkit._parallel import keep_forks_to_one_thread, results_of, shares_memory
from alkit._progress import is_inside
from alkit._tensors import as_array
from alkit.protocols import Score
from alkit.rows import Rows, fetched, is_lazy, n_rows, row_bytes, slices, take
from alkit.strategies.answers import scores_of_rows
from alkit.strategies.quantities import OF_ROWS, Quantities, refuse_non_finite
from alkit.strategies.read_once import ReadOnce

_MAX_CHUNK_ROWS = 16_384
"""Most rows in a chunk, however small they are: what a network holds for each is not counted in `chunk_bytes`."""
_LARGER_ON_DEVICE = 4
"""How much larger a chunk is for a model on a GPU, which each chunk costs the time that Python takes to ask it."""
_MAX_TARGETS = 500
"""Rows of the pool that stand for all of it where no `X_target` is given: EPIG takes time for each."""
_OF_TRAINING = {"train_embedding": "embedding", "train_features": "features", "train_proba": "proba"}
_SETS = (*_OF_TRAINING, "y_train", "target_samples")
"""Quantities of rows other than those scored: as long as their own set, and handed whole to each chunk."""
QUANTITIES = (*OF_ROWS, *_SETS)


class ScoredPool(NamedTuple):
    """Rows that a pick may choose from, with all that it reads."""

    positions: np.ndarray
    """Their positions among the rows asked for, (n,)."""
    scores: np.ndarray
    """Their scores, (n,); zeros for a strategy without."""
    inputs: list[Tensor]
    """Quantities that the pick needs, in its order: (n, ...) each, or as long as a set of its own."""


class Chunk(NamedTuple):
    """Rows that are read and scored together."""

    part: slice
    """Which of the rows asked for they are."""
    positions: slice | np.ndarray
    """Where they are in X."""
    X: Rows
    y: Any
    costs: Any


@dataclass
class PoolPass:
    """One pass over a pool, in chunks: a row is fetched once for all quantities, and the pool is never copied.

    Parameters
    ----------
    quantities : Quantities
        What is asked of the model.
    X : rows of any kind
        The pool.
    rows : int array or None
        The only rows read, as positions in X; None for all of them.
    rng : numpy.random.Generator
        Draws targets, and which rows of equal score are kept of a set that is too large.
    X_training, y_training : rows and labels, optional
        What the learner was taught.
    y_pool, costs : array (N,), optional
        Labels, which only a simulation has, and costs; one per row of X.
    X_target : rows, optional
        What predictions are wanted for; by default a seeded part of the pool.
    chunk_bytes : int
        About how much memory a chunk and its posterior samples may take.
    max_bytes : int
        How much memory the quantities may take that a pick on the whole set reads.
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

    def __post_init__(self) -> None:
        self._reader = ReadOnce(self.X)

    def __len__(self) -> int:
        return n_rows(self.X) if self.rows is None else len(self.rows)

    def run(self, score: Score | None, needs: tuple[str, ...], keep: tuple[str, ...], k: int) -> ScoredPool:
        """Read the pool once: score each chunk and keep what a pick needs whole.

        Parameters
        ----------
        score : callable or None
            ``score(*needs) -> (n,)``, called chunk by chunk; None scores every row zero.
        needs : tuple of str
            Quantities that `score` reads; they are dropped with their chunk.
        keep : tuple of str
            Quantities that a pick on the whole set reads.
        k : int
            How many rows will be picked.

        Returns
        -------
        ScoredPool
        """
        by_row, kept_by_row = _of_scored_rows((*needs, *keep)), _of_scored_rows(keep)
        # what the model lacks is refused before anything is read
        self.quantities.check(asked_of_model((*needs, *keep)))
        sets = {name: self._of_set(name) for name in needs if name in _SETS}
        # what workers keep of a chunk is sent to this process, which may have no GPU of that number
        stays = shares_memory()
        if not stays:
            sets = {name: values.cpu() for name, values in sets.items()}
        scores = np.zeros(len(self))
        kept = _KeptRows(self, kept_by_row, k, scored=score is not None)
        if by_row:
            read = delayed(_read_chunk)
            asked = self.quantities, score, needs, kept_by_row, sets, stays
            chunks = self._chunks(by_row)
            if stays and is_lazy(self.X) and self.quantities.device.type != "cpu":
                chunks = read_ahead(chunk._replace(X=fetched(chunk.X)) for chunk in chunks)
            jobs = (read(*asked, *chunk) for chunk in chunks)
            # one after another, so that what a chunk keeps is thinned out before the next ones arrive
            for part, chunk_scores, chunk_kept in results_of(jobs):
                scores[part] = chunk_scores
                kept.add(part, chunk_scores, chunk_kept)
        positions, tensors = kept.finish()
        by_name = dict(zip(kept_by_row, tensors, strict=True))
        by_name |= {name: self._of_set(name) for name in keep if name not in by_name}
        by_name = self.quantities.on_one_device(by_name)
        return ScoredPool(positions, scores[positions], [by_name[name] for name in keep])

    def _of_set(self, name: str) -> Tensor:
        """Return a quantity of rows other than those scored."""
        if self.X_training is None and name in _OF_TRAINING:
            # no labelled rows, (0, D): one row of the pool tells the width D
            return self._in_chunks(_OF_TRAINING[name], self._first_row())[:0]
        if name == "y_train":
            y = np.empty(0, np.int64) if self.y_training is None else self.quantities.taught(self.y_training)
            return torch.as_tensor(y)
        if name == "target_samples":
            return self._in_chunks("samples", *self._targets(), keep=self._answers_of_targets)
        return self._in_chunks(_OF_TRAINING[name], self.X_training)

    def _targets(self) -> tuple[Rows, np.ndarray | None]:
        """Return the rows that predictions are wanted for, and where they are in the pool, if they are part of it."""
        if self.X_target is None:
            size = min(_MAX_TARGETS, len(self))
            chosen = self.rng.choice(len(self), size, replace=False)
            positions = chosen if self.rows is None else self.rows[chosen]
            return self._reader.early(positions), positions
        if n_rows(self.X_target) == 0:
            raise ValueError("X_target has 0 rows; give the rows that predictions are wanted for, or None")
        return self.X_target, None

    def _answers_of_targets(self, samples: Tensor) -> Tensor:
        """Return each of a target's several answers as a target; of targets drawn from the pool, one answer each."""
        if samples.ndim == 3 or self.X_target is not None:
            return samples.flatten(0, -3)
        n, n_answers = samples.shape[:2]
        return samples[torch.arange(n), torch.from_numpy(self.rng.integers(n_answers, size=n))]

    def _in_chunks(
        self,
        name: str,
        X: Rows,
        positions: np.ndarray | None = None,
        keep: Callable[[Tensor], Tensor] = lambda tensor: tensor,
    ) -> Tensor:
        """Return a quantity of all rows of X, read a chunk at a time; `positions` are theirs in the pool."""
        tensors = []
        for part in slices(n_rows(X), self._chunk_rows((name,))):
            rows, where = fetched(take(X, part)), None if positions is None else positions[part]
            answers = self.quantities.read((name,), rows, where)
            tensors.append(keep(answers[name]))
        return torch.cat(tensors)

    def _chunk_rows(self, names: tuple[str, ...]) -> int:
        """Return how many rows a chunk has, so that they and their posterior samples take about `chunk_bytes`."""
        larger = 1 if self.quantities.device.type == "cpu" else _LARGER_ON_DEVICE
        per_row = row_bytes(self._first_row() if self._reader.lazy else self.X)
        per_row += 8 * self.quantities.numbers_per_row(names, self._first_row)
        n_fitting = larger * self.chunk_bytes // max(1, per_row)
        return int(np.clip(n_fitting, 1, larger * _MAX_CHUNK_ROWS))

    def _first_row(self) -> Rows:
        """Return the first row asked for, as rows."""
        return self._reader.early(np.arange(len(self))[:1] if self.rows is None else self.rows[:1])

    def _chunks(self, names: tuple[str, ...]) -> Iterator[Chunk]:
        """Yield the rows asked for, chunk by chunk."""
        # a bar only where a person waits for this query, and for nothing around it
        name = self.quantities.asked_by
        with tqdm(total=len(self), desc=name, unit=" rows", delay=2, leave=False, disable=is_inside()) as progress:
            for part in slices(len(self), self._chunk_rows(names)):
                rows = part if self.rows is None else self.rows[part]
                chunk = self._reader.take(rows)
                y = None if self.y_pool is None else take(self.y_pool, rows)
                costs = None if self.costs is None else take(self.costs, rows)
                yield Chunk(part, rows, chunk, y, costs)
                progress.update(part.stop - part.start)


def asked_of_model(names: tuple[str, ...]) -> tuple[str, ...]:
    """Return what a model has to answer, of the rows scored and of those labelled, for some quantities."""
    return (*_of_scored_rows(names), *(_OF_TRAINING[name] for name in names if name in _OF_TRAINING))


def _of_scored_rows(names: tuple[str, ...]) -> tuple[str, ...]:
    """Return those of some quantities that are of the rows scored, each once."""
    return tuple(dict.fromkeys(name for name in names if name not in _SETS))


def _read_chunk(
    quantities: Quantities,
    score: Score | None,
    needs: tuple[str, ...],
    keep: tuple[str, ...],
    sets: dict[str, Tensor],
    stays: bool,
    part: slice,
    positions: slice | np.ndarray,
    X: Rows,
    y: Any,
    costs: Any,
) -> tuple[slice, np.ndarray, list[Any]]:
    """Score a chunk, in whichever process or machine, and return what is kept of it: tensors, or arrays to be sent."""
    keep_forks_to_one_thread()
    # whatever is asked of the model, rows that are made on demand are made here, once
    X = fetched(X)
    names = _of_scored_rows((*needs, *keep))
    everything = slice(0, n_rows(X))

    def read(rows: slice) -> tuple[np.ndarray, list[Tensor]]:
        # nearly always all of the chunk: only what does not fit on a device is read in parts
        some = (X, y, costs) if rows == everything else [None if of is None else take(of, rows) for of in (X, y, costs)]
        where = _some(positions, rows)
        tensors = quantities.on_one_device(quantities.read(names, some[0], where, *some[1:]) | sets)
        kept = [tensors[name] for name in keep]
        if score is None:
            return np.zeros(rows.stop - rows.start), kept
        scores = scores_of_rows(score, needs, tensors, quantities.reduce)
        refuse_non_finite(scores, "score", where)
        return scores.cpu().numpy(), kept

    scores, kept = zip(*FittingParts().of(everything.stop, read), strict=True)
    columns = [of_parts[0] if len(of_parts) == 1 else torch.cat(of_parts) for of_parts in zip(*kept, strict=True)]
    return part, np.concatenate(scores), columns if stays else [as_array(column) for column in columns]


def _some(positions: slice | np.ndarray, rows: slice) -> slice | np.ndarray:
    """Return where some rows of a chunk are in the pool."""
    if isinstance(positions, slice):
        return slice(positions.start + rows.start, positions.start + rows.stop)
    return positions[rows]


class _KeptRows:
    """Quantities of the rows a pick may choose from: of all, or of the best-scored part that fits in `max_bytes`."""

    def __init__(self, pool: PoolPass, names: tuple[str, ...], k: int, scored: bool) -> None:
        self.pool, self.names, self.k, self.scored = pool, names, k, scored
        self.room = len(pool)
        self.positions = np.empty(0, dtype=np.intp)
        self.scores = np.empty(0)
        self.ties = np.empty(0)
        # one list per chunk, one tensor per quantity in each
        self.parts: list[list[Tensor]] = []

    def add(self, part: slice, scores: np.ndarray, values: list[Any]) -> None:
        """Keep a chunk: its positions, its scores, and its values of each quantity."""
        if not self.names:
            return
        columns = [torch.as_tensor(column) for column in values]
        if not self.parts:
            self._set_room(sum(column[:1].nbytes for column in columns))
        if self.room < len(self.pool):
            # a set too large to be held is picked from on the host
            columns = [column.cpu() for column in columns]
        positions = np.arange(part.start, part.stop)
        ties = self.pool.rng.random(len(scores))
        self.positions = np.concatenate([self.positions, positions])
        self.scores = np.concatenate([self.scores, scores])
        self.ties = np.concatenate([self.ties, ties])
        self.parts.append(columns)
        # thinned out only once there is twice the room, so that a row is not copied with every chunk
        if len(self.positions) > 2 * self.room:
            self._keep_best()

    def finish(self) -> tuple[np.ndarray, list[Tensor]]:
        """Return the positions of the rows kept, and one tensor per quantity."""
        if not self.names:
            return np.arange(len(self.pool)), []
        if len(self.positions) > self.room:
            self._keep_best()
        return self.positions, self._columns()

    def _columns(self) -> list[Tensor]:
        """Return one tensor per quantity, of all chunks kept."""
        return [torch.cat(of_chunks) for of_chunks in zip(*self.parts, strict=True)]

    def _set_room(self, per_row: int) -> None:
        """Decide how many rows to keep; up to twice as many are held in between."""
        n, max_bytes = len(self.pool), self.pool.max_bytes
        if per_row * n <= max_bytes:
            return
        # half of what fits, as the rows kept and as many new ones are held at the same time
        self.room = max(self.k, int(max_bytes // (2 * per_row)))
        which = "the best-scored" if self.scored else "a random"
        warnings.warn(
            f"strategy {self.pool.quantities.asked_by} picks on the whole set, but {', '.join(self.names)} of "
            f"{n:,} rows take {per_row * n / 2**20:,.0f} MB, more than max_bytes={max_bytes / 2**20:,.0f} MB; "
            f"it picks from {which} {self.room:,} of them",
            stacklevel=6,
        )

    def _keep_best(self) -> None:
        # Rows of equal score, and all where there is no score, are kept at random. Their random numbers are drawn as
        # they come, one per row, so that the size of chunks does not change which are kept.
        by_score = np.lexsort((self.ties, self.scores))
        # back in the order of the pool
        best = np.sort(by_score[-self.room :])
        self.parts = [[column[torch.from_numpy(best)] for column in self._columns()]]
        self.positions = self.positions[best]
        self.scores = self.scores[best]
        self.ties = self.ties[best]
