"""skorch's callbacks: its means and table of epochs, which need single batches, and which of them ended a fit."""

from __future__ import annotations

from typing import Any

from skorch.callbacks import Callback, EarlyStopping, EpochScoring, PassthroughScoring, PrintLog

_BATCH_HOOKS = ("on_batch_begin", "on_batch_end", "on_grad_computed")
# What a subclass may override to record something of each batch in the history, which must then have its entry.
_STEPS = ("train_step", "train_step_single", "validation_step", "get_loss")


class MeanOverBatches(PassthroughScoring):
    """skorch's mean of a loss over an epoch, without its searches of the history: most are of epochs of one step."""

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        """Record the mean over the rows of an epoch and whether it is the best so far, if it had such batches."""
        epoch = net.history[-1]
        batches = [batch for batch in epoch["batches"] if self.name in batch]
        if not batches:
            return
        size = f"{'train' if self.on_train else 'valid'}_batch_size"
        n = sum(batch[size] for batch in batches)
        mean = sum(batch[self.name] * batch[size] for batch in batches) / n
        is_best = self._is_best_score(mean)
        if is_best:
            self.best_score_ = mean
        epoch[self.name] = mean
        if is_best is not None:
            epoch[f"{self.name}_best"] = bool(is_best)


class QuietPrintLog(PrintLog):
    """skorch's table of epochs, not even formatted where nobody reads it: with few labels an epoch is one step."""

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        """Print the line of an epoch."""
        if net.verbose or self.sink is not print:
            super().on_epoch_end(net, **kwargs)


def listens_to_batches(callback: Any, training: bool) -> bool:
    """Tell whether a callback acts on single batches of training, or of validation.

    Parameters
    ----------
    callback : Callback
        An initialized callback of skorch, or any object that has its methods.
    training : bool
        Whether the batches are those of training.

    Returns
    -------
    bool

    Examples
    --------
    >>> from skorch.callbacks import EarlyStopping, GradientNormClipping
    >>> from alkit.nets.training.callbacks import listens_to_batches
    >>> listens_to_batches(EarlyStopping(), True), listens_to_batches(GradientNormClipping(), True)
    (False, True)
    """
    # EpochScoring has the hook of both kinds of batches, but collects predictions of one of them only.
    if isinstance(callback, EpochScoring):
        return callback.on_train == training
    return _overrides(callback, Callback, _BATCH_HOOKS)


def acts_on_batches(net: Any) -> bool:
    """Tell whether a net, or the user's own subclass, has a hook or a step for single batches other than alkit's."""
    ours = next(cls for cls in type(net).__mro__ if cls.__module__.startswith("alkit."))
    return _overrides(net, ours, _BATCH_HOOKS + _STEPS)


def _overrides(instance: Any, base: type, names: tuple[str, ...]) -> bool:
    """Tell whether an object has a method other than that of a base, of its own or by its class."""
    # An object that is no subclass, such as a mock, may have it only once it is asked for.
    cls = type(instance)
    return any(name in vars(instance) or getattr(cls, name, None) is not getattr(base, name) for name in names)


def raised_by_early_stopping(interrupt: KeyboardInterrupt) -> bool:
    """Tell skorch's EarlyStopping, which ends a fit by KeyboardInterrupt, from a person who presses Ctrl-C."""
    innermost = interrupt.__traceback__
    if innermost is None:
        return False
    while innermost.tb_next is not None:
        innermost = innermost.tb_next
    return isinstance(innermost.tb_frame.f_locals.get("self"), EarlyStopping)
