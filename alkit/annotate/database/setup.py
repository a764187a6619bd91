"""Preparing a database for a session: a new one is filled, an old one takes over how the data has changed."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from alkit.annotate.database.answers import count_classes
from alkit.annotate.database.class_names import present_name_of_old
from alkit.annotate.database.growth import take_over
from alkit.annotate.database.pictures import put_pictures
from alkit.annotate.database.store import LabelStore
from alkit.annotate.items import Changes, Items, compare, difference

ASSIGN = ("anyone", "expertise")
_READ_AS_MISSING = ("", "NA", "N/A", "n/a", "#N/A", "<NA>", "NaN", "nan", "null", "NULL", "None")
_ITEMS_OF_DATA = "SELECT key, content FROM item WHERE position >= 0 ORDER BY position"


def check_settings(classes: Sequence[str], *, shares: Mapping[str, float], seconds: Mapping[str, float]) -> None:
    """Refuse settings that make no session; they are those of `LabelingSession`.

    Parameters
    ----------
    classes : sequence of str
    shares, seconds : mapping of str to float
        By the parameter's name.

    Raises
    ------
    ValueError
    """
    check_names(classes)
    for name, share in shares.items():
        if not 0 <= share <= 1:
            raise ValueError(f"{name}={share}; it must be between 0 and 1")
    for name, duration in seconds.items():
        if not 0 < duration < float("inf"):
            raise ValueError(f"{name}={duration}; it must be a positive number of seconds")


def check_names(classes: Sequence[str]) -> None:
    """Refuse classes that people could not choose between.

    Parameters
    ----------
    classes : sequence of str

    Raises
    ------
    ValueError
    """
    names = all(isinstance(name, str) and name.strip() for name in classes)
    if not names or len(set(classes)) != len(classes) or len(classes) < 2:
        raise ValueError(f"classes are {list(classes)}; pass two or more different names")


def as_range(overlap: Any) -> tuple[int, int]:
    """Return how many annotators label each item, and how many at most, or refuse what says neither.

    Parameters
    ----------
    overlap : int or (int, int)

    Returns
    -------
    (int, int)

    Raises
    ------
    ValueError

    Examples
    --------
    >>> from alkit.annotate.database.setup import as_range
    >>> as_range(2), as_range((1, 3))
    ((2, 2), (1, 3))
    """
    ends = overlap if isinstance(overlap, tuple | list) else (overlap, overlap)
    are_whole = all(isinstance(end, int) and not isinstance(end, bool) for end in ends)
    if len(ends) != 2 or not are_whole or not 1 <= ends[0] <= ends[1]:
        raise ValueError(f"overlap={overlap!r}; it must be an integer of at least 1, or a range such as (1, 3)")
    return ends[0], ends[1]


def check_asking(assign: str, overlap: tuple[int, int], *, has_learner: bool, multi: bool = False) -> None:
    """Refuse to choose whom to ask, or how often, without a model to choose by.

    Parameters
    ----------
    assign : str
    overlap : (int, int)
        As of `as_range`.
    has_learner : bool
    multi : bool, default=False
        Whether items may have several labels.

    Raises
    ------
    ValueError
    """
    if assign not in ASSIGN:
        raise ValueError(f"assign={assign!r}; choose one of {', '.join(ASSIGN)}")
    needs_model = assign != "anyone" or overlap[0] < overlap[1]
    if needs_model and multi:
        raise ValueError(
            f"assign={assign!r} and overlap={overlap} go by how people mix classes up, which is not estimated of "
            "several labels per item; pass assign='anyone' and one number as overlap"
        )
    if needs_model and not has_learner:
        raise ValueError(
            f"assign={assign!r} and overlap={overlap} are decided by what the model predicts; pass a learner, or "
            "assign='anyone' and one number as overlap"
        )


def is_empty(store: LabelStore) -> bool:
    """Return whether a database holds no items yet.

    Parameters
    ----------
    store : LabelStore

    Returns
    -------
    bool
    """
    return store.meta("fingerprint") is None


def prepare(
    store: LabelStore,
    items: Items,
    classes: Sequence[str],
    overlap: tuple[int, int],
    rng: np.random.Generator,
    *,
    accept_changes: bool,
    multi: bool = False,
) -> Changes | None:
    """Fill an empty database, or take over how the items of a filled one have changed.

    New items and another order are taken over at once, changed contents and items that are gone on request only.

    Parameters
    ----------
    store : LabelStore
    items : Items
    classes : sequence of str
        Those that were renamed by their earlier names, or the present ones.
    overlap : (int, int)
        How many annotators are to label each item, and at most; may differ from session to session.
    rng : Generator
        Draws the random order of new items.
    accept_changes : bool
        Whether contents may have changed, and items be gone.
    multi : bool, default=False
        Whether items may have several labels; the same from the beginning.

    Returns
    -------
    Changes or None
        None where the database was empty, or nothing changed.

    Raises
    ------
    ValueError
        If the database was made for other items or the other kind of labels, or holds labels of other classes.
    """
    contents = list(zip(items.ids, items.contents(), strict=True))
    fingerprint = _fingerprint(contents)
    least, most = overlap
    changes = None
    if is_empty(store):
        store.put_meta(multi=multi)
        order = rng.permutation(len(contents)).tolist()
        shuffled = [(contents[i][0], i, contents[i][1]) for i in order]
        store.add_items(shuffled, least, fingerprint)
    else:
        check_kind(store, multi=multi)
    if store.meta("fingerprint") != fingerprint:
        _take_over_numbers(store, contents)
        changes = _checked_changes(store, contents, accept_changes=accept_changes)
        take_over(store, contents, changes, fingerprint, rng)
    classes = present_classes(store, classes)
    _check_classes(store, classes)
    store.put_meta(classes=classes)
    if items.source is not None:
        store.put_meta(data=os.path.realpath(items.source))
    put_pictures(store, dict(zip(items.ids, items.image or (), strict=False)))  # none, or all of them
    if (store.meta("overlap"), store.meta("most", store.meta("overlap"))) != overlap:
        store.set_overlap(least)
    store.put_meta(most=most)
    return changes if changes and any(changes) else None


def check_kind(store: LabelStore, *, multi: bool) -> None:
    """Refuse to go on with another kind of labels.

    Parameters
    ----------
    store : LabelStore
    multi : bool
        Whether an item may have several.

    Raises
    ------
    ValueError
    """
    if store.kind.several == multi:
        return
    kinds = {False: "one class per item", True: "several labels per item"}
    remedy = "leave --multi out (multi=False)" if multi else "add --multi (multi=True)"
    raise ValueError(
        f"{store.path} was made for {kinds[not multi]}, which cannot change to {kinds[multi]}: {remedy}, or pass "
        "another database"
    )


def fingerprint_of(items: Items) -> str:
    """Return a hash of all items, by which a later session knows them.

    Parameters
    ----------
    items : Items

    Returns
    -------
    str
    """
    return _fingerprint(list(zip(items.ids, items.contents(), strict=True)))


def _fingerprint(contents: Sequence[tuple[str, str]]) -> str:
    return hashlib.sha256(json.dumps(contents).encode()).hexdigest()


def _take_over_numbers(store: LabelStore, contents: Sequence[tuple[str, str]]) -> None:
    """Give items of a database made by 0.1.0, which read the cells of a table as numbers, the text of the file."""
    stored = {row["key"]: row["content"] for row in store.query("SELECT key, content FROM item")}
    same = [(new, key) for key, new in contents if key in stored and _is_as_parsed(stored[key], new)]
    with store.transaction() as db:
        db.executemany("UPDATE item SET content = ? WHERE key = ?", same)


def _is_as_parsed(stored: str, written: str) -> bool:
    """Return whether 0.1.0 made one content of a row of a table, and today's reading the other."""
    if stored == written:
        return False
    old, new = json.loads(stored), json.loads(written)
    old_row, new_row = old.pop("row", None) or {}, new.pop("row", None) or {}
    if old != new or old_row.keys() != new_row.keys():
        return False
    return all(_is_cell_as_parsed(old_row[column], new_row[column]) for column in new_row)


def _is_cell_as_parsed(old: Any, text: Any) -> bool:
    if isinstance(old, str) or not isinstance(text, str):
        return bool(old == text)
    if old is None:
        return text in _READ_AS_MISSING
    try:
        return float(text) == old
    except ValueError:  # True and False were read as such
        return text.lower() == str(old).lower()


def _checked_changes(store: LabelStore, contents: Sequence[tuple[str, str]], *, accept_changes: bool) -> Changes:
    """Return how items differ from those of the database, unless that has to be accepted and was not."""
    stored = {row["key"]: row["content"] for row in store.query(_ITEMS_OF_DATA)}
    changes = compare(list(stored.items()), contents)
    # an item that comes back may have changed while it was gone
    earlier = {row["key"]: row["content"] for row in store.query("SELECT key, content FROM item WHERE position < 0")}
    returned = [key for key, content in contents if key in earlier and earlier[key] != content]
    changes = changes._replace(changed=changes.changed + returned)
    if len(changes.gone) == len(stored) and stored:
        remedy = "none of them is left, so it is no later state of the same data: pass another database"
    elif accept_changes or not (changes.changed or changes.gone):
        return changes
    else:
        remedy = (
            "restore the data, pass another database, or take the changes over by --accept-changes "
            "(accept_changes=True): all labels stay, those of changed items are marked as given to the earlier text, "
            "and items that are gone are asked about no more"
        )
    now, was = dict(contents), stored | {key: earlier[key] for key in returned}
    compared = list(contents)
    if all(key in now for key in was):  # then those that are new are no reason to refuse
        compared = [(key, now[key]) for key in was]
    first = difference(list(was.items()), compared)
    raise ValueError(f"{store.path} was made for other items: {first}. In all: {changes}; {remedy}")


def present_classes(store: LabelStore, classes: Sequence[str]) -> list[str]:
    """Return classes by their present names, with those that were added or renamed and are not mentioned.

    Parameters
    ----------
    store : LabelStore
    classes : sequence of str

    Returns
    -------
    list of str
    """
    changes, known = store.class_changes(), store.meta("classes", [])
    given = [name if name in known else present_name_of_old(changes, name) for name in classes]
    made = {change.present for change in changes}
    return list(dict.fromkeys([*given, *(name for name in known if name in made)]))


def _check_classes(store: LabelStore, classes: Sequence[str]) -> None:
    """Refuse classes that lack one which labels were given of."""
    missing = sorted(count_classes(store).keys() - set(classes))
    if missing:
        raise ValueError(
            f"{store.path} holds labels {missing}, which are not among the classes {list(classes)}; add them, or pass "
            "another database"
        )
