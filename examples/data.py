"""What several examples read: pictures and texts that users can install, and something smaller where they have not."""

import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from alkit.datasets import load_fashion_mnist, load_wordnet_glosses


def pictures(name="fashion"):
    """Pool and test set of pictures (n, 1, height, width) in [0, 1]: Fashion-MNIST if it can be had, or else digits."""
    try:
        if name == "digits":
            raise OSError("asked for digits")
        X, y, X_test, y_test = load_fashion_mnist()
    except OSError as error:
        print(f"scikit-learn's handwritten digits in place of Fashion-MNIST ({error})")
        digits, labels = load_digits(return_X_y=True)
        parts = train_test_split(digits.reshape(-1, 8, 8), labels, test_size=0.4, stratify=labels, random_state=0)
        X, X_test, y, y_test = parts
    X, X_test = ((rows[:, None] / X.max()).astype(np.float32) for rows in (X, X_test))
    return {"X": X, "y": y, "X_test": X_test, "y_test": y_test}


def glosses(path="/usr/share/wordnet"):
    """Definitions of nouns and verbs, and their lexicographer classes; None where WordNet is not installed."""
    try:
        return load_wordnet_glosses(path)
    except FileNotFoundError as error:
        print(error)
        return None
