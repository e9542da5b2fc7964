"""The dataset: accepted pairs, split by cluster, in files that mlx-lm and others read.

A split by pair would put a sibling of nine test questions in ten into train; here a cluster of
near-duplicate stories goes to one split as a whole, by a hash whose key stands in the manifest.
"""

from trainer.dataset.build import DatasetBuild, DatasetRequest, build_dataset
from trainer.dataset.manifest import Manifest
from trainer.dataset.rows import DatasetRow, read_split

__all__ = [
    "DatasetBuild",
    "DatasetRequest",
    "DatasetRow",
    "Manifest",
    "build_dataset",
    "read_split",
]
