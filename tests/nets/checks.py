"""Checks of scikit-learn that no network in float32 can pass."""

ROUNDING = "equal to 1e-6 in float32, the check asks for 1e-7; see tests/nets/training/test_sample_weight.py"
EQUIVALENCE = {
    "check_sample_weight_equivalence_on_dense_data": ROUNDING,
    "check_sample_weight_equivalence_on_sparse_data": ROUNDING,
}


def rounded(estimator):
    """Name the checks that a network passes but for rounding, and for the dropout of repeated rows."""
    return EQUIVALENCE


SUBSET = {
    "check_methods_subset_invariance": "a batch of another size rounds in another way: equal to 1e-6 in float32, given "
    "in the float64 of y, of which the check asks 1e-7"
}
