"""The HTTP server of a labelling session: one token per annotator; a label is on disk when it is acknowledged."""

from __future__ import annotations

import errno
import json
import os
import socket
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from importlib import resources
from itertools import islice
from pathlib import Path
from typing import Any

from alkit._optional import needs_extra
from alkit.annotate.database.events import Conflict, UnknownItem
from alkit.annotate.items import picture_type
from alkit.annotate.session import LabelingSession
from alkit.annotate.web.caller import Caller, as_json, read_body, wanted_page
from alkit.annotate.web.connections import Server
from alkit.annotate.web.review import ROUTES

with needs_extra("annotate", "the labelling page"):
    from starlette.applications import Starlette
    from starlette.concurrency import run_in_threadpool
    from starlette.exceptions import HTTPException
    from starlette.middleware import Middleware
    from starlette.middleware.trustedhost import TrustedHostMiddleware
    from starlette.requests import ClientDisconnect, Request
    from starlette.responses import FileResponse, JSONResponse, Response, StreamingResponse
    from starlette.routing import BaseRoute, Mount, Route
    from starlette.staticfiles import StaticFiles
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

STATIC = Path(str(resources.files("alkit.annotate.web"))) / "static"
_LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
_MAX_BODY = 65_536  # bytes of a request that sends an event
_LINES_AT_ONCE = 500  # of an export
_MAX_HAVE = 200  # items that a page may say it has; undo brings back a hundred
_HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' blob:; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",  # the address of the page holds a token
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}


def make_app(session: LabelingSession, hosts: Sequence[str] = ()) -> Starlette:
    """Return the web application of a session.

    Parameters
    ----------
    session : LabelingSession
    hosts : sequence of str
        Names and addresses of this server, beside those of the loopback. Requests for others are refused, because a
        foreign page could otherwise rebind its own name to this address and read the answers (DNS rebinding).

    Returns
    -------
    Starlette
    """
    routes = [
        Route("/", _index),
        Route("/review", _index),  # the same page, as its owner sees it
        Route("/health", _health),
        Route("/api/next", _next),
        Route("/api/renew", _renew, methods=["POST"]),
        Route("/api/events", _events, methods=["POST"]),
        Route("/api/answers", _answers),
        Route("/api/progress", _progress),
        Route("/api/guidelines", _guidelines),
        Route("/api/export", _export),
        Route("/api/image/{item:path}", _image),
        *ROUTES,
        Mount("/static", StaticFiles(directory=STATIC, check_dir=False)),
    ]
    return web_app(routes, session, hosts)


def web_app(routes: Sequence[BaseRoute], session: LabelingSession, hosts: Sequence[str]) -> Starlette:
    """Return a web application whose requests are checked, and whose errors are told.

    Parameters
    ----------
    routes : sequence of BaseRoute
    session : LabelingSession
    hosts : sequence of str
        As for `make_app`.

    Returns
    -------
    Starlette
    """
    allowed = [*_LOOPBACK, *hosts]
    app = Starlette(
        routes=list(routes),
        middleware=[
            Middleware(_Guarded),
            Middleware(TrustedHostMiddleware, allowed_hosts=allowed, www_redirect=False),
        ],
        exception_handlers={
            ClientDisconnect: lambda request, error: _refusal(400, "the body ended early"),  # no error of the server
            HTTPException: lambda request, error: _refusal(error.status_code, error.detail),
            Conflict: lambda request, error: _refusal(409, error),
            ValueError: lambda request, error: _refusal(400, error),
            UnknownItem: lambda request, error: _refusal(404, error),
            OSError: _disk,
        },
    )
    app.state.session = session
    return app


class _Guarded:
    """Middleware that adds security headers to every response."""

    def __init__(self, app: ASGIApp):
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                added = [(name.encode(), value.encode()) for name, value in _HEADERS.items()]
                message["headers"] = [*message["headers"], *added]
            await send(message)

        await self.app(scope, receive, guarded if scope["type"] == "http" else send)


def _refusal(status: int, reason: object) -> JSONResponse:
    # A path that it names need not be UTF-8.
    return JSONResponse({"error": str(reason).encode(errors="replace").decode()}, status)


def _disk(request: Request, error: Exception) -> JSONResponse:
    number = error.errno if isinstance(error, OSError) else None
    if request.app.state.session.store.engine.is_shared:
        print(f"alkit: {error}", file=sys.stderr, flush=True)
        error = OSError("the database cannot be reached; nothing is lost, and the page tries again")
    if number in (errno.EBUSY, errno.ECONNRESET):  # another program locks the database, or its server is away
        return _refusal(503, error)
    return _refusal(507 if number in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG) else 500, error)


def _index(request: Request) -> Response:
    return FileResponse(STATIC / "index.html")


def _health(request: Request) -> Response:
    return JSONResponse({"status": "UP"})


def _next(request: Request) -> Response:
    caller = Caller(request)
    resume = request.query_params.get("resume", "0") not in ("", "0")
    page, have = _in_hand(request)
    item = caller.session.next(caller.annotator(), resume=resume, page=page, have=have)
    if item is None:
        return Response(status_code=204)
    return JSONResponse(item)


def _renew(request: Request) -> Response:
    caller = Caller(request)
    page, have = _in_hand(request)
    return JSONResponse({"held": caller.session.renew(caller.annotator(), have, page=page)})


def _in_hand(request: Request) -> tuple[str | None, list[str]]:
    """Return which page asks, and the items it has."""
    have = request.query_params.getlist("have")
    if len(have) > _MAX_HAVE:
        raise HTTPException(400, f"a page has {_MAX_HAVE} items at most, this one {len(have)}")
    return request.query_params.get("page"), have


async def _events(request: Request) -> Response:
    return await run_in_threadpool(_record, request, await read_body(request, _MAX_BODY))


def _record(request: Request, body: bytes) -> Response:
    caller = Caller(request)
    annotator = caller.annotator()
    return JSONResponse(caller.session.record(as_json(body), annotator))


def _answers(request: Request) -> Response:
    """Send an annotator's own answers, the latest first."""
    caller = Caller(request)
    return JSONResponse(caller.session.answers(caller.annotator(), **wanted_page(request)))


def _progress(request: Request) -> Response:
    caller = Caller(request)
    return JSONResponse(caller.session.progress(caller.name))


def _guidelines(request: Request) -> Response:
    return JSONResponse(Caller(request).session.guidelines())


def _export(request: Request) -> Response:
    """Send labels: an annotator's own, or all of them to the owner."""
    caller = Caller(request)
    return StreamingResponse(_lines(caller.session.export(caller.name)), media_type="application/jsonl")


def _lines(answers: Iterable[dict[str, Any]]) -> Iterator[str]:
    """Yield answers as JSON, many lines at once, because each piece that is sent costs a change of threads."""
    lines = (json.dumps(answer, ensure_ascii=False) + "\n" for answer in answers)
    while True:
        started = time.thread_time()  # of this thread: the next piece may be made in another
        piece = "".join(islice(lines, _LINES_AT_ONCE))
        if not piece:
            return
        time.sleep(time.thread_time() - started)  # half of the time the interpreter is left to those who label
        yield piece


def _image(request: Request) -> Response:
    """Send the picture of an item, which is named by its id: no request or response holds a path."""
    caller = Caller(request)
    try:
        picture = caller.session.picture(request.path_params["item"])
    except OSError as error:  # its message would hold the path
        raise HTTPException(404, f"the picture of this item cannot be read: {error.strerror}") from error
    kind = picture_type(picture)
    if kind is None:
        raise HTTPException(404, "the file of this item is no longer a picture")
    return Response(picture, media_type=kind)


def serve(
    session: LabelingSession,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    hosts: Sequence[str] = (),
    ready: Callable[[str], Any] = print,
) -> None:
    """Serve a session until interrupted.

    Parameters
    ----------
    session : LabelingSession
    host : str, default="127.0.0.1"
        The address to listen on; the default can be reached from this machine only.
    port : int, default=0
        The port to listen on, 0 for any that is free.
    hosts : sequence of str
        Further names of this server.
    ready : callable, default=print
        Called with the URL once connections are accepted.

    Raises
    ------
    OSError
        If the address cannot be listened on.
    """
    run(lambda names: make_app(session, names), host=host, port=port, hosts=hosts, ready=ready)


def run(
    make: Callable[[Sequence[str]], Starlette],
    *,
    host: str,
    port: int,
    hosts: Sequence[str],
    ready: Callable[[str], Any],
) -> None:
    """Serve an application until interrupted.

    Parameters
    ----------
    make : callable
        ``make(names)`` returns the application, for a server of these names.
    host, port, hosts, ready
        As for `serve`.

    Raises
    ------
    OSError
        If the address cannot be listened on.
    """
    listener = _listen(host, port)
    if host in ("0.0.0.0", "::"):  # all addresses of this machine
        name = socket.gethostname()
    elif ":" in host:
        name = f"[{host}]"
    else:
        name = host
    ready(f"http://{name}:{listener.getsockname()[1]}")
    Server(make([name, *hosts])).run(sockets=[listener])


def _listen(host: str, port: int) -> socket.socket:
    """Return a socket that accepts connections."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # With the protocol left out, asyncio does not turn Nagle's algorithm off, which delays short responses by 40 ms.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    if os.name == "posix":
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen()
    except (OSError, OverflowError) as error:
        listener.close()
        raise OSError(
            f"cannot listen on {host}, port {port}: {error}; pass an address of this machine, and a free port or 0"
        ) from error
    return listener
