"""Tokens, by which the server knows who sends a request; only their hashes are kept."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import sqlite3
from collections.abc import Collection

from alkit.annotate.database.store import LabelStore


def new_token(store: LabelStore, annotator: str | None) -> str:
    """Return a new token; those given out earlier stay valid.

    Parameters
    ----------
    store : LabelStore
    annotator : str or None
        None is the owner, who sees all labels and gives none.

    Returns
    -------
    str
    """
    token = secrets.token_urlsafe(32)
    with store.transaction() as db:
        db.execute("INSERT INTO annotator VALUES (?, ?)", (_hash(token), annotator))
    return token


def remove_tokens(store: LabelStore, *, keep: Collection[str] = ()) -> None:
    """Make tokens invalid that were given out so far.

    Parameters
    ----------
    store : LabelStore
    keep : collection of str
        Annotators whose tokens stay valid; where there are any, the owner's do, too.
    """
    with store.transaction() as db:
        if not keep:
            db.execute("DELETE FROM annotator")
        for row in db.execute("SELECT DISTINCT name FROM annotator WHERE name IS NOT NULL").fetchall():
            if row["name"] not in keep:
                db.execute("DELETE FROM annotator WHERE name = ?", (row["name"],))


def holder(store: LabelStore, token: str) -> sqlite3.Row | None:
    """Return whose token it is, by a comparison whose time does not reveal how much of the token is right.

    Parameters
    ----------
    store : LabelStore
    token : str

    Returns
    -------
    Row of table ``annotator``, or None if it is nobody's
    """
    token_hash = _hash(token)
    matching = None
    for row in store.query("SELECT token_hash, name FROM annotator"):
        if hmac.compare_digest(row["token_hash"], token_hash):
            matching = row  # the loop goes on: stopping here would make the time depend on the row
    return matching


def _hash(token: str) -> str:
    """Return the hash of a token; a fast hash will do, because a token has 256 random bits."""
    return hashlib.sha256(token.encode()).hexdigest()
