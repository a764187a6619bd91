"""Several labels per row: which emoji should be tagged next? Micro-F1 of the 50 most frequent tags, 5 seeds.

Run it with ``python examples/multi_label.py --data FOLDER``, where FOLDER is what ``alkit.datasets.load_emoji`` reads:
one into which ``npm install --prefix FOLDER emoji-datasource-google@16.0.0 emojibase-data@17.0.0`` was run. It needs
``pip install alkit[encoders,plot]``, takes about five minutes on 2 cores and saves ``multi_label.png`` beside itself.
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.model_selection import train_test_split
from torch import nn

from alkit import NetClassifier, compare_strategies
from alkit.datasets import load_emoji
from alkit.embeddings import embed_texts
from alkit.experiment import LearningCurveDisplay

STRATEGIES = ["random", "margin", "max_score", "cvirs", "bald"]


class TagNet(nn.Sequential):
    """The embedding of a name in, one logit per tag out."""

    def __init__(self, n_features, n_classes):
        super().__init__(nn.Linear(n_features, 128), nn.ReLU(), nn.Dropout(0.3), nn.Linear(128, n_classes))


def names_and_tags(folder, n_tags=50):
    """Embedded names of emoji, and a 0/1 matrix of their most frequent tags, one row per emoji."""
    emoji, tags, ids = load_emoji(folder, target="tags", flags=False)
    # two vendors draw the same emoji, which has one name and one set of tags
    _, first = np.unique(ids, return_index=True)
    vectorizer = CountVectorizer(binary=True, max_features=n_tags, token_pattern=r"\S+")
    y = vectorizer.fit_transform(tags[first]).toarray()
    embedded = embed_texts([emoji["text"][i] for i in first])
    # longer than unit vectors, from which a small network learns in few steps
    return 4 * embedded / np.linalg.norm(embedded, axis=1, keepdims=True), y


def main(X, y, strategies=STRATEGIES, **sizes):
    sizes = {"n_seeds": 5, "n_initial": 50, "n_instances": 50, "n_queries": 7} | sizes
    X, X_test, y, y_test = train_test_split(X.astype(np.float32), y, test_size=0.33, random_state=0)
    print(f"{len(X)} emoji to tag, {y.mean(0).min():.1%} to {y.mean(0).max():.1%} of which have each tag")
    network = NetClassifier(TagNet, lr=0.005, max_epochs=20, class_weight="balanced")
    comparison = compare_strategies(
        network, X, y, strategies, X_test=X_test, y_test=y_test, scoring="f1_micro", n_jobs=2, **sizes
    )
    pd.set_option("display.width", 160, "display.max_columns", 20, "display.precision", 3)
    summary = comparison.summary()
    print(
        "\nmean micro-F1 on held-out emoji over the labels acquired, and its gain against random with a 95 % interval\n"
    )
    print(summary[["area", "gain", "gain_low", "gain_high", "p_value", "final", "saved", "saved_low", "saved_high"]])
    best = summary["gain"].idxmax()
    low, high = summary.loc[best, ["gain_low", "gain_high"]]
    print(f"\nbest: {best}, micro-F1 {summary.loc[best, 'gain']:+.3f} against random (95 %: {low:+.3f} to {high:+.3f})")

    path = Path(__file__).with_suffix(".png")
    display = LearningCurveDisplay.from_comparison(comparison, score_name="micro-F1 on held-out emoji")
    display.ax_.set_title("Tags of emoji: mean of seeds and its 95 % interval")
    display.figure_.savefig(path, dpi=120)
    print(f"\ncurves saved to {path}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True, help="a folder of emoji, see alkit.datasets.load_emoji")
    main(*names_and_tags(parser.parse_args().data))
