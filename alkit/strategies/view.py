"""View: what a model says about a pool, one pass over it, a chunk at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from modAL.models.base import BaseLearner
from sklearn.pipeline import Pipeline
from torch import Tensor
from tqdm.auto import tqdm

from alkit.checks import check_finite
from alkit.rows import Rows, n_rows, row_bytes, slices, take

_METHODS = {
    "proba": ("predict_proba",),
    "samples": ("sample_proba", "vote_proba"),
    "embedding": ("embed",),
}
_HAVE = {
    "proba": "any classifier with probabilities, such as alkit.NetClassifier",
    "samples": "alkit.NetClassifier around a network with dropout, alkit.DropoutMLPClassifier or a Committee",
    "embedding": "alkit.NetClassifier or alkit.DropoutMLPClassifier",
}
_MAX_CHUNK_ROWS = 16_384


@dataclass
class View:
    """What a model says about a pool: each quantity computed once, in chunks.

    Parameters
    ----------
    model : estimator, Pipeline, modAL learner or Committee
        The earlier steps of a Pipeline transform X first.
    X : rows of any kind
        The pool, read chunk by chunk and never copied.
    rows : int array or None
        The only rows read, as positions in X; None for all of them.
    asked_by : str
        The strategy, for error messages.
    seed : int
        Seeds the posterior samples: the same in every chunk, so that all rows see the same K models.
    n_samples : int
        Number of posterior samples K, where the model draws them (a committee has its members).
    chunk_bytes : int
        About how much memory a chunk and its posterior samples may take.
    allow_nan, check_finite : bool
        Whether NaN is let through, and whether rows are checked at all.
    """

    model: Any
    X: Rows
    rows: np.ndarray | None
    asked_by: str
    seed: int = 0
    n_samples: int = 20
    chunk_bytes: int = 2**26
    allow_nan: bool = False
    check_finite: bool = True
    _prepare: Callable[[Rows], Rows] | None = field(init=False)
    _predictor: Any = field(init=False)

    def __post_init__(self) -> None:
        self._prepare, self._predictor = _unwrap(self.model)

    def __len__(self) -> int:
        return n_rows(self.X) if self.rows is None else len(self.rows)

    def scan(
        self, score: Callable[..., Tensor] | None, needs: tuple[str, ...], keep: tuple[str, ...]
    ) -> tuple[np.ndarray, list[Tensor]]:
        """Read the pool once: score each chunk and keep what a pick needs whole.

        Parameters
        ----------
        score : callable or None
            ``score(*needs) -> (n,)``, called chunk by chunk; None scores every row zero.
        needs : tuple of str
            Quantities that `score` reads; gone with their chunk.
        keep : tuple of str
            Quantities returned for the whole pool.

        Returns
        -------
        scores : ndarray (N,)
        kept : list of Tensor (N, ...)
        """
        methods = {name: self._method(name) for name in (*needs, *keep)}
        scores, kept = np.zeros(len(self)), [[] for _ in keep]  # type: ignore[var-annotated]
        for rows, chunk in self._chunks(methods) if methods else ():
            said = {name: self._ask(name, method, chunk, rows.start) for name, method in methods.items()}
            if score is not None:
                scores[rows] = _finite(score(*(said[name] for name in needs)).numpy(), "score", rows.start)
            for parts, name in zip(kept, keep, strict=True):
                parts.append(said[name])
        return scores, [torch.cat(parts) for parts in kept]

    def _chunks(self, methods: Iterable[str]) -> Iterator[tuple[slice, Rows]]:
        """Yield slices of the rows asked for with the rows themselves, ready for the predictor."""
        per_row = row_bytes(self.X)
        if "samples" in methods:
            per_row += 8 * self.n_samples * np.size(getattr(self._predictor, "classes_", ()))
        size = int(np.clip(self.chunk_bytes // max(1, per_row), 1, _MAX_CHUNK_ROWS))
        # a bar only where one has to wait
        with tqdm(total=len(self), desc=self.asked_by, unit=" rows", delay=2, leave=False) as progress:
            for part in slices(len(self), size):
                chunk = take(self.X, part if self.rows is None else self.rows[part])
                if self.check_finite:
                    check_finite(chunk, "the pool asked for", allow_nan=self.allow_nan, start=part.start)
                yield part, chunk if self._prepare is None else self._prepare(chunk)
                progress.update(part.stop - part.start)

    def _method(self, name: str) -> Callable[..., np.ndarray]:
        for method in _METHODS[name]:
            if hasattr(self._predictor, method):
                return getattr(self._predictor, method)
        raise TypeError(
            f"strategy {self.asked_by} needs {_METHODS[name][0]}, which {type(self._predictor).__name__} does not "
            f"have; use {_HAVE[name]}, or another strategy"
        )

    def _ask(self, name: str, method: Callable[..., np.ndarray], chunk: Rows, start: int) -> Tensor:
        if method.__name__ == "sample_proba":
            answer = method(chunk, n_samples=self.n_samples, random_state=self.seed)
        else:
            answer = method(chunk)
        return torch.from_numpy(_finite(np.asarray(answer), method.__name__, start))


def _unwrap(model: Any) -> tuple[Callable[[Rows], Rows] | None, Any]:
    """Return what transforms X (or None) and what makes predictions from the result."""
    if isinstance(model, BaseLearner):
        return _unwrap(model.estimator)
    if hasattr(model, "best_estimator_"):
        return _unwrap(model.best_estimator_)
    if isinstance(model, Pipeline):
        return (model[:-1].transform if len(model) > 1 else None), model[-1]
    return None, model


def _finite(answer: np.ndarray, source: str, start: int) -> np.ndarray:
    bad = np.isnan(answer).reshape(len(answer), -1).any(1)
    if bad.any():
        raise ValueError(
            f"{source} is NaN for {bad.sum()} of {len(answer)} rows, the first is row {start + bad.argmax()} of those "
            "asked for; has the fit diverged (lower lr, scale X), or does X hold values the model cannot take?"
        )
    return answer
