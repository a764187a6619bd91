"""The sets of the benchmark: real data that everybody can install, as vectors, with groups that must stay together."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from sklearn.datasets import load_diabetes, load_digits
from sklearn.decomposition import PCA, TruncatedSVD
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.preprocessing import StandardScaler

from alkit.datasets import load_emoji, load_fashion_mnist, load_mfeat, load_spam, load_wordnet_glosses
from alkit.embeddings import embed_images, embed_texts

N_ROWS, WIDTH, N_TAGS = 4000, 128, 50


class Rows(NamedTuple):
    """One set."""

    X: np.ndarray
    """float32 (n, D), scaled by all rows: no labels are needed for that."""
    y: np.ndarray
    """Labels (n,), several of them (n, L), or numbers (n,)."""
    groups: np.ndarray
    """Rows of one group are in the pool or in the test set, never in both."""
    scoring: list[str]
    """Scorers; the first is the one that counts."""
    kind: str
    """"classes", "labels" or "numbers": which model and which strategies."""


class Folders(NamedTuple):
    """Where data and embeddings are."""

    data: Path
    cache: Path


def digits(folders: Folders) -> Rows:
    """Handwritten digits of 8 x 8 pixels: ten balanced classes."""
    X, y = load_digits(return_X_y=True)
    return _classes(X / 16, y)


def uneven_digits(folders: Folders) -> Rows:
    """The same, each digit 0.7 times as frequent as the one before."""
    X, y = load_digits(return_X_y=True)
    rows = np.concatenate([np.flatnonzero(y == digit)[: int(178 * 0.7**digit)] for digit in range(10)])
    return _classes(X[rows] / 16, y[rows], main="balanced_accuracy")


def mfeat(folders: Folders) -> Rows:
    """Handwritten digits, six views of each: ten balanced classes."""
    views, y = load_mfeat(folders.data / "uci_mfeat")
    return _classes(_narrow(np.hstack([*views.values()])), y)


def fashion(folders: Folders) -> Rows:
    """Fashion-MNIST, embedded: ten balanced classes."""
    pictures, y, _, _ = load_fashion_mnist()
    rows = _some(len(y))
    grey = np.repeat(pictures[rows, :, :, None], 3, axis=3)
    return _classes(_narrow(embed_images(grey, folders.cache)), y[rows])


def spam(folders: Folders) -> Rows:
    """E-mails by their words: 31 % are spam."""
    X, y = _mails(folders)
    return _classes(X, y)


def rare_spam(folders: Folders) -> Rows:
    """The same with so few spam that they are 5 %."""
    X, y = _mails(folders)
    ham, bad = np.flatnonzero(y == "ham"), np.flatnonzero(y == "spam")
    rows = np.concatenate([ham, bad[: len(ham) // 19]])
    return _classes(X[rows], y[rows], main="average_precision")


def glosses(folders: Folders) -> Rows:
    """Definitions of a dictionary, embedded: 41 uneven classes."""
    texts, y = load_wordnet_glosses(_or_debians(folders.data / "wordnet_gloss"))
    rows = _some(len(y))
    embedded = embed_texts([texts[i] for i in rows], folders.cache)
    return _classes(_narrow(embedded), y[rows], main="balanced_accuracy")


def emoji(folders: Folders) -> Rows:
    """Emoji by name and picture, embedded: eight uneven categories; one emoji is drawn by two vendors."""
    return _emoji(folders, "category")


def icons(folders: Folders) -> Rows:
    """The same in 95 uneven kinds."""
    return _emoji(folders, "subgroup")


def tags(folders: Folders) -> Rows:
    """Emoji by name, embedded: which of the 50 most frequent tags, several per emoji."""
    posts, words, ids = load_emoji(folders.data / "emoji", target="tags", flags=False)
    _, first = np.unique(ids, return_index=True)
    vectorizer = CountVectorizer(binary=True, max_features=N_TAGS, token_pattern=r"\S+")
    y = vectorizer.fit_transform(words[first]).toarray()
    X = embed_texts([posts["text"][i] for i in first], folders.cache)
    return Rows(_narrow(X), y, np.arange(len(y)), ["average_precision", "f1_micro"], "labels")


def concrete(folders: Folders) -> Rows:
    """Strength of concrete, in MPa; one mixture is tested at several ages."""
    table = pd.read_csv(folders.data / "concrete" / "concrete.csv.gz")
    target = table.pop("compressive_strength").to_numpy()
    mixture = table.drop(columns="age").groupby(list(table.columns.drop("age"))).ngroup()
    return _numbers(table.to_numpy(float), target, mixture.to_numpy())


def diabetes(folders: Folders) -> Rows:
    """Progression of diabetes within a year."""
    X, y = load_diabetes(return_X_y=True)
    return _numbers(X, y, np.arange(len(y)))


SETS: dict[str, Callable[[Folders], Rows]] = {
    "digits": digits,
    "digits, uneven": uneven_digits,
    "digits in six views": mfeat,
    "fashion": fashion,
    "spam": spam,
    "spam, 5 %": rare_spam,
    "glosses, 41 classes": glosses,
    "emoji": emoji,
    "emoji, 95 classes": icons,
    "emoji tags": tags,
    "concrete": concrete,
    "diabetes": diabetes,
}
ALWAYS_THERE = ("digits", "digits, uneven", "diabetes")
"""Sets that come with scikit-learn."""


def _emoji(folders: Folders, target: str) -> Rows:
    posts, y, ids = load_emoji(folders.data / "emoji", target, flags=False)
    parts = embed_texts(posts["text"], folders.cache), embed_images(posts["image"], folders.cache)
    X = np.hstack([_narrow(part, WIDTH // 2) for part in parts])
    return _classes(X, y, ids, main="balanced_accuracy")


def _mails(folders: Folders) -> tuple[np.ndarray, np.ndarray]:
    texts, y = load_spam(folders.data / "spam_assassin")
    words = TfidfVectorizer(min_df=5, max_df=0.5, sublinear_tf=True).fit_transform(texts)
    rows = _some(len(y))
    return _scaled(TruncatedSVD(WIDTH, random_state=0).fit_transform(words)[rows]), y[rows]


def _classes(X: np.ndarray, y: np.ndarray, groups: Any = None, main: str = "accuracy") -> Rows:
    others = ["accuracy", "balanced_accuracy", *(["average_precision"] if len(np.unique(y)) == 2 else [])]
    scoring = [main, *(name for name in others if name != main)]
    return Rows(np.asarray(X, np.float32), y, np.arange(len(y)) if groups is None else groups, scoring, "classes")


def _numbers(X: np.ndarray, y: np.ndarray, groups: np.ndarray) -> Rows:
    X = StandardScaler().fit_transform(X).astype(np.float32)
    return Rows(X, y, groups, ["neg_root_mean_squared_error", "r2"], "numbers")


def _some(n: int) -> np.ndarray:
    """Return which rows of a large set are taken."""
    return np.random.default_rng(0).permutation(n)[:N_ROWS]


def _narrow(X: np.ndarray, width: int = WIDTH) -> np.ndarray:
    """Return the first principal components of scaled columns: fits and queries then take a fraction of the time."""
    return _scaled(PCA(width, random_state=0).fit_transform(StandardScaler().fit_transform(X)))


def _scaled(X: np.ndarray) -> np.ndarray:
    """Return rows scaled as one, so that distances stay in proportion."""
    return (X / X.std()).astype(np.float32)


def _or_debians(folder: Path) -> Path:
    """Return a folder, or where Debian's wordnet-base has its files if there is no such folder."""
    return folder if folder.exists() else Path("/usr/share/wordnet")
