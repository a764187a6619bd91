"""Rows of X, whatever X is: how they are counted, taken, stacked and searched for NaN, by kind of X.

The kinds, one file each:

- ``kind``: what a kind must offer (`RowKind`), how one is added (`register`), and numpy arrays, memory-mapped ones too;
- ``mappings``: dicts of any kinds, or other mappings, such as ``skorch.helper.SliceDict`` and what tokenizers return;
- ``sparse``: scipy's sparse matrices and arrays;
- ``tables``: pandas' DataFrame and Series;
- ``tensors``: torch's tensors;
- ``lists``: lists of texts, numbers, or anything else;
- ``datasets``: ``torch.utils.data.Dataset``;
- ``on_disk``: whatever has a ``shape`` and gives rows by slices, such as arrays of h5py and zarr. Rows taken of it are
  a numpy array.

Everybody else asks the functions here (``functions``). What is not in ``__all__`` is private.
"""

# Each of these files registers its kinds as it is imported.
from alkit.rows import datasets, lists, mappings, on_disk, sparse, tables, tensors  # noqa: F401
from alkit.rows.functions import (
    dense,
    is_lazy,
    n_rows,
    non_finite_rows,
    row_bytes,
    row_shape,
    slices,
    stack,
    take,
)
from alkit.rows.kind import RowKind, Rows, kind_of, register

__all__ = [
    "RowKind",
    "Rows",
    "dense",
    "is_lazy",
    "kind_of",
    "n_rows",
    "non_finite_rows",
    "register",
    "row_bytes",
    "row_shape",
    "slices",
    "stack",
    "take",
]
