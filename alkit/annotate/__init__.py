"""Labelling: items to people, labels to a database, a model that learns meanwhile."""

from typing import Any

from alkit.annotate.items import Items, read_items
from alkit.annotate.session import LabelingSession

__all__ = ["Items", "LabelingSession", "LabelingWidget", "read_items"]


def __getattr__(name: str) -> Any:
    if name == "LabelingWidget":  # needs anywidget, which only notebooks have
        from alkit.annotate.web.widget import LabelingWidget

        return LabelingWidget
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
