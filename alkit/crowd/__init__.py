"""Learning from people who err."""

from alkit.crowd.aggregation import dawid_skene, glad, mace, majority_vote, one_coin
from alkit.crowd.classifier import CrowdClassifier

__all__ = ["CrowdClassifier", "dawid_skene", "glad", "mace", "majority_vote", "one_coin"]
