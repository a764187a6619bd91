"""How a network, its loss and their weights come about: built anew or copied for a fit, blended in a warm start."""

from __future__ import annotations

import inspect
import math
from copy import deepcopy
from typing import Any, Self

import numpy as np
from torch import nn

from alkit.nets.training.skorch_net import SkorchNet
from alkit.nets.training.warm_start import reinitialised, shrink_perturb


class BuiltNet(SkorchNet):
    """How a network is built: classes know the sizes of rows and classes, and instances are copied."""

    classes_inferred_: np.ndarray
    input_shape_: Any
    shrink: float
    perturb: float

    @property
    def replaced_by_fit(self) -> list[str]:
        """Attributes that a fit replaces without changing what they hold; none of a fit that goes on from it."""
        if getattr(self, "warm_start", False):
            return []
        return [name + "_" for name in (*self._modules, *self._criteria, *self._optimizers)]

    def _build(self) -> None:
        """Build all that is trained, or copy the instances given.

        skorch's `initialize` takes instances as they are: a fit would train the user's own network, and go on from its
        weights at the next fit.
        """
        instances = {name: vars(self)[name] for name in ("module", "criterion")}
        instances = {name: part for name, part in instances.items() if isinstance(part, nn.Module)}
        self.__dict__.update(deepcopy(instances))
        try:
            self.initialize()
        finally:
            self.__dict__.update(instances)

    def initialize_module(self) -> Self:
        """Build the network, knowing ``n_features``, ``n_classes`` and ``n_outputs``, or take the instance given."""
        kwargs = self.get_params_for("module")
        if not isinstance(self.module, nn.Module):
            kwargs = self._sizes_taken_by_module() | kwargs
        self.module_ = self.initialized_instance(self.module, kwargs)
        return self

    def _sizes_taken_by_module(self) -> dict[str, int]:
        """Return how many inputs and outputs there are, where that is known and the module's signature has it."""
        sizes = self._output_sizes()
        if sizes and isinstance(self.input_shape_, tuple):
            sizes["n_features"] = math.prod(self.input_shape_)
        parameters = inspect.signature(self.module).parameters
        return {name: size for name, size in sizes.items() if name in parameters}

    def _output_sizes(self) -> dict[str, int]:
        """Return how many outputs the network needs, by the names it may know that number by; {} before any fit."""
        if "classes_inferred_" not in vars(self):
            return {}
        n_classes = len(self.classes_inferred_)
        return {"n_classes": n_classes, "n_outputs": n_classes}

    def initialize_criterion(self) -> Self:
        """Build the loss, or take the instance given, and remember the class weights it came with.

        Of several labels per row, the cross-entropy is that of each label.
        """
        if self.multilabel_ and self.criterion is nn.CrossEntropyLoss:
            parameters = self.get_params_for("criterion")
            self.criterion_ = self.initialized_instance(nn.BCEWithLogitsLoss, parameters)
        else:
            super().initialize_criterion()
        if self.multilabel_ and isinstance(self.criterion_, nn.CrossEntropyLoss):
            raise ValueError(
                "criterion is a CrossEntropyLoss, of one label per row, but y is a 0/1 matrix of several; leave "
                "criterion out, or pass BCEWithLogitsLoss"
            )
        self.own_weights_ = getattr(self.criterion_, self.task_.weight_name, None)
        return self

    def _shrink_perturb(self) -> None:
        """Blend the fitted weights with new ones and start a new optimizer."""
        fitted = self.module_
        is_instance = isinstance(self.module, nn.Module)
        if not is_instance:
            self._initialize_module(reason="Shrinking and perturbing the module.")
        # Building draws new weights, but not of an instance, which is only copied, nor of lazy layers, which have none
        # before their first batch: there, the layers of the fitted network are drawn anew.
        if is_instance or any(map(nn.parameter.is_lazy, self.module_.parameters())):
            self.module_ = reinitialised(fitted)
        shrink_perturb(fitted, self.module_, self.shrink, self.perturb)
        self._initialize_optimizer(reason="Re-initializing the optimizer.")
