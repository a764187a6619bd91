"""Files of items whose answer is known, by which people are tested."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from alkit.annotate.database.gold import put_gold
from alkit.annotate.database.store import LabelStore
from alkit.annotate.formats.columns import column_names
from alkit.annotate.formats.foreign import Asked, read_foreign
from alkit.annotate.formats.importing import sort_records
from alkit.annotate.formats.matching import Matcher

_OF_A_KNOWN_ANSWER = ("item", "text", "image", "kind", "value", "place")


def take_gold(store: LabelStore, path: Path, columns: Mapping[str, str | None]) -> list[str]:
    """Make the items of a file gold, all that can be taken, in place of those that are.

    Parameters
    ----------
    store : LabelStore
    path : Path
        A table of items (by id, text or picture) and labels; see `read_columns`.
    columns : mapping of str to str or None
        What columns are called in the project's data: so they are in the file, or else as in alkit's exports.

    Returns
    -------
    list of str
        What is to be said of it.

    Raises
    ------
    ValueError
        If it cannot be read, or nothing of it can be taken; the items that are gold stay so.
    """
    classes = store.meta("classes", [])
    asked = Asked(columns=_found(path, columns))
    records = [{name: record.get(name) for name in _OF_A_KNOWN_ANSWER} for record in read_foreign(path, asked, classes)]
    for record in records:
        if record["kind"] != "label":
            record["kind"] = None  # whoever skipped an item did not know the answer
    taken = sort_records(store, Matcher(store), records, classes)
    keys = {row["id"]: row["key"] for row in store.query("SELECT id, key FROM item")}
    gold = {keys[one.item]: store.kind.read(str(one.value)) for one in taken.answers.values()}
    said = taken.lines_of_left_out("start again")
    if not gold:
        raise ValueError(f"{path} holds no known answer for this project. {'. '.join(said) or 'It holds no records'}")
    put_gold(store, gold)
    return [f"{path}: the answer to {len(gold)} items is known, of {len(records)} records", *said]


def _found(path: Path, columns: Mapping[str, str | None]) -> dict[str, str | None]:
    """Return those of the project's columns that a file has."""
    names = column_names(path)
    return {name: column for name, column in columns.items() if column in names}
