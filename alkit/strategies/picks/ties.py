"""Ties: which of several equally good rows is picked. To change how ties are broken, change it here.

Every tie is broken at random, by the generator of the query, so that no row is preferred for its place in the pool:

- `largest` for picks that take the k best rows at once (`top_k` and all that is built on it; `uniform`, and so the
  strategy ``random``, is a tie of all rows);
- `seeded_argmax` for picks that choose one row after another and draw anew at each step (such as `coreset`, `badge`,
  `bait`, `ranked_batch`, `probcover`);
- `largest_key` for picks that draw one key per row beforehand, so that what is tied does not change how much is drawn
  (`batch_bald`, `balance_classes`).

Three sorts by several columns use a random column of their own as the last:
`alkit.strategies.picks.geometry.rank_within` (rows of a cluster that are equally near its centre), `cluster_margin` in
`alkit.strategies.picks.clustered` (clusters of equal size), and the rows that `alkit.strategies.pool` keeps of a set
that is larger than memory.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor


def largest(values: np.ndarray, k: int, rng: np.random.Generator) -> np.ndarray:
    """Positions of the k largest values, largest first, (n,) -> (k,); equal values in random order."""
    cut = np.partition(values, values.size - k)[values.size - k]
    above = np.flatnonzero(values > cut)
    # of the rows at the cut only some have room: which ones is drawn
    tied = np.flatnonzero(values == cut)
    at_cut = rng.choice(tied, k - above.size, replace=False)
    chosen = rng.permutation(np.concatenate([above, at_cut]))
    # a stable sort leaves equal values in the order of the permutation
    return chosen[np.argsort(-values[chosen], kind="stable")]


def seeded_argmax(values: Tensor, rng: np.random.Generator) -> int:
    """Position of the largest value, one of them at random where several are equal."""
    first = values.argmax()
    are_largest = values == values.take(first)
    # Both are read at once, as that waits for the device (so would an index, where `take` does not). Which rows are
    # equal is read only where several are.
    position, n_largest = torch.stack([first, are_largest.sum()]).cpu().tolist()
    if n_largest == 1:
        return position
    ties = are_largest.nonzero()[:, 0].cpu()
    return int(ties[rng.integers(n_largest)])


def largest_key(tied: np.ndarray, keys: np.ndarray) -> int:
    """Which of some tied positions has the largest of the keys drawn for all rows, (m,), (n,) -> one of `tied`."""
    return int(tied[np.argmax(keys[tied])])
