"""The address that 0.1.0 gave these functions; they are in `alkit.annotate.quality.agreement`."""

from alkit.annotate.quality.agreement import (
    cohen_kappa,
    count_labels,
    encode_labels,
    fleiss_kappa,
    krippendorff_alpha,
)

__all__ = [
    "cohen_kappa",
    "count_labels",
    "encode_labels",
    "fleiss_kappa",
    "krippendorff_alpha",
]
