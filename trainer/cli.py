"""The trainer's part of the command line: every room registers its own commands."""

from __future__ import annotations

import typer

from trainer.chat import cli as chat
from trainer.dataset import cli as dataset
from trainer.evaluate import cli as evaluate
from trainer.promote import cli as promote
from trainer.publish import cli as publish
from trainer.review import cli as review
from trainer.scorer import cli as scorer
from trainer.serve import cli as serve
from trainer.training import cli as training


def register(app: typer.Typer) -> None:
    """Add the trainer's commands to the front door."""
    review.register(dataset.register(app))
    scorer.register(app)
    training.register(app)
    evaluate.register(app)
    promote.register(app)
    publish.register(app)
    serve.register(app)
    chat.register(app)
