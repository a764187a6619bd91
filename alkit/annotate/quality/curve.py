"""The live learning curve: how good the model is while items are labelled, measured on those drawn at random."""

from __future__ import annotations

import math
from collections import deque
from typing import Any

from alkit.annotate.database.store import LabelStore

_WINDOW = 50  # labels that a score is the mean of; its standard error at 80 % accuracy is 6 points
_MAX_POINTS = 100


def live_curve(store: LabelStore) -> list[dict[str, Any]]:
    """Return how often each model predicted the label of items drawn at random, which it had not been fitted on.

    Those items are drawn uniformly from the ones without a label, and shown without a suggestion.

    Parameters
    ----------
    store : LabelStore

    Returns
    -------
    list of dict
        For each model with such a prediction (at most 100 models, evenly spread): ``model_version``; ``n_labels``, the
        labels it was fitted on; ``score``, the accuracy on the last 50 such labels up to then; ``n_scored``, the number
        of these.
    """
    scored = store.query(
        """
        SELECT e.model_version, m.n_labels, e.prediction = e.value AS correct FROM event e
        JOIN model m ON m.version = e.model_version JOIN answer a ON a.event = e.seq AND a.item = e.item
        WHERE e.kind = 'label' AND e.source = 'random' AND e.prediction IS NOT NULL ORDER BY e.seq
        """
    )
    points: dict[int, dict[str, Any]] = {}
    window: deque[int] = deque(maxlen=_WINDOW)
    for version, n_labels, correct in scored:
        window.append(correct)
        points[version] = {
            "n_labels": n_labels,
            "score": sum(window) / len(window),
            "model_version": version,
            "n_scored": len(window),
        }
    curve = [points[version] for version in sorted(points)]
    step = max(1, math.ceil(len(curve) / _MAX_POINTS))
    return curve[::-1][::step][::-1]  # counted from the end, so that the last model is always there
