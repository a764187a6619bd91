"""Batches of sensible size."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from alkit.nets.training.batches import BATCHINGS, EpochBatches, batch_sizes, epoch_batches

rows = st.integers(1, 2000)
asked = st.integers(1, 300)
batchings = st.sampled_from(BATCHINGS)


@given(rows, asked)
def test_flexible_sizes_differ_by_at_most_one_and_none_is_tiny(n, b):
    sizes = batch_sizes(n, b, "flexible")
    assert len(sizes) == max(1, n // b)
    assert sum(sizes) == n
    assert max(sizes) - min(sizes) <= 1
    assert min(sizes) >= min(n, b)


@given(rows, asked)
def test_upsampled_batches_are_all_full_and_rows_repeat_evenly(n, b):
    batches = epoch_batches(n, b, "upsample")
    assert {len(batch) for batch in batches} == {b}
    assert sum(map(len, batches)) - n < b
    counts = torch.bincount(torch.cat(batches), minlength=n)
    assert counts.max() - counts.min() <= 1
    assert counts.min() >= 1


@given(rows, asked)
def test_fixed_sizes_are_torchs_but_for_a_last_batch_of_one(n, b):
    sizes = batch_sizes(n, b, "fixed")
    torchs = [len(batch) for batch in torch.utils.data.BatchSampler(range(n), b, drop_last=False)]
    assert sum(sizes) == n
    if torchs[-1] > 1 or n == 1 or b == 1:
        assert sizes == torchs
    else:
        assert sizes == [*torchs[:-2], b + 1]


@given(rows, asked, batchings)
def test_every_row_is_there(n, b, batching):
    batches = epoch_batches(n, b, batching)
    assert [len(batch) for batch in batches] == batch_sizes(n, b, batching)
    assert set(torch.cat(batches).tolist()) == set(range(n))


@given(rows, asked, batchings)
def test_without_shuffling_rows_come_in_order(n, b, batching):
    order = torch.cat(epoch_batches(n, b, batching, shuffle=False))
    assert torch.equal(order, torch.arange(len(order)) % n)


def test_the_studys_case():
    """50 new labels at batch size 512, and 2,050 labels: b + (n mod b) / floor(n / b) rows per batch."""
    assert batch_sizes(50, 512) == [50]
    assert batch_sizes(2050, 512) == [513, 513, 512, 512]


def test_a_generator_decides_the_order():
    draw = [epoch_batches(100, 10, rng=torch.Generator().manual_seed(seed)) for seed in (0, 0, 1)]
    assert torch.equal(torch.cat(draw[0]), torch.cat(draw[1]))
    assert not torch.equal(torch.cat(draw[0]), torch.cat(draw[2]))


def test_each_pass_is_shuffled_anew():
    batches = EpochBatches(100, 10)
    assert len(list(batches)) == len(batches) == 10
    assert not torch.equal(torch.cat(list(batches)), torch.cat(list(batches)))


@pytest.mark.parametrize("batching", BATCHINGS)
def test_minus_one_is_one_batch(batching):
    assert batch_sizes(7, -1, batching) == [7]


@pytest.mark.parametrize(
    ("n", "b", "batching"), [(0, 4, "fixed"), (4, 0, "fixed"), (4, -2, "flexible"), (4, 2, "even")]
)
def test_nonsense_is_refused(n, b, batching):
    with pytest.raises(ValueError, match=r"at least 1|unknown; choose"):
        batch_sizes(n, b, batching)
