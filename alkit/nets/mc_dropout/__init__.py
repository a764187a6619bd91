"""Posterior samples by MC dropout: what is done here, why, and where.

**What.** `DropoutSampler` runs a network with its dropout switched on and returns its outputs (n, K, ...) for n rows in
K posterior samples. Done naively that is K passes through the network. Here it costs about one pass for a network that
ends in dropout and a linear layer, and a fraction of K passes for most others; ``python
tests/benchmarks/mc_dropout.py`` prints the figures. The network itself is not changed.

**One mask per posterior sample, shared by all rows.** A posterior sample is one network: dropout with its masks held
fixed. ``torch.nn.Dropout`` draws another mask for each row, so that no two rows meet the same network. That will do for
a score of single rows (BALD), but not for the scores of a set (BatchBALD, EPIG), which ask how the predictions of two
rows vary together over the posterior. So each random number is drawn at the shape of one row and serves all rows. It
depends on the seed, on the number of the sample and on the number of the draw within the pass, and on nothing else: a
pool scored in chunks meets the same K networks in each chunk, in whatever order its rows come. It is also what makes
the samples cheap: a mask of one row can be multiplied into the weights of the next layer instead of into its n inputs.

Shared masks also make the noise of similar rows the same, so that the rows of a batch may be alike. With BALD, K = 20
and ten seeds that cost nothing that can be told from chance: a mask per row was .003 better in mean accuracy (95 %
interval -.001 to .007; a small CNN on digits, 50 + 8 x 25 labels), and K = 100 no better than 20 (-.003 to .002).
``python tests/benchmarks/training.py --bald --masks`` plays it.

**How.** One pass of the network runs under a ``TorchDispatchMode``, which sees each op that torch runs. It serves the
random numbers, and notes what they touch: what was drawn, or computed from it. Whatever is not touched is the same in
all K passes and is computed once. For the rest there are four ways, the shortest first:

folded
    The network ends in dropout -> linear (-> softmax), once or several times with no more between than ops on single
    numbers, such as a ReLU, and draws nothing else. The masks go on copies of the linear layers' weights. With one
    dropout they lie side by side, and one matrix product gives all samples. With several, a GPU computes each layer by
    one batched product, and a CPU sample by sample, without the features that the masks before and after a layer drop.
    Perceptrons, convolutional networks with a dropout head. Nothing is recorded but in the probe; each op is checked to
    be the one proven.
program
    All passes are proven to run the same ops. Those that are touched are run again for each sample, as a list of ops,
    without calling the network. Nearly all other networks: residual ones, dropout between convolutions, in attention or
    between recurrent layers, in-place dropout, noise of other kinds, DropConnect.
replay
    The path may differ from pass to pass, as with layers skipped at random or values that go through numpy. The network
    itself is called for each sample; each of its ops is checked against the record, and those that no draw has touched
    hand back the recorded result. A pass that leaves the record is run in full and becomes the new record.
plain passes
    Each pass is run in full. Networks for which a shortcut was tried and gave something else, still with shared masks
    where the rows are known in each draw; and networks that draw from numpy's or Python's random numbers. A network
    that fails when it is tried on a few rows, such as one made for a single batch size, is *bare*: it runs without a
    dispatch mode, and each row draws its own masks. On a GPU so do networks of which the passes have less than
    a quarter of the work in common, where nobody needs shared masks: there random numbers cost nothing, and shared
    masks rule out the fused kernels of attention.

What rows share is drawn on the host, also for a GPU, so that a query picks the same rows on both. A GPU's dropout, one
op that shows no mask, is run and recorded as the four that it is on a CPU.

Rows that cannot share masks, as in dropout on packed sequences, go the same ways with masks of their own.

**Guards.** No kind of network is known by name. Every shortcut is tried first (``probe.py``), on three and on five rows
that are copies of the batch's first and last row:

- The rows lie on the axis along which a draw is larger for five rows than for three. Where rows are merged with heads
  or steps on one axis, each arrangement is tried until equal rows have equal outputs.
- Equal rows must have equal outputs, or their masks are not shared.
- Two passes must run the same ops on the same operands, with no drawn value deciding about the path and no value
  leaving torch, or there is no program.
- The shortcut must give, up to rounding, what a pass in full gives.

The batch itself is then guarded as well:

- It must run the ops that were proven; if not, its passes are run in full or replayed with each op checked.
- In its first and last row it must have the outputs that these had in the probe, without the other rows. If not, the
  rows depend on each other (BatchNorm without running statistics), and each gets masks of its own.
- A network of which nothing random reaches the output is an error, "no active dropout", and never K equal samples.
- The plan is made anew once weights, settings or the shape of the inputs have changed; for each batch, if the values of
  the rows decide about the path.

What cannot be proven is computed plainly, never guessed. Where it is the sharing of masks, ``consistent_`` is False,
and ``consistent=True`` makes that an error. Modes, buffers, inputs and all global random states are put back. Python
attributes that a network changes in its forward pass are neither followed nor put back.

**To know ..., open ...**

- what callers use, and how a batch goes through the four ways: ``sampler.py``
- which modes and backends are set, and how they are put back: ``modes.py``
- how a network is tried on a few rows: ``probe.py``; what comes out: ``plan.py``
- how one pass is recorded, replayed or run bare: ``passes.py``; what its inputs are: ``batch.py``
- how random numbers are drawn and seeded: ``draws.py``; on which axis the rows are: ``layouts.py``
- how one row's mask is multiplied into all rows without being spread out: ``masks.py``
- what a recorded pass holds: ``trace.py``
- the matrix products of the folded way: ``tail.py``; how they are fed: ``fold.py``
- how it is recorded, and what counts as touched or foldable: ``record.py``
- how a program and a replay run: ``replay.py``

**Words**

arrangement
    For each draw in which rows are merged with something else, whether the rows are the outer or the inner of the two.
bare
    Run without a dispatch mode, so that nothing is known of what is drawn.
blank
    A tensor whose memory holds no values yet, as from ``empty_like``. A blank that a draw is to fill may stand for its
    mask.
diverge
    Of a pass: run another op than the recorded one, or the same on other operands.
draw
    A call of an op that reads the random number generator; they are numbered within a pass.
escape
    A value that leaves torch (``.numpy()``, ``.tolist()``), so that no trace shows what becomes of it.
external
    A tensor that no op of the pass made: an input, a weight, a buffer.
fixed
    Of a network: all its passes take the same path.
fold
    Multiply the mask into the weights of a linear layer, instead of into its input.
label
    The name of a value: the number of the op that made it, and which of its results it is.
layout
    Where the rows of the batch lie in a draw: the axis, and what else is on it.
look
    A first recorded pass on few rows, which shows whether the network folds.
path
    The ops that a pass runs, in order, with their operands.
plan
    What is proven about a network and a shape of input; it decides about the way.
probe
    The trial on a few rows that makes a plan.
program
    The touched ops of a trace, to be run without the network.
refusal
    Why the rows of a batch cannot share masks.
replay
    Run the network again, with recorded results for what is not touched.
shared work
    What the K passes have in common, by its floating point operations.
stand-in
    A tensor without values, in place of what the folded tail will compute.
steered
    Of a pass: what was drawn decides about its path, or may.
tail
    The end of a network that folds: dropout -> linear, once or several times (-> softmax) -> output.
touched
    Drawn, or computed from what was drawn; all that later passes have to compute.
trace
    The record of a pass: its ops, their operands by label, and the results that later passes need.

Only `DropoutSampler` is public; the files are this package's own business.
"""

from alkit.nets.mc_dropout.sampler import DropoutSampler

__all__ = ["DropoutSampler"]
