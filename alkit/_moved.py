"""Addresses of 0.1.0 that have moved: its imports and pickles still load."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Mapping, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

_QUALITY, _DATABASE = "alkit.annotate.quality", "alkit.annotate.database"
_LABELLED = "alkit.annotate.training"
_TRAINING, _MULTIMODAL = "alkit.nets.training", "alkit.nets.multimodal"
_PICKS, _SCORES = "alkit.strategies.picks", "alkit.strategies.scores"

MOVED: dict[str, tuple[str, ...]] = {
    "alkit.annotate.aggregation": ("alkit.crowd.aggregation",),
    "alkit.annotate.agreement": (f"{_QUALITY}.agreement",),
    "alkit.annotate.bridges": ("alkit.annotate.formats",),
    "alkit.annotate.curve": (f"{_QUALITY}.curve",),
    "alkit.annotate.default_models": (f"{_LABELLED}.default_models", f"{_LABELLED}.pictures"),
    "alkit.annotate.events": (f"{_DATABASE}.events",),
    "alkit.annotate.report": (f"{_QUALITY}.report",),
    "alkit.annotate.server": ("alkit.annotate.web.server",),
    "alkit.annotate.store": (f"{_DATABASE}.store", f"{_DATABASE}.lock"),
    "alkit.annotate.trainer": (f"{_LABELLED}.trainer", f"{_LABELLED}.job", f"{_DATABASE}.connect"),
    "alkit.annotate.widget": ("alkit.annotate.web.widget",),
    "alkit.checks": ("alkit.validation", "alkit.labels"),
    "alkit.experiment.identity": ("alkit.experiment.run_keys",),
    "alkit.experiment.store": ("alkit.experiment.run_store",),
    "alkit.nets.batching": (f"{_TRAINING}.batches",),
    "alkit.nets.dropout": ("alkit.nets.mc_dropout",),
    "alkit.nets.encoders": (f"{_MULTIMODAL}.encoders",),
    "alkit.nets.fusion": (f"{_MULTIMODAL}.fusion",),
    "alkit.nets.hidden": ("alkit.nets.embedding",),
    "alkit.nets.inputs": (f"{_TRAINING}.tensors", "alkit.validation"),
    "alkit.nets.labels": (f"{_TRAINING}.label_codes",),
    "alkit.nets.modalities": (f"{_MULTIMODAL}.rows",),
    "alkit.nets.multimodal_learning_loss": (f"{_MULTIMODAL}.learning_loss",),
    "alkit.nets.multitask_loss": (f"{_MULTIMODAL}.losses",),
    "alkit.nets.randomness": ("alkit._random",),
    "alkit.nets.warm_start": (f"{_TRAINING}.warm_start",),
    "alkit.strategies.batch_bald": (f"{_PICKS}.batch_bald", f"{_SCORES}.joint_entropy"),
    "alkit.strategies.coldstart": (f"{_PICKS}.cold_start",),
    "alkit.strategies.density": (f"{_PICKS}.density",),
    "alkit.strategies.diversity": (f"{_PICKS}.diversity",),
    "alkit.strategies.epig": (f"{_SCORES}.epig",),
    "alkit.strategies.geometry": (f"{_PICKS}.geometry", f"{_PICKS}.ties"),
    "alkit.strategies.selection": (f"{_PICKS}.single",),
}
RENAMED_PICKS = {
    "evened_out": "balance_classes",
    "mixed": "top_k_and_uniform",
    "per_cost": "top_k_per_cost",
    "stochastic": "sample_by_score",
}
_RENAMED = {
    "alkit.annotate.store": {"Store": "LabelStore"},
    "alkit.experiment.store": {"Store": "RunStore"},
    "alkit.nets.encoders": {"highway": "highway_layers", "mlp": "mlp_layers", "residual": "residual_blocks"},
    "alkit.strategies.selection": RENAMED_PICKS,
}


def resolve(name: str, address: str, homes: Sequence[str], renamed: Mapping[str, str]) -> Any:
    """Return what 0.1.0 called `name` at `address`.

    Parameters
    ----------
    name : str
        The attribute asked for.
    address : str
        The module or package that it is asked of.
    homes : sequence of str
        Modules that may have it now.
    renamed : mapping of str to str
        Today's name of attributes that have another one.

    Returns
    -------
    object

    Raises
    ------
    AttributeError
        If no home has it.
    """
    today = renamed.get(name, name)
    for home in homes:
        module = importlib.import_module(home)
        if not today.startswith("__") and hasattr(module, today):
            return getattr(module, today)
    raise AttributeError(f"module {address!r} has no attribute {name!r}")


class _Finder(MetaPathFinder, Loader):
    """Makes a module at an old address when somebody imports it; its names are looked up where they are now."""

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        return ModuleSpec(fullname, self) if fullname in MOVED else None

    def exec_module(self, module: ModuleType) -> None:
        address = module.__name__
        homes, renamed = MOVED[address], _RENAMED.get(address, {})
        module.__doc__ = f"The address that 0.1.0 gave what is in {' and '.join(homes)}."
        module.__getattr__ = lambda name: resolve(name, address, homes, renamed)  # type: ignore[method-assign]


def keep_old_addresses() -> None:
    """Let `import` find the modules of 0.1.0; those that are there come first."""
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.append(_Finder())
