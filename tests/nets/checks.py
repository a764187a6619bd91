"""scikit-learn's checks of estimators, run on networks."""

import torch


def run(check, estimator, **exact):
    """Run a check of scikit-learn on a network.

    Some ask for more digits than float32 has: they run in double precision. That rows of weight two are as two rows
    is asked, as scikit-learn does for estimators of its own (MLPClassifier by lbfgs), with parameters that leave no
    other difference: all rows in one batch, no dropout.
    """
    name = check.func.__name__
    if "sample_weight_equivalence" in name:
        estimator.set_params(**exact)
    elif name != "check_methods_subset_invariance":
        check(estimator)
        return
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        check(estimator)
    finally:
        torch.set_default_dtype(before)
