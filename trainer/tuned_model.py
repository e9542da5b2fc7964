"""A run's adapter and the model it was trained on, found and checked to belong together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from exchange.errors import UserError
from exchange.inference import models
from exchange.project import Project
from trainer.training import run_config
from trainer.training.row_selection import require_model
from trainer.training.run_config import RunConfig
from trainer.training.runs import CheckpointName, TrainingRun


@dataclass(frozen=True, slots=True)
class TunedModel:
    """Nothing is loaded yet."""

    run: TrainingRun
    config: RunConfig
    checkpoint: CheckpointName
    adapter: Path  # folder, in mlx-lm's layout
    base: Path  # folder of the model
    name: str  # the model as asked for: Hub name or folder

    @property
    def local(self) -> bool:
        """The model is a folder of this machine, not a name on the Hub."""
        return Path(self.name).expanduser().is_dir()

    @property
    def title(self) -> str:
        """The model's name, without where a folder lies: that is nobody else's business."""
        return Path(self.name).name if self.local else self.name


def find_tuned_model(
    project: Project,
    archive: str | None,
    run: str,
    checkpoint: CheckpointName = "last",
    language_model: models.ModelSettings | None = None,
    confirm: Callable[[str], bool] = lambda text: False,
) -> TunedModel:
    """Look up a run and its model.

    Args:
        language_model: default: the one of the settings.
        confirm: asked before a model is downloaded.

    Raises:
        UserError: no such run, no adapter yet, or another model than the adapter's.
    """
    found = TrainingRun(project.archive_dir(archive), run)
    adapter = found.adapter(checkpoint).resolve()  # "live" is a link, and moves on
    language_model = language_model or project.config.table("model", models.ModelSettings)
    base = models.locate(language_model, project.models, confirm)
    config = found.config()
    require_model(config, run, run_config.model_sha(base), language_model.name)
    return TunedModel(found, config, checkpoint, adapter, base, language_model.name)


def trained_on(folder: Path, model_sha: str) -> bool:
    """Whether a run's adapter belongs to this model, of which it is laid over the weights."""
    try:
        return TrainingRun(folder.parent.parent, folder.name).config().model_sha == model_sha
    except UserError:  # nothing says so
        return False
