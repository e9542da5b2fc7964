"""A project put together: what the rooms may not know of each other is given to them here."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Self, TypeVar

from exchange.inference.engine import Engine
from exchange.journal import JournalEntry
from exchange.metrics import MetricSource
from exchange.project import Project
from exchange.recipes.recipe import Recipe
from exchange.settings import (
    ENV_PREFIX,
    Config,
    GeneralSettings,
    RedisSettings,
    SettingsTable,
)
from kkoracle.settings import TABLES

T = TypeVar("T", bound=SettingsTable)


class ComposedProject(Project):
    """A project whose recipes, monitor and endpoints are those of the rooms."""

    __slots__ = ()

    @classmethod
    def open(
        cls,
        config: Path | str | None = None,
        *,
        data: Path | str | None = None,
        archive: str | None = None,
        settings: Mapping[str, object] | None = None,
    ) -> Self:
        """Open a project; nothing is written yet.

        Args:
            config: a config file; default: KKORACLE_CONFIG, else `kkoracle.toml` here, if any.
            data: the data folder.
            archive: the one that the stages work on by default.
            settings: others, by their dotted names: `{"crawl.delay": 2}`.

        Raises:
            UsageError: no such file, it is no TOML, or a table or key is unknown.
        """
        env = dict(os.environ)
        for name, value in (settings or {}).items():
            env[ENV_PREFIX + name.replace(".", "_").upper()] = as_variable(value)
        found = Config.find(Path(config) if config else None, env)
        flags = {"data": Path(data).absolute() if data else None, "archive": archive}
        return cls.of(found, flags)

    @classmethod
    def of(
        cls, config: Config, flags: Mapping[str, Any], entry: JournalEntry | None = None
    ) -> Self:
        """The project of a config that was read.

        Args:
            flags: of the keys at the top of the file.
            entry: in the journal, where commands put their figures.
        """
        config.check_tables(list(TABLES))
        return cls(
            config=config,
            general=config.table("", GeneralSettings, flags),
            redis=config.table("redis", RedisSettings),
            recipe=lambda: _recipe(config),
            recipe_in_language=lambda language: _recipe(config, language),
            questions=_general_questions,
            services=_monitor,
            endpoint=_endpoint_engine,
            journal=entry or JournalEntry(),
        )

    def _table(self, name: str, model: type[T], flags: Mapping[str, Any]) -> T:
        unknown = [key for key in flags if key not in model.model_fields]
        if unknown:
            raise TypeError(f"[{name}] has no setting {', '.join(unknown)}")
        return self.config.table(name, model, flags)


def as_variable(value: object) -> str:
    """A setting as the environment writes it; a list with commas."""
    if isinstance(value, (tuple, list)):
        return ",".join(map(str, value))
    return str(value)


def _recipe(config: Config, language: str = "") -> Recipe:
    from workers.settings import current_recipe

    return current_recipe(config, language)


def _monitor(
    project: Project, archive: str, figures: MetricSource | None
) -> AbstractContextManager[None]:
    from kkoracle.monitor import monitor

    return monitor.monitor_command(project, archive, figures)


def _general_questions(language: str) -> tuple[str, ...]:
    from exchange.recipes import prompts

    return prompts.general_questions(language)


def _endpoint_engine(url: str, served_as: str, api_key: str, width: int) -> Engine:
    """An OpenAI-compatible endpoint that an evaluation asks, greedily."""
    from exchange.inference.openai_engine import OpenAIEngine

    return OpenAIEngine(
        url,
        name=served_as,
        served_as=served_as,
        width=width,
        api_key=api_key,
        temperature=0.0,
        table="evaluate",
    )
