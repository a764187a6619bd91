"""How long importing 100,000 labels takes, from each format, and importing the same file again.

Run: ``python tests/benchmarks/import_labels.py [--labels 100000]``. The bar: 30 s for each.
"""

import argparse
import tempfile
import time
import uuid
from pathlib import Path

from alkit.annotate import LabelingSession
from alkit.annotate.formats import FORMATS
from alkit.annotate.formats.foreign import Asked
from alkit.annotate.formats.importing import import_labels

CLASSES = ["spam", "ham"]
N_PEOPLE = 4


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--labels", type=int, default=100_000)
    n_labels = parser.parse_args().labels
    texts = [f"item {number}: " + "word " * 40 for number in range(n_labels)]
    answers = [
        {
            "item": str(number), "text": text, "image": None, "row": None, "annotator": f"person {number % N_PEOPLE}",
            "kind": "label", "value": CLASSES[number % 3 == 0], "seconds": 2.5, "late": False, "time": 1.7e9 + number,
            "uuid": str(uuid.uuid4()),
        }
        for number, text in enumerate(texts)
    ]  # fmt: skip
    print(f"{n_labels} labels; seconds, and seconds of one processor")
    print(f"{'format':14}{'export':>10}{'':10}{'import':>10}{'':10}{'again':>10}")
    with tempfile.TemporaryDirectory(dir=".") as folder:  # on a real disk: labels are synced to it
        for name, known in FORMATS.items():
            path, database = Path(folder) / f"labels{known.suffix}", Path(folder) / f"{name}.db"
            LabelingSession(texts, CLASSES, database, random_state=0).close()
            seconds = []
            for run in (
                lambda path=path, known=known: known.export(answers, path, CLASSES),
                lambda path=path, name=name, database=database: add(database, path, name, n_labels),
                lambda path=path, name=name, database=database: add(database, path, name, 0),
            ):
                started, computed = time.perf_counter(), time.process_time()
                run()
                seconds += [time.perf_counter() - started, time.process_time() - computed]
            print(f"{name:14}" + "".join(f"{duration:10.1f}" for duration in seconds), flush=True)


def add(database, path, name, n_expected):
    done = import_labels(database, path, Asked(format=name.removesuffix("-v2")))
    assert done.added.n_added == n_expected, done.lines()


if __name__ == "__main__":
    main()
