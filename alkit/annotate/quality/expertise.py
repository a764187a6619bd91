"""Expertise: how often each person is right, which classes they mix up, and which labels look wrong."""

from __future__ import annotations

from typing import Any

import numpy as np

from alkit.crowd.answers import Answers
from alkit.crowd.label_quality import against_others

_N_DRAWS = 4000
_INTERVAL = (2.5, 97.5)  # per cent
# Doubts about labels come from the same estimate of the people, so they err together. On made-up crowds, intervals that
# take them as independent hold 83 to 95 % of true accuracies; twice the standard deviation, 95 to 100 %.
_DOUBT = 2.0
_LEAST_ERROR = 0.05  # share of a class that is called another before it is worth a line
_N_ERRORS = 3  # per person
_N_SUSPICIOUS = 20
_SUSPICIOUS = 0.5  # a label of higher quality is probably right


def describe(answers: Answers, proba_N_C: np.ndarray, confusion_A_C_C: np.ndarray) -> dict[str, Any]:
    """Return what is known of people and of their labels, in plain JSON types.

    Parameters
    ----------
    answers : Answers
    proba_N_C : array (N, C)
        Probabilities of the true classes.
    confusion_A_C_C : array (A, C, C)

    Returns
    -------
    dict
        ``n_labels``; ``people``, a list of ``annotator``, ``labels``, ``accuracy`` (the share that is probably right),
        ``low`` and ``high`` (where it is with 95 % probability), the least accurate first; ``errors``, a list of
        ``annotator``, true class ``is``, class ``called``, and ``share``; and ``suspicious``, a list of ``item``,
        ``annotator``, ``label``, ``probably`` (the label it has) and ``quality``, the worst first.
    """
    right_M = proba_N_C[answers.item, answers.label]
    n_A = np.bincount(answers.annotator, minlength=len(answers.annotators))
    mean_A = np.bincount(answers.annotator, right_M, len(n_A))
    variance_A = np.bincount(answers.annotator, right_M * (1 - right_M), len(n_A))
    low_A, high_A = _interval(n_A, mean_A, variance_A)
    people = [
        {"annotator": name, "labels": n, "accuracy": mean / n, "low": low, "high": high}
        for name, n, mean, low, high in zip(
            answers.annotators.tolist(), n_A.tolist(), mean_A.tolist(), low_A.tolist(), high_A.tolist(), strict=True
        )
        if n
    ]
    return {
        "n_labels": len(answers.label),
        "people": sorted(people, key=lambda person: person["accuracy"]),
        "errors": _errors(answers, confusion_A_C_C),
        "suspicious": _suspicious(answers, proba_N_C),
    }


def _interval(n_A: np.ndarray, mean_A: np.ndarray, variance_A: np.ndarray) -> np.ndarray:
    """Return where people's accuracies are with 95 % probability, (2, A).

    Two things are not known: which of a person's labels are right, and how far so many labels stand for all others.
    """
    rng = np.random.default_rng(0)  # the same report each time
    right = rng.normal(mean_A, _DOUBT * np.sqrt(variance_A), (_N_DRAWS, len(n_A))).clip(0, n_A)
    return np.percentile(rng.beta(right + 0.5, n_A - right + 0.5), _INTERVAL, axis=0)


def _errors(answers: Answers, confusion_A_C_C: np.ndarray) -> list[dict[str, Any]]:
    """Return which classes each person calls what else, the most frequent first."""
    classes = answers.classes.tolist()
    errors = []
    for name, confusion_C_C in zip(answers.annotators.tolist(), confusion_A_C_C, strict=True):
        wrong_C_C = confusion_C_C * (1 - np.eye(len(classes)))
        for cell in np.argsort(-wrong_C_C, axis=None, kind="stable")[:_N_ERRORS]:
            true, called = divmod(int(cell), len(classes))
            if wrong_C_C[true, called] >= _LEAST_ERROR:
                error = {"is": classes[true], "called": classes[called], "share": float(wrong_C_C[true, called])}
                errors.append({"annotator": name, **error})
    return errors


def _suspicious(answers: Answers, proba_N_C: np.ndarray) -> list[dict[str, Any]]:
    """Return the labels that are probably wrong, the worst first."""
    quality_M = against_others(proba_N_C[answers.item], answers.label)
    worst = np.argsort(quality_M, kind="stable")[:_N_SUSPICIOUS]
    worst = worst[quality_M[worst] < _SUSPICIOUS]
    columns = {
        "item": answers.items[answers.item[worst]],
        "annotator": answers.annotators[answers.annotator[worst]],
        "label": answers.classes[answers.label[worst]],
        "probably": answers.classes[proba_N_C[answers.item[worst]].argmax(1)],
        "quality": quality_M[worst],
    }
    rows = zip(*(values.tolist() for values in columns.values()), strict=True)
    return [dict(zip(columns, row, strict=True)) for row in rows]
