"""What is measured of answers, each metric with a signature of how its values come about."""

from __future__ import annotations

from trainer.evaluate.metrics.base import EvalMetric, MetricInput
from trainer.evaluate.metrics.measure import ALL_METRICS, measure

__all__ = ["ALL_METRICS", "EvalMetric", "MetricInput", "measure"]
