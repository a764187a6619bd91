"""What a kind of database does its own way: SQLite in one file, and PostgreSQL, which several servers share."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any, Literal, Protocol

Kind = Literal["DEFERRED", "CONCURRENT", "IMMEDIATE", "EXCLUSIVE"]
"""How a transaction goes with those of others.

"DEFERRED" reads several things as of the same moment; "CONCURRENT" hands out items beside others who record or do the
same; "IMMEDIATE" is the only one that records; beside "EXCLUSIVE" nobody records or hands out anything. SQLite has one
writer at a time, so there the last three are the same.
"""

Lock = Literal["prepare", "session", "train"]
"""What a process holds a lock for: to fill the tables, to be at work alone, to be the one that trains."""

Parameters = Sequence[Any] | Mapping[str, Any]


class Engine(Protocol):
    """Connections to a database of one kind, and what it reports.

    Statements are written once, in the SQL that both kinds understand, with ``?`` or ``:name`` for parameters.
    """

    is_shared: bool
    """Whether other servers may be at work on the database."""

    skip_locked: str
    """What a statement that finds an item ends with, to pass over those that others are just being given."""

    n_fresh: str
    """The statement that counts the items which need a label and have none."""

    is_first: bool
    """Whether no session was at work on it when this one was opened."""

    @property
    def errors(self) -> type[Exception]:
        """What its connections raise."""

    @property
    def writer(self) -> sqlite3.Connection:
        """The connection of transactions; PostgreSQL's has the same methods."""

    def begin(self, kind: Kind) -> None:
        """Begin a transaction."""

    def commit(self) -> None:
        """End it; what it wrote is on disk then."""

    def roll_back(self) -> None:
        """End it, if there is one, as if it had not been."""

    def read(self, sql: str, parameters: Parameters) -> list[sqlite3.Row]:
        """Return what a statement selects, outside of transactions; errors are translated."""

    def translated(self, error: Exception) -> Exception:
        """Return what an error means for somebody who labels, other errors unchanged."""

    def try_lock(self, lock: Lock) -> bool:
        """Take a lock until the database is closed, if nobody else holds it; of a file, a session holds all."""

    def keep_model(self, content: bytes | None) -> None:
        """Keep a fitted model in place of the last one, or none."""

    def kept_model(self) -> bytes | None:
        """Return what was kept."""

    def copy_to(self, other: sqlite3.Connection) -> None:
        """Copy everything as of one moment into an empty file of SQLite; errors are translated."""

    def close(self) -> None:
        """Close the connections."""
