"""Connections of the server: none may wait for ever, and none that waits may keep others out."""

from __future__ import annotations

import asyncio
import socket
from collections import Counter
from typing import Any

from alkit._optional import needs_extra

with needs_extra("annotate", "the labelling page"):
    import uvicorn
    from starlette.types import ASGIApp
    from uvicorn.protocols.http.h11_impl import H11Protocol

try:
    from resource import RLIM_INFINITY, RLIMIT_NOFILE, getrlimit
except ImportError:  # Windows has no such limit
    _N_FILES = 1024
else:
    _N_FILES, _ = getrlimit(RLIMIT_NOFILE)
    if _N_FILES == RLIM_INFINITY:
        _N_FILES = 4096

# A quarter of the files that the system lets us open; the rest is for the database, for pictures, and for connections
# accepted a moment ago: they count for the system a few rounds of the event loop before they count here.
MAX_CONNECTIONS = min(max(_N_FILES // 4, 8), 1000)
N_ACCEPTED = min(max(_N_FILES // 32, 2), 128)  # connections accepted in one round of the event loop
_N_QUEUED = 256  # connections that the system keeps for us until they are accepted

KEEP_ALIVE_SECONDS = 10  # between two requests; the page asks every five
REQUEST_SECONDS = 15.0  # for a request to begin, and for all of its headers
BODY_SECONDS = 30.0  # for the body of a request
STALLED_SECONDS = 60.0  # for a client to take some of what it asked for


class PatientProtocol(H11Protocol):
    """HTTP with a deadline for each thing that is waited for, and room for who comes while others only wait."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.awaited: str | None = None  # "request" or "body"; None while the server has to answer
        self.since = 0.0  # when waiting for it began, in the time of the event loop
        self._deadline: asyncio.TimerHandle | None = None
        self._stalled: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Expect a request."""
        super().connection_made(transport)
        self._await("request", REQUEST_SECONDS)
        if len(self.connections) > MAX_CONNECTIONS:
            self._make_room()

    def connection_lost(self, exc: Exception | None) -> None:
        """Expect nothing any more."""
        super().connection_lost(exc)
        self._unset_keepalive_if_required()
        self._await(None)
        self.resume_writing()

    def handle_events(self) -> None:
        """Expect the rest of the request that has begun, or the next one."""
        super().handle_events()
        if self.cycle is None or self.cycle.response_complete:
            self._await("request", REQUEST_SECONDS)
        elif self.cycle.more_body:
            self._await("body", BODY_SECONDS)
        else:
            self._await(None)

    def on_response_complete(self) -> None:
        """Expect the next request."""
        self._await(None)
        if not self.transport.is_closing():
            self._await("request", REQUEST_SECONDS)
        super().on_response_complete()

    def _await(self, what: str | None, seconds: float = 0.0) -> None:
        """Set a deadline for what is waited for; one that runs for the same thing is not put off."""
        if what == self.awaited:
            return
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
        self.awaited, self.since = what, self.loop.time()
        if what is not None:
            self._deadline = self.loop.call_later(seconds, self.transport.abort)

    def pause_writing(self) -> None:
        """Expect the client to take some of what was sent."""
        super().pause_writing()
        self._watch_taking()

    def _watch_taking(self) -> None:
        unsent = self.transport.get_write_buffer_size()
        self._stalled = self.loop.call_later(STALLED_SECONDS, self._check_taking, unsent)

    def _check_taking(self, unsent: int) -> None:
        """Close a connection of which nothing was taken; a slow client may go on."""
        if self.transport.get_write_buffer_size() < unsent:
            self._watch_taking()
        else:
            self.transport.abort()

    def resume_writing(self) -> None:
        """Expect nothing of that kind any more."""
        super().resume_writing()
        if self._stalled is not None:
            self._stalled.cancel()
            self._stalled = None

    def _make_room(self) -> None:
        """Close one connection of the address that has most: one that never sent a request, waited for longest.

        This one is closed if all others are being answered.
        """
        connections = [other for other in self.connections if isinstance(other, PatientProtocol)]
        alive = [other for other in connections if not other.transport.is_closing()]
        if len(alive) <= MAX_CONNECTIONS:
            return
        counts = Counter(other.address() for other in alive)
        waiting = [other for other in alive if other.awaited is not None and other is not self]
        oldest = min(
            waiting,
            key=lambda other: (-counts[other.address()], other.cycle is not None, other.since),
            default=self,
        )
        oldest.transport.abort()

    def address(self) -> str | None:
        """Return where the client is."""
        return self.client[0] if self.client else None


class Server(uvicorn.Server):
    """A server that no client can keep busy by doing nothing.

    Parameters
    ----------
    app : ASGI application
    """

    def __init__(self, app: ASGIApp) -> None:
        config = uvicorn.Config(
            app,
            http=PatientProtocol,
            ws="none",
            lifespan="off",
            backlog=N_ACCEPTED,
            log_level="error",  # what clients do wrong they are told, and could fill a disk with
            access_log=False,  # its lines would hold tokens
            proxy_headers=False,
            server_header=False,
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=5,
        )
        super().__init__(config)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start to listen; asyncio has one number for both queues, so the longer one is asked for afterwards."""
        await super().startup(sockets)
        for listener in sockets or []:
            listener.listen(_N_QUEUED)
