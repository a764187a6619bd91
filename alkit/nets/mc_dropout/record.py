"""Recorder: runs a pass of a network op by op, and notes what random draws have touched and what later passes need.

A value is touched if it was drawn or computed from what was drawn. A whole storage is touched, not a tensor: views
share their memory, so a mask that is written through one view is read through all of them. Whatever is not touched is
the same in all K passes, and is kept from the first.
"""

from abc import abstractmethod
from functools import cache
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch._ops import OpOverload
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from alkit.nets.mc_dropout.draws import Draws, is_draw
from alkit.nets.mc_dropout.layouts import NoRowAxisError
from alkit.nets.mc_dropout.masks import SharedMask, run_on_masks, shared_mask
from alkit.nets.mc_dropout.tail import FoldedLayer, FoldedTail
from alkit.nets.mc_dropout.trace import (
    External,
    Kind,
    Label,
    Product,
    Step,
    Trace,
    labels_in,
    save_once,
    tensors_in,
)

aten = torch.ops.aten

# Ops whose result holds no values yet.
_BLANKS = {
    aten.empty.memory_format,
    aten.empty_like.default,
    aten.empty_strided.default,
    aten.new_empty.default,
    aten.new_empty_strided.default,
}
_LINEARS = {aten.addmm.default, aten.mm.default}
_SOFTMAX = {aten._softmax.default, aten._log_softmax.default}
_DATA_DEPENDENT = {torch.Tag.data_dependent_output, torch.Tag.dynamic_output_shape}
# Marks the second result of a dropout, which is not made.
_NOT_MADE = object()
# Constants written in a module are compared by value up to this many numbers, by identity above.
_CONSTANT_SIZE = 64


@cache
def _written_arguments(func: OpOverload) -> tuple[tuple[int, str], ...]:
    """Places and names of the arguments that an op overwrites."""
    arguments = enumerate(func._schema.arguments)
    # not `is_write`, which torch 2.6 does not have
    return tuple((i, a.name) for i, a in arguments if a.alias_info is not None and a.alias_info.is_write)


@cache
def _follows_data(func: OpOverload) -> bool:
    """Whether an op hands values to Python, or shapes that depend on values: what decides about the path."""
    return not _DATA_DEPENDENT.isdisjoint(func.tags) or func is aten._pack_padded_sequence.default


def _storage(tensor: Tensor) -> int:
    """Address of the memory that a tensor and its views share; a later storage may get the same one."""
    return tensor.untyped_storage()._cdata


def run_op(step: Step, args: tuple, kwargs: dict, inputs: list[Tensor], draws: Draws) -> Any:
    """Run an op, serving random numbers and shared masks."""
    if step.drawn:
        return draws.draw(step.func, args, kwargs, step.blank)
    for tensor in inputs:
        if shared_mask(tensor) is not None:
            return run_on_masks(step.func, args, kwargs, inputs)
    return step.func(*args, **kwargs)


class TracedPass(TorchDispatchMode):
    """Names the values of a pass."""

    def __init__(self, draws: Draws, trace: Trace):
        super().__init__()
        self.draws, self.trace, self.token = draws, trace, object()

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """Nothing is compiled during a pass; loading the compiler takes a second and slows down every op."""
        return False

    def __torch_dispatch__(self, func: OpOverload, types: Any, args: tuple = (), kwargs: Any = None) -> Any:
        """Run an op of the pass."""
        if func is aten.native_dropout.default and self.draws.layouts is not None and 0 < args[1] < 1 and args[2]:
            return self._dropout(*args[:2])
        return self.run(func, args, kwargs or {})

    @abstractmethod
    def run(self, func: OpOverload, args: tuple, kwargs: dict) -> Any:
        """Run an op, in the way of this kind of pass."""

    def _dropout(self, x: Tensor, p: float) -> tuple[Tensor, Tensor]:
        """Run a GPU's dropout, which is one op that shows no mask, as the four that it is on a CPU."""
        mask = self.run(aten.empty_like.default, (x,), {})
        mask = self.run(aten.bernoulli_.float, (mask, 1 - p), {})
        mask = self.run(aten.div_.Scalar, (mask, 1 - p), {})
        output = self.run(aten.mul.Tensor, (x, mask), {})
        # `torch.dropout` lets go of the other result, where features are kept, and so does nearly everybody.
        kept = torch.empty(0, dtype=torch.bool, device=x.device)
        kept._alkit_label = (_NOT_MADE, None)  # type: ignore[attr-defined]
        return output, kept

    def label(self, tensor: Tensor) -> Label | External:
        """Name a value by the step that made it; what was made elsewhere is named by its identity."""
        # A tensor may carry a label of an earlier pass, which is a name in this one only if no draw had touched it.
        token, label = getattr(tensor, "_alkit_label", (None, None))
        if token is _NOT_MADE:
            raise NoRowAxisError("the mask that native_dropout returns is read, and is not made where rows share it")
        if label is not None and (token is self.token or token is self.trace.token):
            return label
        external = External(id(tensor))
        self.trace.externals.setdefault(external, tensor)
        return external

    def _sign(self, value: Any) -> Any:
        if isinstance(value, Tensor):
            return self.label(value)
        if isinstance(value, list | tuple):
            return [self._sign(item) for item in value]
        return value

    def signature(self, func: OpOverload, args: tuple, kwargs: dict) -> tuple[tuple, tuple]:
        """Arguments of an op, with labels for tensors."""
        if func is aten.lift_fresh.default and args[0].device.type == "cpu" and args[0].numel() <= _CONSTANT_SIZE:
            # A constant written in the module, made anew by each pass: only its values tell that it is the same.
            return (args[0].dtype, args[0].tolist()), ()
        signed = tuple([self._sign(arg) for arg in args])
        named = tuple([(name, self._sign(value)) for name, value in kwargs.items()]) if kwargs else ()
        return signed, named


def write_out(output: Tensor) -> Tensor:
    """Return the module's output, with its values written out if it is a mask."""
    mask = shared_mask(output)
    if mask is not None:
        mask.write(output)
    return output


class Recorder(TracedPass):
    """Records a pass.

    ``plan``, the trace of the same path for fewer rows, tells which results its program will read: only those are kept.
    With ``keep=False`` none are. With ``counts_work`` the trace tells how much of the work is the same in all passes.
    """

    def __init__(self, draws: Draws, plan: Trace | None = None, keep: bool = True, counts_work: bool = False):
        super().__init__(draws, Trace(replayable=keep, complete=keep))
        self._plan, self._keep, self._counts_work = plan, keep, counts_work
        self._blank: Tensor | None = None  # what the op just before has made, if it holds no values yet
        self._made: dict[int, int] = {}  # storage -> the step that made it
        self._touched: set[int] = set()  # storages that hold drawn values
        self._fresh: set[int] = set()  # storages with nothing worth restoring
        self._read: set[int] = set()  # untouched storages that touched ops have read
        self._dropped: set[int] = set()  # steps whose results were not kept
        self._products: dict[Label, Product] = {}
        self._linears: dict[Label, tuple] = {}  # operands of linear layers that read such a product

    def run(self, func: OpOverload, args: tuple, kwargs: dict) -> Any:
        """Run an op and record it."""
        inputs = tensors_in(*args, *kwargs.values())
        storages = [_storage(tensor) for tensor in inputs]
        if func is aten.lift_fresh.default:
            # New from outside: no op has made it, and it may lie at the address of a touched value that is gone.
            self._touched.discard(storages[0])
        step = Step(func, self.signature(func, args, kwargs), drawn=is_draw(func, args, kwargs))
        # A blank may stand for its mask only in the op right after the one that made it: later, others may have a view.
        step.blank = step.drawn and self._blank is not None and args[0] is self._blank
        written = _written(func, args, kwargs)
        # Where touched ops have read what is now overwritten, later passes must overwrite it anew.
        late = not self._read.isdisjoint(map(_storage, written))
        if step.drawn or late or not self._touched.isdisjoint(storages):
            step.kind = Kind.RUN
            self._mark_read(inputs, storages)
        for tensor in written:
            self._save(tensor, step.kind is Kind.RUN)
            self._forget_products(_storage(tensor))
        self._note_linear(func, args, kwargs)  # before the op, which may write out the mask
        outputs = run_op(step, args, kwargs, inputs, self.draws)
        if self._counts_work:
            self._count(func, args, kwargs, outputs, step)
        self._blank = outputs if func is aten.empty_like.default else None
        if _follows_data(func):
            self.trace.data_dependent = True
            self.trace.steered = self.trace.steered or step.kind is Kind.RUN
        in_new_memory = self._label_results(outputs, inputs, storages, step)
        if step.kind is not Kind.RUN:
            step.kind = Kind.VIEW if in_new_memory and not any(in_new_memory) else Kind.KEEP
            self._keep_untouched(outputs, inputs, step)
        self.trace.steps.append(step)
        return outputs

    def _count(self, func: OpOverload, args: tuple, kwargs: dict, outputs: Any, step: Step) -> None:
        """Add the work of an op."""
        formula = flop_registry.get(func._overloadpacket)
        if formula is not None:
            work = formula(*args, **kwargs, out_val=outputs)
            self.trace.work += work
            self.trace.shared_work += 0 if step.kind is Kind.RUN else work

    def _planned(self, func: OpOverload) -> Step | None:
        """Return the step of the plan that stands at this place, as long as plan and pass agree."""
        position = len(self.trace.steps)
        if self._plan is not None and position < len(self._plan.steps) and self._plan.steps[position].func is func:
            return self._plan.steps[position]
        self._plan = None  # a plan of another path tells nothing, from here on
        return None

    def _mark_read(self, inputs: list[Tensor], storages: list[int]) -> None:
        """Note what a touched op reads of untouched values."""
        for tensor, storage in zip(inputs, storages, strict=True):
            if storage in self._touched:
                continue
            self._read.add(storage)
            label = self.label(tensor)
            if not isinstance(label, Label):
                continue
            # Both the step that made this view and the one that made its memory: see `_keep_untouched`.
            needed = {label.step, self._made.get(storage, label.step)}
            self.trace.needed |= needed
            self.trace.replayable = self.trace.replayable and self._dropped.isdisjoint(needed)

    def _save(self, tensor: Tensor, touched: bool) -> None:
        """Keep what is about to be overwritten."""
        storage = _storage(tensor)
        if storage not in self._made:
            save_once(self.trace.originals, tensor)  # the caller's input, or a buffer of the module
        if not touched:
            self._fresh.discard(storage)
            return
        # Later passes run this op too, and must find what this one finds here. What is fresh has nothing to find.
        if storage not in self._fresh and self._keep:
            save_once(self.trace.overwritten, tensor)
        self._touched.add(storage)

    def _label_results(self, outputs: Any, inputs: list[Tensor], storages: list[int], step: Step) -> list[bool]:
        """Label what an op made; return of each result whether it lies in new memory."""
        position = len(self.trace.steps)
        touched = step.kind is Kind.RUN
        token = self.token if touched else self.trace.token
        in_new_memory = []
        for i, output in enumerate(outputs if isinstance(outputs, list | tuple) else (outputs,)):
            if not isinstance(output, Tensor) or any(output is tensor for tensor in inputs):
                continue  # an input that is handed back keeps its own name
            output._alkit_label = (token, Label(position, i))  # type: ignore[attr-defined]
            storage = _storage(output)
            in_new_memory.append(storage not in storages)
            if storage not in storages:
                self._start_storage(storage, position, touched, step.func)
        return in_new_memory

    def _keep_untouched(self, outputs: Any, inputs: list[Tensor], step: Step) -> None:
        """Keep an untouched result for later passes, where they will need it."""
        # torch adds a `detach` to the result of a factory (`ones`, `full_like`) if anybody else holds it. To have the
        # same ops as the plan, a pass must hold what that held: always where the factory has no inputs, and where it
        # has some, as long as its `detach` is needed.
        if not self._keep and inputs:
            return
        position = len(self.trace.steps)
        planned = self._planned(step.func)
        if inputs and planned is not None and position not in self._plan.needed:  # type: ignore[union-attr]
            self._dropped.add(position)
            self.trace.complete = False
        else:
            step.outputs = _keep(outputs, inputs)

    def _start_storage(self, storage: int, position: int, touched: bool, func: OpOverload) -> None:
        """Note new memory; its address may be that of an earlier storage, of which nothing holds any more."""
        self._made[storage] = position
        for group in (self._touched, self._fresh, self._read):
            group.discard(storage)
        if touched:
            self._touched.add(storage)
        if touched or func in _BLANKS:
            self._fresh.add(storage)

    def _forget_products(self, storage: int) -> None:
        """Drop the products whose operand is overwritten: computed later, they would be other products."""
        self._products = {label: known for label, known in self._products.items() if known.storage != storage}

    def _note_linear(self, func: OpOverload, args: tuple, kwargs: dict) -> None:
        """Remember x (n, H) * mask (1, H), and linear layers of it."""
        label = Label(len(self.trace.steps), 0)
        if func is aten.mul.Tensor and isinstance(args[1], Tensor) and args[0].shape == args[1].shape:
            mask = shared_mask(args[1])
            if mask is not None and args[0].ndim == 2 and mask.values.shape == (1, args[0].shape[1]):
                storage = _storage(args[0])
                x = None if storage in self._touched else args[0]
                self._products[label] = Product(x, storage, mask)
        elif func in _LINEARS and not kwargs and self.label(args[-2]) in self._products:
            bias_and_weight = [*args[:-2], args[-1]]
            if self._touched.isdisjoint(map(_storage, bias_and_weight)):
                self._linears[label] = args

    def finish(self, output: Tensor) -> Trace:
        """End the pass; find what may be folded, now that all readers of each value are known."""
        trace = self.trace
        trace.output = self.label(output)
        trace.output_touched = _storage(output) in self._touched
        write_out(output)
        read = labels_in([step.signature for step in trace.steps] + [trace.output])
        for label, args in self._linears.items():
            product = self.label(args[-2])
            # The product is left out of later passes, so nothing but this linear layer may read it.
            if product in self._products and read.count(product) == 1:
                trace.steps[product.step].kind = Kind.SKIP
                trace.steps[label.step].kind = Kind.FOLD
        trace.tail = self._tail()
        return trace

    def _tail(self) -> FoldedTail | None:
        """Everything that draws touch, if it is dropout -> linear once or several times (-> softmax) -> output.

        Between a linear layer and the next dropout there may be ops on single numbers.
        """
        x: Tensor | None = None
        mask: SharedMask | None = None
        layers: list[FoldedLayer] = []
        softmax = value = None  # value: what the last op of the tail has made
        for position, step in enumerate(self.trace.steps):
            label, operands = Label(position, 0), step.signature[0]
            if step.kind is Kind.SKIP:
                before, _, mask = self._products[label]
                if (before is None) if value is None else (operands[0] != value):
                    return None
                x, value = x if layers else before, label
            elif step.kind is Kind.FOLD:
                *bias, _, weight = self._linears[label]
                if operands[-2] != value or mask is None or (bias and bias[0].ndim != 1):
                    return None
                layers.append(FoldedLayer(mask, weight, bias[0] if bias else None))
                value = label
            elif step.kind is not Kind.RUN or self._makes_mask(label, step):
                continue
            elif not layers or softmax is not None or operands[0] != value:
                return None
            elif step.func in _SOFTMAX:
                # Among (n, C) classes lie on axis 1, and among all samples, (n, K, C), on the last.
                if operands[1:] not in ((1, False), (-1, False)):
                    return None
                softmax, value = step.func, label
            elif is_on_single_numbers(step.func, operands, step.signature[1]):
                layers[-1].then.append((step.func, operands[1:]))
                value = value if is_in_place(step.func) else label
            else:
                return None
        # what follows the last layer is left to programs, but for the softmax
        ends = bool(layers) and not layers[-1].then and self.trace.output == value
        return FoldedTail(x, tuple(layers), softmax) if ends and x is not None else None

    def _makes_mask(self, label: Label, step: Step) -> bool:
        """Whether a touched op does no more than make the mask of a product that is left out."""
        for product, (_, _, mask) in self._products.items():
            if self.trace.steps[product.step].kind is not Kind.SKIP:
                continue
            made = self.trace.steps[product.step].signature[0][1]
            updates = [func for func, _ in mask.updates]
            if label == made or (step.signature[0][0] == made and (step.drawn or step.func in updates)):
                return True
        return False


def is_in_place(func: OpOverload) -> bool:
    """Whether an op writes its result into its first operand."""
    # by its name, as torch 2.6 has no tag for what is done in place
    return func._schema.name.endswith("_")


def is_on_single_numbers(func: OpOverload, args: tuple, kwargs: Any) -> bool:
    """Whether an op computes each number of its first operand by itself, and reads no other tensor."""
    others = [*args[1:], *kwargs]
    return (
        torch.Tag.pointwise in func.tags
        and not kwargs
        and not any(isinstance(other, Tensor | Label | External | list | tuple) for other in others)
    )


def _written(func: OpOverload, args: tuple, kwargs: dict) -> list[Tensor]:
    """Tensors that a call overwrites."""
    places = _written_arguments(func)
    if not places:
        return []
    return tensors_in(*[args[i] if i < len(args) else kwargs.get(name) for i, name in places])


class _Input(NamedTuple):
    """Stands for a result that is one of the op's own inputs."""

    place: int


def _keep(output: Any, inputs: list[Tensor]) -> Any:
    """What to keep of a result; an input that is handed back is another tensor in each pass."""
    if isinstance(output, list | tuple):
        return type(output)([_keep(item, inputs) for item in output])
    places = [i for i, tensor in enumerate(inputs) if output is tensor]
    return _Input(places[0]) if places else output


def hand_back(kept: Any, inputs: list[Tensor]) -> Any:
    """Results of a recorded op."""
    if isinstance(kept, _Input):
        return inputs[kept.place]
    if isinstance(kept, list | tuple):
        return type(kept)([hand_back(item, inputs) for item in kept])
    return kept
