"""scikit-learn's estimator checks, for every estimator of alkit that is a skorch network itself.

Those that hold one pass all checks, and are checked where their other tests are. skorch's networks set attributes in
``__init__`` and keep parameters that a signature does not name, so that they fail some, which are named here.
"""

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks
from torch import nn

from alkit import LearningLossClassifier, NetClassifier

SAMPLE_WEIGHT = "float32 and batches of another order: equal to rounding at best"
EXPECTED = {
    "check_no_attributes_set_in_init": "skorch's __init__ sets history_, initialized_ and virtual_params_",
    "check_set_params": "skorch's set_params reads attributes that the check overwrites with numbers",
    "check_dtype_object": "a network takes numbers; ours is a ValueError that says so",
    "check_classifier_data_not_an_array": "rows are of kinds that alkit.rows knows",
    "check_sample_weights_not_an_array": "rows are of kinds that alkit.rows knows",
    "check_sample_weight_equivalence_on_dense_data": SAMPLE_WEIGHT,
    "check_sample_weight_equivalence_on_sparse_data": SAMPLE_WEIGHT,
}


def rounded(estimator):
    """Name the checks that a network in float32 passes but for rounding."""
    return {name: reason for name, reason in EXPECTED.items() if "equivalence" in name}


class Net(nn.Sequential):
    """A hidden layer; its sizes come from the classifier."""

    def __init__(self, n_features, n_classes):
        super().__init__(nn.Linear(n_features, 32), nn.ReLU(), nn.Linear(32, n_classes))


BRIEF = {"lr": 0.02, "max_epochs": 30, "batch_size": 64, "random_state": 0}


@pytest.mark.slow
@parametrize_with_checks(
    [
        NetClassifier(Net, **BRIEF),
        LearningLossClassifier(Net, ["1"], **BRIEF),
    ],
    expected_failed_checks=lambda estimator: EXPECTED,
)
def test_scikit_learns_estimator_checks(estimator, check):
    check(estimator)
