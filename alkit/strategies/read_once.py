"""Rows of a pool that are made on demand: each is made once, although a query may need some of them early."""

from __future__ import annotations

from typing import Any

import numpy as np

from alkit.rows import Rows, fetched, is_lazy, n_rows, row_shape, stack, take


class ReadOnce:
    """Rows of X, of which those that were read early are kept in memory and not read again.

    Read early are few: one row that tells how large rows are, and the targets of EPIG.

    Parameters
    ----------
    X : rows of any kind
    """

    def __init__(self, X: Rows) -> None:
        self.X = X
        # arrays on disk tell their size, and a few of their rows cost little to read again
        self.lazy = is_lazy(X) and row_shape(X) is None
        self._positions = np.empty(0, dtype=np.intp)
        self._kept: Rows = None

    def early(self, positions: np.ndarray) -> Rows:
        """Return rows, in memory, and keep them."""
        if not self.lazy:
            return take(self.X, positions)
        new = positions[~np.isin(positions, self._positions)]
        if len(new):
            rows = fetched(take(self.X, new))
            self._kept = rows if self._kept is None else fetched(stack([self._kept, rows]))
            self._positions = np.concatenate([self._positions, new])
        return fetched(self.take(positions))

    def take(self, rows: Any) -> Rows:
        """Return rows, of which whoever gets them fetches those that are not in memory."""
        if not len(self._positions):
            return take(self.X, rows)
        positions = np.arange(n_rows(self.X))[rows]
        known = np.isin(positions, self._positions)
        if not known.any():
            return take(self.X, rows)
        order = np.argsort(self._positions)
        places = order[np.searchsorted(self._positions, positions[known], sorter=order)]
        kept = take(self._kept, places)
        if known.all():
            return kept
        # rows read now first, then those kept, and back in the order asked for
        both = stack([fetched(take(self.X, positions[~known])), kept])
        return take(both, np.argsort(np.argsort(known, kind="stable"), kind="stable"))
