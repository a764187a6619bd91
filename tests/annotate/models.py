"""Estimators that behave, and some that do not, for trainers in processes of their own."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline


def words():
    """A model of texts."""
    return make_pipeline(CountVectorizer(), LogisticRegression())


class Keyword(ClassifierMixin, BaseEstimator):
    """Knows spam by its exclamation marks, and how many labels it was fitted on."""

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        self.n_fitted_ = len(X)
        return self

    def predict_proba(self, X):
        share = np.array([[min(0.9, 0.1 + 0.1 * text.count("!"))] for text in X])
        columns = {"ham": 1 - share, "spam": share}
        return np.hstack([columns[name] for name in self.classes_])

    def predict(self, X):
        return self.classes_[self.predict_proba(X).argmax(1)]


class Moody(Keyword):
    """Does what the file says that it is told of: nothing, raise, nan, memory, kill, exit or sleep."""

    def __init__(self, mood):
        self.mood = mood

    def fit(self, X, y):
        match Path(self.mood).read_text():
            case "raise":
                raise RuntimeError("the optimiser\ndiverged")
            case "memory":
                raise MemoryError("cannot allocate 8 PiB")
            case "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            case "exit":
                os._exit(3)
            case "sleep":
                time.sleep(1000)
        return super().fit(X, y)

    def predict_proba(self, X):
        proba = super().predict_proba(X)
        return np.full_like(proba, np.nan) if Path(self.mood).read_text() == "nan" else proba


class Stuck(Keyword):
    """Hangs in its first fit, and so does a process that it has started, which holds what the trainer reads from."""

    def __init__(self, note):
        self.note = note

    def fit(self, X, y):
        child = subprocess.Popen(["sleep", "1000"], stdin=sys.stdin)
        Path(self.note).write_text(str(child.pid))
        time.sleep(1000)


class LateRiser(Keyword):
    """Takes long to be read by the trainer's process; copies of it there do not."""

    is_up = False

    def __setstate__(self, state):
        if not LateRiser.is_up:
            LateRiser.is_up = True
            time.sleep(5.0)
        super().__setstate__(state)


class Busy(Keyword):
    """Computes in pure Python for a while, as the worst of neighbours do."""

    def fit(self, X, y):
        until = time.monotonic() + 1.0
        while time.monotonic() < until:
            sum(range(1000))
        return super().fit(X, y)
