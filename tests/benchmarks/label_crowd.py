"""What a crowd's labels teach, by who is asked about what: plain sessions, and those that ask by expertise.

Six people of whom two know, two err and two guess label handwritten digits by turns, one answer each; after each turn
the trainer does its round, as it would between two answers. Beside each other, at the same numbers of answers:

- one label per item, from whoever comes next;
- three labels per item, from whoever comes next;
- one to three, from whoever comes next (``overlap=(1, 3)``);
- one to three, from whom is expected to tell most (``assign="expertise"``).

Given are the accuracy of the model on rows that nobody is asked about, and how often the intervals of people's
accuracies hold the true one. Run: ``python tests/benchmarks/label_crowd.py [--answers 300 600 900] [--seeds 5]``.
"""

import argparse
import tempfile
import threading
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split

from alkit.annotate import LabelingSession
from alkit.annotate.training.job import Job
from alkit.annotate.training.rounds import Training

ACCURACY = {"knows 1": 0.95, "knows 2": 0.95, "errs 1": 0.7, "errs 2": 0.7, "guesses 1": 0.1, "guesses 2": 0.1}
WAYS = {
    "1, anyone": (1, "anyone"),
    "3, anyone": (3, "anyone"),
    "1-3, anyone": ((1, 3), "anyone"),
    "1-3, expertise": ((1, 3), "expertise"),
}


def answer(name, true, rng):
    """Return what a person says; errors are spread evenly."""
    if rng.random() < ACCURACY[name]:
        return str(true)
    return str((true + rng.integers(1, 10)) % 10)


def learn(way, seed, answers):
    """Label as far as the last number of answers; return the accuracies on the way, and the last report on people."""
    X, y = load_digits(return_X_y=True)
    X, X_test, y, y_test = train_test_split(X / 16, y, test_size=0.3, random_state=seed, stratify=y)
    overlap, assign = WAYS[way]
    rng = np.random.default_rng(seed)
    items = pd.DataFrame({"text": [f"row {k}" for k in range(len(y))]})
    once = threading.Event()
    once.set()
    learner = LogisticRegression(max_iter=300)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "labels.db"
        with LabelingSession(items["text"].tolist(), [str(k) for k in range(10)], path, random_state=seed) as session:
            job = Job(X, learner, "margin", session.classes, seed=seed, assign=assign)
            ends = overlap if isinstance(overlap, tuple) else (overlap, overlap)
            training = Training(session.store, job._replace(overlap=ends))
            session.store.set_overlap(ends[0])
            found = []
            n_answers = 0
            while n_answers < answers[-1]:
                for name in ACCURACY:
                    item = session.next(name)
                    if item is not None:
                        session.label(item["item"], answer(name, y[int(item["item"])], rng), name)
                        n_answers += 1
                training.run(once)
                if len(found) < len(answers) and n_answers >= answers[len(found)]:
                    found.append((training.learner.predict(X_test) == y_test.astype(str)).mean())
            assert session.progress()["model"]["error"] is None
            return found, session.store.meta("people")["people"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--answers", type=int, nargs="+", default=[300, 600, 900])
    parser.add_argument("--seeds", type=int, default=5)
    chosen = parser.parse_args()
    print(f"digits, {len(ACCURACY)} people: {ACCURACY}; {chosen.seeds} seeds, mean and standard error")
    print(f"{'test accuracy after answers':28}" + "".join(f"{n:>15}" for n in chosen.answers) + "   true accuracy held")
    for way in WAYS:
        runs = [learn(way, seed, chosen.answers) for seed in range(chosen.seeds)]
        scores = np.array([found for found, _ in runs])
        error = scores.std(0, ddof=1) / np.sqrt(len(scores)) if len(scores) > 1 else np.zeros(scores.shape[1])
        held = [p["low"] <= ACCURACY[p["annotator"]] <= p["high"] for _, people in runs for p in people]
        cells = "".join(f"{mean:9.3f} ±{of:.3f}" for mean, of in zip(scores.mean(0), error, strict=True))
        print(f"{way:28}{cells}   {sum(held)} of {len(held)}", flush=True)


if __name__ == "__main__":
    main()
