"""The labelling session, through which the page, the notebook widget and the HTTP server work."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack
from typing import Any, Self
from weakref import WeakValueDictionary

import pandas as pd

from alkit._random import RandomState, generator
from alkit.annotate.database.answers import read_answers
from alkit.annotate.database.events import EventRecorder, UnknownItem, checked_event
from alkit.annotate.database.gold import put_gold
from alkit.annotate.database.look_back import own_answers
from alkit.annotate.database.model_state import model_state, patience, starting, wait_for_start
from alkit.annotate.database.opening import open_to_label
from alkit.annotate.database.places import Place, as_place, resolved
from alkit.annotate.database.progress import count_progress
from alkit.annotate.database.setup import as_range, check_asking, check_settings
from alkit.annotate.database.tokens import new_token
from alkit.annotate.files import check_regular
from alkit.annotate.guidelines import put_guidelines, shown_guidelines
from alkit.annotate.items import Items
from alkit.annotate.pages import Pages
from alkit.annotate.quality.curve import live_curve
from alkit.annotate.quality.team import Overviews
from alkit.annotate.reviewing import Reviewing
from alkit.annotate.training.job import Job, checked_job
from alkit.annotate.training.model_file import read_model
from alkit.annotate.training.trainer import Trainer
from alkit.rows import Rows

_LONGEST = 10  # times `idle_after`: the time an annotator can take for one item, whatever their clock says

_open_sessions: WeakValueDictionary[Place, LabelingSession] = WeakValueDictionary()  # of this process, by database


class LabelingSession(EventRecorder, Reviewing):
    """Items, the people who label them, and a model that learns meanwhile.

    A label is on disk when it is acknowledged. Each item is given to `overlap` different annotators and held for each
    of them for `lease_seconds`, or as long as they look at it; a label that comes later is kept and marked as late. The
    model is trained in another process and ranks the items; the next item is looked up in its last ranking, so that no
    annotator waits for a fit.

    A second session on the same database in the same process closes the first and takes its place, so that a cell of a
    notebook can be run again. A session in a ``with`` block is not replaced.

    Parameters
    ----------
    items : Items, DataFrame or sequence of str
        What is to be labelled.
    classes : sequence of str
        The labels to choose from. Those that ``alkit classes`` has renamed or merged since may have their earlier
        names.
    db : str or Path
        The database: a file on a local disk, or ``postgresql://user@host/database?schema=project``, on which several
        servers may be at work. A session continues where the last one on it ended.
    learner : estimator, ActiveLearner or Committee, optional
        Trained on the labels, once two classes have some; without one, items come in random order.
    strategy : str, Strategy or callable, optional
        Ranks the items; by default "margin", or the learner's own.
    X : rows of any kind, optional
        What the learner sees of the items, one row per item; by default `Items.features`.
    embed : transformer, optional
        Fitted once, on all of X; the learner is given its output.
    cold_start : str or Strategy, default="random"
        Ranks the items until two classes have labels, e.g. ``get_strategy("typiclust", embed=...)``.
    n_cold : int, default=0
        How many items have labels before the model, which predicts already, ranks them in place of `cold_start`. With
        ``cold_start="random"`` it ranks them from the first.
    overlap : int or (int, int), default=1
        How many annotators label each item. ``(1, 3)``: one, and up to three where the label is not sure yet, given
        what they said, how each of them errs, and what the model predicts; needs a learner.
    assign : {"anyone", "expertise"}, default="anyone"
        Who is given an item: whoever comes next, or the person whose answer is expected to tell most about its label;
        needs a learner.
    random_share : float in [0, 1], default=0.1
        Share of items drawn at random once there is a model. They are shown without a suggestion, and the live learning
        curve is measured on them.
    lease_seconds : float, default=300
        How long an item is held for an annotator; the page renews that while somebody looks at it.
    idle_after : float, default=60
        Seconds without a key or a movement after which an annotator counts as away: a longer pause counts as that long,
        and one item as ten times that long at most.
    n_ranked : int, default=2000
        Number of items in a ranking.
    title : str, optional
        Shown on the page.
    gold : mapping of str to str or sequence of str, optional
        Known answers by the item's id, by which people are tested; kept with the labels until others are given. They
        take the place of people's answers to the same items, and are no labels before anybody has given one.
    gold_share : float in [0, 1], default=0.1
        Share of the items given to each person that are gold, as long as there are some that they have not answered.
    guidelines : str, optional
        Markdown that the page shows beside the item; kept with the labels until others are given, or an empty text.
    accept_changes : bool, default=False
        Whether items of an earlier session may have changed, and may be gone. Labels of changed items are kept and
        marked as given to the earlier text; items that are gone keep their labels and are asked about no more. New
        items and another order need no permission.
    multi : bool, default=False
        Whether items may have several labels, or none: labels are then lists of classes, and a learner is fitted on a
        0/1 matrix, one column per class. A database is of one kind from its beginning.
    random_state : int, RandomState or None
        Seeds the random order, and the trainer.

    Attributes
    ----------
    changes : Changes or None
        Ids of the items that are ``new``, ``changed``, ``gone`` or ``moved`` since the session before; None where
        nothing has changed. As text, how many there are, and the first of each kind.

    Raises
    ------
    ValueError
        If the database was made for other items (the difference is named) or the other kind of labels, holds labels of
        other classes, or is a copy that lacks labels.
    OSError
        If another session or server is using the database, it is damaged, or it cannot be written.

    Examples
    --------
    >>> from alkit.annotate import LabelingSession
    >>> from tempfile import mkdtemp
    >>> texts = ["Win a prize!!!", "See you at noon"]
    >>> with LabelingSession(texts, ["spam", "ham"], mkdtemp() + "/labels.db", random_state=0) as session:
    ...     item = session.next("ann")
    ...     answer = session.label(item["item"], "spam" if "!" in item["text"] else "ham", "ann", seconds=1.5)
    ...     session.progress("ann")["n_done"]
    1
    """

    def __init__(
        self,
        items: Items | pd.DataFrame | Sequence[str],
        classes: Sequence[str],
        db: str | Place,
        *,
        learner: Any = None,
        strategy: Any = None,
        X: Rows = None,
        embed: Any = None,
        cold_start: Any = "random",
        n_cold: int = 0,
        overlap: int | tuple[int, int] = 1,
        assign: str = "anyone",
        random_share: float = 0.1,
        lease_seconds: float = 300.0,
        idle_after: float = 60.0,
        n_ranked: int = 2000,
        title: str | None = None,
        gold: Mapping[str, str | Sequence[str]] | None = None,
        gold_share: float = 0.1,
        guidelines: str | None = None,
        accept_changes: bool = False,
        multi: bool = False,
        random_state: RandomState = None,
    ):
        self.items = Items.of(items)
        self._last_classes = list(classes)  # as of the end, once it is closed
        self.overlap, self.random_share = overlap, random_share
        self.lease_seconds, self.idle_after = lease_seconds, idle_after
        self.multi, self.gold_share = multi, gold_share
        # the name of a file need not be UTF-8
        self.title = None if title is None else title.encode(errors="replace").decode()
        self.successor: LabelingSession | None = None  # opened on the same database by running a cell again
        self._in_block, self._is_closed = False, False
        check_settings(
            classes,
            shares={"random_share": random_share, "gold_share": gold_share},
            seconds={"lease_seconds": lease_seconds, "idle_after": idle_after},
        )
        least_most = as_range(overlap)
        check_asking(assign, least_most, has_learner=learner is not None, multi=multi)
        self._rng = generator(random_state)
        job = None
        if learner is not None:
            seed = int(self._rng.integers(2**31 - 1))
            job = Job(
                X, learner, strategy, list(classes), embed, cold_start, n_cold, n_ranked, seed, assign, least_most,
                multi=multi,
            )  # fmt: skip
            job = checked_job(job, self.items)
        path = resolved(as_place(db))  # one database has one lock, whatever links lead to it
        self._replace_earlier(path)
        with ExitStack() as opened:
            self.store, self.changes = open_to_label(
                path,
                self.items,
                classes,
                least_most,
                self._rng,
                opened,
                accept_changes=accept_changes,
                multi=multi,
            )
            self.store.put_meta(title=self.title)
            if self.store.engine.is_first:  # else the trainer of another server tells what it does
                self.store.put_meta(trainer={} if job is None else starting())
            if gold is not None:
                put_gold(self.store, gold)
            if guidelines is not None:
                put_guidelines(self.store, guidelines)
            self.trainer = None if job is None else Trainer(path, job._replace(classes=self.classes))
            self._opened = opened.pop_all()
        self._pages = Pages(self.store, self._rng)
        self._overviews = Overviews(self.store)
        self._pictures = dict(zip(self.items.ids, self.items.image or (), strict=False))  # none, or all of them
        _open_sessions[path] = self

    @property
    def classes(self) -> list[str]:
        """The labels to choose from, as ``alkit classes`` left them."""
        if not self._is_closed:
            self._last_classes = self.store.meta("classes")
        return self._last_classes

    def _replace_earlier(self, path: Place) -> None:
        """Close the session that an earlier run of the same cell opened; its model is for this one to train."""
        earlier = _open_sessions.get(path)
        if earlier is not None and not earlier._in_block:
            earlier.close(timeout=0)
            earlier.successor = self

    def __enter__(self) -> Self:
        self._in_block = True
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self, timeout: float | None = None) -> bool:
        """Train the model on the last labels, and close the database.

        Parameters
        ----------
        timeout : float, optional
            Seconds to wait for that last fit. By default five times as long as a fit usually takes, at least 30 s and
            at most 600 s, once the trainer's process has started; a fit that has been running for longer than that
            hangs, probably, and is not waited for.

        Returns
        -------
        bool
            Whether the model was trained on all labels; True where there is no model.
        """
        trainer, self.trainer = self.trainer, None
        try:
            if trainer is None:
                return True
            if timeout is None:
                wait_for_start(self.store, lambda: trainer.error() is None)
                timeout = patience(self.store, trainer.error())
            return trainer.stop(timeout)
        finally:
            self._last_classes, self._is_closed = self.classes, True
            self._opened.close()
            if _open_sessions.get(self.store.path) is self:
                del _open_sessions[self.store.path]

    # labelling

    def next(
        self, annotator: str, *, resume: bool = False, page: str | None = None, have: Collection[str] = ()
    ) -> dict[str, Any] | None:
        """Hold an item for an annotator; each call holds another one, up to five.

        Parameters
        ----------
        annotator : str
        resume : bool, default=False
            Whether to return an item that they already hold, if there is one.
        page : str, optional
            Which of the annotator's open pages asks. Two pages are never given the same item, and each is given first
            what it holds but does not have, e.g. after a reload.
        have : collection of str
            Ids of the items that the page has.

        Returns
        -------
        dict or None
            ``item`` (its id), ``text``, ``image`` (whether there is a picture), ``row``, ``suggestion`` (``value`` and
            ``confidence``, of several labels also ``proba``, a dict of each class; or None), ``model_version``,
            ``expires`` (Unix time, in seconds), ``version`` (how often its content has changed). None if nothing is
            left for them, or everything is held by others. Who holds five items (15 in all pages) is given those again.
        """
        return self._pages.next(
            annotator,
            page=page,
            have=have,
            resume=resume or page is not None,
            lease_seconds=self.lease_seconds,
            random_share=self.random_share,
            gold_share=self.gold_share,
        )

    def renew(self, annotator: str, have: Collection[str], *, page: str | None = None) -> list[str]:
        """Hold the items for longer that an annotator's page has; pages call it while somebody looks at them.

        Parameters
        ----------
        annotator : str
        have : collection of str
            Ids of these items.
        page : str, optional
            As for `next`.

        Returns
        -------
        list of str
            Ids of the items that are held now. Those missing were answered, or are with others.
        """
        return self._pages.renew(annotator, have, page=page, lease_seconds=self.lease_seconds)

    def record(self, event: dict[str, Any], annotator: str) -> dict[str, Any]:
        """Record an annotator's event; it is on disk when this returns.

        Parameters
        ----------
        event : dict
            ``uuid`` (drawn by the client; sending an event again changes nothing and returns the same dict), ``item``,
            ``kind`` ("label", "skip", "flag", "undo" or "note"), ``value`` (of a label, the class, or a list of classes
            where items may have several; of a skip or flag, a note or None; of an undo, the uuid of the event to undo;
            of a note on the own answer, its text), and ``seconds``, how long it took, or None; more than ten times
            `idle_after` are kept as that. ``version`` is that of the item as `next` gave it, or None for the present
            one.
        annotator : str

        Returns
        -------
        dict
            ``uuid``, ``item``, ``kind``, and ``late``: whether the item was no longer held for them.

        Raises
        ------
        ValueError
            If the event is malformed; a `Conflict` if the label is no class, or there is nothing to undo.
        LookupError
            If there is no such item.
        OSError
            If it cannot be saved, e.g. because the disk is full.
        """
        earlier_names = {change.name for change in self.store.class_changes()}
        checked = checked_event(event, self.classes, earlier_names, several=self.multi)
        if checked["seconds"] is not None:
            checked["seconds"] = min(checked["seconds"], _LONGEST * self.idle_after)
        answer = self.store.record(checked, annotator, now=time.time(), lease_seconds=self.lease_seconds)
        if self.trainer is not None:
            self.trainer.revive()
        return answer

    # looking

    def progress(self, annotator: str | None = None) -> dict[str, Any]:
        """Return how much is labelled, and what the model makes of it.

        Parameters
        ----------
        annotator : str, optional

        Returns
        -------
        dict
            ``annotator``, ``title``, ``classes``, ``multi``, ``n_items``, ``n_done`` (items with all their labels),
            ``n_flagged``, ``n_labels``, ``mine``, ``counts`` by class, the classes that are ``unlabelled``, ``overlap``
            as it was given, ``curve`` (see `live_curve`), and ``model``: its ``version``, the ``n_labels`` it was
            fitted on, whether it is ``training``, the last ``error``, sentences on what it is ``waiting`` for and why
            it is ``slow`` (or None), and the items it learns without because they are ``unreadable``;
            ``lease_seconds`` and ``idle_after``, as the page needs them; ``guidelines``, the version of those that
            `guidelines` returns.
        """
        crash = self.trainer.error() if self.trainer else None
        classes = self.classes
        counted = count_progress(self.store, classes, annotator)
        return {
            "annotator": annotator,
            "title": self.title,
            "classes": classes,
            "multi": self.multi,
            "n_items": len(self.items),
            "overlap": self.overlap,
            "lease_seconds": self.lease_seconds,
            "idle_after": self.idle_after,
            **counted,
            "unlabelled": [name for name in classes if not counted["counts"][name]],
            "curve": live_curve(self.store),
            "model": model_state(self.store, counted["counts"], crash, n_labels=counted["n_labels"]),
            "guidelines": self.store.meta("guidelines_version"),
        }

    def guidelines(self) -> dict[str, Any]:
        """Return what people are told about the classes, as a page shows it.

        Returns
        -------
        dict
            ``version`` (None: there are no guidelines); ``nodes``, the tree of their elements (``tag``, ``children``:
            nodes and texts, and ``href`` of a link); ``classes``, the first paragraph below the heading that is the
            name of a class, by the class.
        """
        return shown_guidelines(self.store)

    def answers(
        self,
        annotator: str,
        *,
        before: int | None = None,
        limit: int = 50,
        search: str = "",
        only: str | None = None,
        value: str | None = None,
    ) -> dict[str, Any]:
        """Return an annotator's own answers, the latest first, a page of them at a time.

        An answer is changed by another one to the same item; those after it stay as they are.

        Parameters
        ----------
        annotator : str
        before : int, optional
            The ``before`` of the page that this one follows.
        limit : int, default=50
            Answers per page, at most 200.
        search : str, optional
            What the text, a cell, the note or the id holds; capitals do not matter.
        only : {"label", "none", "skip", "flag", "disagrees", "note", "changed"}, optional
            Labels that the model did not expect ("disagrees"), answers with a note, or those whose item has changed
            since; of several labels per item, answers without any ("none").
        value : str, optional
            Labels of this class, or with it among them.

        Returns
        -------
        dict
            ``before``, for the next page, None where there is none (a page may have fewer answers than `limit` and yet
            be followed by others); and ``answers``, each with ``item``, ``text``, ``image``, ``row``, ``suggestion``,
            ``model_version`` and ``version`` as of `next`; ``uuid``, ``event`` (its number), ``kind``, ``value``,
            ``note``, ``time``, ``seconds``; ``expected``, what the model predicted before it had the answer (``value``
            and ``confidence``, or None), and whether it ``disagrees``; whether it ``replaces`` an answer that an undo
            would bring back; ``earlier``, the content of the item as it was when the answer was given, None where it is
            the same.
        """
        return own_answers(self.store, annotator, before=before, limit=limit, search=search, only=only, value=value)

    def export(self, annotator: str | None = None) -> Iterator[dict[str, Any]]:
        """Return all answers that were not undone or replaced, in the order given.

        Parameters
        ----------
        annotator : str, optional
            Return only this annotator's.

        Returns
        -------
        iterator of dict
            See `read_answers`.
        """
        return read_answers(self.store, annotator)

    def picture(self, item: str) -> bytes:
        """Return an item's picture, as it is in its file.

        Parameters
        ----------
        item : str

        Returns
        -------
        bytes

        Raises
        ------
        UnknownItem
            If there is no such item, or it has no picture.
        OSError
            If its file cannot be read.
        """
        if item not in self._pictures:
            raise UnknownItem(f"there is no item {item!r} with a picture")
        check_regular(self._pictures[item])  # it was one when it was listed
        return self._pictures[item].read_bytes()

    def new_token(self, annotator: str | None) -> str:
        """Return a token with which an annotator may send requests.

        Parameters
        ----------
        annotator : str or None
            None is the owner, who sees all labels and gives none.

        Returns
        -------
        str
        """
        return new_token(self.store, annotator)

    def fitted_model(self) -> Any:
        """Return the model as of its last fit, which takes rows of X; after `close`, it is fitted on all labels.

        The file ``labels.db.model`` beside the database, or what is kept on the server of PostgreSQL, is unpickled,
        which runs whatever code is in it: call this only where you trust everybody who can write there.

        Returns
        -------
        estimator

        Raises
        ------
        ValueError
            If no model was fitted yet.
        """
        return read_model(self.store.path)
