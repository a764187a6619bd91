"""The learning curve that can be drawn while people label, from the items drawn at random."""

from __future__ import annotations

from collections import deque
from typing import Any

from alkit.annotate.database.store import LabelStore

_WINDOW = 50  # labels a score is the mean of: the standard error at 80 % accuracy is 6 points
_MAX_POINTS = 100


def live_curve(store: LabelStore) -> list[dict[str, Any]]:
    """Return how often the model was right about items drawn at random, before it or anybody had seen their labels.

    Those items are drawn uniformly from the ones nobody has labelled, and shown without a suggestion.

    Parameters
    ----------
    store : LabelStore

    Returns
    -------
    list of dict
        For each model that could be judged (at most 100, evenly spread): ``model_version``; ``n_labels``, the labels it
        was fitted on; ``score``, the share right of the last 50 such labels up to then; ``n_scored``, how many there
        were.
    """
    judged = store.query(
        """
        SELECT e.model_version, m.n_labels, e.prediction = e.value AS hit FROM event e
        JOIN model m ON m.version = e.model_version JOIN answer a ON a.event = e.seq AND a.item = e.item
        WHERE e.kind = 'label' AND e.source = 'random' AND e.prediction IS NOT NULL ORDER BY e.seq
        """
    )
    points: dict[int, dict[str, Any]] = {}
    window: deque[int] = deque(maxlen=_WINDOW)
    for version, n_labels, hit in judged:
        window.append(hit)
        score = sum(window) / len(window)
        points[version] = {
            "n_labels": n_labels, "score": score, "model_version": version, "n_scored": len(window)
        }  # fmt: skip
    curve = sorted(points.values(), key=lambda point: point["model_version"])
    step = -(-len(curve) // _MAX_POINTS) or 1
    return curve[::-1][::step][::-1]
