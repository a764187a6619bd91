"""Spam that streams by: which mails to ask about, at once, when nobody can go back to them.

Run it with ``python examples/stream.py --data FOLDER``, where FOLDER is what ``alkit.datasets.load_spam`` reads. The
corpus numbers mails of a kind as they were collected, and so they arrive here. It takes about two minutes, prints a
table and saves a picture.
"""

import argparse

import numpy as np
from sklearn.feature_extraction.text import HashingVectorizer
from sklearn.linear_model import SGDClassifier

from alkit.datasets import load_spam
from alkit.streams import StreamSampler

MANAGERS = ("random", "periodic", "quantile", "split")
N_START, BATCH = 50, 25


def arrivals(texts, labels, seed):
    """Rows in order of arrival, neighbours exchanged by a seed, and whether they are spam."""
    rng = np.random.default_rng(seed)
    when = np.empty(len(texts))
    for label in np.unique(labels):
        of_label = np.flatnonzero(labels == label)
        # ham and spam are numbered apart, but arrive together
        when[of_label] = np.linspace(0, 1, len(of_label)) + rng.normal(scale=0.01, size=len(of_label))
    order = np.argsort(when)
    X = HashingVectorizer(n_features=2**16, alternate_sign=False).transform([texts[i] for i in order])
    return X, (labels[order] == "spam").astype(int)


def stream_by(X, y, manager, budget, seed):
    """Predict each batch, ask about some of it and learn; return which predictions were right, and the share asked."""
    model = SGDClassifier(loss="log_loss", random_state=seed).partial_fit(X[:N_START], y[:N_START], classes=[0, 1])
    sampler = StreamSampler("margin", budget=budget, manager=manager, random_state=seed)
    is_right = []
    for start in range(N_START, len(y), BATCH):
        batch = slice(start, start + BATCH)
        is_right.append(model.predict(X[batch]) == y[batch])
        asked = sampler.query(model, X[batch])
        if asked.any():
            model.partial_fit(X[batch][asked], y[batch][asked])
    return np.concatenate(is_right), sampler.n_queried_ / sampler.n_seen_


def plot(rights, path):
    """Draw the share of right predictions among the last 500 mails."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    _, ax = plt.subplots(figsize=(7, 4), layout="constrained")
    for manager, right in rights.items():
        totals = np.cumsum(np.pad(right.mean(0), (1, 0)))
        latest = (totals[500:] - totals[:-500]) / 500
        ax.plot(np.arange(500, 500 + len(latest)), latest, label=manager)
    ax.set(xlabel="mails that arrived", ylabel="right among the last 500", title="A stream of mail, some asked about")
    ax.legend()
    ax.figure.savefig(path, dpi=120)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True, help="a CSV file or folder, see alkit.datasets.load_spam")
    parser.add_argument("--budget", type=float, default=0.1)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--out", default="stream.png")
    args = parser.parse_args()
    texts, labels = load_spam(args.data)
    streams = [arrivals(texts, labels, seed) for seed in range(args.seeds)]
    rights, shares = {}, {}
    for manager in MANAGERS:
        runs = [stream_by(X, y, manager, args.budget, seed) for seed, (X, y) in enumerate(streams)]
        rights[manager] = np.array([right for right, _ in runs])
        shares[manager] = np.mean([share for _, share in runs])
    print(f"{len(texts)} mails, budget {args.budget:.0%}, {args.seeds} seeds\n")
    print(f"{'manager':<10} {'asked':>6} {'right':>7}   right more than random, 95 % interval over seeds")
    for manager, right in rights.items():
        gain = (right.mean(1) - rights["random"].mean(1)) * 100
        half = 1.96 * gain.std(ddof=1) / np.sqrt(len(gain))
        line = f"{manager:<10} {shares[manager]:6.1%} {right.mean():7.2%}"
        if manager != "random":
            line += f"   {gain.mean():+.2f} points ({gain.mean() - half:+.2f} to {gain.mean() + half:+.2f})"
        print(line)
    plot(rights, args.out)


if __name__ == "__main__":
    main()
