"""Learning from people who err, and choosing whom to ask: made-up people on handwritten digits, real ones on sentences.

Run it with ``python examples/crowd.py``, or ``python examples/crowd.py FOLDER`` with the folder of film sentences that
`alkit.datasets.load_crowd_movie` reads. It takes some minutes, and saves ``crowd.png`` beside itself.
"""

import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.datasets import load_digits
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline

from alkit.crowd import CrowdClassifier, dawid_skene, glad, mace, majority_vote, one_coin, query_pairs
from alkit.datasets import ask_crowd, load_crowd_movie, make_crowd


def infer(X, y, confusion, kinds, rng):
    """Two answers per row: who finds the true labels, and who errs?"""
    people = [rng.choice(len(confusion), 2, replace=False) for _ in y]
    answers = ask_crowd(confusion, y, np.repeat(np.arange(len(y)), 2), np.concatenate(people), rng)
    print("share of true labels found from two answers per row")
    for method in (majority_vote, one_coin, dawid_skene, glad, mace):
        print(f"  {method.__name__:16}{(method(answers).labels == y).mean():.3f}")
    model = CrowdClassifier(LogisticRegression(max_iter=300), random_state=0).fit(X, answers)
    print(f"  CrowdClassifier {(model.true_proba_.argmax(1) == y).mean():.3f}")
    accuracies = pd.DataFrame({"kind": kinds, "true": np.diagonal(confusion, axis1=1, axis2=2).mean(1)})
    print("\naccuracy of people, by kind\n", accuracies.assign(found=model.accuracy_).groupby("kind").mean().round(2))


def play(ask, X, y, X_test, y_test, confusion, rng, start=200, step=100, rounds=8):
    """Number of answers and test accuracy, while answers are acquired pair by pair."""
    item, person = np.divmod(rng.permutation(len(X) * len(confusion))[:start], len(confusion))
    answers, curve = ask_crowd(confusion, y, item, person, rng), []
    for _ in range(rounds):
        model = CrowdClassifier(LogisticRegression(max_iter=300), classes=np.unique(y), random_state=0)
        model.fit(X, answers)
        curve.append((len(answers), model.score(X_test, y_test)))
        item, person = np.transpose(ask(model, X, answers, step, rng))
        answers = pd.concat([answers, ask_crowd(confusion, y, item, person, rng)], ignore_index=True)
    return np.transpose(curve)


def random_pairs(model, X, answers, n, rng):
    """Anybody about anything, but nobody twice about the same."""
    n_people = 40
    asked = answers["item"] * n_people + answers["annotator"]
    open_pairs = np.setdiff1d(np.arange(len(X) * n_people), asked)
    return np.transpose(np.divmod(rng.choice(open_pairs, n, replace=False), n_people))


def best_pairs(model, X, answers, n, rng):
    """The items by margin, and whom to ask by what the answer is expected to tell."""
    return query_pairs(model, X, answers, n, "margin", available=range(40), random_state=rng)


def items_only(model, X, answers, n, rng):
    """The same items, and anybody about them who was not asked yet."""
    asked = answers.groupby("item")["annotator"].agg(set)
    items = [item for item, _ in best_pairs(model, X, answers, n, rng)]
    return [(item, rng.choice([p for p in range(40) if p not in asked.get(item, ())])) for item in items]


def real_people(folder):
    """Three ratings per sentence, and the critics' verdicts."""
    texts, annotations, gold = load_crowd_movie(folder)
    some = annotations.sample(frac=1, random_state=0).groupby("item").head(3)
    known = gold.notna()
    print("\nfilm sentences: share of critics' verdicts found from three ratings")
    for method in (majority_vote, one_coin, dawid_skene):
        found = pd.Series(method(some).labels, method(some).items).reindex(texts.index)
        print(f"  {method.__name__:16}{(found == gold)[known].mean():.3f}")
    model = make_pipeline(TfidfVectorizer(min_df=2), LogisticRegression())
    crowd = CrowdClassifier(model, random_state=0).fit(texts, some)
    found = crowd.classes_[crowd.true_proba_.argmax(1)]
    print(f"  CrowdClassifier {(found == gold)[known].mean():.3f}")


def main(folder=None, rounds=8):
    rng = np.random.default_rng(0)
    X, y = load_digits(return_X_y=True)
    X, X_test, y, y_test = train_test_split(X / 16, y, test_size=0.3, stratify=y, random_state=0)
    confusion, kinds = make_crowd(n_classes=10, random_state=0)
    infer(X, y, confusion, kinds, rng)
    axes = plt.subplots(layout="constrained")[1]
    for ask in (random_pairs, items_only, best_pairs):
        n_answers, accuracy = play(ask, X, y, X_test, y_test, confusion, np.random.default_rng(1), rounds=rounds)
        print(f"\n{ask.__name__}: accuracy {np.round(accuracy, 3)} by {n_answers.astype(int)} answers")
        axes.plot(n_answers, accuracy, marker="o", label=ask.__name__.replace("_", " "))
    axes.set(xlabel="answers", ylabel="accuracy on held-out digits", title="Whom to ask about what")
    axes.legend()
    axes.figure.savefig(Path(__file__).with_suffix(".png"), dpi=120)
    if folder:
        real_people(folder)


if __name__ == "__main__":
    main(*sys.argv[1:2])
