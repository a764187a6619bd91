"""Progress: how much is labelled."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from alkit.annotate.database.answers import count_classes
from alkit.annotate.database.store import LabelStore

# not those that are gone from the data, which are not in the queue, nor those that the owner has decided about since
_FLAGGED = """
    SELECT COUNT(DISTINCT q.item) FROM answer a JOIN queue q ON q.item = a.item LEFT JOIN decided d ON d.item = a.item
    WHERE a.kind = 'flag' AND (d.item IS NULL OR (d.kind = 'reopen' AND a.event > d.last_event))
"""


def count_progress(store: LabelStore, classes: Sequence[str], annotator: str | None) -> dict[str, Any]:
    """Return how much is labelled.

    Parameters
    ----------
    store : LabelStore
    classes : sequence of str
    annotator : str or None
        Whose labels ``mine`` counts.

    Returns
    -------
    dict
        ``n_done`` (items with all their labels), ``n_flagged``, ``n_labels`` (answers, however many classes they name),
        ``mine``, and ``counts`` by class.
    """
    counts = dict.fromkeys(classes, 0) | count_classes(store)
    n_flagged = store.count(_FLAGGED)
    n_closed = store.count("SELECT COUNT(*) FROM queue WHERE wanted = 0")  # flagged items are closed as well
    return {
        "n_done": n_closed - n_flagged,
        "n_flagged": n_flagged,
        "n_labels": store.count("SELECT COUNT(*) FROM answer WHERE kind = 'label'"),
        "mine": store.count("SELECT COUNT(*) FROM answer WHERE annotator = ? AND kind = 'label'", annotator),
        "counts": counts,
    }
