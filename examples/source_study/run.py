"""The questions of the source study, on emoji (text and picture) and on handwritten digits in six views.

    python examples/source_study/run.py --data FOLDER [--out FOLDER] [--only QUESTION ...] [--quick]

FOLDER holds `emoji/` and `uci_mfeat/`, as `alkit.datasets.load_emoji` and `load_mfeat` read them. Each question prints
its tables and saves them with a picture in the output folder; finished runs are kept there in `runs/`, so that a study
that was stopped goes on where it was. Embeddings need ``pip install "alkit[encoders,plot]"``; --quick does without
(words and pixels instead) and plays a few small rounds.
"""

import argparse
import time
from pathlib import Path

import pandas as pd
import questions
from posts import digits, emoji
from questions import Sizes

QUICK = Sizes(n_seeds=2, n_initial=60, n_instances=30, n_queries=2, max_epochs=3, n_train=200, n_pool=300, n_groups=10)
ON_EMOJI = ("modalities_and_weights", "batches", "uncertainty", "batch_norm", "learning_loss", "gain")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=Path("source_study"))
    parser.add_argument("--only", nargs="+", choices=[*ON_EMOJI, "labels_saved"], default=[*ON_EMOJI, "labels_saved"])
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    pd.set_option("display.width", 160, "display.max_columns", 20, "display.max_rows", 100, "display.precision", 3)
    options.out.mkdir(parents=True, exist_ok=True)
    sizes = QUICK if options.quick else Sizes(store=str(options.out / "runs"))
    how = {"cache": options.out / "embeddings", "quick": options.quick}
    category = emoji(options.data / "emoji", **how)
    for name in options.only:
        started = time.perf_counter()
        question = getattr(questions, name)
        data = category
        if name == "labels_saved":
            data = {
                "emoji category": category,
                "emoji subgroup": emoji(options.data / "emoji", "subgroup", **how),
                "digits in six views": digits(options.data / "uci_mfeat"),
            }
        tables, figure = question(data, sizes)
        answer = [question.__doc__, *(f"{title}\n\n{table.to_string()}" for title, table in tables.items())]
        report = "\n\n".join(answer)
        print(f"\n{'-' * 100}\n{report}\n\n{time.perf_counter() - started:.0f} s", flush=True)
        (options.out / f"{name}.txt").write_text(report + "\n")
        figure.savefig(options.out / f"{name}.png", dpi=90)


if __name__ == "__main__":
    main()
