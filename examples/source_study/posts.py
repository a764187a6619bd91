"""The posts: emoji, a text and a picture each, as vectors by modality; and handwritten digits in six views."""

from typing import Any, NamedTuple

import numpy as np
from sklearn.decomposition import PCA, TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.model_selection import GroupShuffleSplit
from sklearn.preprocessing import StandardScaler

from alkit.datasets import load_emoji, load_mfeat
from alkit.embeddings import embed_images, embed_texts


class Posts(NamedTuple):
    """Pool and test set, rows as dicts of vectors by modality."""

    X: dict[str, np.ndarray]
    y: np.ndarray
    X_test: dict[str, np.ndarray]
    y_test: np.ndarray

    @property
    def modalities(self) -> dict[str, int]:
        """Widths by modality."""
        return {name: values.shape[1] for name, values in self.X.items()}

    def joined(self) -> dict[str, Any]:
        """The same with the modalities side by side in one matrix."""
        X, X_test = (np.concatenate([*rows.values()], axis=1) for rows in (self.X, self.X_test))
        return {"X": X, "y": self.y, "X_test": X_test, "y_test": self.y_test}


def emoji(folder, target="category", cache=None, quick=False):
    """Emoji without flags, embedded; no emoji is in pool and test set both.

    Quick: words and pixels in place of embeddings, reduced in width on all rows, those of the test set too.
    """
    rows, y, ids = load_emoji(folder, target, flags=False)
    if quick:
        text = TruncatedSVD(64, random_state=0).fit_transform(TfidfVectorizer().fit_transform(rows["text"]))
        image = PCA(64, random_state=0).fit_transform(rows["image"].reshape(len(y), -1) / 255)
    else:
        text, image = embed_texts(rows["text"], cache), embed_images(rows["image"], cache)
    train, test = next(GroupShuffleSplit(1, test_size=0.3, random_state=0).split(y, y, ids))
    return _scaled({"text": text, "image": image}, y, train, test)


def digits(folder):
    """Handwritten digits in six views."""
    X, y = load_mfeat(folder)
    train, test = np.split(np.random.default_rng(0).permutation(len(y)), [1400])
    return _scaled(X, y, train, test)


def _scaled(X, y, train, test):
    """Split, with vectors scaled by those of the pool."""
    scalers = {name: StandardScaler().fit(values[train]) for name, values in X.items()}
    pool, held_out = (
        {name: scaler.transform(X[name][rows]).astype(np.float32) for name, scaler in scalers.items()}
        for rows in (train, test)
    )
    return Posts(pool, y[train], held_out, y[test])
