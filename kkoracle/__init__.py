"""The front door: one command line and one Python API over crawler, workers and trainer.

It composes the stages and holds no logic of any of them. `from kkoracle import Project, Scorer`
is the API (docs/python.md); what it needs is imported when it is asked for.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from exchange.errors import Stopped, UsageError, UserError
    from kkoracle.api import OracleProject as Project
    from kkoracle.scorer import AnswerScorer as Scorer

__version__ = "0.2.0"
__all__ = ["Project", "Scorer", "Stopped", "UsageError", "UserError", "__version__"]
_PLACES = {
    "Project": ("kkoracle.api", "OracleProject"),
    "Scorer": ("kkoracle.scorer", "AnswerScorer"),
    "Stopped": ("exchange.errors", "Stopped"),
    "UsageError": ("exchange.errors", "UsageError"),
    "UserError": ("exchange.errors", "UserError"),
}


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, attribute = _PLACES[name]
    return getattr(import_module(module), attribute)
