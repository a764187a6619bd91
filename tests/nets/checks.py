"""scikit-learn's checks of estimators, run on networks."""

import torch


def run(check, estimator, **exact):
    """Run a check of scikit-learn on a network.

    That rows of weight two are as two rows is asked to ten digits. As scikit-learn does for estimators of its own
    (MLPClassifier by lbfgs), the network is asked it with parameters that leave no other difference: all rows in one
    batch, no dropout, double precision.
    """
    if "sample_weight_equivalence" not in check.func.__name__:
        check(estimator)
        return
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        check(estimator.set_params(**exact))
    finally:
        torch.set_default_dtype(before)
