"""The address that 0.1.0 gave `DropoutSampler`; see `alkit.nets.mc_dropout`."""

from alkit.nets.mc_dropout import DropoutSampler

__all__ = ["DropoutSampler"]
