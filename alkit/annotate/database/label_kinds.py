"""Kinds of labels: one class per item, or any set of classes; how the database keeps labels and predictions of each.

A set of classes is kept as a JSON list of their names, sorted, so that equal sets are equal texts; ``[]`` is an answer,
too. What a model predicts of it is a JSON object: the probability of each class that it knows something of.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol

_ON = 0.5  # a class that is more probable than this is predicted


class LabelKind(Protocol):
    """What differs between projects of one class per item and those of any number."""

    several: bool

    def read(self, text: str) -> Any:
        """Return a label as people have it: the name of a class, or a list of names."""

    def names(self, text: str) -> list[str]:
        """Return the classes that a label says of the item."""

    def renamed(self, text: str, rename: Callable[[str], str]) -> str:
        """Return a label with other names of its classes."""

    def predicted(self, text: str) -> list[str]:
        """Return the classes that a prediction says of the item, as `names` would."""

    def prediction(self, text: str, confidence: float | None) -> dict[str, Any]:
        """Return a prediction as people have it: ``value``, ``confidence``, and of several labels ``proba`` of each."""

    def renamed_prediction(self, text: str, rename: Callable[[str], str]) -> str:
        """Return a prediction with other names of its classes."""


class OneLabel:
    """One class per item: labels and predictions are kept as its name."""

    several = False

    def read(self, text: str) -> str:
        """Return the class."""
        return text

    def names(self, text: str) -> list[str]:
        """Return the class, as a list."""
        return [text]

    def renamed(self, text: str, rename: Callable[[str], str]) -> str:
        """Return the other name."""
        return rename(text)

    def predicted(self, text: str) -> list[str]:
        """Return the class, as a list."""
        return [text]

    def prediction(self, text: str, confidence: float | None) -> dict[str, Any]:
        """Return the class and its probability."""
        return {"value": text, "confidence": confidence}

    def renamed_prediction(self, text: str, rename: Callable[[str], str]) -> str:
        """Return the other name."""
        return rename(text)


class SeveralLabels:
    """Any set of classes per item."""

    several = True

    def read(self, text: str) -> list[str]:
        """Return the names of the classes, sorted."""
        return list(json.loads(text))

    def names(self, text: str) -> list[str]:
        """Return the names of the classes, sorted."""
        return self.read(text)

    def renamed(self, text: str, rename: Callable[[str], str]) -> str:
        """Return the set with other names; classes that were merged are one."""
        return write_labels(map(rename, self.read(text)))

    def predicted(self, text: str) -> list[str]:
        """Return the names of the classes that are more probable than not, sorted."""
        return sorted(name for name, share in json.loads(text).items() if share > _ON)

    def prediction(self, text: str, confidence: float | None) -> dict[str, Any]:
        """Return the classes that are predicted, and the probability of each class."""
        return {"value": self.predicted(text), "confidence": confidence, "proba": json.loads(text)}

    def renamed_prediction(self, text: str, rename: Callable[[str], str]) -> str:
        """Return the probabilities by other names; of classes that were merged, the largest."""
        proba: dict[str, float] = {}
        for name, share in json.loads(text).items():
            proba[rename(name)] = max(share, proba.get(rename(name), 0.0))
        return write_proba(proba)


ONE_LABEL = OneLabel()
SEVERAL_LABELS = SeveralLabels()


def write_labels(names: Iterable[str]) -> str:
    """Return a set of classes as the database keeps it.

    Parameters
    ----------
    names : iterable of str

    Returns
    -------
    str

    Examples
    --------
    >>> from alkit.annotate.database.label_kinds import write_labels
    >>> write_labels(["spam", "ham", "spam"])
    '["ham", "spam"]'
    """
    return json.dumps(sorted(set(names)), ensure_ascii=False)


def write_proba(proba: Mapping[str, float]) -> str:
    """Return the probability of each class as the database keeps it.

    Parameters
    ----------
    proba : mapping of str to float

    Returns
    -------
    str
    """
    return json.dumps({name: round(share, 4) for name, share in proba.items()}, ensure_ascii=False)
