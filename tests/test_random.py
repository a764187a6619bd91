"""Random states: seeded as scikit-learn seeds, and global ones left as they were."""

import random

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import QuantileTransformer

from alkit._random import draw_seed, generator, isolated_rng, sampling_seed, seed_estimator


def global_states():
    """The states of every global generator, in a form that can be compared."""
    return random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()


@pytest.mark.parametrize("seed", [7, np.int64(7)])
def test_the_same_seed_gives_the_same_generator(seed):
    assert generator(seed).random() == generator(7).random()
    assert generator(np.random.RandomState(7)).random() == generator(7).random()
    assert generator(8).random() != generator(7).random()


def test_a_generator_is_taken_as_it_is():
    rng = np.random.default_rng(0)
    assert generator(rng) is rng


def test_none_draws_from_numpys_global_generator():
    np.random.seed(3)
    first = generator(None).random()
    np.random.seed(3)
    assert generator(None).random() == first


def test_a_random_state_goes_on():
    state = np.random.RandomState(0)
    assert generator(state).random() != generator(state).random()


def test_drawn_seeds_are_taken_by_all():
    rng = np.random.default_rng(0)
    for _ in range(100):
        seed = draw_seed(rng)
        assert 0 <= seed < 2**31
        np.random.RandomState(seed)


def test_only_random_states_that_are_none_are_seeded():
    pipeline = make_pipeline(QuantileTransformer(random_state=5), SGDClassifier())
    seed_estimator(pipeline, np.random.default_rng(0))
    assert pipeline[0].random_state == 5
    assert isinstance(pipeline[1].random_state, int)
    seed_estimator(pipeline, np.random.default_rng(0), every=True)
    assert pipeline[0].random_state != 5
    assert pipeline[0].random_state != pipeline[1].random_state


def test_seeds_depend_on_the_generator_alone():
    models = [make_pipeline(SGDClassifier()), make_pipeline(SGDClassifier())]
    for model in models:
        seed_estimator(model, np.random.default_rng(1))
    assert models[0][0].random_state == models[1][0].random_state
    deterministic = LogisticRegression(random_state=2)
    seed_estimator(deterministic, np.random.default_rng(1))
    assert deterministic.random_state == 2


def test_seeds_of_samples_leave_global_generators_alone():
    before = global_states()
    assert sampling_seed(4) == sampling_seed(4)
    assert sampling_seed(None) != sampling_seed(None)
    assert global_states() == before


def test_global_generators_are_seeded_inside_and_restored():
    before = global_states()
    draws = []
    for _ in range(2):
        with isolated_rng(seed=11):
            draws.append((random.random(), np.random.rand(), torch.rand(()).item()))
    assert draws[0] == draws[1]
    assert global_states() == before


def test_global_generators_are_restored_after_an_error():
    before = global_states()

    def fail():
        with isolated_rng(seed=1):
            torch.rand(3)
            raise RuntimeError("diverged")

    with pytest.raises(RuntimeError, match="diverged"):
        fail()
    assert global_states() == before


def test_without_a_seed_they_go_on_from_where_they_are():
    torch.manual_seed(0)
    expected = torch.rand(2).tolist()
    torch.manual_seed(0)
    with isolated_rng():
        assert torch.rand(2).tolist() == expected
