"""What networks return: the output that counts, and the probabilities it stands for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from alkit._tensors import reduced


def first_output(out: Any) -> Any:
    """Return the output of a module that counts: `out` itself, its ``logits``, or the first of a tuple.

    Parameters
    ----------
    out : Tensor, tuple, mapping or object with ``logits``
        What the module returned, such as a ``ModelOutput`` of Hugging Face.

    Returns
    -------
    Tensor

    Raises
    ------
    TypeError
        If it is a mapping without ``logits``.

    Examples
    --------
    >>> import torch
    >>> from alkit.nets.training.outputs import first_output
    >>> first_output({"hidden": torch.ones(2), "logits": torch.zeros(1)})
    tensor([0.])
    """
    if isinstance(out, Tensor):
        return out
    # asked before the order of a tuple: a named one may begin with something else, such as a loss
    if hasattr(out, "logits"):
        return out.logits
    if isinstance(out, Mapping):
        if "logits" not in out:
            raise TypeError(
                f"the network returns a {type(out).__name__} with {list(out)}, but no 'logits'; return logits of shape "
                "(n, n_classes), a tuple that starts with them, or a mapping that has them as 'logits'"
            )
        return out["logits"]
    return out[0] if isinstance(out, (tuple, list)) else out


def logits(out: Any) -> Tensor:
    """Return the output of a module that counts, in single precision at least, as a softmax needs it."""
    counts = first_output(out)
    return counts.to(torch.promote_types(counts.dtype, torch.float32)) if counts.is_floating_point() else counts


def are_probabilities(out: Tensor) -> bool:
    """Tell whether every row of outputs (n, C) is non-negative and sums to one."""
    if (out < 0).any():
        return False
    sums = out.sum(1)
    return torch.allclose(sums, torch.ones_like(sums), atol=1e-4)


def softmax(logits: Tensor) -> Tensor:
    """Softmax over the last axis; on samples (n, K, C) of few classes torch's own takes three times as long."""
    if logits.ndim == 2:
        return torch.softmax(logits, dim=-1)
    exp = (logits - reduced(logits, -1, torch.amax).unsqueeze(-1)).exp_()
    return exp.div_(reduced(exp, -1, torch.sum).unsqueeze(-1))


def two_class_proba(logits: Tensor) -> Tensor:
    """Return the probabilities (..., 2) of two classes, of single logits (..., 1)."""
    return torch.cat([torch.sigmoid(-logits), torch.sigmoid(logits)], -1)


def two_class_proba_of_flat(logits: Tensor) -> Tensor:
    """Return the probabilities (..., 2) of two classes, of single logits (...) without an axis of their own."""
    return two_class_proba(logits.unsqueeze(-1))
