"""What all tabs share."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from exchange.project import Project
from kkoracle.settings import StudioSettings
from kkoracle.studio.threads import ModelThread, SingleThread


class Studio:
    """One archive's studio; use it as a context."""

    def __init__(self, project: Project, archive: str, settings: StudioSettings) -> None:
        self.project = project
        self.archive = archive
        self.directory = project.archive_dir(archive)
        self.records = SingleThread("records")  # owns the connection to what people say
        self.models = ModelThread(project.data, settings.idle_minutes * 60)
        self.max_tokens = settings.max_tokens

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.models.close()
        self.records.close()
