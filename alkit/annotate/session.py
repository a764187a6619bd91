"""LabelingSession: who labels what, and what becomes of it; the page, the notebook and HTTP are thin over it."""

from __future__ import annotations

import hashlib
import json
import pickle
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

import pandas as pd

from alkit._random import RandomState, generator
from alkit.annotate.database.answers import count_classes, read_answers, suggestion
from alkit.annotate.database.events import UnknownItem, checked_event, new_event
from alkit.annotate.database.store import LabelStore, lock
from alkit.annotate.database.tokens import new_token
from alkit.annotate.items import Items, difference
from alkit.annotate.quality.curve import live_curve
from alkit.annotate.trainer import Job, Trainer, check_job, model_path
from alkit.rows import Rows, n_rows


class LabelingSession:
    """Items, the people who label them, and a model that learns meanwhile.

    Labels are on disk when acknowledged. Each item goes to `overlap` different annotators, held for them for a while;
    what comes too late is kept, and marked. Another process trains; the next item is looked up, never computed.

    Parameters
    ----------
    items : Items, DataFrame or sequence of str
        What is to be labelled.
    classes : sequence of str
        The labels there are.
    db : str or Path
        The database, on a local disk; a session goes on where the last one ended.
    learner : estimator, ActiveLearner or Committee, optional
        Learns from the labels; without, items come in random order.
    strategy : str, Strategy or callable, optional
        Chooses what to label; by default "margin", or the learner's own.
    X : rows of any kind, optional
        What the learner sees of the items, a row each; by default `Items.features`.
    embed : transformer, optional
        Fitted once, on all of X; the learner sees what it makes of them.
    cold_start : str or Strategy, default="random"
        Chooses until each class has a label, e.g. ``get_strategy("typiclust", embed=...)``.
    overlap : int, default=1
        How many annotators label each item.
    random_share : float in [0, 1], default=0.1
        How many items are drawn at random once there is a model. They are shown without a suggestion, and tell how good
        the model is.
    lease_seconds : float, default=300
        For how long an item is held for an annotator.
    n_ranked : int, default=2000
        How many items a ranking holds.
    title : str, optional
        Shown on the page.
    random_state : int, RandomState or None
        Seeds the random order, and the trainer.

    Raises
    ------
    ValueError
        If the database was made for other items (the difference is named), or holds labels of other classes.
    OSError
        If another session or server is using the database, or it cannot be written.

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
        db: str | Path,
        *,
        learner: Any = None,
        strategy: Any = None,
        X: Rows = None,
        embed: Any = None,
        cold_start: Any = "random",
        overlap: int = 1,
        random_share: float = 0.1,
        lease_seconds: float = 300.0,
        n_ranked: int = 2000,
        title: str | None = None,
        random_state: RandomState = None,
    ):
        self.items = Items.of(items)
        self.classes = list(classes)
        self.overlap, self.random_share, self.lease_seconds = overlap, random_share, lease_seconds
        self.title = title
        self._check()
        self._rng = generator(random_state)
        job = None
        if learner is not None:
            features = self.items.features() if X is None else X
            if n_rows(features) != len(self.items):
                raise ValueError(f"X has {n_rows(features)} rows, but there are {len(self.items)} items")
            seed = int(self._rng.integers(2**31 - 1))
            job = Job(features, learner, strategy, self.classes, embed, cold_start, n_ranked, seed)
            check_job(job)
        path = Path(db).resolve()  # by whatever links it is called, it is one database and has one lock
        with ExitStack() as opened:
            opened.callback(lock(path).close)
            self.store = LabelStore(path)
            opened.callback(self.store.close)
            self._open()
            self.trainer = None if job is None else Trainer(self.store.path, job)
            self._opened = opened.pop_all()

    def _check(self) -> None:
        """Refuse parameters that make no session."""
        wrong = next((name for name in self.classes if not isinstance(name, str) or not name), None)
        if wrong is not None or len(set(self.classes)) != len(self.classes) or len(self.classes) < 2:
            raise ValueError(f"classes are {self.classes}; pass two or more different names")
        if isinstance(self.overlap, bool) or not isinstance(self.overlap, int) or self.overlap < 1:
            raise ValueError(f"overlap={self.overlap!r}; it must be an integer of at least 1")
        if not 0 <= self.random_share <= 1:
            raise ValueError(f"random_share={self.random_share}; it must be between 0 and 1")
        if not self.lease_seconds > 0:
            raise ValueError(f"lease_seconds={self.lease_seconds}; it must be positive")

    def _open(self) -> None:
        """Fill a new database; see whether an old one is of these items and classes."""
        new = list(zip(self.items.ids, self.items.contents(), strict=True))
        fingerprint = hashlib.sha256(json.dumps(new).encode()).hexdigest()
        known = self.store.meta("fingerprint")
        if known is None:
            order = self._rng.permutation(len(new)).tolist()
            model_path(self.store.path).unlink(missing_ok=True)
            self.store.add_items([(new[i][0], i, new[i][1]) for i in order], self.overlap, fingerprint)
        elif known != fingerprint:
            old = [tuple(row) for row in self.store.query("SELECT key, content FROM item ORDER BY position")]
            raise ValueError(
                f"{self.store.path} was made for other items: {difference(old, new)}; restore the data, or pass "
                "another database"
            )
        used = {row["value"] for row in self.store.query("SELECT DISTINCT value FROM answer WHERE kind = 'label'")}
        if used - set(self.classes):
            raise ValueError(
                f"{self.store.path} holds labels {sorted(used - set(self.classes))}, which are not among the classes "
                f"{self.classes}; add them, or pass another database"
            )
        if self.store.meta("overlap") != self.overlap:
            self.store.set_overlap(self.overlap)
        self.store.put_meta(classes=self.classes, title=self.title, trainer={})
        self._number = {key: number for number, key in enumerate(self.items.ids)}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self, timeout: float = 600.0) -> bool:
        """Have the model learn from the last labels, and let go of the database.

        Parameters
        ----------
        timeout : float, default=600
            Seconds to wait for that last fit.

        Returns
        -------
        bool
            Whether the model has all labels; True where there is none.
        """
        complete = self.trainer is None or self.trainer.stop(timeout)
        self.trainer = None
        self._opened.close()
        return complete

    # labelling

    def next(self, annotator: str, *, resume: bool = False) -> dict[str, Any] | None:
        """Hold an item for an annotator, another one with each call.

        Parameters
        ----------
        annotator : str
        resume : bool, default=False
            First give again what they hold already.

        Returns
        -------
        dict or None
            ``item`` (its id), ``text``, ``image`` (whether there is a picture), ``row``, ``suggestion`` (``value`` and
            ``confidence``, or None), ``model_version``, ``expires`` (Unix time, in seconds). None if nothing is left
            for them, or everything is held by others.
        """
        now = time.time()
        lease = self.store.renew(annotator, now=now, lease_seconds=self.lease_seconds) if resume else None
        lease = lease or self.store.next(
            annotator,
            now=now,
            lease_seconds=self.lease_seconds,
            ranked=self._rng.random() >= self.random_share,
            random_share=self.random_share,
        )
        return None if lease is None else self._shown(lease)

    def _shown(self, lease: sqlite3.Row) -> dict[str, Any]:
        """Return an item as people see it: one drawn at random without the model's opinion."""
        (item,) = self.store.query("SELECT key, content FROM item WHERE id = ?", lease["item"])
        content = json.loads(item["content"])
        return {
            "item": item["key"],
            "text": content["text"],
            "image": "image" in content,
            "row": content["row"],
            "suggestion": suggestion(lease),
            "model_version": lease["model_version"],
            "expires": lease["expires"],
        }

    def record(self, event: dict[str, Any], annotator: str) -> dict[str, Any]:
        """Keep what an annotator said; it is on disk when this returns.

        Parameters
        ----------
        event : dict
            ``uuid`` (drawn by the client; the same one again changes nothing and gives the same answer), ``item``,
            ``kind`` ("label", "skip", "flag" or "undo"), ``value`` (the label; a note, or None; for undo the uuid of
            what is undone), and ``seconds``, how long it took, or None.
        annotator : str

        Returns
        -------
        dict
            ``uuid``, ``item``, ``kind``, and ``late``: whether the item was not held for them any more.

        Raises
        ------
        ValueError
            If the event is malformed; a `Conflict` if the label is no class, or there is nothing to undo.
        LookupError
            If there is no such item.
        OSError
            If it cannot be saved, e.g. because the disk is full.
        """
        answer = self.store.record(
            checked_event(event, self.classes), annotator, now=time.time(), lease_seconds=self.lease_seconds
        )
        if self.trainer is not None:
            self.trainer.revive()
        return answer

    def label(self, item: str, value: str, annotator: str, *, seconds: float | None = None) -> dict[str, Any]:
        """Label an item: `record` with a uuid of its own.

        Parameters
        ----------
        item, value, annotator : str
        seconds : float, optional

        Returns
        -------
        dict
        """
        return self.record(new_event("label", item, value, seconds), annotator)

    def skip(self, item: str, annotator: str, *, seconds: float | None = None) -> dict[str, Any]:
        """Leave an item to others.

        Parameters
        ----------
        item, annotator : str
        seconds : float, optional

        Returns
        -------
        dict
        """
        return self.record(new_event("skip", item, None, seconds), annotator)

    def flag(
        self, item: str, annotator: str, *, note: str | None = None, seconds: float | None = None
    ) -> dict[str, Any]:
        """Put an item aside for review: nobody is given it any more, unless that is undone.

        Parameters
        ----------
        item, annotator : str
        note : str, optional
        seconds : float, optional

        Returns
        -------
        dict
        """
        return self.record(new_event("flag", item, note, seconds), annotator)

    def undo(self, uuid: str, annotator: str) -> dict[str, Any]:
        """Take back what was said, which stays on record; the item is held for the annotator again.

        Parameters
        ----------
        uuid : str
            Of the event taken back.
        annotator : str

        Returns
        -------
        dict
        """
        return self.record(new_event("undo", None, uuid), annotator)

    # looking

    def progress(self, annotator: str | None = None) -> dict[str, Any]:
        """Return how far things are.

        Parameters
        ----------
        annotator : str, optional

        Returns
        -------
        dict
            ``annotator``, ``title``, ``classes``, ``n_items``, ``n_done`` (items with all their labels), ``n_flagged``,
            ``n_labels``, ``mine``, ``counts`` by class, ``overlap``, ``curve`` (see `live_curve`), and ``model``: its
            ``version``, the ``n_labels`` it knows, whether it is ``training``, and what ``error`` it met.
        """
        counts = dict.fromkeys(self.classes, 0) | count_classes(self.store)
        n_flagged = self.store.count("SELECT COUNT(DISTINCT item) FROM answer WHERE kind = 'flag'")
        return {
            "annotator": annotator,
            "title": self.title,
            "classes": self.classes,
            "n_items": len(self.items),
            "n_done": self.store.count("SELECT COUNT(*) FROM queue WHERE wanted = 0") - n_flagged,
            "n_flagged": n_flagged,
            "n_labels": sum(counts.values()),
            "mine": self.store.count("SELECT COUNT(*) FROM answer WHERE annotator = ? AND kind = 'label'", annotator),
            "counts": counts,
            "overlap": self.overlap,
            "curve": live_curve(self.store),
            "model": self._model_state(),
        }

    def _model_state(self) -> dict[str, Any]:
        last = self.store.query("SELECT version, n_labels FROM model ORDER BY version DESC LIMIT 1")
        version, n_labels = last[0] if last else (None, None)
        state = self.store.meta("trainer", {})
        death = self.trainer.error() if self.trainer else None
        return {
            "version": version,
            "n_labels": n_labels,
            "training": bool(state.get("training")) and death is None,
            "error": "; ".join(filter(None, (state.get("error"), death))) or None,
        }

    def export(self, annotator: str | None = None) -> Iterator[dict[str, Any]]:
        """Return all answers that count, in the order given.

        Parameters
        ----------
        annotator : str, optional
            Only theirs.

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
        """
        if self.items.image is None or item not in self._number:
            raise UnknownItem(f"there is no item {item!r} with a picture")
        return self.items.image[self._number[item]].read_bytes()

    def new_token(self, annotator: str | None) -> str:
        """Return a token that lets an annotator (None: the owner) in by HTTP.

        Parameters
        ----------
        annotator : str or None

        Returns
        -------
        str
        """
        return new_token(self.store, annotator)

    def fitted_model(self) -> Any:
        """Return the model as of its last fit, which takes rows of X; after `close`, it knows all labels.

        Returns
        -------
        estimator

        Raises
        ------
        ValueError
            If none was fitted yet.
        """
        path = model_path(self.store.path)
        if not path.exists():
            raise ValueError(f"no model was fitted yet: each of the {len(self.classes)} classes needs a label first")
        return pickle.loads(path.read_bytes())
