"""skorch's own tests with NetClassifier in place of NeuralNetClassifier, skorch's defaults set.

    pip install flaky
    python tests/benchmarks/skorch_tests.py

skorch's wheel brings its tests: ``skorch.tests.test_net`` and ``skorch.tests.test_classifier`` are run here, once with
skorch's own class, so that tests that fail on this machine for reasons of their own are known, and once with a
`NetClassifier` that has skorch's defaults. Printed are how many pass, and the tests that differ, each with the reason
why that is on purpose.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path
from typing import Any

WAYS = {"skorch": "skorch's own class", "alkit": "NetClassifier, skorch's defaults"}
MODULES = ("test_net.py", "test_classifier.py")

# What NetClassifier does otherwise on purpose: part of a test's name, and why.
ON_PURPOSE = {
    "test_repr_": "the class prints its own name; skorch's is written into the test",
    "test_load_cuda_params_to_cpu|test_pickle_load": "reads files that skorch's wheel leaves out",
    "test_fit_params_passed_to_module|test_(partial_)?fit_with_extra_params_and_routing": (
        "counts forward passes: the first rows are run once before a fit, to learn how the network takes its inputs"
    ),
    "test_(fit|predict)_with_dataset_(one|three)_items?_error": (
        "items of a Dataset may be x alone, where y is passed or not needed, or more than (x, y)"
    ),
    "test_fit_with_dataset_stratified_without_explicit_y": "labels are read from a Dataset, so it can be stratified",
    "test_net_variable_(prediction|label)_lengths": "y that is no label per row is refused by name",
    "test_predefined_split": "iterators get rows with the codes of labels, not the user's Dataset itself",
    "test_predict_nonlinearity_none": "predictions of fewer rows than X has are an error",
    "test_undeclared_param_rejected_by_routing": "y of a single class is refused first",
    "test_pass_classes_explicitly_overrides": "labels outside classes=[...] are refused",
    "test_error_when_classes_could_not_be_inferred": "labels are read from any Dataset",
}


def put_in_place() -> None:
    """Put a NetClassifier with skorch's defaults in place of skorch's class."""
    import skorch
    import torch
    from skorch.dataset import ValidSplit

    from alkit import NetClassifier

    class NeuralNetClassifier(NetClassifier):
        """NetClassifier with skorch's defaults, by position too."""

        def __init__(
            self,
            module: Any,
            criterion: Any = torch.nn.NLLLoss,
            optimizer: Any = torch.optim.SGD,
            lr: float = 0.01,
            max_epochs: int = 10,
            batch_size: int = 128,
            train_split: Any = ValidSplit(5, stratified=True),  # noqa: B008
            verbose: int = 1,
            **kwargs: Any,
        ):
            super().__init__(
                module,
                criterion=criterion,
                optimizer=optimizer,
                lr=lr,
                max_epochs=max_epochs,
                batch_size=batch_size,
                train_split=train_split,
                verbose=verbose,
                **kwargs,
            )
            # skorch cuts off a last batch of the rest, and scores in batches of the size it trains on.
            self.batching = "fixed"

        def get_params_for(self, prefix: str) -> dict[str, Any]:
            params = super().get_params_for(prefix)
            return {"batch_size": self.batch_size} | params if prefix == "iterator_valid" else params

    # Pickles find the class here. In `skorch.classifier` the name stays skorch's: its own class calls `super` by it.
    NeuralNetClassifier.__module__, NeuralNetClassifier.__qualname__ = "skorch", "NeuralNetClassifier"
    skorch.NeuralNetClassifier = NeuralNetClassifier


class Outcomes:
    """A pytest plugin: the outcome of each test, and the last line of what failed."""

    def __init__(self) -> None:
        self.outcomes: dict[str, str] = {}
        self.errors: dict[str, str] = {}

    def pytest_runtest_logreport(self, report: Any) -> None:
        """Note the outcome of a test, or of a set-up that failed or skipped it."""
        name = report.nodeid.split("::", 1)[1]
        if report.when == "call" or report.outcome != "passed":
            self.outcomes[name] = report.outcome
        if report.failed:
            crash = getattr(report.longrepr, "reprcrash", None)
            self.errors[name] = crash.message.splitlines()[0] if crash else str(report.longrepr)[-200:]


def run(way: str, output: Path, options: list[str]) -> None:
    """Run the tests in this process, and write their outcomes."""
    import pytest
    import skorch.tests

    warnings.simplefilter("ignore")
    if way == "alkit":
        put_in_place()
    folder = Path(skorch.tests.__file__).parent
    plugin = Outcomes()
    with tempfile.NamedTemporaryFile(suffix=".ini") as no_settings:
        arguments = ["-q", "-c", no_settings.name, "--rootdir", str(folder), "-p", "no:cacheprovider", "--tb=short"]
        pytest.main([*arguments, *options, *(str(folder / name) for name in MODULES)], plugins=[plugin])
    output.write_text(json.dumps({"outcomes": plugin.outcomes, "errors": plugin.errors}))


def main() -> int:
    """Print the table; return 1 if a test differs without a reason."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--way", choices=WAYS, help="run one way in this process")
    parser.add_argument("--output", type=Path, help="with --way: the file to write outcomes to")
    arguments, options = parser.parse_known_args()
    if arguments.way:
        run(arguments.way, arguments.output, options)
        return 0

    results = {}
    for way, title in WAYS.items():
        with tempfile.TemporaryDirectory() as folder:
            output = Path(folder) / "outcomes.json"
            command = [sys.executable, __file__, "--way", way, "--output", str(output), *options]
            done = subprocess.run(command, capture_output=True, text=True)
            if not output.exists():
                print(done.stdout, done.stderr, file=sys.stderr)
                return 1
            results[way] = json.loads(output.read_text())
        outcomes = list(results[way]["outcomes"].values())
        counts = {kind: outcomes.count(kind) for kind in ("passed", "failed", "skipped")}
        print(f"{title:<36}{len(outcomes):>5} tests  " + "  ".join(f"{n} {kind}" for kind, n in counts.items()))
    return differences(results["skorch"], results["alkit"])


def differences(theirs: dict[str, Any], ours: dict[str, Any]) -> int:
    """Print the tests that pass with skorch's class alone; return 1 if one has no reason."""
    unexplained = 0
    for name, outcome in ours["outcomes"].items():
        if outcome != "failed" or theirs["outcomes"].get(name) == "failed":
            continue
        reasons = [reason for part, reason in ON_PURPOSE.items() if re.search(part, name)]
        unexplained += not reasons
        print(f"\n{name}\n    {reasons[0] if reasons else 'UNEXPLAINED: ' + ours['errors'].get(name, '')}")
    return 1 if unexplained else 0


if __name__ == "__main__":
    sys.exit(main())
