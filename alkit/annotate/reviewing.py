"""What the owner of a labelling session does with other people's answers: look at them side by side, and decide."""

from __future__ import annotations

import time
import uuid as uuids
from collections.abc import Sequence
from typing import Any

from alkit.annotate.database.decisions import checked_decision, record_decision
from alkit.annotate.database.review import read_review
from alkit.annotate.database.store import LabelStore
from alkit.annotate.quality.team import Overviews


class Reviewing:
    """The owner's part of a session, for a class that has a store of labels."""

    store: LabelStore
    classes: Any
    _overviews: Overviews

    def team(self) -> dict[str, Any]:
        """Return how the people of a team label, and what is left for the owner to decide.

        Returns
        -------
        dict
            See `team_overview`; it may lack the answers of some seconds, but no decision.
        """
        return self._overviews.latest()

    def review(
        self,
        *,
        before: int | None = None,
        limit: int = 50,
        search: str = "",
        only: str = "open",
        value: str | None = None,
    ) -> dict[str, Any]:
        """Return items with everybody's answers side by side, the last answered first, a page of them at a time.

        Parameters
        ----------
        before : int, optional
            The ``before`` of the page that this one follows.
        limit : int, default=50
            Items per page, at most 100.
        search : str, optional
            What the text, a cell, a note, somebody's name or the id holds; capitals do not matter.
        only : {"open", "disputed", "flag", "decided", "since", "gold", "all"}, default="open"
            Items that people disagree on, or put aside, and nobody decided about ("open"); all that people disagree on
            ("disputed") or put aside ("flag"); those decided about ("decided"), of these those that somebody answered
            afterwards ("since"); gold items that somebody got wrong ("gold").
        value : str, optional
            Items that somebody gave this class.

        Returns
        -------
        dict
            ``before``, for the next page, None where there is none (a page may have fewer items than `limit` and yet be
            followed by others); and ``answers``, one per item: ``item``, ``text``, ``image``, ``row`` and ``version``
            as of `next`; ``votes``, a list of ``annotator``, ``kind``, ``value``, ``note``, ``time``, ``seconds``,
            ``late``, and whether the item was an ``earlier`` text then; whether the item is ``disputed`` or
            ``flagged``; ``expected``, what the model predicted before anybody had answered, or None; ``gold``, the
            known answer, or None; ``decision`` (``uuid``, ``kind``, ``value``, ``note``, ``time``, ``earlier``) or
            None, and whether somebody answered ``since``; ``seen`` and ``last_event``, as `decide` takes them.
        """
        return read_review(self.store, before=before, limit=limit, search=search, only=only, value=value)

    def decide(self, decision: dict[str, Any]) -> dict[str, Any]:
        """Record a decision of the owner; it is on disk when this returns.

        Parameters
        ----------
        decision : dict
            ``uuid`` (drawn by the client; sending a decision again changes nothing); ``item``, which somebody must have
            answered; ``kind`` ("label": `value` is its class whatever people said; "exclude": it has none, and is left
            out; "reopen": people are asked once more; "undo": `value` is the uuid of a decision that is taken back);
            ``note``, or None. ``last_event`` is the last event on the item that was seen, None for all there are.
            ``seen`` is the uuid of the last decision that was seen, None for none; without the key it is not asked.

        Returns
        -------
        dict
            ``uuid``, ``item``, ``kind``, and ``newer``: who answered after ``last_event``; the decision counts all the
            same, and the item is found as answered "since".

        Raises
        ------
        ValueError
            If it is malformed; a `Conflict` if the label is no class, another decision was made that was not seen,
            nobody has answered the item, or there is nothing to undo.
        LookupError
            If there is no such item.
        OSError
            If it cannot be saved.
        """
        earlier_names = {change.name for change in self.store.class_changes()}
        checked = checked_decision(decision, self.classes, earlier_names, several=self.store.kind.several)
        return record_decision(self.store, checked, now=time.time())

    def adjudicate(self, item: str, value: str | Sequence[str], *, note: str | None = None) -> dict[str, Any]:
        """Decide which label an item has, whatever people said; it may be decided anew at any time.

        Parameters
        ----------
        item : str
        value : str or sequence of str
            A class; of several labels per item, those that it has.
        note : str, optional

        Returns
        -------
        dict
            As of `decide`.
        """
        return self._decide("label", item, value, note)

    def exclude(self, item: str, *, note: str | None = None) -> dict[str, Any]:
        """Leave an item out: nobody is asked about it, and it has no label in training and aggregated exports.

        Parameters
        ----------
        item : str
        note : str, optional

        Returns
        -------
        dict
            As of `decide`.
        """
        return self._decide("exclude", item, None, note)

    def reopen(self, item: str, *, note: str | None = None) -> dict[str, Any]:
        """Have an item labelled once more, by somebody who has not answered it, although it was put aside.

        Parameters
        ----------
        item : str
        note : str, optional

        Returns
        -------
        dict
            As of `decide`.
        """
        return self._decide("reopen", item, None, note)

    def _decide(self, kind: str, item: str, value: str | Sequence[str] | None, note: str | None) -> dict[str, Any]:
        return self.decide({"uuid": str(uuids.uuid4()), "item": item, "kind": kind, "value": value, "note": note})
