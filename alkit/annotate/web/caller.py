"""Who sends a request, and what it holds."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from alkit._optional import needs_extra
from alkit.annotate.database.tokens import holder

with needs_extra("annotate", "the labelling page"):
    from starlette.exceptions import HTTPException
    from starlette.requests import Request

if TYPE_CHECKING:
    from alkit.annotate.session import LabelingSession


class Caller:
    """Who sends a request: an annotator by name, or the owner.

    Parameters
    ----------
    request : Request

    Raises
    ------
    HTTPException
        If it has no valid token.
    """

    def __init__(self, request: Request):
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            token = request.query_params.get("token", "")
        self.session: LabelingSession = request.app.state.session
        row = holder(self.session.store, token)
        if row is None:
            raise HTTPException(401, "no valid token; open the address you were given")
        self.name: str | None = row["name"]

    def annotator(self) -> str:
        """Return the annotator's name, or refuse the owner.

        Returns
        -------
        str
        """
        if self.name is None:
            raise HTTPException(403, "the owner's token is for reading and deciding; label with an annotator's")
        return self.name

    def owner(self) -> LabelingSession:
        """Return the session, or refuse an annotator.

        Returns
        -------
        LabelingSession
        """
        if self.name is not None:
            raise HTTPException(403, "this is for the owner; use the address that alkit label printed for the owner")
        return self.session


async def read_body(request: Request, limit: int) -> bytes:
    """Return the body of a request, or refuse one that is too long.

    Parameters
    ----------
    request : Request
    limit : int
        Bytes that it may have.

    Returns
    -------
    bytes

    Raises
    ------
    HTTPException
        If it has more.
    """
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit:
            raise HTTPException(413, f"the body may have {limit} bytes")
    return bytes(body)


def as_json(body: bytes) -> Any:
    """Return what a body holds, or refuse what is no JSON.

    Parameters
    ----------
    body : bytes

    Returns
    -------
    object of plain JSON types

    Raises
    ------
    HTTPException
    """
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise HTTPException(400, f"the body is not JSON: {error}") from error


def wanted_page(request: Request) -> dict[str, Any]:
    """Return which page of answers is asked for: the parameters of a query that are given.

    Parameters
    ----------
    request : Request

    Returns
    -------
    dict

    Raises
    ------
    HTTPException
        If one that is a whole number is none.
    """
    given = request.query_params
    whole = {name: _whole(name, given[name]) for name in ("before", "limit") if given.get(name)}
    return whole | {name: given[name] for name in ("search", "only", "value") if given.get(name)}


def _whole(name: str, given: str) -> int:
    if not (given.isascii() and given.isdigit() and len(given) < 19):
        raise HTTPException(400, f"{name} is {given[:50]!r}; it must be a whole number")
    return int(given)
