"""Label Studio's protocol of machine learning backends: it asks for predictions, and tells of annotations.

Label Studio waits a second for ``/health`` and ``/webhook``, 3 s for ``/setup`` and 100 s for ``/predict``. Nothing of
that waits for a fit: predictions are looked up in the trainer's last ranking, and a webhook is answered when its labels
are on disk, from where the trainer takes them.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from alkit._optional import needs_extra
from alkit.annotate.database.imported import add_imported, withdraw
from alkit.annotate.database.predictions import read_ranked
from alkit.annotate.database.tokens import holder
from alkit.annotate.formats.importing import sort_records
from alkit.annotate.formats.label_studio import choice, from_annotation
from alkit.annotate.formats.matching import Matcher
from alkit.annotate.formats.objects import dicts_in
from alkit.annotate.session import LabelingSession
from alkit.annotate.web.caller import read_body
from alkit.annotate.web.label_config import LabelConfig, read_label_config
from alkit.annotate.web.server import run, web_app

with needs_extra("annotate", "the backend for Label Studio"):
    from starlette.applications import Starlette
    from starlette.concurrency import run_in_threadpool
    from starlette.exceptions import HTTPException
    from starlette.requests import Request
    from starlette.responses import JSONResponse, Response
    from starlette.routing import Route

HOLDER = "label-studio"
"""Whose token the address has that Label Studio is given."""

_MAX_BODY = 256 * 2**20  # bytes: a request for predictions holds the data of many tasks
_LAST = 1.0  # the score of what need not be labelled now; Label Studio asks for the lowest scores first
_GIVEN = ("ANNOTATION_CREATED", "ANNOTATIONS_CREATED", "ANNOTATION_UPDATED")


class Backend:
    """What a session answers to Label Studio.

    Parameters
    ----------
    session : LabelingSession
        Of the items that the project in Label Studio has as tasks.
    """

    def __init__(self, session: LabelingSession):
        self.session = session
        self._matcher = Matcher(session.store)
        self._config = LabelConfig("label", "text", {"text": "text", "image": "image"}, session.classes)

    def version(self) -> str:
        """Return the version of the model: another one after each round of training.

        Returns
        -------
        str
        """
        return f"v{self.session.store.count('SELECT COALESCE(MAX(version), 0) FROM model')}"

    def configure(self, xml: Any) -> None:
        """Take over the labelling configuration of the project.

        Parameters
        ----------
        xml : str
            What is empty or missing is passed over.

        Raises
        ------
        ValueError
            If it cannot be learnt by.
        """
        if not isinstance(xml, str) or not xml.strip():
            return
        config = read_label_config(xml)
        if config == self._config:
            return
        self._config = config
        unknown = [name for name in config.choices if name not in self.session.classes]
        if unknown:
            _tell(f"choices {unknown} of Label Studio are not among --classes; labels of these are left out")

    def setup(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """Answer ``/setup``, which Label Studio sends often.

        Parameters
        ----------
        body : dict
            ``schema``: the labelling configuration.

        Returns
        -------
        dict
            ``model_version``.
        """
        self.configure(body.get("schema"))
        return {"model_version": self.version()}

    def predict(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """Answer ``/predict``.

        Parameters
        ----------
        body : dict
            ``tasks`` and ``label_config``.

        Returns
        -------
        dict
            ``results``: one per task, as Label Studio otherwise takes none. ``score`` is 1 minus the utility of the
            task, which is its place in the ranking, from 1 for the first towards 0: ascending scores are the order of
            any strategy. Tasks that have a label, or that are no items of the session, come last, without a result.
        """
        self.configure(body.get("label_config"))
        tasks = body.get("tasks")
        if not isinstance(tasks, list):
            raise ValueError(f"tasks are {str(tasks)[:40]!r}; they must be a list")
        version = self.version()
        keys = [self._matcher.find(self._about(task)).key for task in tasks]
        ranked = read_ranked(self.session.store, {key for key in keys if key is not None})
        return {"results": [self._result(ranked.get(key or ""), version) for key in keys]}

    def _result(self, found: Mapping[str, Any] | None, version: str) -> dict[str, Any]:
        """Return the prediction of a task."""
        score, result = _LAST, []
        if found is not None and found["position"] is not None:
            utility = 1.0 - found["position"] / len(self.session.items)
            score = 1.0 - utility
        if found is not None and found["prediction"]:
            result = [choice(found["prediction"], self._config.from_name, self._config.to_name)]
        return {"model_version": version, "score": score, "result": result}

    def _about(self, task: Any) -> dict[str, Any]:
        """Return which item a task is about, as `Matcher` takes it."""
        data = task.get("data") if isinstance(task, dict) else None
        if not isinstance(data, dict):
            return {}
        shown = {part: data.get(column) for part, column in self._config.columns.items()}
        return {"item": data.get("alkit_id"), **shown}

    def webhook(self, body: Mapping[str, Any]) -> None:
        """Take what Label Studio tells: annotations that are new, changed or deleted, and changes of the project.

        Parameters
        ----------
        body : dict
            ``action``, and what it is about.

        Raises
        ------
        ValueError
            If an annotation is malformed.
        OSError
            If it cannot be saved.
        """
        action = body.get("action")
        if action in _GIVEN:
            self._take(_listed(body.get("annotation")), _listed(body.get("task")))
        elif action == "ANNOTATIONS_DELETED":
            for gone in _listed(body.get("annotations")):
                withdraw(self.session.store, f"label-studio-{gone.get('id')}-")
        elif action == "PROJECT_UPDATED":
            for project in _listed(body.get("project")):
                self.configure(project.get("label_config"))
        if self.session.trainer is not None:
            self.session.trainer.revive()

    def _take(self, annotations: Sequence[Mapping[str, Any]], tasks: Sequence[Mapping[str, Any]]) -> None:
        """Record annotations; the last one of a person on an item counts."""
        by_id = {task.get("id"): task for task in tasks}
        records = []
        for given in annotations:
            task = given.get("task")
            if not isinstance(task, dict):
                task = tasks[0] if len(tasks) == 1 else by_id.get(task)
            answer = from_annotation(given, self._config.from_name)
            records.append({**self._about(task), **answer, "place": f"annotation {given.get('id')}"})
        store, classes = self.session.store, self.session.classes
        taken = sort_records(store, self._matcher, records, classes, HOLDER)
        if taken.n_left_out():
            _tell("; ".join(taken.lines()[1:]))
        add_imported(store, list(taken.answers.values()), replace=True)


def _listed(value: Any) -> list[dict[str, Any]]:
    """Return one object, or several, as a list."""
    return dicts_in(value if isinstance(value, list) else [value])


def _tell(what: str) -> None:
    """Tell whoever looks after the backend."""
    line = f"alkit: Label Studio: {what}"
    print(line.encode(errors="backslashreplace").decode(), file=sys.stderr, flush=True)


def make_backend(session: LabelingSession, hosts: Sequence[str] = ()) -> Starlette:
    """Return the web application that answers Label Studio.

    Parameters
    ----------
    session : LabelingSession
    hosts : sequence of str
        Names and addresses of this server, beside those of the loopback.

    Returns
    -------
    Starlette
        All addresses begin with a token, because Label Studio sends none with what it tells.
    """
    backend = Backend(session)
    routes = [
        Route(
            "/{token}/health",
            _answering(session, lambda body: {"status": "UP", "model_class": "alkit"}),
            methods=["GET"],
        ),
        Route("/{token}/setup", _answering(session, backend.setup), methods=["POST"]),
        Route("/{token}/predict", _answering(session, backend.predict), methods=["POST"]),
        Route("/{token}/webhook", _answering(session, backend.webhook, status=201), methods=["POST"]),
    ]
    return web_app(routes, session, hosts)


def _answering(session: LabelingSession, answer: Callable[[Mapping[str, Any]], Any], status: int = 200) -> Any:
    """Return the endpoint that answers a request by a function of its body."""

    async def endpoint(request: Request) -> Response:
        body = await read_body(request, _MAX_BODY)
        return await run_in_threadpool(respond, request, body)

    def respond(request: Request, raw: bytes) -> Response:
        owner = holder(session.store, request.path_params["token"])
        if owner is None or owner["name"] != HOLDER:
            raise HTTPException(401, "no valid token; give Label Studio the address that was printed")
        try:
            body = json.loads(raw or b"{}")
        except (ValueError, RecursionError) as error:
            raise HTTPException(400, f"the body is not JSON: {error}") from error
        if not isinstance(body, dict):
            raise HTTPException(400, f"the body is a JSON {type(body).__name__}, not an object")
        return JSONResponse(answer(body) or {}, status)

    return endpoint


def serve_backend(
    session: LabelingSession,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    hosts: Sequence[str] = (),
    ready: Callable[[str], Any] = print,
) -> None:
    """Answer Label Studio until interrupted.

    Parameters
    ----------
    session, host, port, hosts
        As for `alkit.annotate.web.server.serve`.
    ready : callable, default=print
        Called with the address that Label Studio is to be given, once connections are accepted.
    """
    token = session.new_token(HOLDER)
    run(
        lambda names: make_backend(session, names),
        host=host, port=port, hosts=hosts, ready=lambda url: ready(f"{url}/{token}"),
    )  # fmt: skip
