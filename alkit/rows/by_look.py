"""Kinds of X that are found by what X looks like: their types have no name here, as their package may be missing.

Types that somebody registers come first.
"""

from __future__ import annotations

from collections.abc import Callable

from narwhals.dependencies import is_into_dataframe, is_into_series

from alkit.rows.array_likes import ARRAY_LIKE, is_array_like
from alkit.rows.frames import FRAME, SERIES
from alkit.rows.hugging_face import HUGGING_FACE, is_hugging_face
from alkit.rows.kind import UNKNOWN_KIND, RowKind, Rows, kind_of
from alkit.rows.on_disk import ON_DISK, is_on_disk

# the first that fits decides: frames and Datasets have a shape as well, as arrays on disk do
_LOOKS: tuple[tuple[Callable[[Rows], bool], RowKind], ...] = (
    (is_into_dataframe, FRAME),
    (is_into_series, SERIES),
    (is_hugging_face, HUGGING_FACE),
    (is_on_disk, ON_DISK),
    (is_array_like, ARRAY_LIKE),
)


@kind_of.register(object)
def _of_no_registered_type(X: Rows) -> RowKind:
    return next((kind for looks_like, kind in _LOOKS if looks_like(X)), UNKNOWN_KIND)
