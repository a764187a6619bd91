"""Plan: what is proven about a network, and so which of the four ways its samples are computed by."""

from dataclasses import dataclass

import torch
from torch import Tensor

from alkit.nets.mc_dropout.layouts import Layouts
from alkit.nets.mc_dropout.replay import Program
from alkit.nets.mc_dropout.trace import Trace

# The least share of the work that is the same in all passes for which they share it on a GPU. It is 6 % for a
# transformer of four layers with dropout everywhere, and 43 % for an LSTM of two with dropout between them.
_WORTH_SHARING = 0.25
# The precision that the matrix units of a GPU keep of float32 (TF32). Convolutions use them unless told otherwise, in
# kernels that are chosen by the number of rows.
_TF32_EPS = 2.0**-10


@dataclass(frozen=True)
class Plan:
    """What is proven about a network and a shape of input; by default nothing, so that every pass is run in full.

    Parameters
    ----------
    layouts : Layouts, optional
        Where the rows lie in each draw; None where rows cannot share masks.
    trace : Trace, optional
        The pass on a few rows whose record later passes may be computed from; None where they are run in full.
    fixed : bool
        Whether all passes take the path of the trace, whatever is drawn.
    reason : str
        Why rows cannot share masks, or why the network cannot be traced.
    bare : bool
        Whether the network fails when traced on a few rows, so that nothing is known of its draws.
    draws : bool
        Whether the network draws random numbers at all.
    draws_in_python : bool
        Whether it draws from numpy's or Python's global generator, which no trace shows.
    reference : Tensor, optional
        Outputs of the batch's first and last row in sample 0, computed apart from the rest of the batch.
    """

    layouts: Layouts | None = None
    trace: Trace | None = None
    fixed: bool = False
    reason: str = ""
    bare: bool = False
    draws: bool = True
    draws_in_python: bool = False
    reference: Tensor | None = None

    @property
    def follows_data(self) -> bool:
        """Whether another batch may take another path through the network."""
        return self.trace is not None and self.trace.data_dependent

    def program(self, trace: Trace) -> Program | None:
        """Program of a batch's trace, if it runs the ops that were proven to be the same in every pass."""
        if self.fixed and self.trace is not None and trace.replayable and trace.same_ops(self.trace):
            return Program(trace)
        return None

    @property
    def shares_little(self) -> bool:
        """Whether shared masks save so little of the work of K passes that plain passes cost no more.

        On a GPU random numbers cost nothing, and shared masks rule out its fused kernels of attention. It pays to share
        them only where much of the work is the same in all passes.
        """
        if self.bare or not self.draws:
            return False
        return self.trace is None or (not self.folds and self.trace.shared_work < _WORTH_SHARING * self.trace.work)

    @property
    def folds(self) -> bool:
        """Whether all samples come from one matrix product."""
        return self.trace is not None and self.trace.tail is not None

    def agrees(self, samples: Tensor) -> bool:
        """Whether rows of a batch have the outputs they have without the other rows."""
        return self.reference is None or close(samples[[0, -1], 0], self.reference, same_kernels=False)


def close(a: Tensor, b: Tensor, same_kernels: bool = True) -> bool:
    """Whether two outputs differ by rounding only; that of other kernels, if they are of batches of other sizes."""
    if torch.equal(a, b):
        return True
    if a.shape != b.shape or not a.is_floating_point():
        return False
    # Relative to the largest output: rounding of a sum that cancels is as large as that of its terms. The square root
    # of the precision is 3e-4 in float32, far above rounding and far below what another mask changes.
    finite = b[b.isfinite()]
    scale = finite.abs().max().item() if finite.numel() else 0.0
    eps = torch.finfo(a.dtype).eps
    if a.device.type == "cuda" and not same_kernels:
        eps = max(eps, _TF32_EPS)
    return torch.allclose(a.double(), b.double(), rtol=0, atol=eps**0.5 * scale, equal_nan=True)
