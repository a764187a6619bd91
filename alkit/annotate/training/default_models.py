"""Default models of the labelling page: suited to few labels and quick to fit; your own embedding will do better."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA, TruncatedSVD
from sklearn.ensemble import RandomForestClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

from alkit.annotate.items import Items
from alkit.annotate.training.pictures import Thumbnails
from alkit.nets import DropoutMLPClassifier
from alkit.strategies import Strategy, as_strategy

_TOKEN = r"[\u0e00-\u0eff\u3040-\u30ff\u3400-\u9fff]|\w+|[^\w\s]"  # in scripts without spaces, one letter each
_LARGEST = 1e100  # whose square, which a variance needs, is still a float
_WIDTH = 64  # components that a picture, or a text for a network, is reduced to


class DefaultModel(NamedTuple):
    """A model in two parts."""

    embed: Any
    """Transformer, fitted once on all items."""
    learner: Any
    """Estimator on top, fitted again with every round of labels."""


def default_model(items: Items, strategy: Any = "margin", *, multi: bool = False) -> DefaultModel:
    """Return a model for texts, pictures, rows of a table, or several of these.

    Parameters
    ----------
    items : Items
        Texts become TF-IDF of words, punctuation marks and pairs of these; pictures, principal components of
        thumbnails; columns, scaled numbers and one-hot categories.
    strategy : str, Strategy or callable, default="margin"
        A strategy that needs only predictions gets a logistic regression, any other a network with dropout.
    multi : bool, default=False
        Whether items may have several labels: a logistic regression is then fitted for each.

    Returns
    -------
    DefaultModel

    Raises
    ------
    ModuleNotFoundError
        If there are pictures, but not Pillow.

    Examples
    --------
    >>> from alkit.annotate import Items
    >>> from alkit.annotate.training.default_models import default_model
    >>> default_model(Items.of(["Win a prize!!!", "See you at noon"])).learner
    LogisticRegression(C=10.0, class_weight='balanced', max_iter=1000,
                       warm_start=True)
    """
    network = needs_network(as_strategy(strategy))
    kind = "network" if network else "linear"
    return DefaultModel(embedding_of(items, dense=network), learner_of(kind, multi=multi))


def learner_of(kind: str, *, multi: bool = False) -> Any:
    """Return a classifier that suits few labels, which may be uneven.

    Parameters
    ----------
    kind : {"linear", "forest", "network"}
    multi : bool, default=False
        Whether rows may have several labels.

    Returns
    -------
    classifier
    """
    if multi and kind == "linear":
        return OneVsRestClassifier(LogisticRegression(C=10.0, class_weight="balanced", max_iter=1000))
    if multi and kind == "forest":
        return RandomForestClassifier(200)  # it would multiply the weights of all labels of a row
    if kind == "linear":
        return LogisticRegression(C=10.0, class_weight="balanced", warm_start=True, max_iter=1000)
    if kind == "forest":
        return RandomForestClassifier(200, class_weight="balanced_subsample")
    return DropoutMLPClassifier(class_weight="balanced", warm_start="shrink_perturb")


def needs_network(strategy: Any) -> bool:
    """Return whether a strategy reads more than predictions, such as posterior samples or an embedding."""
    if not isinstance(strategy, Strategy):
        return False
    return not {*strategy.needs, *strategy.pick_needs} <= {"proba", "class_scores", "label_proba", "y_train"}


def embedding_of(items: Items, *, dense: bool) -> Any:
    """Return a transformer of `Items.features`."""
    text: Any = TfidfVectorizer(ngram_range=(1, 2), max_features=100_000, sublinear_tf=True, token_pattern=_TOKEN)
    if dense:
        text = make_pipeline(text, _Reduced(TruncatedSVD))
    image = None
    if items.image is not None:
        image = make_pipeline(Thumbnails(), _Reduced(PCA))
    if items.rows is None and image is None:
        return text
    if items.rows is None and items.text is None:
        return image
    parts: list[Any] = []
    widths = {}
    if items.text is not None:
        parts.append(("text", text, "text"))
    if image is not None:
        parts.append(("image", image, "image"))
        widths["image"] = _WIDTH
    if items.rows is not None:
        columns, width_of_columns = parts_of_rows(items.rows, dense=dense)
        parts += columns
        widths |= width_of_columns
    if dense:
        return ColumnTransformer(parts, sparse_threshold=0.0)
    return ColumnTransformer(parts, sparse_threshold=0.3, transformer_weights=to_norm_1(widths))


def to_norm_1(widths: dict[str, int]) -> dict[str, float]:
    """Return weights by which parts of a row get norm 1, about: their norm is the root of their width.

    TF-IDF rows and embeddings by pretrained networks have norm 1. A linear model would hardly use them next to others
    that are longer.
    """
    return {name: max(1, width) ** -0.5 for name, width in widths.items()}


def parts_of_rows(rows: pd.DataFrame, *, dense: bool) -> tuple[list[Any], dict[str, int]]:
    """Return transformers of columns, those of numbers and the others, and how many columns each has."""
    numbers = rows.select_dtypes("number").columns.tolist()
    others = [name for name in rows.columns.tolist() if name not in numbers]
    parts = [("numbers", _scaled_numbers(), numbers), ("others", _one_hot(dense=dense), others)]
    return parts, {"numbers": len(numbers), "others": len(others)}


def _scaled_numbers() -> Any:
    return make_pipeline(FunctionTransformer(_bounded), SimpleImputer(keep_empty_features=True), StandardScaler())


def _bounded(columns: pd.DataFrame) -> np.ndarray:
    """Return numbers that can be scaled: one infinite or astronomic cell must not keep a model from learning."""
    numbers = columns.to_numpy(dtype=float, na_value=np.nan)
    return np.clip(np.where(np.isfinite(numbers), numbers, np.nan), -_LARGEST, _LARGEST)


def _one_hot(*, dense: bool) -> Any:
    as_text = FunctionTransformer(
        pd.DataFrame.astype, kw_args={"dtype": str}
    )  # cells may be lists, or of several types
    return make_pipeline(as_text, OneHotEncoder(handle_unknown="ignore", min_frequency=2, sparse_output=not dense))


class _Reduced(TransformerMixin, BaseEstimator):
    """Principal components, at most 64, divided by one common scale: the last ones, mostly noise, stay small."""

    def __init__(self, method: Any):
        self.method = method

    def fit(self, X: Any, y: Any = None) -> _Reduced:
        n_rows, n_columns = X.shape
        width = max(1, min(_WIDTH, n_rows - 1, n_columns - 1))
        self.reducer_ = self.method(n_components=width, random_state=0)
        self.scale_ = np.sqrt(np.mean(np.square(self.reducer_.fit_transform(X)))) or 1.0
        return self

    def transform(self, X: Any) -> np.ndarray:
        return (self.reducer_.transform(X) / self.scale_).astype(np.float32)
