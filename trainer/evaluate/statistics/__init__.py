"""Every interval and every test of the project, on sufficient statistics.

Questions of one story rise and fall together, so nothing here looks at single questions: values
are summed by cluster once (`gather`), and means, ratios, their differences, bootstrap intervals and
the questions still needed are computed from these sums. Each module names its source. What the
intervals promise is checked by simulation: `python -m bench statistics`.
"""

from trainer.evaluate.statistics.bootstrap import Interval, bootstrap
from trainer.evaluate.statistics.clustered import (
    Estimate,
    Sums,
    clustered,
    design_effect,
    difference,
    gather,
    ratio,
)
from trainer.evaluate.statistics.flips import mcnemar
from trainer.evaluate.statistics.holm import holm
from trainer.evaluate.statistics.paired import FEW_CLUSTERS, Paired, compare
from trainer.evaluate.statistics.power import questions_needed
from trainer.evaluate.statistics.share import doubted, wilson
from trainer.evaluate.statistics.student import t_quantile, two_sided

__all__ = [
    "FEW_CLUSTERS",
    "Estimate",
    "Interval",
    "Paired",
    "Sums",
    "bootstrap",
    "clustered",
    "compare",
    "design_effect",
    "difference",
    "doubted",
    "gather",
    "holm",
    "mcnemar",
    "questions_needed",
    "ratio",
    "t_quantile",
    "two_sided",
    "wilson",
]
