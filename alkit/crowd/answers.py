"""What people answered, as people have it: a table of one row per item, or in long form one row per answer."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from sklearn.utils import assert_all_finite

_LONG = (("item", "annotator", "label"), ("task", "worker", "label"))  # the latter are crowd-kit's names
_LEAST_LONG, _MOST_LONG = 3, 5  # columns of a long form whose columns have other names, or none
_N_TO_TELL = 20  # rows from which on numbers of items and annotators can be told from labels
_NOT_ANNOTATORS = {"item", "task", "annotator", "worker", "label"}


class Answers(NamedTuple):
    """Answers one by one, M of them, so that those nobody gave take no memory.

    Attributes
    ----------
    item, annotator, label : int arrays (M,)
        Positions in `items`, `annotators` and `classes`; sorted by item, then by annotator.
    classes : array (C,)
    items : array (N,)
    annotators : array (A,)
    """

    item: np.ndarray
    annotator: np.ndarray
    label: np.ndarray
    classes: np.ndarray
    items: np.ndarray
    annotators: np.ndarray

    def sum_by_item(self, values_M_C: np.ndarray) -> np.ndarray:
        """Add up the rows of values that belong to the same item, (M, C) -> (N, C)."""
        columns = [np.bincount(self.item, column, len(self.items)) for column in values_M_C.T]
        return np.stack(columns, axis=1)

    def votes(self) -> np.ndarray:
        """Return how many people gave each item each label, int array (N, C)."""
        shape = len(self.items), len(self.classes)
        cells = self.item * shape[1] + self.label
        return np.bincount(cells, minlength=shape[0] * shape[1]).reshape(shape)

    def vote_shares(self) -> np.ndarray:
        """Return the share of each class in an item's answers, (N, C), refusing items without any."""
        self.refuse_unlabelled()
        votes_N_C = self.votes()
        return votes_N_C / votes_N_C.sum(1, keepdims=True)

    def refuse_unlabelled(self) -> None:
        """Refuse items that nobody answered."""
        unlabelled = np.flatnonzero(np.bincount(self.item, minlength=len(self.items)) == 0)
        if unlabelled.size or not len(self.items):
            raise ValueError(
                f"{unlabelled.size} of {len(self.items)} items have no label (rows {unlabelled[:3].tolist()} first); "
                "pass items that have one"
            )


def read_answers(labels: Any, classes: Any = None) -> Answers:
    """Return answers as positions in lists of items, annotators and classes.

    Parameters
    ----------
    labels : array (N, A) or DataFrame
        One row per item and one column per annotator; None or NaN: not asked. Or a DataFrame in long form with one row
        per answer, and columns ``item``, ``annotator`` and ``label`` (or ``task``, ``worker`` and ``label``); other
        columns are left out of account.
    classes : array-like (C,), optional
        All labels there may be; by default those that were given.

    Returns
    -------
    Answers
        Classes are sorted. Items and annotators of a long form are sorted; of an array they are numbered.

    Raises
    ------
    ValueError
        If `labels` is not two-dimensional, if an annotator gave an item two labels, if it is a long form of columns
        that are not named as above, or if a label is none of `classes`.

    Examples
    --------
    >>> import pandas as pd
    >>> from alkit.crowd.answers import read_answers
    >>> long = pd.DataFrame({"item": [7, 7, 9], "annotator": ["ann", "bob", "bob"], "label": ["spam", "ham", "ham"]})
    >>> answers = read_answers(long)
    >>> answers.item, answers.annotator, answers.classes[answers.label].tolist()
    (array([0, 0, 1]), array([0, 1, 1]), ['spam', 'ham', 'ham'])
    """
    names = _column_names(labels)
    for columns in _LONG:
        if set(columns) <= set(names):
            item, annotator, label = (np.asarray(labels[name], dtype=object) for name in columns)
            return _read_long(item, annotator, label, classes)
    _refuse_mixed_columns(names)
    table = _as_table(labels)
    if table.ndim != 2:
        raise ValueError(
            f"labels has {table.ndim} dimensions, not 2; pass one row per item and one column per annotator, or a "
            "DataFrame with the columns item, annotator and label"
        )
    given = ~pd.isna(table)
    _refuse_unnamed_long(table, given)
    rows, people = np.nonzero(given)
    codes, known = _encoded_labels(table[rows, people], classes)
    items = labels.index.to_numpy() if hasattr(labels, "index") and names else np.arange(len(table))
    return Answers(rows, people, codes, known, items, np.array(names or range(table.shape[1])))


def is_long(labels: Any) -> bool:
    """Tell whether labels are a long form: one row per answer."""
    names = _column_names(labels)
    return any(set(columns) <= set(names) for columns in _LONG)


def _column_names(labels: Any) -> list[str]:
    """Return the names of the columns of a DataFrame; of an array, none."""
    # the columns of a pyarrow table are their values, not their names
    return [str(name) for name in getattr(labels, "column_names", getattr(labels, "columns", ()))]


def _as_table(labels: Any) -> np.ndarray:
    """Return a table of numbers as it is, any other as objects."""
    if isinstance(labels, np.ndarray) and labels.dtype.kind in "biuf":
        return labels
    # without dtype, NaN among strings becomes the string "nan"
    return np.asarray(labels, dtype=object)


def _encode(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return values as positions in a sorted list of them, -1 for None and NaN."""
    codes, different = pd.factorize(values, sort=True)
    return codes, pd.Series(different).infer_objects().to_numpy()


def _encoded_labels(values: np.ndarray, classes: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return labels that were given as positions in `classes`, and the classes, sorted."""
    codes, found = _encode(values)
    assert_all_finite(found, input_name="y")
    if found.dtype.kind == "f" and (found == np.floor(found)).all():
        # NaN, for "not asked", makes floats of numbered classes
        found = found.astype(int)
    if classes is None:
        return codes, found
    known = np.unique(np.asarray(classes))
    others = found[~np.isin(found, known)]
    if others.size:
        raise ValueError(
            f"{others.size} labels are none of the {len(known)} classes, the first is {others.tolist()[0]!r}; classes "
            f"are {known.tolist()[:10]}: add it to classes, or leave the answer out"
        )
    return np.searchsorted(known, found)[codes], known


def _read_long(item: np.ndarray, annotator: np.ndarray, label: np.ndarray, classes: Any) -> Answers:
    """Return the answers of a long form; a row without a label says that the item has none of this annotator."""
    item_codes, items = _encode(item)
    annotator_codes, annotators = _encode(annotator)
    n_unknown = np.count_nonzero((item_codes < 0) | (annotator_codes < 0))
    if n_unknown:
        raise ValueError(
            f"{n_unknown} of {len(item)} rows have no item or no annotator; fill them in or leave them out"
        )
    places = item_codes.astype(np.int64) * max(1, len(annotators)) + annotator_codes
    twice = pd.Series(places).duplicated(keep=False).to_numpy()
    if twice.any():
        row = int(np.flatnonzero(twice)[0])
        raise ValueError(
            f"{np.count_nonzero(twice)} of {len(item)} rows are of an item that the same annotator labelled more than "
            f"once, the first of item {item[row]!r} by {annotator[row]!r}; keep one of each, e.g. by "
            "drop_duplicates(['item', 'annotator'], keep='last')"
        )
    order = np.argsort(places, kind="stable")
    order = order[~pd.isna(label[order])]
    codes, known = _encoded_labels(label[order], classes)
    return Answers(item_codes[order], annotator_codes[order], codes, known, items, annotators)


def _refuse_mixed_columns(names: Sequence[str]) -> None:
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


def _refuse_unnamed_long(table: np.ndarray, given: np.ndarray) -> None:
    """Refuse full columns that are probably items, annotators and labels, not several people's labels."""
    n_rows, n_columns = table.shape
    if not _LEAST_LONG <= n_columns <= _MOST_LONG or n_rows < _LEAST_LONG or not given.all():
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
