"""What networks that read text and picture are worth on emoji, and what active learning saves them on digits.

    python tests/benchmarks/multimodal.py [--data ../shared/data] [--cache DIR] [--seeds 5] [--jobs 1] [--tags]

Emoji without flags -> 9 categories, from MiniLM embeddings of their names (with --tags, of names and tags) and
EfficientNet-Lite0 embeddings of their pictures (``pip install alkit[encoders]``). For each seed ids are split 80 : 20,
so that no emoji is on both sides; encoder and fusion, and C of the linear models, are chosen by three folds of ids
within the 80 %. Then digits in six views: 100 labels bought by margin or at random. Intervals are 95 % (t) over seeds.
"""

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import torch
from joblib import Parallel, delayed
from scipy import stats
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, GroupKFold, GroupShuffleSplit, train_test_split
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from alkit import ActiveLearningClassifier, MultimodalClassifier
from alkit.datasets import load_emoji, load_mfeat
from alkit.embeddings import embed_images, embed_texts

GRID = {"net__encoder": ["residual", "highway", "mlp"], "net__fusion": ["gated", "concat"]}
HEADS = ("joint", "text", "image")


def side_by_side(views: dict[str, np.ndarray]) -> tuple[np.ndarray, dict[str, slice]]:
    ends = np.cumsum([view.shape[1] for view in views.values()]).tolist()
    starts = [0, *ends[:-1]]
    return np.hstack([*views.values()]), {name: slice(a, b) for name, a, b in zip(views, starts, ends, strict=True)}


def scaled(estimator: Any) -> Pipeline:
    return Pipeline([("scale", StandardScaler()), ("net", estimator)])


def accuracy(model: Pipeline, X: np.ndarray, y: np.ndarray, head: str) -> float:
    return float((model[-1].predict(model[:-1].transform(X), head=head) == y).mean())


def one_split(X: np.ndarray, y: np.ndarray, ids: np.ndarray, columns: dict[str, slice], seed: int) -> dict[str, float]:
    torch.set_num_threads(1)
    train, test = next(GroupShuffleSplit(1, test_size=0.2, random_state=seed).split(X, y, ids))

    def tuned(model: Pipeline, grid: dict[str, list], view: slice = slice(None)) -> GridSearchCV:
        search = GridSearchCV(model, grid, cv=GroupKFold(3, shuffle=True, random_state=seed))
        return search.fit(X[train][:, view], y[train], groups=ids[train])

    said: dict[str, float] = {}
    for name, view in {"both": slice(None), **columns}.items():
        linear = tuned(scaled(LogisticRegression(max_iter=200)), {"net__C": [0.003, 0.02]}, view)
        said[f"linear, {name}"] = linear.score(X[test][:, view], y[test])
    search = tuned(scaled(MultimodalClassifier(columns, max_epochs=20, batch_size=64, random_state=seed)), GRID)
    net = search.best_estimator_
    said |= {f"network, {head} head": accuracy(net, X[test], y[test], head) for head in HEADS}
    rest = max(said["network, text head"], said["network, image head"])
    said["network, joint above best single head"] = said["network, joint head"] - rest
    summed = net.set_params(net__loss_weights="sum").fit(X[train], y[train])
    said["network, losses summed"] = accuracy(summed, X[test], y[test], "joint")
    said["network, learnt weights above sum"] = said["network, joint head"] - said["network, losses summed"]
    half = X.copy()
    half[np.random.default_rng(seed).permutation(len(X))[: len(X) // 2], columns["image"]] = np.nan
    partly = search.best_estimator_.set_params(net__loss_weights="uncertainty").fit(half[train], y[train])
    said["network, half of the pictures removed"] = accuracy(partly, half[test], y[test], "joint")
    print(f"seed {seed}: {search.best_params_}, validation {search.best_score_:.3f}", flush=True)
    return said


def digits(X: np.ndarray, y: np.ndarray, columns: dict[str, slice], seed: int) -> dict[str, float]:
    torch.set_num_threads(1)
    X, X_test, y, y_test = train_test_split(X, y, test_size=500, random_state=seed, stratify=y)
    said = {}
    for strategy in ("margin", "random"):
        net = scaled(MultimodalClassifier(columns, width=64, max_epochs=40, batch_size=64, random_state=seed))
        loop = ActiveLearningClassifier(net, strategy, n_initial=20, n_instances=10, n_queries=10, random_state=seed)
        said[f"{strategy}, 20 + 100 labels"] = loop.fit(X, y).score(X_test, y_test)
    said["margin above random"] = said["margin, 20 + 100 labels"] - said["random, 20 + 100 labels"]
    return said


def show(title: str, said: list[dict[str, float]]) -> None:
    print(f"\n{title}, {len(said)} seeds\n{'':40} mean   95 % interval")
    for name in said[0]:
        values = np.array([of_seed[name] for of_seed in said])
        low, high = stats.t.interval(0.95, len(values) - 1, values.mean(), stats.sem(values))
        print(f"{name:40} {values.mean():.3f}  {low:.3f} to {high:.3f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--cache", type=Path, help="folder to keep embeddings in")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--tags", action="store_true", help="texts are names and tags")
    args = parser.parse_args()
    parallel = Parallel(n_jobs=args.jobs)
    posts, y, ids = load_emoji(args.data / "emoji", flags=False, tags=args.tags)
    text, image = embed_texts(posts["text"], args.cache), embed_images(posts["image"], args.cache)
    X, columns = side_by_side({"text": text, "image": image})
    show("emoji -> category", parallel(delayed(one_split)(X, y, ids, columns, seed) for seed in range(args.seeds)))
    views, y = load_mfeat(args.data / "uci_mfeat")
    X, columns = side_by_side(views)
    show("digits in six views", parallel(delayed(digits)(X, y, columns, seed) for seed in range(2 * args.seeds)))


if __name__ == "__main__":
    main()
