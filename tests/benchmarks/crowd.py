"""Crowds: labels inferred and models learnt from people who err, answers saved, and peers.

    python tests/benchmarks/crowd.py [--data ../shared/data] [--seeds 5] [--only inferred movie pairs ...]

inferred  true labels inferred for the training rows, and test accuracy, from 1 to 3 answers per row of a made-up crowd
movie     real people's ratings of film sentences, 3, 5 and all per sentence, against the critics' verdicts
pairs     answers needed for the test accuracy that random pairs of an item and a person reach with 2,000
quality   average precision at finding the 10 % of labels that were flipped
peers     one_coin, glad, mace and dawid_skene against crowd-kit (``pip install crowd-kit``, here or, by --peer-python,
          in another environment)
size      10,000 items, 500 people, 50,000 answers: seconds and memory

Digits come with scikit-learn; a set that is not there is left out.
"""

import argparse
import resource
import subprocess
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score
from sklearn.model_selection import cross_val_predict
from sklearn.preprocessing import StandardScaler

from alkit import crowd
from alkit.crowd import CrowdClassifier, label_quality, query_pairs
from alkit.datasets import ask_crowd, load_crowd_movie, load_emoji, load_mfeat, make_crowd
from alkit.embeddings import embed_texts
from alkit.experiment.curves import mean_interval

METHODS = ("majority_vote", "dawid_skene", "one_coin", "glad", "mace")
START, STEP, MOST = 200, 100, 2000
WAYS = {"pairs": ("margin", False), "items only": ("margin", True), "activelab": ("activelab", False)}
"""How answers are chosen: the strategy, and whether anybody is asked in place of whom it chose."""

THEIRS = """
import sys, pandas as pd, crowdkit.aggregation as peers
votes = pd.read_csv(sys.argv[1]).rename(columns={"item": "task", "annotator": "worker"})
methods = {
    "majority_vote": peers.MajorityVote(), "dawid_skene": peers.DawidSkene(n_iter=300),
    "one_coin": peers.OneCoinDawidSkene(n_iter=300), "glad": peers.GLAD(n_iter=50, silent=True),
    "mace": peers.MACE(n_restarts=10, random_state=0),
}
pd.DataFrame({name: method.fit_predict(votes) for name, method in methods.items()}).to_csv(sys.argv[2])
"""


def linear():
    """The model of all rows here."""
    return LogisticRegression(max_iter=300)


def load(name, data):
    """Rows, and true classes numbered from 0; None where the set is not there."""
    try:
        if name == "digits":
            X, y = load_digits(return_X_y=True)
            return X / 16, y
        if name == "mfeat":
            views, y = load_mfeat(data / "uci_mfeat")
            return StandardScaler().fit_transform(np.hstack(list(views.values()))), y
        X, y, ids = load_emoji(data / "emoji")
        first = np.unique(ids, return_index=True)[1]
        texts = [X["text"][row] for row in first]
        return embed_texts(texts), np.unique(y[first], return_inverse=True)[1]
    except (ImportError, FileNotFoundError) as error:
        print(f"{name} is left out: {error}")
        return None


def split(X, y, seed):
    """Training rows (70 %) and test rows, and a generator for what comes next."""
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(y))
    train, test = np.split(order, [int(0.7 * len(y))])
    return X[train], y[train], X[test], y[test], rng


def random_answers(confusion, y, per_item, rng):
    """Answers of `per_item` people per row, drawn at random, in long form."""
    item = np.repeat(np.arange(len(y)), per_item)
    annotator = np.concatenate([rng.choice(len(confusion), per_item, replace=False) for _ in y])
    return ask_crowd(confusion, y, item, annotator, rng)


def right(found, truth):
    """Share of items with known truth that were labelled rightly."""
    truth = truth.reindex(found.items)
    known = truth.notna().to_numpy()
    return (found.labels == truth.to_numpy())[known].mean()


def shown(values):
    """Mean and interval over seeds."""
    low, high = mean_interval(values)
    return f"{np.mean(values):.3f} ({low:.3f} to {high:.3f})"


def inferred(data, seeds, _):
    """Labels inferred from a made-up crowd."""
    for name, per_item in (("digits", 2), ("digits", 1), ("mfeat", 2), ("mfeat", 3)):
        loaded = load(name, data)
        if loaded is None:
            continue
        rows = [inferred_once(*loaded, per_item, seed) for seed in range(seeds)]
        print(f"\n{name}, {per_item} answers per row")
        for key in rows[0]:
            print(f"  {key:45}{shown([row[key] for row in rows])}")


def inferred_once(X, y, per_item, seed):
    """One seed: who infers what."""
    X, y, X_test, y_test, rng = split(X, y, seed)
    confusion, kinds = make_crowd(y.max() + 1, random_state=seed)
    answers = random_answers(confusion, y, per_item, rng)
    model = CrowdClassifier(linear(), random_state=seed).fit(X, answers)
    voted = crowd.majority_vote(answers, seed).labels
    estimated = crowd.dawid_skene(answers).labels
    true_accuracy = np.diagonal(confusion, axis1=1, axis2=2).mean(1)
    n_guessers = (kinds == "guesser").sum()
    last = kinds[np.argsort(model.accuracy_)[:n_guessers]]
    return {
        "inferred by majority": (voted == y).mean(),
        "inferred by Dawid-Skene": (estimated == y).mean(),
        "inferred by CrowdClassifier": (model.true_proba_.argmax(1) == y).mean(),
        "test accuracy, majority's labels": linear().fit(X, voted).score(X_test, y_test),
        "test accuracy, Dawid-Skene's labels": linear().fit(X, estimated).score(X_test, y_test),
        "test accuracy, CrowdClassifier": model.score(X_test, y_test),
        "test accuracy, true labels": linear().fit(X, y).score(X_test, y_test),
        "mean absolute error of people's accuracy": np.abs(model.accuracy_ - true_accuracy).mean(),
        "share of guessers among as many ranked last": (last == "guesser").mean(),
    }


def movie(data, seeds, _):
    """Real people."""
    for neutral in (False, True):
        try:
            _, annotations, gold = load_crowd_movie(data / "crowd_movie", neutral=neutral)
        except FileNotFoundError as error:
            print(f"crowd_movie is left out: {error}")
            return
        for per_item in (3, 5, None):
            rows = []
            for seed in range(seeds if per_item else 1):
                some = annotations.sample(frac=1, random_state=seed)
                some = some.groupby("item").head(per_item) if per_item else some
                start = time.perf_counter()
                crowd.dawid_skene(some)
                seconds = time.perf_counter() - start
                rows.append([right(getattr(crowd, method)(some), gold) for method in METHODS] + [seconds])
            table = dict(zip([*METHODS, "seconds of dawid_skene"], np.mean(rows, 0).round(4), strict=True))
            print(f"{'with' if neutral else 'without'} neutral, {per_item or 'all'} per sentence: {table}")


def pairs(data, seeds, _):
    """Answers saved by choosing whom to ask what."""
    for name in ("digits", "emoji"):
        loaded = load(name, data)
        if loaded is None:
            continue
        saved = {way: [] for way in WAYS}
        for seed in range(seeds):
            target, curves = pairs_once(*loaded, seed)
            for way, curve in curves.items():
                needed = next((n for n, accuracy in curve if accuracy >= target), np.nan)
                saved[way].append(1 - needed / MOST)
                shown_curve = " ".join(f"{n}:{accuracy:.3f}" for n, accuracy in curve)
                print(
                    f"{name}, seed {seed}, random pairs reach {target:.3f}; {way}: {needed} | {shown_curve}", flush=True
                )
        for way, values in saved.items():
            print(f"{name}: {way} saves {shown(np.nan_to_num(values, nan=0.0))}")


def pairs_once(X, y, seed):
    """One seed: the accuracy that random pairs reach in the end, and curves up to it."""
    X, y, X_test, y_test, rng = split(X, y, seed)
    confusion, _ = make_crowd(y.max() + 1, random_state=seed)
    order = rng.permutation(len(X) * len(confusion))[:MOST]
    item, person = np.divmod(order, len(confusion))
    asked = ask_crowd(confusion, y, item, person, rng)
    target = fitted(X, asked, y).score(X_test, y_test)
    return target, {
        way: curve(X, y, X_test, y_test, confusion, asked[:START], target, *how, rng) for way, how in WAYS.items()
    }


def fitted(X, answers, y):
    """The model on some answers."""
    return CrowdClassifier(linear(), classes=np.unique(y), random_state=0).fit(X, answers)


def curve(X, y, X_test, y_test, confusion, answers, target, strategy, any_person, rng):
    """Numbers of answers and test accuracies, until the target is reached."""
    people, points = np.arange(len(confusion)), []
    while True:
        model = fitted(X, answers, y)
        points.append((len(answers), model.score(X_test, y_test)))
        if points[-1][1] >= target or len(answers) >= MOST:
            return points
        chosen = query_pairs(model, X, answers, STEP, strategy, people.tolist(), random_state=len(answers))
        item, person = np.transpose(chosen)
        if any_person:
            person = someone_else(item, answers, len(people), rng)
        answers = pd.concat([answers, ask_crowd(confusion, y, item, person, rng)], ignore_index=True)


def someone_else(items, answers, n_people, rng):
    """One person per item, at random, of those who have not answered it."""
    asked = answers.groupby("item")["annotator"].agg(set)
    return [rng.choice([p for p in range(n_people) if p not in asked.get(item, ())]) for item in items]


def quality(data, seeds, _):
    """Labels flipped, and found."""
    for name in ("digits", "mfeat", "emoji"):
        loaded = load(name, data)
        if loaded is None:
            continue
        X, y = loaded
        ours, plain = [], []
        for seed in range(seeds):
            rng = np.random.default_rng(seed)
            flipped = rng.random(len(y)) < 0.1
            other = (y + rng.integers(1, y.max() + 1, len(y))) % (y.max() + 1)
            labels = np.where(flipped, other, y)
            proba = cross_val_predict(linear(), X, labels, cv=5, method="predict_proba")
            ours.append(average_precision_score(flipped, -label_quality(proba, labels)))
            plain.append(average_precision_score(flipped, -proba[np.arange(len(y)), labels]))
        gain = shown(np.subtract(ours, plain))
        print(f"{name}: label_quality {np.mean(ours):.4f}, plain probability {np.mean(plain):.4f}, difference {gain}")


def peers(data, seeds, python):
    """Aggregation beside crowd-kit's."""
    for n_classes, per_item in ((2, 3), (4, 5), (10, 2), (10, 5)):
        rows = []
        for seed in range(seeds):
            rng = np.random.default_rng(seed)
            y = rng.integers(n_classes, size=1000)
            answers = random_answers(make_crowd(n_classes, random_state=seed)[0], y, per_item, rng)
            ours = {method: (getattr(crowd, method)(answers).labels == y).mean() for method in METHODS}
            plain = crowd.dawid_skene(answers, confusion_prior=None).labels
            ours["dawid_skene, no prior"] = (plain == y).mean()
            theirs = {f"crowd-kit {name}": (labels == y).mean() for name, labels in of_crowd_kit(answers, python)}
            rows.append(ours | theirs)
        print(f"\n{n_classes} classes, {per_item} answers per item\n{pd.DataFrame(rows).mean().round(4).to_string()}")


def of_crowd_kit(answers, python):
    """Names of crowd-kit's methods, and the labels they infer."""
    with tempfile.TemporaryDirectory() as folder:
        votes, found = Path(folder, "votes.csv"), Path(folder, "found.csv")
        answers.to_csv(votes, index=False)
        subprocess.run([python, "-W", "ignore", "-c", THEIRS, votes, found], check=True, stderr=subprocess.DEVNULL)
        table = pd.read_csv(found, index_col=0).sort_index()
    return [(name, table[name].to_numpy()) for name in table]


def size(data, seeds, _):
    """A large fit."""
    rng = np.random.default_rng(0)
    y = rng.integers(2, size=10_000)
    X = rng.normal(size=(10_000, 384)) + 0.2 * (2 * y[:, None] - 1) * (rng.random(384) < 0.2)
    answers = random_answers(make_crowd(2, 500, random_state=0)[0], y, 5, rng)
    before, start = peak(), time.perf_counter()
    model = CrowdClassifier(linear(), random_state=0).fit(X, answers)
    seconds, inferred_right = time.perf_counter() - start, (model.true_proba_.argmax(1) == y).mean()
    print(f"fit {seconds:.1f} s, {peak() - before:.0f} MB on top of {before:.0f} MB, {inferred_right:.3f} right")


def peak():
    """Most memory this process has taken so far, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main():
    """Print the tables asked for."""
    tables = {table.__name__: table for table in (inferred, movie, pairs, quality, peers, size)}
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--only", nargs="+", choices=tables, default=list(tables))
    parser.add_argument("--peer-python", default="python", help="the Python that has crowd-kit")
    args = parser.parse_args()
    warnings.simplefilter("ignore", ConvergenceWarning)
    for name in args.only:
        print(f"\n== {name}")
        tables[name](args.data, args.seeds, args.peer_python)


if __name__ == "__main__":
    main()
