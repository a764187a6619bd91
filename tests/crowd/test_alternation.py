"""Fits and estimates in turn: the last round that explains answers as well as any is kept."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

from alkit.crowd import alternation
from alkit.crowd.alternation import alternate
from alkit.crowd.answers import read_answers

X = np.arange(12.0)[:, None]
ANSWERS = read_answers(
    pd.DataFrame({"item": np.arange(12), "annotator": np.arange(12) % 3, "label": np.arange(12) // 6})
)
FOLDS = np.arange(12) % 3


@pytest.mark.parametrize(
    ("log_likelihoods", "kept"),
    [([-9, -5, -7, -8], 2), ([-9, -7, -8, -5], 4), ([-5, -6, -7, -8], 1), ([-9, -5, -6, -5.2], 4), ([-5, -5.2, -6], 2)],
)
def test_the_last_round_that_explains_answers_as_well_as_any_is_kept(log_likelihoods, kept, monkeypatch):
    # the first estimate is made before any round, and has nothing of the estimator
    values = iter([0, *log_likelihoods])

    def estimate(answers, start, log_prior=None, max_iter=0):
        proba = np.random.default_rng(len(answers.label)).dirichlet([1, 1], len(start))
        return SimpleNamespace(proba=proba if log_prior is None else 1 - start, confusion=None,
                               log_likelihood=next(values))  # fmt: skip

    monkeypatch.setattr(alternation, "estimate_truth", estimate)
    monkeypatch.setattr(alternation, "trusted", lambda predicted, answers, confusion: predicted)
    found = alternate(LogisticRegression(), X, ANSWERS, ANSWERS.vote_shares(), FOLDS, len(log_likelihoods), 0.0)
    assert (found.n_iter, found.estimate.log_likelihood) == (kept, log_likelihoods[kept - 1])
