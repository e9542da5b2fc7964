"""What all tabs share."""

from __future__ import annotations

from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Self

from exchange.html.templates import macro
from exchange.project import Project
from kkoracle.settings import StudioSettings
from kkoracle.studio.threads import ModelThread, SingleThread

if TYPE_CHECKING:
    from markupsafe import Markup


class Studio:
    """One archive's studio, or with no archive that of the scorers; use it as a context."""

    def __init__(self, project: Project, archive: str, settings: StudioSettings) -> None:
        self.project = project
        self.archive = archive
        self.directory = project.archive_dir(archive) if archive else project.data
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


# The studio's HTML, made by the macros of `templates/studio.html.j2`: every value stays text.

render = partial(macro, "kkoracle.studio", "studio.html.j2")


def note(message: object, kind: str = "note") -> Markup:
    """One line that says how things are; `kind` "wrong" for what a person has to put right."""
    return render("note", message, kind)
