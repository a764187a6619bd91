"""Expected error reduction against Bayes' rule written out, model by model."""

import numpy as np
import pytest
import torch

from alkit.strategies.scores import eer, expected_error


def rng(seed=0):
    return np.random.default_rng(seed)


def brute(samples, targets):
    """For each row and label: weigh the models by Bayes' rule, predict the targets again, and count errors."""
    now = np.mean([1 - t.mean(0).max() for t in targets])
    reductions = []
    for row in samples:
        after = 0.0
        for y in range(row.shape[1]):
            weight = row[:, y] / row[:, y].sum()
            error = np.mean([1 - (weight @ t).max() for t in targets])
            after += row[:, y].mean() * error
        reductions.append(now - after)
    return reductions


@pytest.mark.parametrize(("K", "C"), [(2, 2), (7, 3), (20, 10)])
def test_scores_are_those_of_bayes_rule(K, C, monkeypatch):
    samples, targets = rng().dirichlet(np.ones(C), size=(12, K)), rng(1).dirichlet(np.ones(C), size=(9, K))
    expected = brute(samples, targets)
    samples, targets = torch.from_numpy(samples), torch.from_numpy(targets)
    np.testing.assert_allclose(eer(samples, targets), expected, atol=1e-12)
    np.testing.assert_allclose(eer(samples.float(), targets.float()), expected, atol=1e-6)
    monkeypatch.setattr(expected_error, "_BLOCK_NUMBERS", 50)
    np.testing.assert_allclose(eer(samples, targets), expected, atol=1e-12)


def test_models_that_agree_learn_nothing_and_impossible_labels_count_nothing():
    same = torch.tensor([0.7, 0.3, 0.0]).expand(4, 5, 3)
    assert (eer(same, same) == 0).all()
    torn = torch.eye(3)[[0, 0, 1, 1]][None]
    assert eer(torn, torn).item() == pytest.approx(0.5)
