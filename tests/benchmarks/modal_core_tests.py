"""modAL's own core tests, run three ways.

    python tests/benchmarks/modal_core_tests.py PATH

PATH is the folder of modAL's tests, from a checkout of modAL at 0.4.1: it holds ``core_tests.py`` and ``mock.py``.
The tests run as they come, after ``import alkit``, and with alkit's learners in place of modAL's. TestExamples is left
out: it runs example scripts, which draw pictures.
"""

from __future__ import annotations

import argparse
import ast
import json
import subprocess
import sys
import unittest
import warnings
from pathlib import Path

WAYS = {"plain": "as they come", "repaired": "after import alkit", "swapped": "with alkit's learners"}
LEARNERS = ("ActiveLearner", "BayesianOptimizer", "Committee", "CommitteeRegressor")


def prepare(way: str) -> None:
    """Bring modAL into the state to test."""
    if way == "plain":
        return
    from alkit import learners

    if way == "swapped":
        import modAL

        for module in (modAL, modAL.models, modAL.models.learners):
            for name in LEARNERS:
                setattr(module, name, getattr(learners, name))


def run(folder: Path, way: str) -> None:
    """Run the tests in this process; the last line printed is the outcome."""
    warnings.simplefilter("ignore")
    prepare(way)
    sys.path.insert(0, str(folder))
    names = [f"core_tests.{name}" for name in test_names(folder)]
    try:
        suite = unittest.defaultTestLoader.loadTestsFromNames(names)
    except Exception:  # a module that cannot be imported is an error of all its tests
        print(json.dumps({"failed": 0, "errors": len(names)}))
        return
    result = unittest.TextTestRunner(verbosity=0).run(suite)
    print(json.dumps({"failed": len(result.failures), "errors": len(result.errors)}))


def test_names(folder: Path) -> list[str]:
    """List ``Class.test`` of the core tests, without importing them: as they come they cannot be imported."""
    tree = ast.parse((folder / "core_tests.py").read_text())
    return [
        f"{case.name}.{test.name}"
        for case in tree.body
        if isinstance(case, ast.ClassDef) and case.name != "TestExamples"
        for test in case.body
        if isinstance(test, ast.FunctionDef) and test.name.startswith("test_")
    ]


def main() -> int:
    """Print the table; return 1 unless both ways with alkit pass whole."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, metavar="PATH", help="the folder of modAL's tests")
    parser.add_argument("--way", choices=WAYS, help="run one way in this process, and print its outcome")
    arguments = parser.parse_args()
    if arguments.way:
        run(arguments.folder, arguments.way)
        return 0

    n_tests, complete = len(test_names(arguments.folder)), True
    print(f"{'':<24}{'tests':>7}{'passed':>8}{'failed':>8}{'errors':>8}")
    for way, title in WAYS.items():
        command = [sys.executable, __file__, str(arguments.folder), "--way", way]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        outcome = json.loads(done.stdout.splitlines()[-1])
        passed = n_tests - outcome["failed"] - outcome["errors"]
        print(f"{title:<24}{n_tests:>7}{passed:>8}{outcome['failed']:>8}{outcome['errors']:>8}", flush=True)
        if way != "plain" and passed < n_tests:
            complete = False
            print(done.stderr, file=sys.stderr)
    return 0 if complete else 1


if __name__ == "__main__":
    sys.exit(main())
