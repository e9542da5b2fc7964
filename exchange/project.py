"""What every command is handed: the settings, the data directory, the chosen archive."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from exchange.errors import UsageError
from exchange.journal import JournalEntry
from exchange.records import ARCHIVE_PATTERN
from exchange.settings import (
    DEFAULT_LANGUAGE,
    Config,
    GeneralSettings,
    PersonaSettings,
    RedisSettings,
)

if TYPE_CHECKING:
    from exchange.inference.engine import Engine
    from exchange.metrics import MetricSource
    from exchange.recipes.recipe import Recipe

MODELS, REDIS, RUNS = "models", "redis", "runs"  # folders
DEFAULT_RUN = "default"


def run_dir(folder: Path, name: str = DEFAULT_RUN) -> Path:
    """Where a run's files are; `folder` is an archive's, or the scorers'."""
    return folder / RUNS / name


def runs_with(folder: Path, file: str) -> list[Path]:
    """Folders of the runs that hold this file, the one that wrote it last first."""
    written: list[tuple[float, Path]] = []
    for path in (folder / RUNS).glob("*"):
        with suppress(OSError):  # thrown away this very moment, or not begun
            written.append(((path / file).stat().st_mtime, path))
    return [path for _, path in sorted(written, reverse=True)]


@dataclass(slots=True)
class Project:
    """Built once by the front door and handed to each command as Typer's `ctx.obj`.

    `recipe` is given by the front door, since the crawler may not know the workers: it makes
    the recipe that the settings ask for, and `recipe_in_language` that for a newspaper's language.
    """

    config: Config
    general: GeneralSettings
    redis: RedisSettings
    recipe: Callable[[], Recipe]
    recipe_in_language: Callable[[str], Recipe] | None = None
    questions: Callable[[str], tuple[str, ...]] | None = None  # for replay, by language
    services: Callable[[Project, str, MetricSource | None], AbstractContextManager[None]] | None = (
        None
    )
    endpoint: Callable[[str, str, str, int], Engine] | None = None  # url, served as, key, width
    journal: JournalEntry = field(
        default_factory=JournalEntry
    )  # in the journal: commands tell it their metrics

    def background_services(
        self, archive: str, metrics: MetricSource | None = None
    ) -> AbstractContextManager[None]:
        """What runs beside a command of weeks: metrics, notices, a machine kept awake.

        Args:
            metrics: what a worker knows of itself; None for the archive's daemon.
        """
        return self.services(self, archive, metrics) if self.services else nullcontext()

    def recipe_for(self, language: str) -> Recipe:
        """The recipe for a newspaper in this language.

        Raises:
            UsageError: no prompt of the wanted name in that language.
        """
        return self.recipe_in_language(language) if self.recipe_in_language else self.recipe()

    def language(self, archive: str | None = None) -> str:
        """The language of an archive: what was settled as its first pages were read.

        Before that it is the persona's, or the default.

        Raises:
            UsageError: the persona's is set and is another, or papers differ.
        """
        own = self.config.table("persona", PersonaSettings).language
        found = self._settled_language(archive) if archive or self.general.archive else ""
        if own and found and own != found:
            raise UsageError(
                f'persona.language is "{own}" (from {self.config.sources["persona.language"]}) and '
                f'the language of the archive {self.archive(archive)} is "{found}" (its profile\'s '
                "`language`, or `import --language`): leave persona.language out, it follows"
            )
        return found or own or DEFAULT_LANGUAGE

    def _settled_language(self, archive: str | None) -> str:
        """What was settled for an archive, or for all that a dataset of several is made of."""
        from exchange.store.papers import papers_of
        from exchange.store.spool import FILE, Spool
        from exchange.store.tasks import settled_language

        directory = self.archive_dir(archive)
        found: dict[str, str] = {}  # language -> an archive
        for name in papers_of(directory) or (directory.name,):
            if (directory.parent / name / FILE).exists():
                spool = Spool.read(directory.parent / name)
                try:
                    found.setdefault(settled_language(spool), name)
                finally:
                    spool.close()
        if len(found) > 1:
            told = " and ".join(f"{name} is in {code!r}" for code, name in sorted(found.items()))
            raise UsageError(f"{directory.name} is of papers in several languages ({told})")
        return next(iter(found), "")

    @property
    def data(self) -> Path:
        """The data directory, absolute; relative paths count from the config file's folder."""
        base = self.config.path.parent if self.config.path else Path()
        return (base / self.general.data.expanduser()).resolve()

    def archive(self, name: str | None = None) -> str:
        """The archive a command works on.

        Raises:
            UsageError: none is named, or the name is not one of ours (this guards paths too).
        """
        chosen = name or self.general.archive
        if not chosen:
            raise UsageError(
                "which archive? name one, or set `archive` in kkoracle.toml "
                "(`kkoracle archive list` shows those known)"
            )
        if not ARCHIVE_PATTERN.fullmatch(chosen):
            raise UsageError(f"{chosen!r} is no archive name: lower-case letters, digits, - and _")
        return chosen

    def archive_words(self, name: str | None = None) -> str:
        """What stands behind a command that is told to somebody, so that it works on this archive.

        "" where the settings name it; else a blank and its name.
        """
        chosen = self.archive(name)
        return "" if chosen == self.general.archive else f" {chosen}"

    def require_place(self) -> None:
        """Refuse to begin something in a folder where nothing of ours is, or will be told to be.

        A command that needs no archive (`work`, `dashboard`) would make an empty data folder
        wherever it is typed, with a Redis that nobody else uses.

        Raises:
            UsageError: no config file, no data folder, and nobody named one or a Redis.
        """
        named = self.config.path or self.redis.url or self.config.sources["data"] != "default"
        if not named and not self.data.is_dir():
            raise UsageError(
                f"neither kkoracle.toml nor {self.general.data} is in {Path.cwd()}: go to your "
                "archive's folder, name its data with `kkoracle --data FOLDER`, or begin here with "
                "`kkoracle init`"
            )

    def archive_dir(self, name: str | None = None) -> Path:
        """Where one archive's files are: pages, spool, review, dataset, runs."""
        return self.data / self.archive(name)

    def newspaper_dir(self, name: str | None = None) -> Path:
        """The same for what is done for each newspaper by itself.

        Raises:
            UsageError: the name stands for several archives.
        """
        from exchange.store.papers import require_archive

        directory = self.archive_dir(name)
        require_archive(directory)
        return directory

    def run_dir(self, name: str = DEFAULT_RUN, archive: str | None = None) -> Path:
        """Where the files of one training run are."""
        return run_dir(self.archive_dir(archive), name)

    @property
    def models(self) -> Path:
        return self.data / MODELS

    @property
    def redis_dir(self) -> Path:
        return self.data / REDIS
