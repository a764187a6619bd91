"""The labelling page in a notebook: a widget that loads the JavaScript module of the page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from alkit.annotate.items import picture_type
from alkit.annotate.session import LabelingSession

try:
    import anywidget
except ImportError as error:
    raise ImportError("LabelingWidget needs anywidget; pip install 'alkit[notebook]'") from error

_STATIC = Path(__file__).parent / "static"


class LabelingWidget(anywidget.AnyWidget):
    """Label in a notebook cell, with the keys of the page.

    The kernel answers between cells: while a cell runs, the widget waits, and keeps the labels not saved yet. When the
    cell that opened the session is run again, the widget goes on with the session that took its place.

    Parameters
    ----------
    session : LabelingSession
    annotator : str, default="me"
        The name under which labels are recorded.

    Examples
    --------
    >>> from tempfile import mkdtemp
    >>> from alkit.annotate import LabelingSession, LabelingWidget
    >>> session = LabelingSession(["Win a prize!!!", "See you at noon"], ["spam", "ham"], mkdtemp() + "/labels.db")
    >>> widget = LabelingWidget(session)  # the last line of a cell: shown below it
    >>> session.close()
    True
    """

    _esm = _STATIC / "label.js"
    _css = _STATIC / "label.css"

    def __init__(self, session: LabelingSession, annotator: str = "me") -> None:
        super().__init__()
        self.session = session
        self.annotator = annotator
        self.on_msg(self._receive)

    def _receive(self, widget: Any, message: dict[str, Any], buffers: Any) -> None:
        """Answer a call of the page, ``{id, method, args}``, by its result or an error."""
        try:
            result, pictures = self._call(message["method"], *message["args"])
        except Exception as error:  # without an answer the page would wait for ever
            permanent = isinstance(error, ValueError | LookupError)  # the call is wrong and must not be repeated
            self.send({"id": message["id"], "error": str(error), "permanent": permanent})
        else:
            self.send({"id": message["id"], "result": result}, pictures)

    def _call(self, method: str, *args: Any) -> tuple[Any, list[bytes]]:
        while self.session.successor is not None:
            self.session = self.session.successor
        match method, args:
            case "next", [page, have]:
                return self.session.next(self.annotator, page=page, have=have), []
            case "renew", [page, have]:
                return self.session.renew(self.annotator, have, page=page), []
            case "send", [event]:
                return self.session.record(event, self.annotator), []
            case "answers", [dict(wanted)]:
                return self.session.answers(self.annotator, **wanted), []
            case "progress", []:
                return self.session.progress(self.annotator), []
            case "guidelines", []:
                return self.session.guidelines(), []
            case "image", [item]:
                picture = self.session.picture(item)
                return {"type": picture_type(picture)}, [picture]
        raise ValueError(f"there is no method {method!r} with {len(args)} arguments")
