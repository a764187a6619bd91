"""Tables of labels as people have them: one row per item, or in long form one row per label."""

from __future__ import annotations

from itertools import combinations
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

_LONG = (("item", "annotator", "label"), ("task", "worker", "label"))  # the latter are crowd-kit's names
_LEAST_LONG, _MOST_LONG = 3, 5  # columns of a long form whose columns have other names, or none
_N_TO_TELL = 20  # rows from which on numbers of items and annotators can be told from labels
_NOT_ANNOTATORS = {"item", "task", "annotator", "worker", "label"}


class EncodedLabels(NamedTuple):
    """Labels as positions in a list of classes.

    Attributes
    ----------
    codes : int array (N, R)
        Positions in `classes`, -1 where no label was given.
    classes : array (C,)
        Sorted.
    items : array (N,)
    annotators : array (R,)
    """

    codes: np.ndarray
    classes: np.ndarray
    items: np.ndarray
    annotators: np.ndarray


def read_labels(labels: Any) -> EncodedLabels:
    """Return labels as positions in a list of classes.

    Parameters
    ----------
    labels : array (N, R) or DataFrame
        One row per item and one column per annotator; None or NaN: not given. Or a DataFrame in long form with one row
        per label, and columns ``item``, ``annotator`` and ``label`` (or ``task``, ``worker`` and ``label``); others are
        left out of account.

    Returns
    -------
    EncodedLabels
        Items and annotators of a long form are sorted; of an array they are numbered.

    Raises
    ------
    ValueError
        If `labels` is not two-dimensional, if an annotator gave an item two labels, or if it is a long form of columns
        that are not named as above.

    Examples
    --------
    >>> import pandas as pd
    >>> from alkit.annotate.quality.long_form import read_labels
    >>> long = pd.DataFrame({"item": [7, 7, 9], "annotator": ["ann", "bob", "bob"], "label": ["spam", "ham", "ham"]})
    >>> read_labels(long).codes
    array([[ 1,  0],
           [-1,  0]])
    """
    # the columns of a pyarrow table are their values, not their names
    names = [str(name) for name in getattr(labels, "column_names", getattr(labels, "columns", ()))]
    for columns in _LONG:
        if set(columns) <= set(names):
            return _read_long(*(np.asarray(labels[name], dtype=object) for name in columns))
    _refuse_mixed_columns(names)
    table = np.asarray(labels, dtype=object)  # without dtype, NaN among strings becomes the string "nan"
    if table.ndim != 2:
        raise ValueError(
            f"labels has {table.ndim} dimensions, not 2; pass one row per item and one column per annotator, or a "
            "DataFrame with the columns item, annotator and label"
        )
    _refuse_unnamed_long(table)
    codes, classes = _encode(table.ravel())
    items = labels.index.to_numpy() if hasattr(labels, "index") and names else np.arange(len(table))
    annotators = np.array(names or range(table.shape[1]))
    return EncodedLabels(codes.reshape(table.shape), classes, items, annotators)


def _encode(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return values as positions in a sorted list of them, -1 for None and NaN."""
    codes, different = pd.factorize(values, sort=True)
    return codes, pd.Series(different).infer_objects().to_numpy()


def _read_long(item: np.ndarray, annotator: np.ndarray, label: np.ndarray) -> EncodedLabels:
    """Return the labels of a long form; a row without a label says that the item has none of this annotator."""
    item_codes, items = _encode(item)
    annotator_codes, annotators = _encode(annotator)
    n_unknown = np.count_nonzero((item_codes < 0) | (annotator_codes < 0))
    if n_unknown:
        raise ValueError(
            f"{n_unknown} of {len(item)} rows have no item or no annotator; fill them in or leave them out"
        )
    places = pd.Series(item_codes * max(1, len(annotators)) + annotator_codes)
    twice = places.duplicated(keep=False).to_numpy()
    if twice.any():
        row = int(np.flatnonzero(twice)[0])
        raise ValueError(
            f"{np.count_nonzero(twice)} of {len(item)} rows are of an item that the same annotator labelled more than "
            f"once, the first of item {item[row]!r} by {annotator[row]!r}; keep one of each, e.g. by "
            "drop_duplicates(['item', 'annotator'], keep='last')"
        )
    codes, classes = _encode(label)
    table = np.full((len(items), len(annotators)), -1)
    table[item_codes, annotator_codes] = codes
    return EncodedLabels(table, classes, items, annotators)


def _refuse_mixed_columns(names: list[str]) -> None:
    """Refuse a table of which some columns are not annotators, such as what a session exports."""
    others = [name for name in names if name.lower().removesuffix("_id") in _NOT_ANNOTATORS]
    if not others:
        return
    remedy = "name its columns item, annotator and label"
    if {"item", "annotator", "kind", "value"} <= set(names):
        remedy = "pass frame[frame['kind'] == 'label'].rename(columns={'value': 'label'})"
    raise ValueError(
        f"labels has columns {names}, and {others[0]!r} is probably no annotator; where there is one row per label, "
        f"{remedy}; where there is one row per item, make the items the index and the annotators the columns"
    )


def _refuse_unnamed_long(table: np.ndarray) -> None:
    """Refuse full columns that are probably items, annotators and labels, not several people's labels."""
    n_rows, n_columns = table.shape
    if not _LEAST_LONG <= n_columns <= _MOST_LONG or n_rows < _LEAST_LONG or pd.isna(table).any():
        return
    values = [set(column) for column in table.T]
    # annotators who label three items or more would have to choose from classes of their own each
    found = "share no value"
    if len(set.union(*values)) < sum(map(len, values)):
        if n_rows < _N_TO_TELL or not _name_each_pair_once(table, [len(value) for value in values]):
            return
        found = "hold few labels beside two columns that name each pair once"
    columns = "three columns" if n_columns == _LEAST_LONG else f"{n_columns} columns"
    raise ValueError(
        f"the {columns} of {n_rows} labels {found}, so they are probably item, annotator and label, "
        "not annotators; pass a DataFrame with columns of these names, or one column per annotator"
    )


def _name_each_pair_once(table: np.ndarray, n_values: list[int]) -> bool:
    """Return whether two columns look like items and annotators given as numbers, and a third one like labels.

    No pair of theirs occurs twice, although each of them repeats itself, and a third column holds far fewer values. Two
    annotators who agree on one class twice are not like that.
    """
    n_rows, n_columns = table.shape
    codes = np.stack([pd.factorize(column)[0] for column in table.T])
    repeats = [column for column in range(n_columns) if n_values[column] < n_rows]
    for first, second in combinations(repeats, 2):
        others = [n for column, n in enumerate(n_values) if column not in (first, second)]
        pairs = codes[first] * n_rows + codes[second]
        if 3 * min(others) <= max(n_values[first], n_values[second]) and len(np.unique(pairs)) == n_rows:
            return True
    return False
