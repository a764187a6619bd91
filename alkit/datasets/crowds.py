"""People who err: made up, with known confusion matrices, and real ones who rated sentences of film reviews."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from alkit._random import RandomState, generator

_KINDS = {"expert": 0.15, "ordinary": 0.5, "guesser": 0.2, "specialist": 0.15}


def make_crowd(
    n_classes: int, n_annotators: int = 40, random_state: RandomState = None
) -> tuple[np.ndarray, np.ndarray]:
    """Make up people who err, of four kinds.

    Of all people, 15 % are experts, right on .95; 50 % ordinary, right on .55 to .80; 20 % guess, each class equally
    often; and 15 % are specialists, who know 40 % of the classes (.92) and little of the others (.4). Errors of a
    person on a class are shared out at random over the other classes.

    Parameters
    ----------
    n_classes : int
    n_annotators : int, default=40
    random_state : int, RandomState or None

    Returns
    -------
    confusion : array (A, C, C)
        Person a, true class j, label l: how often a gives label l to an item of class j.
    kinds : array (A,) of "expert", "ordinary", "guesser" or "specialist"

    Examples
    --------
    >>> from alkit.datasets import make_crowd
    >>> confusion, kinds = make_crowd(n_classes=3, random_state=0)
    >>> confusion.shape, (kinds == "guesser").sum().item()
    ((40, 3, 3), 8)
    """
    rng = generator(random_state)
    ends = np.round(np.cumsum(list(_KINDS.values())) * n_annotators).astype(int)
    kinds = rng.permutation(np.repeat(list(_KINDS), np.diff(ends, prepend=0)))
    return np.stack([_matrix(kind, n_classes, rng) for kind in kinds]), kinds


def _matrix(kind: str, n_classes: int, rng: np.random.Generator) -> np.ndarray:
    """Draw the confusion matrix of a person of some kind, (C, C)."""
    if kind == "guesser":
        return np.full((n_classes, n_classes), 1 / n_classes)
    right_C = np.full(n_classes, {"expert": 0.95, "specialist": 0.4}.get(kind, 0.0))
    if kind == "ordinary":
        right_C[:] = rng.uniform(0.55, 0.8)
    elif kind == "specialist":
        right_C[rng.choice(n_classes, round(0.4 * n_classes), replace=False)] = 0.92
    matrix = np.diag(right_C)
    for true in range(n_classes):
        errors = rng.dirichlet(np.ones(n_classes - 1))
        matrix[true, np.arange(n_classes) != true] = (1 - right_C[true]) * errors
    return matrix


def ask_crowd(
    confusion: np.ndarray, y: Any, item: Any, annotator: Any, random_state: RandomState = None
) -> pd.DataFrame:
    """Draw what people with known confusion matrices answer.

    Parameters
    ----------
    confusion : array (A, C, C)
        As `make_crowd` returns it.
    y : int array (n,)
        True classes of all items, numbered from 0.
    item, annotator : int arrays (M,)
        Who is asked about what.
    random_state : int, RandomState or None

    Returns
    -------
    DataFrame
        In long form: ``item``, ``annotator``, ``label``.

    Examples
    --------
    >>> from alkit.datasets import ask_crowd, make_crowd
    >>> confusion, kinds = make_crowd(n_classes=2, random_state=0)
    >>> ask_crowd(confusion, [0, 1], item=[0, 0, 1], annotator=[3, 4, 3], random_state=0).columns.tolist()
    ['item', 'annotator', 'label']
    """
    item, annotator = np.asarray(item), np.asarray(annotator)
    shares_M_C = confusion[annotator, np.asarray(y)[item]].cumsum(1)
    # the last is 1 but for rounding
    drawn_M_1 = generator(random_state).random((len(item), 1)) * shares_M_C[:, -1:]
    label = (drawn_M_1 > shares_M_C).sum(1)
    return pd.DataFrame({"item": item, "annotator": annotator, "label": label})


def load_crowd_movie(path: str | Path, neutral: bool = False) -> tuple[pd.Series, pd.DataFrame, pd.Series]:
    r"""Load sentences of film reviews, what people said of them, and the critics' verdicts.

    Parameters
    ----------
    path : str or Path
        A folder with ``items.csv`` (columns ``id``, ``text``, ``gold``) and ``ratings.csv`` (``id``, ``worker`` and
        ``rating``, from -4 to 4), as they are or compressed. The ratings are those of PyPI's ``vaderSentiment``
        (``pip download --no-deps --no-binary vaderSentiment vaderSentiment==3.3.2``).
    neutral : bool, default=False
        Whether ratings of 0 are answers, of a class "neutral".

    Returns
    -------
    texts : Series
        By item.
    annotations : DataFrame
        In long form: ``item``, ``annotator`` and ``label``, "pos" or "neg" by the sign of the rating.
    gold : Series
        The verdicts by item, "pos", "neg" or NaN.

    Raises
    ------
    FileNotFoundError
        If `path` holds no such tables.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> from alkit.datasets import load_crowd_movie
    >>> with TemporaryDirectory() as folder:
    ...     _ = Path(folder, "items.csv").write_text("id,text,gold\n7,a gem,pos\n")
    ...     _ = Path(folder, "ratings.csv").write_text("id,worker,rating\n7,3,4\n7,5,-1\n")
    ...     texts, annotations, gold = load_crowd_movie(folder)
    >>> annotations.label.tolist(), gold.to_dict()
    (['pos', 'neg'], {7: 'pos'})
    """
    items, ratings = (_table(Path(path), name) for name in ("items", "ratings"))
    items = items.set_index("id")
    label = np.sign(ratings["rating"]).map({1: "pos", -1: "neg", 0: "neutral"})
    annotations = pd.DataFrame({"item": ratings["id"], "annotator": ratings["worker"], "label": label})
    if not neutral:
        annotations = annotations[label != "neutral"].reset_index(drop=True)
    return items["text"], annotations, items["gold"]


def _table(folder: Path, name: str) -> pd.DataFrame:
    """Read a CSV file, compressed or not."""
    files = sorted(folder.glob(f"{name}.csv*"))
    if not files:
        raise FileNotFoundError(f"{folder} holds no {name}.csv; pass the folder with items.csv and ratings.csv")
    return pd.read_csv(files[0])
