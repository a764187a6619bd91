"""Connections of the server: none may wait for ever, and none that waits may keep others out."""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

try:
    from resource import RLIM_INFINITY, RLIMIT_NOFILE, getrlimit
except ImportError:  # Windows has no such limit
    _N_FILES = 1024
else:
    _N_FILES, _ = getrlimit(RLIMIT_NOFILE)
    if _N_FILES == RLIM_INFINITY:
        _N_FILES = 4096

# Accepting takes a few rounds of the event loop, during which a connection counts for the system but not yet for us.
# So a burst gets that many beyond the limit, and the rest is for the database, pictures and the trainer.
MAX_CONNECTIONS = min(max(_N_FILES // 4, 8), 1000)
BACKLOG = min(max(_N_FILES // 32, 2), 128)

REQUEST_SECONDS = 15.0  # for a request to begin, and for all of its headers
BODY_SECONDS = 30.0  # for the body of a request
STALLED_SECONDS = 60.0  # for a client to take some of what it asked for


class PatientProtocol(H11Protocol):
    """HTTP with a deadline for each thing that is waited for, and room for who comes while others only wait."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._awaited: str | None = None
        self._deadline: asyncio.TimerHandle | None = None
        self._stalled: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._await("request", REQUEST_SECONDS)
        if len(self.connections) > MAX_CONNECTIONS:
            self._make_room()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._unset_keepalive_if_required()
        self._await(None)
        self.resume_writing()

    def handle_events(self) -> None:
        super().handle_events()
        if not self.is_answering():
            self._await("request", REQUEST_SECONDS)
        elif self.cycle.more_body:
            self._await("body", BODY_SECONDS)
        else:
            self._await(None)

    def on_response_complete(self) -> None:
        self._await(None)
        if not self.transport.is_closing():
            self._await("request", REQUEST_SECONDS)
        super().on_response_complete()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._stalled = self.loop.call_later(STALLED_SECONDS, self.transport.abort)

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._stalled is not None:
            self._stalled.cancel()
            self._stalled = None

    def is_answering(self) -> bool:
        """Return whether a request is being received or answered."""
        return self.cycle is not None and not self.cycle.response_complete

    def _await(self, what: str | None, seconds: float = 0.0) -> None:
        """Set a deadline for what is waited for; one that runs for the same thing is not put off."""
        if what == self._awaited:
            return
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
        self._awaited = what
        if what is not None:
            self._deadline = self.loop.call_later(seconds, self.transport.abort)

    def _make_room(self) -> None:
        """Close the connection that has waited longest for a request, of those that never sent one if there are any."""
        alive = [other for other in self.connections if not other.transport.is_closing()]
        if len(alive) <= MAX_CONNECTIONS:
            return
        waiting = [other for other in alive if not other.is_answering() and other is not self]
        oldest = min(waiting, key=lambda other: (other.cycle is not None, other.waits_until()), default=self)
        oldest.transport.abort()

    def waits_until(self) -> float:
        """Return when this connection is closed if nothing comes, in the time of the event loop."""
        return float("inf") if self._deadline is None else self._deadline.when()
