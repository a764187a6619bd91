"""Learning from, and asking, people who err.

- `CrowdClassifier`: a classifier that learns from several people's answers, and how each of them errs;
- `query_pairs`: which item to ask whom next;
- `majority_vote`, `dawid_skene`, `one_coin`, `glad`, `mace`: one label per item, without looking at the items.

What is not in ``__all__`` is private.
"""

from alkit.crowd.aggregation import dawid_skene, glad, mace, majority_vote, one_coin
from alkit.crowd.classifier import CrowdClassifier
from alkit.crowd.label_quality import label_quality
from alkit.crowd.pairs import query_pairs

__all__ = [
    "CrowdClassifier",
    "dawid_skene",
    "glad",
    "label_quality",
    "mace",
    "majority_vote",
    "one_coin",
    "query_pairs",
]
