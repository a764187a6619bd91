"""The live learning curve: how good the model is while items are labelled, measured on those drawn at random."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable
from typing import Any

import numpy as np

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
        labels it was fitted on; ``score``, the accuracy on the last 50 such labels up to then, of several labels per
        item the micro-averaged F1; ``n_scored``, the number of these.
    """
    kind = store.kind
    scored = store.query(
        """
        SELECT e.model_version, m.n_labels, e.prediction, e.value FROM event e
        JOIN model m ON m.version = e.model_version JOIN answer a ON a.event = e.seq AND a.item = e.item
        WHERE e.kind = 'label' AND e.source = 'random' AND e.prediction IS NOT NULL ORDER BY e.seq
        """
    )
    points: dict[int, dict[str, Any]] = {}
    window: deque[tuple[int, int]] = deque(maxlen=_WINDOW)
    for version, n_labels, prediction, value in scored:
        predicted, given = set(kind.predicted(prediction)), set(kind.names(value))
        window.append((len(predicted & given), len(predicted) + len(given)))
        points[version] = {
            "n_labels": n_labels,
            "score": _f1(window),
            "model_version": version,
            "n_scored": len(window),
        }
    curve = [points[version] for version in sorted(points)]
    step = max(1, math.ceil(len(curve) / _MAX_POINTS))
    return curve[::-1][::step][::-1]  # counted from the end, so that the last model is always there


def _f1(counted: Iterable[tuple[int, int]]) -> float:
    """Return the micro-averaged F1, which is the accuracy where all items have one class.

    Items without labels of which none was predicted say nothing; where all are such, all was right.
    """
    n_shared, n_named = np.sum(list(counted), axis=0).tolist()
    return 2 * n_shared / n_named if n_named else 1.0
