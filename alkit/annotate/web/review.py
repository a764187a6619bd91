"""The owner's requests: how a team labels, what people disagree on, and decisions."""

from __future__ import annotations

from alkit._optional import needs_extra
from alkit.annotate.web.caller import Caller, as_json, read_body, wanted_page

with needs_extra("annotate", "the labelling page"):
    from starlette.concurrency import run_in_threadpool
    from starlette.requests import Request
    from starlette.responses import JSONResponse, Response
    from starlette.routing import Route

_MAX_BODY = 65_536  # bytes of a request that sends a decision


def _team(request: Request) -> Response:
    return JSONResponse(Caller(request).owner().team())


def _items(request: Request) -> Response:
    return JSONResponse(Caller(request).owner().review(**wanted_page(request)))


async def _decisions(request: Request) -> Response:
    return await run_in_threadpool(_decide, request, await read_body(request, _MAX_BODY))


def _decide(request: Request, body: bytes) -> Response:
    session = Caller(request).owner()
    return JSONResponse(session.decide(as_json(body)))


ROUTES = (
    Route("/api/review/team", _team),
    Route("/api/review/items", _items),
    Route("/api/review/decisions", _decisions, methods=["POST"]),
)
