"""Posterior sampling by MC dropout."""

from alkit.nets.mc_dropout.sampler import DropoutSampler

__all__ = ["DropoutSampler"]
