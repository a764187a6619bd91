"""What competes in the benchmark: every strategy of the table that fits, a second random one, and two cold starts."""

from typing import Any

import numpy as np

from alkit import DropoutMLPClassifier, DropoutMLPRegressor, get_strategy, get_strategy_names
from alkit.experiment.checks import check_needs
from alkit.strategies import subsample

STEPS, LR = 200, 0.01
"""A fifth of the default's steps at three times its learning rate: as accurate with up to 100 labels, and with 500
within .011 on digits, spam and emoji (.027 on 95 classes), in a quarter to a half of the time, so that twenty seeds are
affordable."""

LEFT_OUT = {
    "ideal_loss": "reads the hidden labels",
    "learning_loss": "needs a network with a head for its loss",
    "consensus_entropy": "is mc_entropy under another name",
    "max_EI": "looks for a maximum",
    "max_PI": "looks for a maximum",
    "max_UCB": "looks for a maximum",
}
"""Strategies that do not take part, and why."""
COSTLY = {"eer": 200, "batch_bald": 500}
"""Strategies that see no more than so many rows of the pool, drawn anew for each query."""
FEW_CLASSES = {"eer": 10, "epig": 10, "batch_bald": 10}
"""Most classes, or labels per row, with which a strategy takes part: one query would take minutes with more."""
RANDOM_AGAIN = "random, again"
"""Uniform like the baseline, but other rows: what it seems to save is the error of the statistics."""
RANDOM = ("random", RANDOM_AGAIN)
STARTS = ("typiclust", "max_herding")


def model_for(kind: str) -> Any:
    """Return the network for a kind of labels."""
    network = DropoutMLPRegressor if kind == "numbers" else DropoutMLPClassifier
    return network(max_epochs=1, min_steps=STEPS, lr=LR)


def contestants(kind: str, y: np.ndarray) -> dict[str, Any]:
    """Return strategies by name; "random" is the baseline."""
    model = model_for(kind)
    n_classes = y.shape[1] if y.ndim == 2 else len(np.unique(y))
    names = [name for name in get_strategy_names() if name not in LEFT_OUT and _fits(name, model, y)]
    found: dict[str, Any] = {name: name for name in names if n_classes <= FEW_CLASSES.get(name, n_classes)}
    found |= {name: subsample(name, size=size) for name, size in COSTLY.items() if name in found}
    # every query draws 100 rows and takes some of them, which is uniform too
    found[RANDOM_AGAIN] = subsample("random", size=100)
    after = "igs" if kind == "numbers" else "margin"
    return found | {f"{start}, then {after}": (start, after) for start in STARTS}


def _fits(name: str, model: Any, y: np.ndarray) -> bool:
    """Tell whether a strategy finds in a model what it needs."""
    try:
        check_needs(get_strategy(name), model, y)
    except TypeError:
        return False
    return True
