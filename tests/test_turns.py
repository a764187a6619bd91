"""Threads that share estimators and learners, and interrupts: answers stay right, and nothing is left changed."""

import copy
import pickle
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np
import pytest
import torch
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from torch import nn
from torch.func import vmap
from torch.utils._python_dispatch import TorchDispatchMode

from alkit import (
    ActiveLearner,
    Committee,
    DropoutMLPClassifier,
    EnsembleClassifier,
    LaplaceClassifier,
    LearningLossClassifier,
    NetClassifier,
    get_strategy,
)
from alkit._random import isolated_rng
from alkit._turns import estimator_lock, torch_modes_kept

X = np.random.default_rng(0).normal(size=(80, 4)).astype(np.float32)
Y = (X[:, 0] > 0).astype(int)
N_TURNS = 15


def small_net(n_classes=2):
    return nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(), nn.Linear(8, n_classes))


MODELS = {
    "net": lambda: NetClassifier(small_net(), max_epochs=1, random_state=0),
    "mlp": lambda: DropoutMLPClassifier(max_epochs=1, random_state=0),
    "laplace": lambda: LaplaceClassifier(NetClassifier(small_net(), max_epochs=1, random_state=0)),
    "learning_loss": lambda: LearningLossClassifier(small_net(), ["2"], max_epochs=1, random_state=0),
}


def in_threads(*tasks, n_times=N_TURNS):
    """Run tasks side by side, each several times, and return what each returned; an error of any is raised."""
    start = threading.Barrier(len(tasks))

    def repeat(task):
        start.wait()
        return [task() for _ in range(n_times)]

    with ThreadPoolExecutor(len(tasks)) as pool:
        return [future.result() for future in [pool.submit(repeat, task) for task in tasks]]


def questions(model):
    """What an estimator answers, each as a function without arguments; samples by a seed."""
    asked = [lambda: model.predict_proba(X), lambda: model.sample_proba(X, 5, random_state=3)]
    asked += [partial(getattr(model, name), X) for name in ("embed", "predict_loss") if hasattr(model, name)]
    return [*asked, lambda: get_strategy("bald").select(model, X, 5, random_state=0).scores]


@pytest.mark.parametrize("name", MODELS)
def test_threads_that_ask_one_estimator(name):
    model = MODELS[name]().fit(X, Y)
    expected = [ask() for ask in questions(model)]
    for answers, right in zip(in_threads(*questions(model)), expected, strict=True):
        for answer in answers:
            np.testing.assert_allclose(answer, right, atol=1e-6)


def test_threads_that_ask_different_estimators():
    models = [MODELS["net"]().set_params(random_state=seed).fit(X, Y) for seed in (0, 1)]
    # one pass over the network for each sample, whose masks come from the generators that all threads share
    asked = [lambda model=model: model.sample_proba(X, 5, random_state=3) for model in models]
    expected = [ask() for ask in asked]
    before = torch.get_rng_state()
    for answers, right in zip(in_threads(*asked), expected, strict=True):
        for answer in answers:
            np.testing.assert_allclose(answer, right, atol=1e-6)
    assert torch.equal(torch.get_rng_state(), before)


def test_asking_while_another_thread_fits():
    net = MODELS["net"]().fit(X, Y)
    right = net.predict_proba(X)
    _, answers = in_threads(lambda: net.fit(X, Y), lambda: net.predict_proba(X))
    # by the network before a fit or after it, which are the same here, and by none in between
    for answer in answers:
        np.testing.assert_allclose(answer, right, atol=1e-6)


class SetsItsMode(ClassifierMixin, BaseEstimator):
    """An estimator as people write them: it samples in a mode that its predictions must not meet."""

    classes_ = np.array([0, 1])

    def sample_proba(self, X, n_samples=20, random_state=None):
        self.sampling_ = True
        proba = np.random.default_rng(random_state).random((len(X), n_samples))
        self.sampling_ = False
        return np.stack([proba, 1 - proba], 2)

    def predict_proba(self, X):
        assert not getattr(self, "sampling_", False)
        return np.full((len(X), 2), 0.5)


def test_queries_of_an_estimator_without_a_lock_of_its_own():
    model = SetsItsMode()
    in_threads(*(lambda name=name: get_strategy(name).select(model, X, 3) for name in ("bald", "margin")))


@pytest.mark.parametrize("model", [LogisticRegression, MODELS["mlp"]])
def test_two_threads_that_teach_one_learner(model):
    learner = ActiveLearner(model(), "margin", X[:10], Y[:10], random_state=0)
    numbers = iter(range(10, 80))

    def teach():
        row = [next(numbers)]
        learner.teach(X[row], Y[row])

    def query():
        return learner.query(X, n_instances=3)

    in_threads(teach, teach, query, n_times=10)
    assert len(learner.X_training) == len(learner.y_training) == 30
    taught = {tuple(row) for row in learner.X_training.tolist()}
    assert taught == {tuple(row) for row in X[:30].tolist()}
    for row, label in zip(learner.X_training, learner.y_training, strict=True):
        assert label == (row[0] > 0)


def test_threads_that_teach_a_committee_and_its_members():
    members = [ActiveLearner(GaussianNB(), X_training=X[:10], y_training=Y[:10]) for _ in range(2)]
    # two committees that have their members in another order
    committees = [Committee(members), Committee(members[::-1])]
    teaching = [lambda learner=learner: learner.teach(X[:1], Y[:1]) for learner in (*committees, members[0])]
    in_threads(*teaching, lambda: committees[0].query(X))
    assert [len(member.X_training) for member in members] == [10 + 3 * N_TURNS, 10 + 2 * N_TURNS]


def test_a_committee_in_threads_of_joblib():
    import joblib

    members = [ActiveLearner(GaussianNB(), X_training=X[k:60], y_training=Y[k:60]) for k in range(2)]
    committee = Committee(members, random_state=0)
    with joblib.parallel_config("threading", n_jobs=2):
        indices, _ = committee.query(X, n_instances=3, chunk_bytes=500)
    assert len(indices) == 3


def test_a_failed_teach_while_another_thread_predicts():
    learner = ActiveLearner(MODELS["net"](), "bald", X[:40], Y[:40], random_state=0)
    right = learner.predict_proba(X)

    def fail():
        with pytest.raises(ValueError, match="labels"):
            learner.teach(X[:2], np.array(["a", "b"]))

    _, answers, _ = in_threads(fail, lambda: learner.predict_proba(X), lambda: learner.query(X))
    for answer in answers:
        np.testing.assert_allclose(answer, right, atol=1e-6)
    assert len(learner.X_training) == 40


def test_locks_are_neither_pickled_nor_copied():
    net = MODELS["net"]().fit(X, Y)
    with estimator_lock(net):
        others = [pickle.loads(pickle.dumps(net)), copy.deepcopy(net), clone(net).fit(X, Y)]
        # held by this thread: a copy with the same lock would wait for ever
        with ThreadPoolExecutor(1) as pool:
            for other in others:
                answer = pool.submit(other.predict_proba, X).result(timeout=60)
                np.testing.assert_allclose(answer, net.predict_proba(X), atol=1e-6)


def test_a_lock_for_what_cannot_be_a_weak_key():
    assert estimator_lock([]) is estimator_lock({})
    assert estimator_lock(GaussianNB()) is not estimator_lock(GaussianNB())


def test_generators_that_several_threads_isolate():
    before = torch.get_rng_state(), np.random.get_state()[1].tolist()
    first, second = isolated_rng(seed=1), isolated_rng(seed=2)
    first.__enter__()
    second.__enter__()
    # not the last to come is the first to leave, as threads may
    first.__exit__(None, None, None)
    second.__exit__(None, None, None)
    assert torch.equal(torch.get_rng_state(), before[0])
    assert np.random.get_state()[1].tolist() == before[1]


class Mode(TorchDispatchMode):
    """A dispatch mode that does nothing."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        return func(*args, **(kwargs or {}))


def state_of_torch():
    """What an interrupt may leave behind."""
    modes = torch.utils._python_dispatch._len_torch_dispatch_stack(), torch._C._len_torch_function_stack()
    levels = torch._C._functorch.get_dynamic_layer_stack_depth()
    return torch.is_grad_enabled(), torch.get_default_dtype(), levels, modes, torch.get_rng_state().tolist()


MODE = Mode()  # held, as a `with` block holds its mode: torch 2.6 crashes where nothing else does


def leave_everything(*args):
    """Do what interrupts do that fall between a `with` block of torch and its undoing."""
    torch.set_grad_enabled(False)
    torch.set_default_dtype(torch.float64)
    torch._C._functorch._vmap_increment_nesting(2, "error")
    MODE.__enter__()
    raise KeyboardInterrupt


def test_an_interrupt_leaves_torch_as_it_was():
    before = state_of_torch()
    with pytest.raises(KeyboardInterrupt), torch_modes_kept():
        leave_everything()
    assert state_of_torch() == before
    assert vmap(torch.sin)(torch.zeros(3)).tolist() == [0, 0, 0]


class Interrupted(nn.Module):
    """A network whose user loses patience in a given pass over it."""

    def __init__(self, n_passes=3):
        super().__init__()
        self.body = small_net()
        self.n_passes = n_passes

    def forward(self, x):
        self.n_passes -= 1
        if self.n_passes == 0:
            leave_everything()
        return self.body(x)


@pytest.mark.parametrize("random_state", [0, None])
def test_an_interrupted_fit(random_state):
    learner = ActiveLearner(NetClassifier(small_net(), random_state=random_state, max_epochs=2), "bald", X[:40], Y[:40])
    right, estimator = learner.predict_proba(X), learner.estimator
    before = state_of_torch()[:-1]
    estimator.module = Interrupted()
    with pytest.raises(KeyboardInterrupt):
        learner.teach(X[40:], Y[40:])
    assert state_of_torch()[:-1] == before
    assert learner.estimator is estimator
    assert len(learner.X_training) == 40
    np.testing.assert_allclose(learner.predict_proba(X), right, atol=1e-6)
    assert not any(layer.training for layer in estimator.module_.modules())


@pytest.mark.parametrize("n_passes", [1, 2])
def test_an_interrupted_query(n_passes):
    net = NetClassifier(Interrupted(10**9), random_state=0, max_epochs=2)
    learner = ActiveLearner(net, "bald", X[:40], Y[:40], random_state=0)
    before, modes = state_of_torch(), [layer.training for layer in net.module_.modules()]
    net.module_.n_passes = n_passes
    with pytest.raises(KeyboardInterrupt):
        learner.query(X, n_instances=3)
    assert state_of_torch() == before
    assert [layer.training for layer in net.module_.modules()] == modes
    net.module_.n_passes = 10**9
    assert len(learner.query(X, n_instances=3)[0]) == 3


def test_an_interrupted_fit_of_networks_that_train_together():
    class InterruptedMLP(Interrupted):
        """Built anew for each member; the passes that find out whether all can train together are not counted."""

        def forward(self, x):
            if self.training and torch.is_grad_enabled():
                leave_everything()
            return self.body(x)

    before = state_of_torch()
    ensemble = EnsembleClassifier(NetClassifier(InterruptedMLP, max_epochs=2), n_estimators=2, random_state=0)
    with pytest.raises(KeyboardInterrupt):
        ensemble.fit(X, Y)
    assert state_of_torch() == before
