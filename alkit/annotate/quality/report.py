"""The report on a labelling database: number, time and cost of labels, agreement, and labels aggregated per item."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from alkit.annotate.database.answers import read_answers
from alkit.annotate.database.decisions import read_decided
from alkit.annotate.database.store import LabelStore
from alkit.annotate.quality.agreement import cohen_kappa, krippendorff_alpha
from alkit.annotate.quality.expertise import describe
from alkit.annotate.quality.known import known_answers, possible_classes, read_with_known
from alkit.annotate.quality.several_labels import (
    aggregate_labels,
    agreement_by_label,
    agreement_by_pair,
    read_label_sets,
)
from alkit.crowd.aggregation import dawid_skene, majority_vote
from alkit.crowd.estimate import estimate_truth

_N_FLAGGED = 50  # flags that the report lists
_LINE_WIDTH = 60  # characters of a text or note
_NO_LABEL = "(none of them)"
_NOT_KNOWN = "no item has two labels yet, so agreement is not known"


def label_table(store: LabelStore) -> pd.DataFrame:
    """Return all labels, one row per item and one column per annotator; None where there is no label.

    Parameters
    ----------
    store : LabelStore

    Returns
    -------
    DataFrame (N, R)
    """
    return _in_wide_form(_labels_of(pd.DataFrame(read_answers(store))))


def _labels_of(answers: pd.DataFrame) -> pd.DataFrame:
    """Return the labels among answers in long form: ``item``, ``annotator``, ``label``."""
    if not len(answers):
        return pd.DataFrame(columns=["item", "annotator", "label"])
    labels = answers.loc[answers["kind"] == "label", ["item", "annotator", "value"]]
    return labels.rename(columns={"value": "label"})


def _in_wide_form(labels: pd.DataFrame) -> pd.DataFrame:
    """Return labels in long form as a table of one row per item and one column per annotator."""
    table = labels.pivot(index="item", columns="annotator", values="label").astype(object)
    return table.where(table.notna(), None)


def aggregate(store: LabelStore, method: str = "dawid-skene") -> pd.DataFrame:
    """Return one label per item: the one that the owner decided or knew, else estimated from those of all annotators.

    Items that the owner left out are not among them.

    Parameters
    ----------
    store : LabelStore
    method : {"dawid-skene", "majority"}, default="dawid-skene"

    Returns
    -------
    DataFrame
        ``item``, ``text``, ``image``, ``row``, ``label`` (of several per item, a list), ``confidence``, ``n_labels``.
    """
    answers, decided = list(read_answers(store)), read_decided(store)
    labels = _labels_of(pd.DataFrame(answers))
    found = _estimated(store, labels, method) if len(labels) else {}
    found |= {item: (store.kind.read(label), 1.0) for item, label in decided.labels_by_key.items()}
    items = {answer["item"]: answer for answer in answers}
    kept = [item for item in found if item in items and item not in decided.excluded_keys]
    if not kept:
        raise ValueError(f"{store.path} holds no labels yet; there is nothing to aggregate")
    n_labels = labels["item"].value_counts()
    return pd.DataFrame(
        {
            "item": kept,
            **{name: [items[item][name] for item in kept] for name in ("text", "image", "row")},
            "label": [found[item][0] for item in kept],
            "confidence": [found[item][1] for item in kept],
            "n_labels": [int(n_labels.get(item, 0)) for item in kept],
        }
    )


def _estimated(store: LabelStore, labels: pd.DataFrame, method: str) -> dict[str, tuple[Any, float]]:
    """Return the label of each item that people's labels say together, and how sure it is."""
    if store.kind.several:
        found = aggregate_labels(labels, store.meta("classes"), method)
        told = zip(found["item"], found["label"], found["confidence"], strict=True)
    else:
        estimate: Any = majority_vote(labels, random_state=0) if method == "majority" else dawid_skene(labels)
        told = zip(estimate.items, estimate.labels, estimate.proba.max(1).tolist(), strict=True)
    return {item: (label, confidence) for item, label, confidence in told}


def report(store: LabelStore, cost_per_hour: float | None = None) -> str:
    """Return a report as text.

    Parameters
    ----------
    store : LabelStore
    cost_per_hour : float, optional
        What an annotator's hour costs; adds the cost of labels.

    Returns
    -------
    str
    """
    answers = pd.DataFrame(read_answers(store))
    n_items = store.count("SELECT COUNT(*) FROM queue")
    n_gone = store.count("SELECT COUNT(*) FROM item") - n_items
    held = f"{n_items} items" + (f" and {n_gone} that are gone from the data" if n_gone else "")
    if not len(answers):
        return f"{held}, no labels yet"
    several = store.kind.several
    labels = answers[answers["kind"] == "label"]
    n_earlier = labels["earlier"].notna().sum()
    earlier = f", {n_earlier} given to an earlier text" if n_earlier else ""
    parts = [
        f"{held}, {labels['item'].nunique()} labelled; {len(labels)} {'answers' if several else 'labels'}, "
        f"{labels['late'].sum()} late{earlier}",
        _table(_by_annotator(answers, cost_per_hour)),
        _table(_by_class(labels, store)),
    ]
    chosen = (store.meta("trainer") or {}).get("chosen")
    if chosen and chosen["scores"]:
        parts.append(_choice(chosen))
    parts += [*_decisions(store), *_gold(store, answers)]
    given = _labels_of(answers)
    if given["annotator"].nunique() > 1:
        parts += [_agreement_of_sets(given, store)] if several else [_agreement(given), *_expertise(store, given)]
    return "\n\n".join([*parts, *_flagged(answers)])


def _decisions(store: LabelStore) -> list[str]:
    """Return what the owner decided."""
    kinds = {row["kind"]: row["n"] for row in store.query("SELECT kind, COUNT(*) AS n FROM decided GROUP BY kind")}
    if not kinds:
        return []
    told = {"label": "have the label that the owner decided", "exclude": "are left out", "reopen": "are asked again"}
    return ["decisions: " + ", ".join(f"{kinds[kind]} items {what}" for kind, what in told.items() if kind in kinds)]


def _gold(store: LabelStore, answers: pd.DataFrame) -> list[str]:
    """Return how often each person was right about items whose answer is known."""
    gold = {item: store.kind.read(label) for item, label in known_answers(store).items()}
    labels = answers[(answers["kind"] == "label") & answers["item"].isin(gold)]
    if not len(labels):
        return []
    same = [given == gold[item] for item, given in zip(labels["item"], labels["value"], strict=True)]
    right = pd.Series(same, labels.index)
    table = right.groupby(labels["annotator"]).agg(["size", "sum", "mean"]).reset_index()
    table.columns = pd.Index(["annotator", "gold items", "right", "accuracy"])
    return [f"{len(gold)} gold items, whose answer is known\n\n{_table(table)}"]


def _flagged(answers: pd.DataFrame) -> list[str]:
    """Return the items that were put aside for review, the latest first."""
    flags = answers[answers["kind"] == "flag"].sort_values("time", ascending=False, kind="stable")
    if not len(flags):
        return []
    notes = [_line(value) or _line(note) or "-" for value, note in zip(flags["value"], flags["note"], strict=True)]
    texts = [_line(text) or "-" for text in flags["text"]]
    shown = pd.DataFrame({"item": flags["item"], "annotator": flags["annotator"], "note": notes, "text": texts})
    more = f", of which the latest {_N_FLAGGED} are shown" if len(shown) > _N_FLAGGED else ""
    return [f"{len(shown)} flags, for review{more}\n\n{_table(shown.head(_N_FLAGGED))}"]


def _line(text: Any) -> str:
    """Return a text as one line of a table; nothing where a frame has no text."""
    line = " ".join(text.split()) if isinstance(text, str) else ""
    return line if len(line) <= _LINE_WIDTH else f"{line[: _LINE_WIDTH - 3]}..."


def _by_annotator(answers: pd.DataFrame, cost_per_hour: float | None) -> pd.DataFrame:
    """Return counts, times and costs per annotator, and of all; times and costs include skips and flags."""
    rows = []
    for name, own in [*answers.groupby("annotator"), ("all", answers)]:
        n = (own["kind"] == "label").sum()
        hours = own["seconds"].sum() / 3600
        row: dict[str, Any] = {
            "annotator": name,
            "labels": n,
            "skips": (own["kind"] == "skip").sum(),
            "flags": (own["kind"] == "flag").sum(),
            "hours": hours,
            "median s": own.loc[own["kind"] == "label", "seconds"].astype(float).dropna().median(),
            "s per label": hours * 3600 / n if n else np.nan,
        }
        if cost_per_hour is not None:
            cost = hours * cost_per_hour
            row |= {"cost": cost, "cost per label": cost / n if n else np.nan}
        rows.append(row)
    return pd.DataFrame(rows)


def _by_class(labels: pd.DataFrame, store: LabelStore) -> pd.DataFrame:
    """Return how many labels each class has, the most frequent first; of several per item, also answers without any."""
    counts = labels["value"]
    if store.kind.several:
        counts = labels["value"].explode().fillna(_NO_LABEL)
    return counts.value_counts().rename_axis("class").reset_index(name="labels")


def _choice(chosen: dict[str, Any]) -> str:
    """Return which model was chosen, and how good all candidates are."""
    scores = sorted(chosen["scores"].items(), key=lambda pair: -pair[1])
    table = _table(pd.DataFrame(scores, columns=["model", "macro-F1"]))
    return f"model: {chosen['name']}, chosen by cross-validation on {chosen['n_labels']} labels\n\n{table}"


def _agreement(labels: pd.DataFrame) -> str:
    """Return Krippendorff's alpha of all, and Cohen's kappa of each pair."""
    table = _in_wide_form(labels)
    if not (table.notna().sum(axis=1) > 1).any():
        return _NOT_KNOWN
    pairs = []
    for first, second in combinations(table.columns, 2):
        both = table[table[first].notna() & table[second].notna()]
        if len(both):
            kappa = cohen_kappa(both[first].to_numpy(), both[second].to_numpy())
            same = (both[first] == both[second]).mean()
            pairs.append({"pair": f"{first}, {second}", "items": len(both), "same": same, "Cohen's kappa": kappa})
    alpha = krippendorff_alpha(labels)
    return f"Krippendorff's alpha {alpha:.3f}\n\n{_table(pd.DataFrame(pairs))}"


def _agreement_of_sets(labels: pd.DataFrame, store: LabelStore) -> str:
    """Return how far people agree on each of several labels, and each two people on all of them."""
    if labels["item"].is_unique:
        return _NOT_KNOWN
    given = read_label_sets(labels, store.meta("classes"))
    by_label, by_pair = agreement_by_label(given), agreement_by_pair(given)
    mean = by_label["Krippendorff's alpha"].mean()
    tables = f"{_table(by_label)}\n\n{_table(by_pair)}"
    return f"agreement per label, Krippendorff's alpha {mean:.3f} on average\n\n{tables}"


def _expertise(store: LabelStore, labels: pd.DataFrame) -> list[str]:
    """Return how often each person is right, what they mix up, and the labels that look wrong."""
    decided = read_decided(store)
    labels = labels[~labels["item"].isin(decided.excluded_keys)]
    told, source = store.meta("people"), "people's labels and the model's predictions"
    if told is None:
        if labels["item"].is_unique:
            return []  # neither a model nor another person said anything of any label
        known = decided.labels_by_key
        answers = read_with_known(labels, known)
        possible = possible_classes(answers, known)
        estimate = estimate_truth(answers, answers.vote_shares(), possible_N_C=possible)
        told, source = describe(answers, estimate.proba, estimate.confusion), "people's labels alone"
    parts = [
        f"expertise, from {source}, as of {told['n_labels']} labels: the share of each person's labels that is right, "
        f"and where it is with 95 % probability\n\n{_table(pd.DataFrame(told['people']))}"
    ]
    for title, name in (
        ("what people mix up, as a share of the items of a class", "errors"),
        ("labels that look wrong, the worst first", "suspicious"),
    ):
        if told[name]:
            parts.append(f"{title}\n\n{_table(pd.DataFrame(told[name]))}")
    return parts


def _table(frame: pd.DataFrame) -> str:
    return frame.to_string(index=False, float_format=lambda value: f"{value:.3g}", na_rep="-")
