"""Trace: what is recorded of a pass of a network.

Values are named by labels, (step, output) of the op that made them, so that two passes can be compared and one can be
run from the record of another.
"""

from dataclasses import dataclass, field
from enum import Enum
from typing import Any, NamedTuple

from torch import Tensor
from torch._ops import OpOverload

from alkit.nets.mc_dropout.masks import SharedMask
from alkit.nets.mc_dropout.tail import FoldedTail


class Label(NamedTuple):
    """Names a value that an op of the pass made."""

    step: int
    output: int


class External(NamedTuple):
    """Names a tensor from outside the pass: an input, a weight, a buffer."""

    id: int


class Product(NamedTuple):
    """Operands of x (n, H) * mask (1, H); no x if draws have touched it."""

    x: Tensor | None
    storage: int
    mask: SharedMask


class Kind(Enum):
    """What later passes do with a recorded op."""

    KEEP = "hand back the recorded result"
    # Not handed back: torch gives each view its own bookkeeping, and refuses a tensor that already has some.
    VIEW = "a view of a recorded result"
    RUN = "run: touched by a draw"
    SKIP = "leave out: the masked input of a linear layer, read by nothing else"
    FOLD = "run: a linear layer, with the mask on its weights instead of its input"


@dataclass(slots=True, eq=False)
class Step:
    """A recorded op; the signature holds its arguments, with labels for tensors."""

    func: OpOverload
    signature: tuple[tuple, tuple]
    kind: Kind = Kind.KEEP
    outputs: Any = None
    drawn: bool = False
    blank: bool = False  # its first operand holds no values yet


@dataclass
class Trace:
    """A recorded pass."""

    replayable: bool  # by a program: what touched ops read is kept
    complete: bool  # so is everything else
    token: object = field(default_factory=object)  # marks labels of untouched values, which all passes share
    steps: list[Step] = field(default_factory=list)
    needed: set[int] = field(default_factory=set)  # steps whose results touched ops read
    # Kept alive: an id names a tensor only as long as it lives; the next one may get the same.
    externals: dict[External, Tensor] = field(default_factory=dict)
    originals: list[tuple[Tensor, Tensor]] = field(default_factory=list)  # overwritten values of what others own
    overwritten: list[tuple[Tensor, Tensor]] = field(default_factory=list)  # values that touched ops overwrote
    output: Label | External | None = None
    output_touched: bool = False
    data_dependent: bool = False  # what the rows hold decides about the path, or may
    steered: bool = False  # what was drawn decides about the path, or may
    tail: FoldedTail | None = None
    work: int = 0  # floating point operations of matrix products and convolutions, where they are counted
    shared_work: int = 0  # of these, what no draw touches

    def same_ops(self, other: "Trace") -> bool:
        """Whether two passes ran the same ops, be it on other shapes."""
        return [step.func for step in self.steps] == [step.func for step in other.steps]

    def same_path(self, other: "Trace") -> bool:
        """Whether two passes ran the same ops on the same operands."""
        own, others = ([(step.func, step.signature) for step in trace.steps] for trace in (self, other))
        return own == others and self.output == other.output


def restore(saved: list[tuple[Tensor, Tensor]]) -> None:
    """Undo overwriting, the last first."""
    # Two views of one storage may both be saved, the second with what was written through the first.
    for tensor, values in reversed(saved):
        tensor.copy_(values)


def save_once(saved: list[tuple[Tensor, Tensor]], tensor: Tensor) -> None:
    """Add a tensor with a copy of its values, unless it is there."""
    if all(tensor is not known for known, _ in saved):
        saved.append((tensor, tensor.clone()))


def labels_in(signature: Any) -> list[Label]:
    """All labels in a signature."""
    if isinstance(signature, Label):
        return [signature]
    if isinstance(signature, list | tuple):
        return [label for item in signature for label in labels_in(item)]
    return []


def tensors_in(*values: Any) -> list[Tensor]:
    """All tensors among arguments of an op."""
    found = []
    for value in values:
        if isinstance(value, Tensor):
            found.append(value)
        elif isinstance(value, list | tuple):
            found += tensors_in(*value)
    return found
