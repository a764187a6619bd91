"""The command ``alkit classes``: list the classes of a database, add some, rename or merge them."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from alkit.annotate.database.answers import count_classes
from alkit.annotate.database.classes import add_class, changing, merge_classes, rename_class
from alkit.annotate.database.complete import reading
from alkit.annotate.database.places import Place, as_place
from alkit.annotate.database.store import LabelStore

_EXAMPLES = """examples:
  alkit classes labels.db
  alkit classes labels.db add eggs
  alkit classes labels.db rename spam junk
  alkit classes labels.db merge prize offer into advertisement
"""


def add_classes_command(commands: Any) -> None:
    """Add the command to those of ``alkit``.

    Parameters
    ----------
    commands : object of ``ArgumentParser.add_subparsers``
    """
    parser = commands.add_parser(
        "classes", help="list, add, rename or merge classes, also while a server labels", epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("database", type=place, metavar="PROJECT.db", help="a file, or postgresql://...")
    parser.add_argument("change", nargs="?", choices=("add", "rename", "merge"))
    parser.add_argument("names", nargs="*", metavar="NAME", help="add NAME...; rename OLD NEW; merge OLD... into NEW")
    parser.set_defaults(run=_run)


def place(given: str) -> Place:
    """Return the database that an argument names; what is wrong with an address is said without its password.

    Parameters
    ----------
    given : str

    Returns
    -------
    Path or PostgresUrl
    """
    try:
        return as_place(given)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _run(chosen: argparse.Namespace) -> None:
    if chosen.change is not None:
        with changing(chosen.database) as store:
            _change(store, chosen.change, [_checked(name) for name in chosen.names])
    with reading(chosen.database) as store:
        encoding = sys.stdout.encoding or "utf-8"
        print(listing(store).encode(encoding, "backslashreplace").decode(encoding))


def _checked(name: str) -> str:
    """Return a name without spaces around it, or refuse what could not be kept."""
    if any("\ud800" <= letter <= "\udfff" for letter in name):
        raise ValueError(f"{name!r} is not written in the encoding of this terminal")
    return name.strip()


def _change(store: LabelStore, change: str, names: Sequence[str]) -> None:
    match change, list(names):
        case "add", [_, *_]:
            for name in names:
                add_class(store, name)
        case "rename", [old, new]:
            rename_class(store, old, new)
        case "merge", [*merged, word, into] if merged and word.lower() == "into":
            merge_classes(store, merged, into)
        case _:
            usage = {"add": "add NAME", "rename": "rename OLD NEW", "merge": "merge OLD OTHER into NEW"}[change]
            raise ValueError(f"'{change}' does not take {list(names)}; write: alkit classes {store.path} {usage}")


def listing(store: LabelStore) -> str:
    """Return the classes of a database with the number of their labels, and how they have changed.

    Parameters
    ----------
    store : LabelStore

    Returns
    -------
    str
    """
    counts = count_classes(store)
    classes = store.meta("classes", [])
    width = max(map(len, classes))
    lines = [f"{name:<{width}}  {counts.get(name, 0):>6} labels" for name in classes]
    changes = store.class_changes()
    if changes:
        lines += ["", "changes, the latest last; labels keep what was clicked:"]
    words = {"add": "added {0}", "rename": "{0} is now {1}", "merge": "{0} was merged into {1}"}
    for change in changes:
        when = datetime.fromtimestamp(change.recorded).isoformat(" ", "minutes")
        lines.append(f"{when}  {words[change.kind].format(change.name, change.present)}")
    return "\n".join(lines)
