"""How good the labelling page's model is: what the trainer chose, against the best of its candidates chosen afterwards.

    python tests/benchmarks/default_model.py [--data ../shared/data] [--labels 300] [--seeds 5] [--only spam ...]

Random labels; macro-F1 on up to 1,000 other rows. E-mails, definitions of words by subject (the 10 most frequent), and
emoji by text and picture. What is not there is left out.
The bar: within .02.
"""

import argparse
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
from PIL import Image
from sklearn.base import clone
from sklearn.metrics import f1_score

from alkit._random import seed_estimator
from alkit.annotate import Items
from alkit.annotate.training.candidates import chosen_model
from alkit.datasets import load_emoji, load_spam, load_wordnet_glosses
from alkit.experiment.curves import mean_interval
from alkit.rows import take

N_ITEMS = 2000


def spam(data, _):
    """Texts of e-mails."""
    texts, y = load_spam(data / "spam_assassin")
    return {"text": texts}, np.asarray(y)


def glosses(data, _):
    """Definitions of words, of the 10 most frequent subjects."""
    texts, y = load_wordnet_glosses(data / "wordnet_gloss")
    names, counts = np.unique(y, return_counts=True)
    kept = np.flatnonzero(np.isin(y, names[np.argsort(-counts)[:10]]))
    return {"text": [texts[row] for row in kept]}, y[kept]


def emoji(data, folder):
    """Names and pictures; the latter are written to files, as people have them."""
    X, y, ids = load_emoji(data / "emoji", flags=False)
    first = np.unique(ids, return_index=True)[1]
    paths = [Path(folder) / f"{row}.png" for row in first]
    for path, pixels in zip(paths, X["image"][first], strict=True):
        Image.fromarray(pixels).save(path)
    return {"text": [X["text"][row] for row in first], "image": paths}, y[first]


SETS = {"spam": spam, "glosses": glosses, "emoji": emoji}


def one_seed(items, X, y, model, n_labels, seed):
    """Return the name and score of what was chosen, and the scores of all candidates, on rows without labels."""
    order = np.random.default_rng(seed).permutation(len(items))
    taught, tested = order[:n_labels], order[n_labels : n_labels + 1000]
    start = time.perf_counter()
    chooser = clone(model.learner).set_params(random_state=seed).fit(take(X, taught), y[taught])
    seconds = time.perf_counter() - start
    scores = {}
    for name, candidate in chooser.candidates:
        estimator = clone(candidate)
        seed_estimator(estimator, np.random.default_rng(seed))
        predicted = estimator.fit(take(X, taught), y[taught]).predict(take(X, tested))
        scores[name] = f1_score(y[tested], predicted, average="macro")
    return chooser.chosen_, scores, seconds


def shown(values):
    """Mean and interval over seeds."""
    low, high = mean_interval(values)
    return f"{np.mean(values):.3f} ({low:.3f} to {high:.3f})"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--labels", type=int, default=300)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--only", nargs="+", choices=tuple(SETS), default=list(SETS))
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    for name in options.only:
        with tempfile.TemporaryDirectory() as folder:
            try:
                columns, y = SETS[name](options.data, folder)
            except FileNotFoundError as error:
                print(f"{name} is left out: {error}")
                continue
            some = np.random.default_rng(0).permutation(len(y))[:N_ITEMS]
            columns = {kind: [values[row] for row in some] for kind, values in columns.items()}
            y = y[some]
            items = Items([str(row) for row in range(len(y))], **columns)
            model = chosen_model(items)
            X = model.embed.fit_transform(items.features())
            runs = [one_seed(items, X, y, model, options.labels, seed) for seed in range(options.seeds)]
        print(f"\n{name}: {len(y)} items, {len(np.unique(y))} classes, {options.labels} labels")
        for candidate in runs[0][1]:
            print(f"  {candidate:24} {shown([scores[candidate] for _, scores, _ in runs])}")
        short = [max(scores.values()) - scores[chosen] for chosen, scores, _ in runs]
        print(
            f"  chosen: {', '.join(chosen for chosen, _, _ in runs)}; {np.mean([s for *_, s in runs]):.0f} s to choose"
        )
        print(f"  short of the best by {shown(short)}   <= .02 {'yes' if np.mean(short) <= 0.02 else 'NO'}", flush=True)


if __name__ == "__main__":
    main()
