"""Scores for regressors, against closed forms, scipy, modAL and plain loops in float64."""

import numpy as np
import pytest
import torch
from modAL.acquisition import EI, PI, UCB
from scipy.stats import multivariate_normal

from alkit.strategies import scores

rng = np.random.default_rng(0)
MEAN = rng.normal(size=50)
STD = rng.uniform(0.1, 2, size=50)
TAUGHT = rng.normal(size=7)


def tensors(*arrays):
    return [torch.as_tensor(array) for array in arrays]


def test_spread_of_members():
    values = rng.normal(size=(50, 6))
    np.testing.assert_allclose(scores.committee_spread(torch.as_tensor(values)), values.std(1))
    many = rng.normal(size=(50, 6, 3))
    np.testing.assert_allclose(scores.committee_spread(torch.as_tensor(many)), many.std(1).prod(1) ** (1 / 3))


def test_several_outputs_rank_as_the_entropy_of_a_gaussian_whatever_their_units():
    std = rng.uniform(0.1, 2, size=(50, 3))
    entropy = [multivariate_normal(cov=np.diag(row**2)).entropy() for row in std]
    order = np.argsort(scores.predictive_std(torch.as_tensor(std)).numpy())
    assert order.tolist() == np.argsort(entropy).tolist()
    scaled = scores.predictive_std(torch.as_tensor(std * [1.0, 1e6, 1e-3]))
    assert np.argsort(scaled.numpy()).tolist() == order.tolist()


@pytest.mark.parametrize("n_outputs", [0, 1, 3])
def test_expected_model_change_is_the_mean_length_of_gradients(n_outputs):
    shape = (n_outputs,) if n_outputs else ()
    prediction, values, h = rng.normal(size=(20, *shape)), rng.normal(size=(20, 5, *shape)), rng.normal(size=(20, 4))
    expected = []
    for f, member_values, inputs in zip(prediction, values, h, strict=True):
        lengths = []
        for value in member_values:
            weights = torch.zeros(max(n_outputs, 1), 5, dtype=torch.float64, requires_grad=True)
            # a last layer whose output is f, as far as the gradient of half the squared error sees
            out = weights @ torch.as_tensor([*inputs, 1.0]) + torch.as_tensor(np.atleast_1d(f))
            (out - torch.as_tensor(np.atleast_1d(value))).square().sum().div(2).backward()
            lengths.append(weights.grad.norm().item())
        expected.append(np.mean(lengths))
    np.testing.assert_allclose(scores.expected_model_change(*tensors(prediction, values, h)), expected)


@pytest.mark.parametrize("tradeoff", [0.0, 0.3])
def test_acquisitions_are_those_of_modal(tradeoff):
    known = MEAN, STD, TAUGHT.max(), tradeoff
    for ours, theirs in ((scores.expected_improvement, EI), (scores.probability_of_improvement, PI)):
        np.testing.assert_allclose(ours(*tensors(MEAN, STD, TAUGHT), tradeoff=tradeoff), theirs(*known), atol=1e-12)
    bound = scores.upper_confidence_bound(*tensors(MEAN, STD), beta=tradeoff)
    np.testing.assert_allclose(bound, UCB(MEAN, STD, tradeoff))


def test_what_is_known_for_sure_and_where_nothing_was_taught():
    mean, std = tensors([2.0, 0.5, 1.0], [0.0, 0.0, 0.0])
    taught, nothing = torch.tensor([1.0]), torch.empty(0)
    assert scores.expected_improvement(mean, std, taught).tolist() == [1, 0, 0]
    assert scores.probability_of_improvement(mean, std, taught).tolist() == [1, 0, 0]
    assert scores.expected_improvement(mean, std + 1, nothing).isinf().all()
    assert scores.probability_of_improvement(mean, std + 1, nothing).tolist() == [1, 1, 1]


def test_several_numbers_have_no_maximum():
    two = torch.zeros(4, 2)
    for score in (scores.expected_improvement, scores.probability_of_improvement):
        with pytest.raises(ValueError, match="2 numbers per row, which have no one maximum"):
            score(two, two, two)
    with pytest.raises(ValueError, match="2 numbers per row"):
        scores.upper_confidence_bound(two, two)
