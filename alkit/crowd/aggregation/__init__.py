"""One label per item out of several people's answers, without looking at the items.

- `majority_vote`: what most people said;
- `dawid_skene`: each person has a confusion matrix, shrunk towards what all people's answers say;
- `one_coin`: each person has one accuracy;
- `glad`: each person has an ability, each item a difficulty;
- `mace`: each person either knows, or answers without looking.

Answers are an ``(N, A)`` array or DataFrame with one row per item and one column per annotator, where None or NaN is
"not asked"; or a DataFrame in long form with the columns ``item``, ``annotator`` and ``label``.
"""

from alkit.crowd.aggregation.dawid_skene import DawidSkene, dawid_skene
from alkit.crowd.aggregation.glad import Glad, glad
from alkit.crowd.aggregation.mace import Mace, mace
from alkit.crowd.aggregation.majority import MajorityVote, majority_vote
from alkit.crowd.aggregation.one_coin import OneCoin, one_coin

__all__ = [
    "DawidSkene",
    "Glad",
    "Mace",
    "MajorityVote",
    "OneCoin",
    "dawid_skene",
    "glad",
    "mace",
    "majority_vote",
    "one_coin",
]
