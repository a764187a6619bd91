"""scikit-learn's estimator checks, for every estimator of alkit that is a skorch network itself.

Those that hold one pass all checks, and are checked where their other tests are. The two checks that fail here are
those that plain skorch fails too.
"""

import pytest
from sklearn.utils.estimator_checks import estimator_checks_generator, parametrize_with_checks
from skorch import NeuralNetClassifier
from torch import nn

from alkit import LearningLossClassifier, MultimodalClassifier, NetClassifier, NetRegressor
from alkit.nets.multimodal import MultimodalLearningLossClassifier
from tests.nets.checks import run

SKORCH = {
    "check_no_attributes_set_in_init": "skorch's __init__ sets history_, initialized_ and virtual_params_",
    "check_set_params": "skorch's set_params refuses numbers as callbacks at once, of which the check warns",
}


class Net(nn.Sequential):
    """A hidden layer; its sizes come from the estimator."""

    def __init__(self, n_features, n_outputs):
        super().__init__(nn.Linear(n_features, 32), nn.ReLU(), nn.Linear(32, n_outputs))


BRIEF = {"lr": 0.02, "max_epochs": 30, "batch_size": 64, "random_state": 0}


# The checks' matrices are of several widths, which a slice without an end leaves open.
WHOLE = {"all": slice(0, None)}


def skorchs_failures(estimator):
    return SKORCH


@pytest.mark.slow
@parametrize_with_checks(
    [
        NetClassifier(Net, **BRIEF),
        NetRegressor(Net, **BRIEF),
        LearningLossClassifier(Net, ["1"], **BRIEF),
        MultimodalClassifier(WHOLE, width=16, dropout=0.0, **BRIEF),
        MultimodalLearningLossClassifier(WHOLE, width=16, dropout=0.0, **BRIEF),
    ],
    expected_failed_checks=skorchs_failures,
)
def test_scikit_learns_estimator_checks(estimator, check):
    exact = {"batch_size": -1}
    if isinstance(estimator, LearningLossClassifier):
        # Pairs of rows teach the module that predicts losses, and repeated rows make other pairs: here it alone learns.
        exact["detach_after"] = 0
    run(check, estimator, **exact)


@pytest.mark.slow
@pytest.mark.parametrize("name", SKORCH)
def test_what_is_expected_to_fail_fails_with_plain_skorch(name):
    plain = NeuralNetClassifier(Net, verbose=0)
    (check,) = (check for _, check in estimator_checks_generator(plain) if check.func.__name__ == name)
    with pytest.raises((AssertionError, UserWarning)):
        check(plain)
