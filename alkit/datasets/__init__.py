"""Loaders of real data that users can install, and made-up crowds; alkit bundles no data.

What is not in ``__all__`` is private.
"""

from alkit.datasets.crowds import ask_crowd, load_crowd_movie, make_crowd
from alkit.datasets.emoji import load_emoji
from alkit.datasets.fashion_mnist import load_fashion_mnist
from alkit.datasets.mfeat import load_mfeat
from alkit.datasets.texts import load_spam, load_wordnet_glosses

__all__ = [
    "ask_crowd",
    "load_crowd_movie",
    "load_emoji",
    "load_fashion_mnist",
    "load_mfeat",
    "load_spam",
    "load_wordnet_glosses",
    "make_crowd",
]
