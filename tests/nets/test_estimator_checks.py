"""scikit-learn's estimator checks, for every estimator of alkit that is a skorch network itself.

Those that hold one pass all checks, and are checked where their other tests are. Checks that fail are named here, with
the reason: plain skorch fails those of ``__init__`` and `set_params` too, and takes no ``sample_weight``.
"""

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks
from torch import nn

from alkit import LearningLossClassifier, MultimodalClassifier, NetClassifier, NetRegressor
from alkit.nets.multimodal import MultimodalLearningLossClassifier
from tests.nets.checks import EQUIVALENCE, SUBSET

EXPECTED = {
    "check_no_attributes_set_in_init": "skorch's __init__ sets history_, initialized_ and virtual_params_",
    "check_set_params": "skorch's set_params reads attributes that the check overwrites with numbers",
    **EQUIVALENCE,
}

PAIRS = "pairs of rows teach the module that predicts losses, and repeated rows make other pairs"
NOT_EQUIVALENT = dict.fromkeys(EQUIVALENCE, PAIRS)
# rows are a dict by modality inside, whatever they came as
MODALITIES = {
    "check_n_features_in_after_fitting": "modalities have a shape each, and no one number of features",
    "check_n_features_in": "modalities have a shape each, and no one number of features",
    "check_estimators_empty_data_messages": "the error names the modality that has no columns, in other words",
    "check_estimators_pickle": "NaN is a missing modality, and a row that lacks all of them is refused",
}


def expected_failures(estimator):
    """Name the checks that an estimator fails, and why."""
    pairs = NOT_EQUIVALENT if isinstance(estimator, LearningLossClassifier) else {}
    modalities = MODALITIES if isinstance(estimator, MultimodalClassifier) else {}
    rounding = SUBSET if isinstance(estimator, NetRegressor) else {}
    return EXPECTED | pairs | modalities | rounding


class Net(nn.Sequential):
    """A hidden layer; its sizes come from the estimator."""

    def __init__(self, n_features, n_outputs):
        super().__init__(nn.Linear(n_features, 32), nn.ReLU(), nn.Linear(32, n_outputs))


BRIEF = {"lr": 0.02, "max_epochs": 30, "batch_size": 64, "random_state": 0}


# The checks' matrices are of several widths, which a slice without an end leaves open.
WHOLE = {"all": slice(0, None)}


@pytest.mark.slow
@parametrize_with_checks(
    [
        NetClassifier(Net, **BRIEF),
        NetRegressor(Net, **BRIEF),
        LearningLossClassifier(Net, ["1"], **BRIEF),
        MultimodalClassifier(WHOLE, width=16, dropout=0.0, **BRIEF),
        MultimodalLearningLossClassifier(WHOLE, width=16, dropout=0.0, **BRIEF),
    ],
    expected_failed_checks=expected_failures,
)
def test_scikit_learns_estimator_checks(estimator, check):
    check(estimator)
