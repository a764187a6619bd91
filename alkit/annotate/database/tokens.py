"""Tokens: who is let in; only their hashes are kept."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import sqlite3

from alkit.annotate.database.store import LabelStore


def new_token(store: LabelStore, annotator: str | None) -> str:
    """Return a new token, beside those given out earlier.

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


def remove_tokens(store: LabelStore) -> None:
    """Lock everybody out.

    Parameters
    ----------
    store : LabelStore
    """
    with store.transaction() as db:
        db.execute("DELETE FROM annotator")


def holder(store: LabelStore, token: str) -> sqlite3.Row | None:
    """Return whose token it is, in a time that does not tell how much of it is right.

    Parameters
    ----------
    store : LabelStore
    token : str

    Returns
    -------
    Row of table ``annotator``, or None if it is nobody's
    """
    asked, found = _hash(token), None
    for known in store.query("SELECT token_hash, name FROM annotator"):
        if hmac.compare_digest(known["token_hash"], asked):
            found = known
    return found


def _hash(token: str) -> str:
    """One round of a fast hash is enough: a token has 256 random bits."""
    return hashlib.sha256(token.encode()).hexdigest()
