"""Rounds of learning: the model is fitted on the labels there are, and ranks the items that have none."""

from __future__ import annotations

import copy
import sys
import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

import numpy as np
from sklearn.pipeline import make_pipeline

from alkit._inner import tell_classes
from alkit._random import draw_seed, generator
from alkit.annotate.database.asking import ask_again
from alkit.annotate.database.decisions import count_decisions
from alkit.annotate.database.ranking import Assigned, Labels, Ranked, last_event, put_ranking, read_labels
from alkit.annotate.database.store import LabelStore
from alkit.annotate.quality.expertise import describe
from alkit.annotate.training.assigning import assign
from alkit.annotate.training.choosing import BestCandidate
from alkit.annotate.training.crowd_labels import CrowdLabels, Truth, takes_weights
from alkit.annotate.training.encoders import told_of_reading
from alkit.annotate.training.job import Job
from alkit.annotate.training.learners import check_finite, estimators_of
from alkit.annotate.training.model_file import write_model
from alkit.annotate.training.others import Others
from alkit.annotate.training.pictures import UnreadableRows, unreadable_pictures
from alkit.learners import ActiveLearner
from alkit.rows import Rows, n_rows, take
from alkit.strategies import Strategy, as_strategy

_POLL_SECONDS = 0.3
_N_SET_PICKS = 200  # ranked items of strategies that pick on the set, such as BADGE: they are slow for many picks
_N_PREDICTED = 500  # next items of the random order of which predictions are kept, too
_REST_SECONDS = 10.0  # how long the others are predicted at the end of a session
_N_TIMED = 20  # rounds whose median says how long one usually takes
_N_NAMED = 20  # items that cannot be read and are named; the others are counted
_NONE = np.empty(0, dtype=np.intp), np.empty(0)  # rows, and their scores


class Training:
    """Fitting and ranking, for as long as there are new labels.

    The model starts once two classes have labels. Estimators with a parameter ``classes``, as the networks of alkit
    have, are told all classes from the start; their weights are kept when a class gets its first label. Any other
    estimator is then fitted anew, from a copy of the learner as it was given: scikit-learn's warm starts refuse, or
    mix up, classes that they have not met.

    Parameters
    ----------
    store : LabelStore
    job : Job
    """

    least_known = 2
    """Classes that labels must tell apart before there is a model."""

    def __init__(self, store: LabelStore, job: Job):
        self.store, self.job = store, job
        self.told: dict[str, Any] = {"error": None}
        self.tell(doing="reading the items", since=time.time())
        items = store.query("SELECT id, position, key FROM item ORDER BY id")
        self.keys = [row["key"] for row in items]  # by the id of the item
        # places in the data, by the id of the item; -1 where the data no longer has it
        self.positions = np.array([row["position"] for row in items])
        self.is_readable = np.ones(n_rows(job.X), dtype=bool)  # by the place in the data
        self.was_searched = False
        self.X = self._embedded()
        self._number_rows()
        self.rng = generator(job.seed)
        self.classes = list(job.classes)
        self.n_changes = 0  # of the classes, that the round takes into account
        self.crowd = CrowdLabels(job.learner, len(self.rows), self.rng)
        self.takes_weights = all(takes_weights(estimator) for estimator in estimators_of(job.learner))
        self.learner = self._fresh_learner()
        self.fitted_on: set[str] | None = None  # classes of the labels that the learner's weights come from
        self.first, self.first_scores = _NONE  # rows that `cold_start` asks for
        self.others = Others(self.store, lambda rows: self._predict(rows, self._proba(rows)))
        self.durations: deque[float] = deque(maxlen=_N_TIMED)
        self.tell(doing=None, since=None)

    def tell(self, **changes: Any) -> None:
        """Write down how training goes, for the page.

        Parameters
        ----------
        **changes : objects of plain JSON types
            What is new of ``doing`` (None: nothing), ``since`` (Unix time), ``usual_seconds`` of a round, ``error``,
            ``seen`` (the last event taken into account), ``known`` (classes of labels it can use), ``unreadable``
            (``n`` and the first ``items``), ``read`` (``n`` items ``of`` all), ``chosen`` (``name``, ``scores`` of all
            candidates on ``n_labels``).
        """
        self.told |= changes
        self.store.put_meta(trainer=self.told)

    # items that cannot be read

    def _embedded(self) -> Rows:
        """Return what the learner sees: of an embedding, the rows that it could read."""
        job = self.job
        if job.embed is None:
            return job.X
        try:
            with told_of_reading(lambda n, of: self.tell(read={"n": n, "of": of})):
                return job.embed.fit_transform(job.X)
        except UnreadableRows as error:
            self._leave_out(error.reasons)
        except Exception:
            if not self._search_unreadable():
                raise
        return job.embed.fit_transform(take(job.X, np.flatnonzero(self.is_readable)))

    def _search_unreadable(self) -> bool:
        """Look, once, for pictures that may have made a model fail; return whether there are any."""
        if self.was_searched or self.job.pictures is None:
            return False
        self.was_searched = True
        reasons = unreadable_pictures(self.job.pictures)
        if reasons:
            self._leave_out(reasons)
        return bool(reasons)

    def _leave_out(self, reasons: dict[int, str]) -> None:
        """Learn without some items, and name them on the page and in the terminal."""
        self.was_searched = True
        self.is_readable[list(reasons)] = False
        named = [{"item": self._key(place), "reason": _line(reasons[place])} for place in sorted(reasons)[:_N_NAMED]]
        lines = [f"  {one['item']}: {one['reason']}" for one in named]
        if len(reasons) > len(named):
            lines.append(f"  and {len(reasons) - len(named)} more")
        print(
            f"alkit: the model learns without {len(reasons)} of {len(self.is_readable)} items, which it cannot read; "
            "people can label them all the same:",
            *lines,
            sep="\n",
            file=sys.stderr,
            flush=True,
        )
        self.tell(unreadable={"n": len(reasons), "items": named})
        if not self.is_readable.any():
            raise ValueError(f"the model can read none of the {len(reasons)} items; the first: {named[0]['reason']}")

    def _key(self, place: int) -> str:
        """Return the key of the item at a place in the data."""
        return self.keys[np.flatnonzero(self.positions == place)[0]]

    def _number_rows(self) -> None:
        """Note which row of X is which item; items that are unreadable, or gone from the data, have none."""
        places = np.arange(len(self.is_readable))
        if self.job.embed is not None:
            places = np.cumsum(self.is_readable) - 1
        rows = np.where(self.is_readable, places, -1)[self.positions]
        self.rows = np.where(self.positions < 0, -1, rows)  # by the id of the item
        ids = np.flatnonzero(self.rows >= 0)
        self.item_ids = np.zeros(len(self.is_readable), dtype=np.intp)  # by the row of X
        self.item_ids[self.rows[ids]] = ids

    # rounds

    def run(self, stopping: threading.Event) -> bool:
        """Train until asked to stop and done with the last labels.

        Parameters
        ----------
        stopping : Event
            Set to ask for the end.

        Returns
        -------
        bool
            Whether the last fit went well.
        """
        seen, error = None, None
        while True:
            last_round = stopping.is_set()  # asked before labels are read, so that the last round misses none
            if (last_event(self.store), count_decisions(self.store), self.store.meta("classes")) == seen:
                if last_round:
                    self.others.predict_until(time.monotonic() + _REST_SECONDS)
                    return error is None
                if not stopping.wait(_POLL_SECONDS):
                    self.others.predict_some()
                continue
            labels = read_labels(self.store)
            self.tell(doing="fitting", since=time.time())  # the last error is shown until this fit ends
            self._take_classes(labels)
            error = self._learn(labels)
            seen = (labels.last_event, labels.n_decisions, labels.classes)
            self.tell(doing=None, since=None, error=error, seen=labels.last_event)

    def _take_classes(self, labels: Labels) -> None:
        """Begin anew where classes were added, renamed or merged: weights are those of the earlier ones."""
        self.n_changes = labels.n_changes
        if labels.classes != self.classes:
            self.classes = labels.classes
            self.learner, self.fitted_on = self._fresh_learner(), None

    def _learn(self, labels: Labels) -> str | None:
        """Do a round, from scratch if it fails from the last weights; return what went wrong at last."""
        was_warm = self.fitted_on is not None
        try:
            self._round(labels)
        except Exception as failure:  # a model may raise anything; the last ranking stays in use
            self.learner, self.fitted_on = self._fresh_learner(), None
            if was_warm or self._found_unreadable():
                return self._learn(labels)
            return one_line(failure)
        return None

    def _found_unreadable(self) -> bool:
        """Return whether pictures that the learner reads itself were found that cannot be read."""
        if self.job.embed is not None or not self._search_unreadable():
            return False
        self._number_rows()
        return True

    def _fresh_learner(self) -> Any:
        """Return a learner without labels; also after a failure, which may leave weights that are useless."""
        learner = copy.deepcopy(self.job.learner)
        if not hasattr(learner, "query"):
            learner = ActiveLearner(learner, self.job.strategy or "margin", random_state=draw_seed(self.rng))
        elif self.job.strategy is not None:
            learner.query_strategy = self.job.strategy
        for estimator in estimators_of(learner):
            if hasattr(estimator, "get_params"):
                self._tell_classes(estimator)
        return learner

    def _tell_classes(self, estimator: Any) -> None:
        tell_classes(estimator, np.unique(self.classes))

    def _round(self, labels: Labels) -> None:
        """Fit on the labels there are, or rank without a model while fewer than two classes have labels."""
        started = time.monotonic()
        fresh = self.rows[labels.fresh]
        fresh = fresh[fresh >= 0]
        rows, values = self.rows[labels.items], self._as_y(labels.values)
        rows, values = rows[rows >= 0], values[rows >= 0]
        known = self._known(values)
        self.told["known"] = sorted(known)
        if len(known) < self.least_known:
            self._rank_without_model(fresh, len(labels.items))
            return
        truth, weights = None, dict[str, Any]()
        if labels.answers:
            truth = self.crowd.weigh(labels.answers, self.X, self.rows, self.learner, labels.decided)
            rows, values, weights = truth.to_fit(self.rows, or_else=(rows, values), weighted=self.takes_weights)
            rows, values, weights = self._with_decided(labels.decided, truth, rows, values, weights)
            known = set(values.tolist())
        if not self._can_go_on(known):
            self.learner = self._fresh_learner()
        self._fit(rows, values, **weights)
        self.fitted_on = known
        self._tell_of_choice()
        if truth is not None:
            self._tell_of_people(truth)
        self._rank(fresh, labels, truth)
        write_model(self.store, self._model())
        self.durations.append(time.monotonic() - started)
        self.told["usual_seconds"] = median(self.durations)

    def _fit(self, rows: np.ndarray, y: np.ndarray, **weights: Any) -> None:
        self.learner.fit(take(self.X, rows), y, **weights)

    def _as_y(self, values: Sequence[str]) -> np.ndarray:
        """Return labels as a learner takes them."""
        return np.array(values)

    def _known(self, y: np.ndarray) -> set[str]:
        """Return the classes that labels tell from others."""
        return set(y.tolist())

    def _with_decided(
        self, decided: Mapping[int, str], truth: Truth, rows: np.ndarray, values: np.ndarray, weights: dict[str, Any]
    ) -> tuple[np.ndarray, np.ndarray, dict[str, Any]]:
        """Add the items that the owner decided about and nobody labelled: people skipped them, or put them aside."""
        unlabelled = sorted(decided.keys() - set(truth.answers.items.tolist()))
        added = [item for item in unlabelled if self.rows[item] >= 0 and self.rows[item] not in rows]
        rows = np.concatenate([rows, self.rows[added].astype(rows.dtype)])
        values = np.concatenate([values, [decided[item] for item in added]]) if added else values
        weights = {name: np.concatenate([given, np.ones(len(added))]) for name, given in weights.items()}
        return rows, values, weights

    def _can_go_on(self, known: set[str]) -> bool:
        """Return whether a fit on labels of some classes may start from the learner's weights."""
        if self.fitted_on is None or known == self.fitted_on:
            return True
        told = set(np.asarray(getattr(self.learner, "classes_", ())).tolist())
        return known <= told and self.fitted_on < told  # it knew classes without labels before: it was told all

    def _tell_of_choice(self) -> None:
        """Write down which of several models was chosen, and how good each is, for the page and the report."""
        model = getattr(self.learner, "estimator", self.learner)
        if isinstance(model, BestCandidate):
            self.told["chosen"] = {"name": model.chosen_, "scores": model.scores_, "n_labels": model.n_compared_on_}

    def _tell_of_people(self, truth: Truth) -> None:
        """Ask again where people's labels leave a doubt, and write down what is known of people, for the report."""
        least, most = self.job.overlap
        if least < most:
            ask_again(self.store, truth.labels_asked(least, most))
        told = describe(truth.answers, truth.proba, truth.confusion)
        for label in told["suspicious"]:
            label["item"] = self.keys[label["item"]]
        self.store.put_meta(people=told)

    def _rank(self, fresh: np.ndarray, labels: Labels, truth: Truth | None) -> None:
        """Rank the items without a label, and predict the next ones of the random order."""
        ranked, utilities = _NONE
        if fresh.size and len(labels.items) < self.job.n_cold:
            ranked, utilities = self._first_items(fresh, len(labels.items))
        others = np.setdiff1d(fresh, ranked)
        if others.size:
            n = self._count(as_strategy(self.learner.query_strategy), others)
            rows, _, scores = self.learner.query(self.X, n_instances=n, candidates=others, return_metrics=True)
            ranked, utilities = np.concatenate([ranked, rows]), np.concatenate([utilities, scores])
        # the lowest ids are drawn next, see the schema
        only_predicted = np.setdiff1d(fresh[:_N_PREDICTED], ranked)
        rows = np.concatenate([ranked, only_predicted])
        proba = self._proba(rows)
        predictions, confidences = self._predict(rows, proba)
        assigned: list[Assigned] = []
        if truth is not None and self.job.assign == "expertise":
            proba = None if proba is None else proba[: len(ranked)]
            proba_ranked = truth.of_others(len(ranked), proba, getattr(self.learner, "classes_", None))
            assigned = assign(self.store, self.item_ids[ranked], proba_ranked, truth, self.rng)
        self._put(ranked, utilities, only_predicted, predictions, confidences, labels.n_labels, assigned)
        self.others.are(np.setdiff1d(fresh, rows), self.item_ids)

    def _count(self, strategy: Any, fresh: np.ndarray) -> int:
        """Return how many items to rank."""
        n_ranked = min(len(fresh), self.job.n_ranked)
        if isinstance(strategy, Strategy) and strategy.pick_needs:
            return min(n_ranked, _N_SET_PICKS)
        return n_ranked

    def _rank_without_model(self, fresh: np.ndarray, n_labelled: int) -> None:
        """Rank by a strategy that needs no model, unless predictions that were made elsewhere already do."""
        is_ranked = np.isin(self.first, fresh).any()
        if is_ranked or self.store.count("SELECT COUNT(*) FROM ranking WHERE prediction IS NOT NULL"):
            return
        ranked, utilities = self._first_items(fresh, n_labelled) if fresh.size else _NONE
        if ranked.size:
            nothing = [None] * len(ranked)
            self._put(ranked, utilities, _NONE[0], nothing, nothing, 0)

    def _first_items(self, fresh: np.ndarray, n_labelled: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the rows that a strategy without a model asks for and that have no label yet, and their scores.

        They are chosen together, so that they cover what there is, and anew once all of them have labels.
        """
        strategy = as_strategy(self.job.cold_start)
        if strategy.name == "random":
            return _NONE
        if not np.isin(self.first, fresh).any():
            n = self._count(strategy, fresh)
            if n_labelled < self.job.n_cold:
                n = min(n, self.job.n_cold - n_labelled)
            picks = strategy.select(self.learner, self.X, n, candidates=fresh, random_state=self.rng)
            self.first, self.first_scores = np.asarray(picks.indices), np.asarray(picks.scores, float)
        is_open = np.isin(self.first, fresh)
        return self.first[is_open], self.first_scores[is_open]

    def _proba(self, rows: np.ndarray) -> np.ndarray | None:
        """Return the probabilities of each row, one column per class of the learner; None where it has none.

        A class without labels has probability 0, whatever an estimator that was told of it makes of it: a guess that
        rests on nothing must not be suggested.
        """
        if not rows.size or not all(hasattr(estimator, "predict_proba") for estimator in estimators_of(self.learner)):
            return None
        proba = np.asarray(self.learner.predict_proba(take(self.X, rows)), dtype=float)
        check_finite(proba)
        known = self.fitted_on or set()
        has_labels = np.array([name in known for name in np.asarray(self.learner.classes_).tolist()])
        if not has_labels.all():
            proba = np.where(has_labels, proba, 0.0)
            total = proba.sum(1, keepdims=True)
            proba = np.divide(proba, total, out=np.zeros_like(proba), where=total > 0)
        return proba

    def _predict(self, rows: np.ndarray, proba: np.ndarray | None) -> tuple[list[str | None], list[float | None]]:
        """Return the most probable class of each row, and its probability (None where the learner has none).

        A row that would be of classes without labels alone has no prediction.
        """
        if not rows.size:
            return [], []
        if proba is None:
            known = self.fitted_on or set()
            predicted = np.asarray(self.learner.predict(take(self.X, rows))).tolist()
            return [name if name in known else None for name in predicted], [None] * len(rows)
        classes = np.asarray(self.learner.classes_).tolist()
        confidences = proba.max(1).tolist()
        predictions = [
            classes[column] if confidence > 0 else None
            for column, confidence in zip(proba.argmax(1), confidences, strict=True)
        ]
        return predictions, confidences

    def _put(
        self,
        ranked: np.ndarray,
        utilities: np.ndarray,
        only_predicted: np.ndarray,
        predictions: Sequence[str | None],
        confidences: Sequence[float | None],
        n_labels: int,
        assigned: Sequence[Assigned] = (),
    ) -> None:
        """Write the ranking: the ranked rows in order, then those only predicted."""
        items = self.item_ids[np.concatenate([ranked, only_predicted])].tolist()
        unranked = [None] * len(only_predicted)
        places = [*range(len(ranked)), *unranked]
        scores = [*np.asarray(utilities, dtype=float).tolist(), *unranked]
        rows = zip(items, places, scores, predictions, confidences, strict=True)
        ranked_rows = [Ranked(*row) for row in rows]
        put_ranking(self.store, ranked_rows, n_labels, time.time(), assigned, n_changes=self.n_changes)

    def _model(self) -> Any:
        """Return the fitted model; with an embedding, a Pipeline, so that it takes rows of X in any case."""
        model = getattr(self.learner, "estimator", self.learner)
        if self.job.embed is None:
            return model
        return make_pipeline(self.job.embed, model)


def one_line(error: Exception) -> str:
    """Return an error as the page shows it.

    Parameters
    ----------
    error : Exception

    Returns
    -------
    str
    """
    return _line(f"{type(error).__name__}: {error}")


def _line(text: str) -> str:
    """Return a text as one line that can be sent: names of files in it need not be UTF-8."""
    return " ".join(text.split())[:500].encode(errors="backslashreplace").decode()
