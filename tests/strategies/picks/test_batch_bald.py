"""BatchBALD against joint distributions enumerated label by label, as the paper defines them, in float64."""

from importlib import import_module
from itertools import product
from math import log

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from alkit.strategies import scores
from alkit.strategies.picks.batch_bald import (
    Configurations,
    _extended,
    _grouped,
    _thinned,
    batch_bald,
    conditional_entropy,
)

MODULE = import_module("alkit.strategies.picks.batch_bald")


def H(p):
    return -sum(x * log(x) for x in p if x > 0)


def joint_entropy(samples, rows):
    """H(y_1, ..., y_b) of the mixture over k."""
    K, C = samples.shape[1:]
    configurations = product(range(C), repeat=len(rows))
    return H([sum(np.prod([samples[r, k, c] for r, c in zip(rows, ys, strict=True)]) for k in range(K)) / K
              for ys in configurations])  # fmt: skip


def joint_information(samples, rows):
    """I(y_1, ..., y_b; w) = H(y_1, ..., y_b) - sum over i of E_k H(y_i | k)."""
    return joint_entropy(samples, rows) - sum(np.mean([H(p) for p in samples[r]]) for r in rows)


def greedy(samples, k):
    rows = []
    for _ in range(k):
        rest = [r for r in range(len(samples)) if r not in rows]
        rows.append(max(rest, key=lambda r: joint_information(samples, [*rows, r])))
    return rows


def dirichlet(seed, N, K, C, alpha=1.0):
    return np.random.default_rng(seed).dirichlet(np.full(C, alpha), size=(N, K))


def pick(samples, k, seed=0, **params):
    return batch_bald(torch.as_tensor(samples), k=k, rng=np.random.default_rng(seed), **params)


def configurations(samples, rows, n=10**6, seed=0):
    samples = torch.as_tensor(samples)
    K = samples.shape[1]
    labels = Configurations(torch.ones(1).double(), torch.full((1, K), 1 / K, dtype=torch.float64))
    rng = np.random.default_rng(seed)
    for row in rows:
        labels = _extended(labels, samples[row].double(), n, rng)
    return labels


pools = st.tuples(
    st.integers(0, 2**31), st.integers(1, 12), st.integers(1, 6), st.integers(2, 4), st.sampled_from([0.1, 1.0])
).map(lambda args: dirichlet(*args))


@pytest.mark.parametrize(("N", "K", "C", "k"), [(8, 3, 2, 6), (7, 5, 3, 4), (5, 4, 4, 3), (4, 2, 3, 4)])
@pytest.mark.parametrize("alpha", [0.1, 1.0])
def test_picks_and_gains_are_those_of_enumeration(N, K, C, k, alpha):
    samples = dirichlet(N, N, K, C, alpha)
    picks = pick(samples, k)
    rows = greedy(samples, k)
    assert picks.indices.tolist() == rows
    information = [joint_information(samples, rows[:b]) for b in range(1, k + 1)]
    np.testing.assert_allclose(picks.scores.cumsum(), information, atol=1e-12)
    single = pick(samples.astype(np.float32), k).scores
    np.testing.assert_allclose(single, np.where(picks.scores < 1e-5, single, picks.scores), atol=1e-6)
    assert (single[picks.scores < 1e-5] < 1.1e-5).all()  # lost in rounding


def test_impossible_labels():
    samples = np.eye(3)[np.random.default_rng(0).integers(3, size=(9, 4))]
    picks = pick(samples, 4)
    information = [joint_information(samples, picks.indices[:b]) for b in range(1, 5)]
    np.testing.assert_allclose(picks.scores.cumsum(), information, atol=1e-12)
    assert picks.scores.sum() == pytest.approx(log(4))  # after that, it is known which model is right


@given(pools, st.data())
def test_conditional_entropy_is_a_difference_of_joint_entropies(samples, data):
    rows = data.draw(st.lists(st.integers(0, len(samples) - 1), max_size=3))
    got = conditional_entropy(torch.as_tensor(samples), configurations(samples, rows))
    want = [joint_entropy(samples, [*rows, r]) - joint_entropy(samples, rows) for r in range(len(samples))]
    np.testing.assert_allclose(got, want, atol=1e-10)


@given(pools, st.data())
def test_gains_are_nonnegative_and_shrink(samples, data):
    k = data.draw(st.integers(1, min(5, len(samples))))
    picks = pick(samples, k)
    bald = scores.bald(torch.as_tensor(samples)).numpy()
    assert len(set(picks.indices.tolist())) == k
    assert (picks.scores >= 0).all()
    assert (np.diff(picks.scores) <= 1e-12).all()
    assert picks.scores[0] == pytest.approx(bald.max(), abs=1e-12)
    assert (picks.scores <= bald[picks.indices] + 1e-12).all()
    assert joint_entropy(samples, picks.indices) <= sum(H(p) for p in samples[picks.indices].mean(1)) + 1e-12


@given(pools, st.integers(1, 60), st.integers(0, 2**31), st.data())
def test_sampled_gains_are_between_zero_and_bald_and_below_their_bounds(samples, n, seed, data):
    rows = data.draw(st.lists(st.integers(0, len(samples) - 1), min_size=1, max_size=5))
    labels = configurations(samples, rows, n, seed)
    samples = torch.as_tensor(samples)
    assert len(labels.weight) <= max(n, 1)
    torch.testing.assert_close((labels.weight[:, None] * labels.posterior).sum(0) * samples.shape[1],
                               torch.ones(samples.shape[1]).double())  # fmt: skip
    entropy = conditional_entropy(samples, labels)
    assert (entropy <= conditional_entropy(samples, _grouped(labels)) + 1e-12).all()
    assert (entropy <= scores.mc_entropy(samples) + 1e-12).all()
    assert (entropy >= scores.entropy(samples).mean(1) - 1e-12).all()


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(("alpha", "n_configurations"), [(1.0, 300), (1.0, 3000), (0.2, 300), (0.02, 50)])
def test_lazy_greedy_picks_what_full_greedy_picks(seed, alpha, n_configurations, monkeypatch):
    samples = dirichlet(seed, 300, 10, 4, alpha)
    lazy = pick(samples, 8, seed, n_configurations=n_configurations)
    monkeypatch.setattr(MODULE, "_LAZY_ROWS", len(samples))  # one block of rows: every row is looked at
    full = pick(samples, 8, seed, n_configurations=n_configurations)
    assert lazy.indices.tolist() == full.indices.tolist()
    np.testing.assert_allclose(lazy.scores, full.scores, atol=1e-12)


def test_lazy_greedy_looks_at_few_rows_where_rows_differ(monkeypatch):
    seen = []

    def counted(samples, given):
        seen.append(len(samples))
        return conditional_entropy(samples, given)

    monkeypatch.setattr(MODULE, "conditional_entropy", counted)
    samples = dirichlet(0, 4000, 10, 4)
    samples[100:] = 0.99 * samples[100:].mean(1, keepdims=True) + 0.01 * samples[100:]
    pick(samples, 5, n_configurations=200)
    assert sum(seen) < 5 * (4000 + 3 * MODULE._LAZY_ROWS)


@pytest.mark.parametrize("alpha", [0.2, 1.0])
def test_sampled_joint_entropy_is_close_to_the_exact_one(alpha):
    samples = dirichlet(0, 40, 20, 4, alpha)
    rows = range(7)  # 16,384 configurations
    exact, sampled = configurations(samples, rows), configurations(samples, rows, 1000)
    given_exact, given_sampled = (conditional_entropy(torch.as_tensor(samples), labels) for labels in (exact, sampled))
    assert (given_sampled - given_exact).abs().max() < 1e-3 * H(exact.weight.tolist())


def test_one_configuration_is_bald():
    samples = dirichlet(0, 50, 10, 3)
    picks = pick(samples, 7, n_configurations=1)
    bald = scores.bald(torch.as_tensor(samples)).numpy()
    assert picks.indices.tolist() == np.argsort(-bald)[:7].tolist()
    np.testing.assert_allclose(picks.scores, np.sort(bald)[::-1][:7], atol=1e-12)


@given(st.integers(0, 2**31), st.integers(1, 500), st.integers(1, 100))
def test_thinning_keeps_the_heavy_and_the_sum(seed, size, n):
    weight = torch.as_tensor(np.random.default_rng(seed).dirichlet(np.full(size, 0.1)))
    kept, thinned = _thinned(weight, n, np.random.default_rng(seed))
    assert len(kept) in (min(n, int((weight > 1e-15).sum())), min(n, len(kept)))
    assert (thinned >= weight[kept]).all()
    assert thinned.sum() == pytest.approx(1, abs=2 / n if size > n else 1e-9)


def test_thinning_is_unbiased():
    weight = torch.as_tensor(np.random.default_rng(0).dirichlet(np.full(40, 0.5)))
    mean, rng = torch.zeros(40).double(), np.random.default_rng(1)
    for _ in range(4000):
        kept, thinned = _thinned(weight, 10, rng)
        assert len(kept) == 10
        mean[kept] += thinned / 4000
    torch.testing.assert_close(mean, weight, atol=5 * 0.03 / 4000**0.5, rtol=0)


def test_a_duplicate_of_a_noiseless_row_is_worth_nothing_more():
    labels = np.eye(2)[[[0, 0, 0, 0, 1, 1, 1, 1], [0, 0, 1, 1, 0, 0, 1, 1], [0, 1, 0, 1, 0, 1, 0, 1]]]
    picks = pick(np.repeat(labels, 4, axis=0).astype(np.float32), 12)
    assert sorted(picks.indices[:3] // 4) == [0, 1, 2]
    np.testing.assert_allclose(picks.scores, [log(2)] * 3 + [0] * 9, atol=1e-6)


def test_a_duplicate_of_a_picked_row_gains_no_more_than_it_did():
    samples = torch.as_tensor(dirichlet(0, 20, 6, 3))
    before = conditional_entropy(samples, configurations(samples, [3]))
    after = conditional_entropy(samples, configurations(samples, [3, 7]))
    assert (after <= before + 1e-12).all()


def test_permuting_the_pool_permutes_the_picks():
    samples, order = dirichlet(0, 200, 10, 4), np.random.default_rng(0).permutation(200)
    assert order[pick(samples[order], 6, n_configurations=100).indices].tolist() == (
        pick(samples, 6, n_configurations=100).indices.tolist()
    )


@pytest.mark.parametrize("samples", [dirichlet(0, 30, 1, 3), np.repeat(dirichlet(0, 1, 5, 3), 30, axis=0)])
def test_rows_that_tie_are_picked_at_random(samples):
    counts = np.zeros(30)
    for seed in range(150):
        counts[pick(samples.astype(np.float32), 2, seed).indices] += 1
    assert counts.min() > 0
    assert counts.max() < 10 + 5 * 10**0.5


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    "samples",
    [
        dirichlet(0, 1, 5, 3),
        dirichlet(0, 6, 1, 3),
        dirichlet(0, 6, 5, 1),
        dirichlet(0, 6, 5, 2),
        dirichlet(0, 4, 3, 1000),
        dirichlet(0, 4, 3, 1000, 0.01),
        np.repeat(dirichlet(0, 1, 5, 3), 6, axis=0),
        np.repeat(np.repeat(dirichlet(0, 1, 1, 3), 6, axis=0), 5, axis=1),
        dirichlet(0, 5, 300, 2),
    ],
    ids=["one row", "K=1", "C=1", "C=2", "C=1000", "sharp", "duplicates", "certain", "K=300"],
)
def test_the_whole_pool_can_be_picked(samples, dtype):
    samples = torch.as_tensor(samples.astype(dtype))
    before, state = samples.clone(), torch.get_rng_state()
    picks = pick(samples, len(samples), n_configurations=40)
    assert sorted(picks.indices) == list(range(len(samples)))
    assert picks.probability is None
    assert np.isfinite(picks.scores).all()
    assert (picks.scores >= 0).all()
    again = pick(samples, len(samples), n_configurations=40)
    assert again.indices.tolist() == picks.indices.tolist()
    assert torch.equal(samples, before)
    assert torch.equal(state, torch.get_rng_state())


def test_no_configurations():
    with pytest.raises(ValueError, match="n_configurations=0; at least 1"):
        pick(dirichlet(0, 5, 4, 3), 2, n_configurations=0)
