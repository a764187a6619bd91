"""The address that 0.1.0 gave these functions; they are in `alkit.annotate.quality.aggregation`."""

from alkit.annotate.quality.aggregation import DawidSkene, MajorityVote, dawid_skene, majority_vote

__all__ = [
    "DawidSkene",
    "MajorityVote",
    "dawid_skene",
    "majority_vote",
]
