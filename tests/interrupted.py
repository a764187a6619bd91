"""A process that is sent Ctrl-C again and again while it teaches and queries: fails if one of them leaves a trace.

python -m tests.interrupted NETWORK SECONDS SEED
"""

import os
import random
import signal
import sys
import threading
import time
from itertools import cycle

import numpy as np
import torch
from torch import nn

from alkit import ActiveLearner, EnsembleClassifier, NetClassifier


class Recurrent(nn.Module):
    """Dropout around a GRU: sampled by plain passes under nested modes."""

    def __init__(self):
        super().__init__()
        self.before, self.gru, self.head = nn.Dropout(), nn.GRU(1, 4, batch_first=True), nn.Linear(4, 2)

    def forward(self, x):
        hidden, _ = self.gru(self.before(x)[..., None])
        return self.head(hidden[:, -1])


def perceptron(n_features=4, n_classes=2):
    return nn.Sequential(
        nn.Linear(n_features, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(), nn.Linear(16, n_classes)
    )


NETWORKS = {
    "perceptron": lambda: NetClassifier(perceptron, max_epochs=3, random_state=0),
    "recurrent": lambda: NetClassifier(Recurrent, max_epochs=2, random_state=0),
    "ensemble": lambda: EnsembleClassifier(NetClassifier(perceptron, max_epochs=3), 3, random_state=0),
}
RNG = np.random.default_rng(0)
X = RNG.normal(size=(80, 4)).astype(np.float32)
Y = (X[:, 0] > 0).astype(int)


def torch_state():
    """Return what Ctrl-C must not leave otherwise."""
    return (
        torch.is_grad_enabled(),
        torch._C._functorch.get_dynamic_layer_stack_depth(),
        torch.utils._python_dispatch._len_torch_dispatch_stack(),
        torch._C._len_torch_function_stack(),
        torch.get_default_dtype(),
        torch.get_rng_state().sum().item(),
    )


def interrupt_during(action, delay):
    """Run an action, and send this process Ctrl-C after a delay; return whether it fell into the action."""
    done = threading.Event()

    def send():
        if not done.wait(delay):
            os.kill(os.getpid(), signal.SIGINT)

    sender = threading.Thread(target=send)
    try:
        try:
            sender.start()
            action()
        finally:
            done.set()
            sender.join()
        # a signal that was sent at the last moment is raised by now
        time.sleep(0.01)
    except KeyboardInterrupt:
        return True
    return False


def main(network, seconds, seed):
    """Interrupt until the time is up, or something is left behind."""
    draw = random.Random(seed)
    learner = ActiveLearner(NETWORKS[network](), "bald", X[:40], Y[:40], random_state=0)
    actions = {
        "teach": lambda: learner.teach(X[40:60], Y[40:60]),
        "fit": lambda: learner.fit(X[:60], Y[:60]),
        "query": lambda: learner.query(X, n_instances=5),
    }
    longest = dict.fromkeys(actions, 0.05)
    n_interrupts, ends = 0, time.monotonic() + seconds
    for name in cycle(actions):
        if time.monotonic() > ends:
            print(n_interrupts)
            return
        before, n_taught, proba = torch_state(), len(learner.y_training), learner.predict_proba(X)
        started = time.monotonic()
        interrupted = interrupt_during(actions[name], draw.uniform(0, longest[name]))
        if not interrupted:
            longest[name] = 1.5 * (time.monotonic() - started)
            learner = ActiveLearner(NETWORKS[network](), "bald", X[:40], Y[:40], random_state=0)
            continue
        n_interrupts += 1
        assert torch_state() == before, (name, before, torch_state())
        n_rows, n_labels = len(learner.X_training), len(learner.y_training)
        # all as before, or, where the signal came when the labels were taught already, all as after
        assert n_rows == n_labels, (name, n_rows, n_labels)
        assert n_labels in (n_taught, 60), (name, n_taught, n_labels)
        if n_labels == n_taught:
            np.testing.assert_array_equal(learner.predict_proba(X), proba, err_msg=name)


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]), int(sys.argv[3]))
