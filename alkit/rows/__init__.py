"""Rows of X, whatever X is: how they are counted, taken, stacked and searched for NaN, by kind of X.

The kinds, one file each:

- ``kind``: what a kind must offer (`RowKind`), how one is added (`register`), and numpy arrays, memory-mapped ones too;
- ``masked``: numpy's masked arrays, whose masked cells are missing;
- ``mappings``: dicts of any kinds, or other mappings, such as ``skorch.helper.SliceDict`` and what tokenizers return;
- ``sparse``: scipy's sparse matrices and arrays;
- ``tables``: pandas' DataFrame and Series;
- ``frames``: tables and columns of polars, pyarrow and whatever else narwhals knows;
- ``tensors``: torch's tensors;
- ``lists``: lists, tuples and other sequences of texts, numbers, pictures, or anything else;
- ``datasets``: ``torch.utils.data.Dataset``;
- ``hugging_face``: ``datasets.Dataset``;
- ``on_disk``: whatever has a ``shape`` and gives rows by slices, such as arrays of h5py and zarr;
- ``array_likes``: whatever else has ``__array__``.

The types of the last three and of ``frames`` cannot be named, so ``by_look`` finds them by what they look like. What
comes back of each kind is told by the user guide, "Kinds of X and y".

Everybody else asks the functions here (``functions``). What is not in ``__all__`` is private.
"""

# Each of these files registers its kinds as it is imported.
from alkit.rows import by_look, datasets, lists, mappings, masked, sparse, tables, tensors  # noqa: F401
from alkit.rows.functions import (
    columns,
    dense,
    fetched,
    is_lazy,
    is_of_numbers,
    n_rows,
    non_finite_rows,
    readable,
    row_bytes,
    row_shape,
    slices,
    stack,
    take,
)
from alkit.rows.kind import RowKind, Rows, kind_of, register
from alkit.rows.mappings import holds_tokens, padded

__all__ = [
    "RowKind",
    "Rows",
    "columns",
    "dense",
    "fetched",
    "holds_tokens",
    "is_lazy",
    "is_of_numbers",
    "kind_of",
    "n_rows",
    "non_finite_rows",
    "padded",
    "readable",
    "register",
    "row_bytes",
    "row_shape",
    "slices",
    "stack",
    "take",
]
