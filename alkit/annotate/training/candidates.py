"""Candidates: quick models of which the trainer behind the labelling page takes the one that does best."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import Pipeline

from alkit.annotate.items import Items
from alkit.annotate.training.choosing import BestCandidate
from alkit.annotate.training.default_models import (
    DefaultModel,
    embedding_of,
    learner_of,
    needs_network,
    parts_of_rows,
    to_norm_1,
)
from alkit.annotate.training.encoders import PictureEncoder, TextEncoder, has_encoder
from alkit.strategies import as_strategy, get_strategy, subsample

MODELS = ("auto", "linear", "forest", "network")
N_FIRST_ITEMS = 20
"""Items chosen without a model: of many classes, 10 or 50 such rows are better to begin with than random ones."""
_CLASSES_TO_COVER = 3
_ITEMS_PER_CLUSTER = 10
"""Where clusters would be smaller, most would pass for outliers."""
_MOST_CLUSTERED = 20_000
"""A sample tells what is typical; of all of a large cluster it would take minutes."""
_ENCODERS = {"text": TextEncoder, "image": PictureEncoder}


class Views(TransformerMixin, BaseEstimator):
    """Several embeddings of the same rows, by name: what different candidates see of them.

    Parameters
    ----------
    embeddings : dict of str to transformer

    Examples
    --------
    >>> from sklearn.preprocessing import MinMaxScaler, StandardScaler
    >>> from alkit.annotate.training.candidates import Views
    >>> views = Views({"scaled": StandardScaler(), "bounded": MinMaxScaler()}).fit_transform([[1.0], [3.0]])
    >>> views["scaled"].ravel().tolist(), views["bounded"].ravel().tolist()
    ([-1.0, 1.0], [0.0, 1.0])
    """

    def __init__(self, embeddings: dict[str, Any]):
        self.embeddings = embeddings

    def fit(self, X: Any, y: Any = None) -> Views:
        """Fit each embedding."""
        self.fit_transform(X)
        return self

    def fit_transform(self, X: Any, y: Any = None) -> dict[str, Any]:
        """Fit each embedding, and return what it makes of the rows, by name."""
        return {name: embedding.fit_transform(X) for name, embedding in self.embeddings.items()}

    def transform(self, X: Any) -> dict[str, Any]:
        """Return what each embedding makes of the rows, by name."""
        return {name: embedding.transform(X) for name, embedding in self.embeddings.items()}


class View(TransformerMixin, BaseEstimator):
    """One of several embeddings.

    Parameters
    ----------
    name : str
    """

    def __init__(self, name: str):
        self.name = name

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def fit(self, X: Any, y: Any = None) -> View:
        """Do nothing."""
        return self

    def transform(self, X: dict[str, Any]) -> Any:
        """Return the embedding of this name."""
        return X[self.name]


def chosen_model(
    items: Items,
    strategy: Any = "margin",
    model: str = "auto",
    cache: str | Path | None = None,
    *,
    multi: bool = False,
) -> DefaultModel:
    """Return a model that is chosen among a few, by cross-validation on the labels so far.

    Parameters
    ----------
    items : Items
        Seen as words, thumbnails and columns (see `default_model`), and, where the extra ``encoders`` is installed, as
        pretrained networks see texts and pictures.
    strategy : str, Strategy or callable, default="margin"
        For one that needs more than predictions, all candidates are networks.
    model : {"auto", "linear", "forest", "network"}, default="auto"
        The only kind of candidate; by default all kinds are.
    cache : str or Path, optional
        A folder where what pretrained networks see is kept.
    multi : bool, default=False
        Whether items may have several labels.

    Returns
    -------
    DefaultModel

    Raises
    ------
    ValueError
        If the model is unknown, or the strategy needs a network and the model is none.
    ModuleNotFoundError
        If there are pictures, but not Pillow.

    Examples
    --------
    >>> from alkit.annotate import Items
    >>> from alkit.annotate.training.candidates import chosen_model
    >>> items = Items.of(["Win a prize!!!", "See you at noon"])
    >>> [name for name, _ in chosen_model(items, model="forest").learner.candidates][-1]
    'forest'
    """
    if model not in MODELS:
        raise ValueError(f"model={model!r} is unknown; choose one of {', '.join(map(repr, MODELS))}")
    network_only = needs_network(as_strategy(strategy))
    if network_only and model not in ("auto", "network"):
        raise ValueError(
            f"strategy {strategy} needs a network, and model={model!r} is none; choose 'network', or another strategy"
        )
    kinds = ["network"] if network_only else [model] if model != "auto" else ["linear", "forest", "network"]
    views: dict[str, Any] = {}
    candidates = []
    encoded = _encoded(items, cache)
    if encoded is not None:
        views["encoded"] = encoded
        # a forest, which asks for one number after the other, gains little from embeddings
        candidates += [
            (f"{kind} on encodings", _on("encoded", kind, multi=multi)) for kind in kinds if kind != "forest"
        ]
    for kind in kinds:
        dense = kind != "linear"
        name = "reduced" if dense else "plain"
        views.setdefault(name, embedding_of(items, dense=dense))
        candidates.append((kind, _on(name, kind, multi=multi)))
    return DefaultModel(Views(views), BestCandidate(candidates))


def first_items(embed: Any, n_items: int, n_classes: int) -> Any:
    """Return how to choose the first items, of which no model knows anything.

    Parameters
    ----------
    embed : transformer
        As `chosen_model` returns it.
    n_items, n_classes : int

    Returns
    -------
    str or Strategy
        What is typical of the items, where a view of them is vectors and they are enough to tell; else at random. Of
        two classes, random items are better to begin with in the benchmark, as long as labels are few.

    Examples
    --------
    >>> from alkit.annotate import Items
    >>> from alkit.annotate.training.candidates import chosen_model, first_items
    >>> items = Items.of(["Win a prize!!!", "See you at noon"])
    >>> first_items(chosen_model(items).embed, len(items), n_classes=3)
    'random'
    """
    vectors = [name for name in ("encoded", "reduced") if name in embed.embeddings]
    if n_classes < _CLASSES_TO_COVER or not vectors or n_items < _ITEMS_PER_CLUSTER * N_FIRST_ITEMS:
        return "random"
    return subsample(get_strategy("typiclust", embed=View(vectors[0])), size=_MOST_CLUSTERED)


def _encoded(items: Items, cache: str | Path | None) -> Any:
    """Return a transformer of `Items.features` by pretrained networks; None where there is none for any of it."""
    given = {"text": items.text, "image": items.image}
    kinds = [kind for kind, values in given.items() if values is not None and has_encoder(kind)]
    if not kinds:
        return None
    encoders = {kind: _ENCODERS[kind](cache) for kind in kinds}
    is_one_column = items.rows is None and sum(values is not None for values in given.values()) == 1
    if is_one_column:
        return encoders[kinds[0]]
    parts: list[Any] = [(kind, encoder, kind) for kind, encoder in encoders.items()]
    widths: dict[str, int] = {}
    if items.rows is not None:
        columns, widths = parts_of_rows(items.rows, dense=True)
        parts += columns
    return ColumnTransformer(parts, sparse_threshold=0.0, transformer_weights=to_norm_1(widths))


def _on(view: str, kind: str, *, multi: bool) -> Pipeline:
    """Return a model of a kind that reads one view."""
    return Pipeline([("view", View(view)), ("model", learner_of(kind, multi=multi))])
