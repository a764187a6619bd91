"""Models for people who bring none: made for few labels, quick to fit; one's own embedding is better."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA, TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

from alkit.annotate.items import Items
from alkit.nets import DropoutMLPClassifier
from alkit.strategies import Strategy, as_strategy

_SIDE = 32  # pixels
_TOKEN = r"[\u0e00-\u0eff\u3040-\u30ff\u3400-\u9fff]|\w+|[^\w\s]"  # scripts without spaces go letter by letter
_WIDTH = 64  # numbers a picture, or a text for a network, is reduced to


class DefaultModel(NamedTuple):
    """A model in two parts."""

    embed: Any
    """Transformer, fitted once on all items."""
    learner: Any
    """Estimator on top, fitted again with every round of labels."""


def default_model(items: Items, strategy: Any = "margin") -> DefaultModel:
    """Return a model for texts, pictures, rows of a table, or several of these.

    Parameters
    ----------
    items : Items
        Texts become TF-IDF of words and signs and pairs of them, pictures principal components of thumbnails, columns
        scaled numbers and one-hot categories.
    strategy : str, Strategy or callable, default="margin"
        What needs only predictions gets a logistic regression; other strategies a network with dropout.

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
    >>> from alkit.annotate.default_models import default_model
    >>> default_model(Items.of(["Win a prize!!!", "See you at noon"])).learner
    LogisticRegression(C=10.0, class_weight='balanced', max_iter=1000,
                       warm_start=True)
    """
    chosen = as_strategy(strategy)
    network = isinstance(chosen, Strategy) and not {*chosen.needs, *chosen.pick_needs} <= {"proba", "y_train"}
    if network:
        learner = DropoutMLPClassifier(class_weight="balanced", warm_start="shrink_perturb")
    else:
        learner = LogisticRegression(C=10.0, class_weight="balanced", warm_start=True, max_iter=1000)
    return DefaultModel(_embed(items, dense=network), learner)


def _embed(items: Items, *, dense: bool) -> Any:
    """Return a transformer of `Items.features`."""
    text: Any = TfidfVectorizer(ngram_range=(1, 2), max_features=100_000, sublinear_tf=True, token_pattern=_TOKEN)
    if dense:
        text = make_pipeline(text, _Reduced(TruncatedSVD))
    image = make_pipeline(Thumbnails(), _Reduced(PCA)) if items.image is not None else None
    if items.rows is None and (items.text is None or image is None):
        return image if items.text is None else text
    parts: list[Any] = [("text", text, "text")] if items.text is not None else []
    parts += [("image", image, "image")] if image is not None else []
    widths = {"image": _WIDTH}
    if items.rows is not None:
        numbers = items.rows.select_dtypes("number").columns.tolist()
        others = [name for name in items.rows if name not in numbers]
        scaled = make_pipeline(SimpleImputer(keep_empty_features=True), StandardScaler())
        written = FunctionTransformer(pd.DataFrame.astype, kw_args={"dtype": str})  # lists, and numbers among words
        known = OneHotEncoder(handle_unknown="ignore", min_frequency=2, sparse_output=not dense)
        parts += [("numbers", scaled, numbers), ("others", make_pipeline(written, known), others)]
        widths |= {"numbers": len(numbers), "others": len(others)}
    # TF-IDF rows have length 1: next to pictures of length 8, a linear model would hear only those
    weights = None if dense else {name: max(1, widths[name]) ** -0.5 for name, _, _ in parts if name in widths}
    return ColumnTransformer(parts, sparse_threshold=0.0 if dense else 0.3, transformer_weights=weights)


class _Reduced(TransformerMixin, BaseEstimator):
    """Principal components, at most 64, on one scale: each on its own, the last would be as loud as the first."""

    def __init__(self, method: Any):
        self.method = method

    def fit(self, X: Any, y: Any = None) -> _Reduced:
        width = max(1, min(_WIDTH, *(size - 1 for size in X.shape)))
        self.reducer_ = self.method(n_components=width, random_state=0)
        self.scale_ = np.sqrt(np.mean(np.square(self.reducer_.fit_transform(X)))) or 1.0
        return self

    def transform(self, X: Any) -> np.ndarray:
        return (self.reducer_.transform(X) / self.scale_).astype(np.float32)


class Thumbnails(TransformerMixin, BaseEstimator):
    """Picture files as 32 x 32 pixels of three colours: (n, 3072) from 0 to 1.

    Examples
    --------
    >>> from alkit.annotate.default_models import Thumbnails
    >>> Thumbnails().fit_transform([]).shape
    (0, 3072)
    """

    def __init__(self) -> None:
        _pillow()

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def fit(self, X: Any, y: Any = None) -> Thumbnails:
        """Do nothing.

        Parameters
        ----------
        X : sequence of str or Path, (n,)
        y : ignored

        Returns
        -------
        self
        """
        return self

    def transform(self, X: Any) -> np.ndarray:
        """Read pictures.

        Parameters
        ----------
        X : sequence of str or Path, (n,)

        Returns
        -------
        array (n, 3072)
        """
        pixels = np.empty((len(X), _SIDE * _SIDE * 3), dtype=np.float32)
        for row, path in enumerate(X.to_numpy() if isinstance(X, pd.Series) else X):
            with _pillow().open(path) as picture:
                pixels[row] = np.asarray(picture.convert("RGB").resize((_SIDE, _SIDE)), dtype=np.float32).ravel()
        return pixels / 255


def _pillow() -> Any:
    try:
        from PIL import Image
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "the default model for pictures needs Pillow: pip install pillow, or bring a model of your own with "
            "--estimator module:object"
        ) from error
    return Image
