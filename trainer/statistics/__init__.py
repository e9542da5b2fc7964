"""Every interval and every test of the project, on sufficient statistics.

Questions of one story rise and fall together, so nothing here looks at single questions: values
are summed by cluster once (`gather`), and means, ratios, their differences, bootstrap intervals and
the questions still needed are computed from these sums. Each module names its source. What the
intervals promise is checked by simulation: `python -m bench statistics`.
"""

from trainer.statistics.calibration import (
    calibration_error,
    equal_size_bins,
    equal_width_bin,
    error_if_calibrated,
)
from trainer.statistics.clustered import (
    ClusteredEstimate,
    ClusterSums,
    clustered_mean,
    clustered_ratio,
    design_effect,
    difference,
    effective_freedom,
    sum_by_cluster,
    t_quantile,
    t_two_sided_p,
    wilson_interval,
    with_least_error,
    within_shares,
)
from trainer.statistics.paired import (
    FEW_CLUSTERS,
    BootstrapInterval,
    PairedDifference,
    bootstrap_interval,
    holm_adjust,
    mcnemar_p,
    paired_difference,
    questions_needed,
)

__all__ = [
    "FEW_CLUSTERS",
    "BootstrapInterval",
    "ClusterSums",
    "ClusteredEstimate",
    "PairedDifference",
    "bootstrap_interval",
    "calibration_error",
    "clustered_mean",
    "clustered_ratio",
    "design_effect",
    "difference",
    "effective_freedom",
    "equal_size_bins",
    "equal_width_bin",
    "error_if_calibrated",
    "holm_adjust",
    "mcnemar_p",
    "paired_difference",
    "questions_needed",
    "sum_by_cluster",
    "t_quantile",
    "t_two_sided_p",
    "wilson_interval",
    "with_least_error",
    "within_shares",
]
