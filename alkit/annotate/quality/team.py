"""What the owner of a project sees of the people who label: how much, how alike, how often right, what they mix up."""

from __future__ import annotations

import threading
import time
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from alkit.annotate.database.decisions import Decided, count_decisions, read_decided, read_decisions
from alkit.annotate.database.ranking import last_event
from alkit.annotate.database.store import LabelStore
from alkit.annotate.quality.agreement import cohen_kappa, krippendorff_alpha
from alkit.annotate.quality.known import known_answers

_CHUNK = 2000  # items per query: a longer one would keep annotators waiting
_MOST_PAIRS = 30
_MOST_CLASSES = 12  # of the table of what is mixed up
_REST = 10.0  # times as long as an overview took passes before the next one, while people label

_NO_CONFUSION = {"classes": [], "counts": [], "n_left_out": 0}  # of sets of classes there are too many

_ANSWERS = """
    SELECT a.item, i.key, a.annotator, a.kind, a.value, a.event, e.seconds, e.recorded FROM answer a
    JOIN event e ON e.seq = a.event JOIN item i ON i.id = a.item WHERE a.item >= ? AND a.item < ?
"""
_DECISIONS = "SELECT d.item, d.kind, d.last_event FROM decided d"
_COLUMNS = ["item", "key", "annotator", "kind", "value", "event", "seconds", "recorded"]


class Overviews:
    """The latest overview of a team, made anew when there is something new to say, and seldom enough.

    Parameters
    ----------
    store : LabelStore
    """

    def __init__(self, store: LabelStore):
        self._store = store
        self._lock = threading.Lock()
        self._known: tuple[int, int] | None = None  # events and decisions that the latest one takes into account
        self._latest: dict[str, Any] = {}
        self._rests_until = 0.0

    def latest(self) -> dict[str, Any]:
        """Return an overview that may lack the answers of some seconds, but no decision.

        Returns
        -------
        dict
            See `team_overview`.
        """
        with self._lock:  # several pages wait for one computation
            now = last_event(self._store), count_decisions(self._store)
            is_decided = self._known is None or now[1] != self._known[1]
            if is_decided or (now != self._known and time.monotonic() > self._rests_until):
                started = time.monotonic()
                self._latest, self._known = team_overview(self._store), now
                self._rests_until = time.monotonic() + _REST * (time.monotonic() - started)
            return self._latest


def team_overview(store: LabelStore) -> dict[str, Any]:
    """Return how the people of a team label, and what is left for the owner to decide.

    Parameters
    ----------
    store : LabelStore

    Returns
    -------
    dict
        ``people``, a list of ``annotator``, their ``labels``, ``skips`` and ``flags``, ``seconds`` spent and ``last``
        (Unix time of the last answer), and, each as ``n`` compared and ``same``: ``gold`` with known answers,
        ``others`` with other people's labels, ``owner`` with the owner's decisions. ``alpha``, Krippendorff's, on
        ``n_shared`` items that several people labelled, None where it is not defined; ``pairs`` of people: ``first``,
        ``second``, ``items``, ``same``, ``kappa`` (Cohen's, or None). ``confusion``: ``classes`` and ``counts``, one
        row per reference (what was decided, or known, or most people said) and one column per label given;
        ``n_left_out`` classes are not among them. ``review``, numbers of items: ``open``, ``disputed``, ``flag``,
        ``decided``, ``excluded``, ``since``, and ``gold`` items. Where items have ``several`` labels, answers are the
        same where all labels are, and nothing is told of confusion.
    """
    answers, decided = _read(store), read_decided(store)
    labels = answers[answers["kind"] == "label"]
    shared = labels[labels.groupby("item")["item"].transform("size") > 1]
    gold = known_answers(store)
    compared = _Compared(
        gold=_same(labels, labels["key"].map(gold)),
        others=_same_as_others(shared),
        owner=_same(labels, labels["item"].map(read_decisions(store))),
    )
    return {
        "people": _people(answers, compared),
        "alpha": _or_none(krippendorff_alpha(_long(shared))) if len(shared) else None,
        "n_shared": int(shared["item"].nunique()),
        "pairs": _pairs(shared),
        "confusion": _confusion(labels, shared, decided) if not store.kind.several else _NO_CONFUSION,
        "several": store.kind.several,
        "review": _counts(store, answers) | {"gold": len(gold)},
    }


class _Compared(NamedTuple):
    """How many labels were compared with what, and how many were the same, by annotator."""

    gold: pd.DataFrame
    others: pd.DataFrame
    owner: pd.DataFrame


def _read(store: LabelStore) -> pd.DataFrame:
    """Return everybody's answers that count."""
    rows: list[Any] = []
    n_items = store.count("SELECT COALESCE(MAX(id) + 1, 0) FROM item")
    for start in range(0, n_items, _CHUNK):
        rows += map(tuple, store.query(_ANSWERS, start, start + _CHUNK))
    return pd.DataFrame(rows, columns=_COLUMNS)


def _long(labels: pd.DataFrame) -> pd.DataFrame:
    return labels[["item", "annotator", "value"]].rename(columns={"value": "label"})


def _same(labels: pd.DataFrame, reference: pd.Series) -> pd.DataFrame:
    """Return how often each person's label is the reference, where there is one."""
    known = reference.notna()
    same = (labels["value"] == reference)[known]
    each = pd.DataFrame({"n": 1, "same": same.astype(int)})
    return each.groupby(labels["annotator"][known]).sum()


def _same_as_others(shared: pd.DataFrame) -> pd.DataFrame:
    """Return with how many labels of other people each person's were compared, and how many of these were the same."""
    in_item = shared.groupby("item")["item"].transform("size")
    alike = shared.groupby(["item", "value"])["item"].transform("size")
    each = pd.DataFrame({"n": in_item - 1, "same": alike - 1})
    return each.groupby(shared["annotator"]).sum()


def _people(answers: pd.DataFrame, compared: _Compared) -> list[dict[str, Any]]:
    """Return what each person did, by name."""
    people = []
    for name, own in answers.groupby("annotator"):
        kinds = own["kind"].value_counts()
        person: dict[str, Any] = {"annotator": name}
        person |= {f"{kind}s": int(kinds.get(kind, 0)) for kind in ("label", "skip", "flag")}
        person |= {"seconds": float(own["seconds"].astype(float).sum()), "last": float(own["recorded"].max())}
        for what, frame in compared._asdict().items():
            n, same = frame.loc[name] if name in frame.index else (0, 0)
            person[what] = {"n": int(n), "same": int(same)}
        people.append(person)
    return people


def _pairs(shared: pd.DataFrame) -> list[dict[str, Any]]:
    """Return how two people agree on the items that both labelled, those with most items first."""
    table = shared.pivot(index="item", columns="annotator", values="value")
    pairs: list[dict[str, Any]] = []
    for first, second in combinations(table.columns, 2):
        both = table[table[first].notna() & table[second].notna()]
        if len(both):
            kappa = cohen_kappa(both[first].to_numpy(), both[second].to_numpy())
            same = int((both[first] == both[second]).sum())
            pair = {"first": first, "second": second, "items": len(both), "same": same, "kappa": _or_none(kappa)}
            pairs.append(pair)
    return sorted(pairs, key=lambda pair: -pair["items"])[:_MOST_PAIRS]


def _confusion(labels: pd.DataFrame, shared: pd.DataFrame, decided: Decided) -> dict[str, Any]:
    """Return how often labels were given to items of each class, of the classes that are mixed up most."""
    votes = shared.groupby(["item", "value"]).size().unstack(fill_value=0)
    most = votes.max(axis=1) if len(votes) else pd.Series(dtype=int)
    has_one = votes.eq(most, axis=0).sum(axis=1) == 1  # where as many people said something else, nothing is known
    reference = votes[has_one].idxmax(axis=1).to_dict() if len(votes) else {}
    given = labels.assign(reference=labels["item"].map(reference | decided.labels))
    given = given[given["reference"].notna() & ~given["item"].isin(decided.excluded)]
    classes = sorted({*given["value"], *given["reference"]})
    counts = pd.crosstab(given["reference"], given["value"]).reindex(index=classes, columns=classes, fill_value=0)
    counts_C_C = counts.to_numpy(int).reshape(len(classes), len(classes))
    wrong_C_C = counts_C_C * (1 - np.eye(len(classes), dtype=int))
    order = np.argsort(-(wrong_C_C.sum(0) + wrong_C_C.sum(1)), kind="stable")[:_MOST_CLASSES]
    shown = np.sort(order)
    return {
        "classes": [classes[place] for place in shown],
        "counts": counts_C_C[np.ix_(shown, shown)].tolist(),
        "n_left_out": len(classes) - len(shown),
    }


def _counts(store: LabelStore, answers: pd.DataFrame) -> dict[str, int]:
    """Return how many items the owner has to decide about, and has decided about; as `read_review` finds them."""
    labels = answers[answers["kind"] == "label"]
    n_values = labels.groupby("item")["value"].nunique()
    disputed = set(n_values[n_values > 1].index)
    flagged = set(answers.loc[answers["kind"] == "flag", "item"])
    last = answers.groupby("item")["event"].max()
    decisions = {row["item"]: row for row in store.query(_DECISIONS)}
    closed = {item for item, row in decisions.items() if row["kind"] != "reopen"}
    asked = {item for item, row in decisions.items() if item not in closed and last.get(item, 0) <= row["last_event"]}
    sql = """
        SELECT COUNT(*) FROM decided d WHERE d.kind <> 'reopen'
        AND EXISTS (SELECT 1 FROM event e WHERE e.item = d.item AND e.seq > d.last_event)
        AND EXISTS (SELECT 1 FROM answer a WHERE a.item = d.item)
    """
    return {
        "open": len((disputed | flagged) - closed - asked),
        "disputed": len(disputed),
        "flag": len(flagged),
        "decided": len(closed),
        "excluded": sum(row["kind"] == "exclude" for row in decisions.values()),
        "since": store.count(sql),
    }


def _or_none(value: float) -> float | None:
    """Return a coefficient, None where it is not defined, which JSON cannot say otherwise."""
    return None if np.isnan(value) else float(value)
