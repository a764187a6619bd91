"""The state of the model, as the trainer wrote it down: what it waits for, and how its training goes."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from alkit.annotate.database.ranking import last_event
from alkit.annotate.database.store import LabelStore

_SLOW_SECONDS = 10.0  # what takes no longer is not worth a word
_SLOW_FACTOR = 3.0
_LEAST_PATIENCE, _MOST_PATIENCE = 30.0, 600.0  # seconds
_PATIENCE_FACTOR = 5.0
_POLL_SECONDS = 0.05


def starting() -> dict[str, Any]:
    """Return the state of a trainer whose process has just been started.

    Returns
    -------
    dict
    """
    return {"doing": "starting", "since": time.time()}


def model_state(
    store: LabelStore, counts: Mapping[str, int], crash: str | None, *, n_labels: int = 0
) -> dict[str, Any]:
    """Return which model there is, what it waits for, and how its training goes.

    Parameters
    ----------
    store : LabelStore
    counts : mapping of str to int
        Labels by class.
    crash : str or None
        How the trainer's process ended, if it did: it can no longer write that down itself.
    n_labels : int, default=0
        Answers that the labels come from; needed where items may have several labels.

    Returns
    -------
    dict
        ``version``, ``n_labels`` it was fitted on, ``training``, and ``error``; sentences, or None, about what it is
        ``waiting`` for and why it is ``slow``; and what it learns without because it is ``unreadable``: ``n``, and the
        first ``items`` (``item`` and ``reason``); and what was ``chosen`` among several models, or None: its
        ``name``, and ``scores`` of all of them, macro-F1 by cross-validation on ``n_labels``.
    """
    last = store.query("SELECT version, n_labels FROM model ORDER BY version DESC LIMIT 1")
    version, n_fitted = last[0] if last else (None, None)
    state = store.meta("trainer", {})
    errors = [error for error in (state.get("error"), crash) if error]
    doing = None if crash else state.get("doing")
    return {
        "version": version,
        "n_labels": n_fitted,
        "training": doing == "fitting",
        "error": "; ".join(errors) or None,
        "waiting": _waiting(store, state, _told_apart(store, counts, n_labels), doing) if state else None,
        "slow": _slow(doing, state) if doing else None,
        "unreadable": state.get("unreadable", {"n": 0, "items": []}),
        "chosen": state.get("chosen"),
    }


def _told_apart(store: LabelStore, counts: Mapping[str, int], n_labels: int) -> list[str]:
    """Return the classes that have labels; of several labels per item, those that some items have and others lack."""
    if store.kind.several:
        return [name for name, n in counts.items() if 0 < n < n_labels]
    return [name for name, n in counts.items() if n]


def _waiting(store: LabelStore, state: dict[str, Any], labelled: Sequence[str], doing: str | None) -> str | None:
    """Return what the model waits for, None if for nothing; `state` is that of a session with a model."""
    needed, to_start = (1, _label_to_tell) if store.kind.several else (2, _two_classes)
    if len(labelled) < needed:
        return to_start(labelled)
    if doing in ("starting", "reading the items"):
        read = state.get("read")
        so_far = f": {read['n']:,} of {read['of']:,} so far" if read else ""
        return f"the model starts when it has read the items{so_far}"
    known = state.get("known", labelled)
    if len(known) < needed and state.get("seen") == last_event(store):
        return f"{to_start(known)} (labels that are outvoted, or of items it cannot read, do not count)"
    return None


def _two_classes(labelled: Sequence[str]) -> str:
    so_far = f"only {labelled[0]!r}" if labelled else "none"
    return f"the model starts when two classes have labels: so far {so_far}"


def _label_to_tell(labelled: Sequence[str]) -> str:
    return "the model starts when some items have a label that others lack: so far there is no such label"


def _slow(doing: str, state: dict[str, Any]) -> str | None:
    """Return how long the trainer has been at something, None if no longer than usual."""
    seconds, usual = _elapsed(state), state.get("usual_seconds", 0.0)
    if doing != "fitting":
        return f"the model has been {doing} for {seconds:.0f} s" if seconds > _SLOW_SECONDS else None
    if seconds <= max(_SLOW_SECONDS, _SLOW_FACTOR * usual):
        return None
    compared = f", usually {math.ceil(usual)} s" if usual else ""
    return f"the model has been fitting for {seconds:.0f} s{compared}"


def _elapsed(state: dict[str, Any]) -> float:
    return max(0.0, time.time() - (state.get("since") or math.inf))


def wait_for_start(store: LabelStore, is_alive: Callable[[], bool]) -> None:
    """Wait until the trainer's process has begun to work, at most 600 s.

    How long that takes depends on how busy the machine is, and says nothing of a fit that hangs.

    Parameters
    ----------
    store : LabelStore
    is_alive : callable
        Tells whether the process is running.
    """
    until = time.monotonic() + _MOST_PATIENCE
    while store.meta("trainer", {}).get("doing") == "starting" and is_alive() and time.monotonic() < until:
        time.sleep(_POLL_SECONDS)


def patience(store: LabelStore, crash: str | None) -> float:
    """Return how long to wait for the trainer at the end of a session.

    Parameters
    ----------
    store : LabelStore
    crash : str or None
        How the trainer's process ended, if it did.

    Returns
    -------
    float
        Five times the seconds that a fit usually takes, at least 30 and at most 600; 1 if the fit that is running has
        taken longer than that already, and probably hangs.
    """
    state = store.meta("trainer", {})
    enough = min(max(_LEAST_PATIENCE, _PATIENCE_FACTOR * state.get("usual_seconds", 0.0)), _MOST_PATIENCE)
    is_fitting = crash is None and state.get("doing") == "fitting"
    return 1.0 if is_fitting and _elapsed(state) > enough else enough
