"""The dataset: accepted pairs, split by cluster, in files that mlx-lm and others read.

A split by pair would put a sibling of nine test questions in ten into train; here a cluster of
near-duplicate stories goes to one split as a whole, by a hash whose key stands in the manifest.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from trainer.dataset.build import DatasetBuild, DatasetRequest, build_dataset
    from trainer.dataset.rows import DatasetRow, Manifest, read_chunks, read_split

__all__ = [
    "DatasetBuild",
    "DatasetRequest",
    "DatasetRow",
    "Manifest",
    "build_dataset",
    "read_chunks",
    "read_split",
]
_MODULES = dict.fromkeys(("Manifest", "DatasetRow", "read_chunks", "read_split"), "rows")


def __getattr__(name: str) -> Any:
    """The names above, imported when asked for: the command line only wants its flags."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES.get(name, 'build')}"), name)
