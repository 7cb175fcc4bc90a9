"""Statistics of face comparisons: pure functions on arrays, frozen results, seeded generators."""

from facebench.statistics.folds import (
    THRESHOLD_RULES,
    FoldAccuracy,
    ThresholdRule,
    ten_fold_accuracy,
)
from facebench.statistics.intervals.exact import (
    Interval,
    bootstrap_over_subjects,
    tar_key,
    verification_intervals,
    wilson,
)
from facebench.statistics.paired import Difference, McNemar, mcnemar_exact
from facebench.statistics.roc import (
    OperatingPoint,
    PlotCurve,
    Roc,
    auc,
    curve_for_plot,
    eer,
    roc,
    tar_at_far,
)
from facebench.statistics.verification import (
    Separation,
    VerificationStatistics,
    verification_statistics,
)
from facebench.statistics.weighted import (
    Statistic,
    WeightedStatistic,
    accuracy_statistic,
    auc_statistic,
    eer_statistic,
    tar_statistic,
)

__all__ = [
    "THRESHOLD_RULES",
    "Difference",
    "FoldAccuracy",
    "Interval",
    "McNemar",
    "OperatingPoint",
    "PlotCurve",
    "Roc",
    "Separation",
    "Statistic",
    "ThresholdRule",
    "VerificationStatistics",
    "WeightedStatistic",
    "accuracy_statistic",
    "auc",
    "auc_statistic",
    "bootstrap_over_subjects",
    "curve_for_plot",
    "eer",
    "eer_statistic",
    "mcnemar_exact",
    "roc",
    "tar_at_far",
    "tar_key",
    "tar_statistic",
    "ten_fold_accuracy",
    "verification_intervals",
    "verification_statistics",
    "wilson",
]
