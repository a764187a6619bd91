"""Labelling: items for annotators, a database of labels, and a model that is trained meanwhile.

`LabelingSession` is the entry to all of it. What is not in ``__all__`` is private, except `alkit.annotate.formats`,
`alkit.annotate.quality` and `alkit.annotate.web`, which have public functions of their own.
"""

from typing import Any

from alkit.annotate.items import Items, read_items
from alkit.annotate.session import LabelingSession
from alkit.annotate.training.pictures import UnreadableRows

__all__ = ["Items", "LabelingSession", "LabelingWidget", "UnreadableRows", "read_items"]


def __getattr__(name: str) -> Any:
    if name == "LabelingWidget":  # needs anywidget, which only notebooks have
        from alkit.annotate.web.widget import LabelingWidget

        return LabelingWidget
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
