"""How many labels until there is a model: eight classes, two of which are rare (1 item in 500), in random order.

A session as people have it, in one process: after each label the trainer does its round, so that the count is exact.
Beside it, what it would take if every class had to have a label first, by the same draws.
Run: ``python tests/benchmarks/labels_to_first_model.py [--items 20000] [--seeds 20]``.
The bar: as soon as two classes have labels, which takes 3 to 10.
"""

import argparse
import tempfile
import threading
from pathlib import Path

import numpy as np

from alkit.annotate import Items, LabelingSession
from alkit.annotate.training.default_models import default_model
from alkit.annotate.training.job import Job
from alkit.annotate.training.rounds import Training

CLASSES = [f"class {k}" for k in range(8)]
SHARES = np.array([0.576, 0.22, 0.1, 0.06, 0.03, 0.01, 0.002, 0.002])
N_WORDS = 400


def posts(n, seed):
    """Return texts whose words hint at their class, and the classes."""
    rng = np.random.default_rng(seed)
    y = rng.choice(len(CLASSES), size=n, p=SHARES)
    own = rng.random((n, 8)) < 0.3
    words = np.where(own, N_WORDS + y[:, None] * 10 + rng.integers(10, size=(n, 8)), rng.integers(N_WORDS, size=(n, 8)))
    return [" ".join(f"word{k}" for k in row) for row in words], y


def first_model(texts, y, folder, seed):
    """Label until there is a model; return the number of labels, of classes among them, and of rankings."""
    items = Items.of(texts)
    embed, learner = default_model(items)
    with LabelingSession(items, CLASSES, Path(folder) / f"{seed}.db", random_state=seed) as session:
        training = Training(session.store, Job(items.features(), learner, "margin", CLASSES, embed))
        once = threading.Event()
        once.set()
        seen = set()
        for n_labels in range(1, len(y) + 1):
            item = session.next("ann")["item"]
            seen.add(y[int(item)])
            session.label(item, CLASSES[y[int(item)]], "ann")
            training.run(once)
            model = session.progress()["model"]
            assert model["error"] is None, model
            if model["version"] is not None:
                return n_labels, len(seen)
        raise RuntimeError("all items are labelled, and there is no model")


def until_each_class(y, seed):
    """Return the number of labels after which each class has one, in random order."""
    order = np.random.default_rng(seed).permutation(len(y))
    return max(np.flatnonzero(y[order] == k)[0] + 1 for k in np.unique(y))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, default=20_000)
    parser.add_argument("--seeds", type=int, default=20)
    chosen = parser.parse_args()
    found, all_classes = [], []
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(chosen.seeds):
            texts, y = posts(chosen.items, seed)
            found.append(first_model(texts, y, folder, seed))
            all_classes.append(until_each_class(y, seed))
    labels, classes = np.array(found).T
    print(f"{chosen.items} items, {len(CLASSES)} classes, two of them 1 in 500; {chosen.seeds} seeds")
    print(f"{'labels until':32}{'median':>8}{'least':>8}{'most':>8}")
    for name, counts in (("the first model", labels), ("each class has a label", np.array(all_classes))):
        print(f"{name:32}{np.median(counts):8.0f}{counts.min():8}{counts.max():8}")
    print(f"classes with labels at the first model: {classes.min()} to {classes.max()}")


if __name__ == "__main__":
    main()
