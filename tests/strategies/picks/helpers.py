"""Rows that several tests of picks pick from."""

import numpy as np
import torch


def rng(seed=0):
    return np.random.default_rng(seed)


def matrix(n, d, seed=0):
    return torch.from_numpy(rng(seed).normal(size=(n, d)))


def clumps(sizes, seed=0, d=3):
    """Clusters far apart, of normal rows, and the cluster of each row."""
    centres = 100 * matrix(len(sizes), d, seed)
    rows = [centre + matrix(n, d, seed + n) for n, centre in zip(sizes, centres, strict=True)]
    return torch.cat(rows), np.repeat(np.arange(len(sizes)), sizes)
