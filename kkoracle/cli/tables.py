"""Every table that `kkoracle.toml` may hold, and the model that checks it (imported when asked)."""

from __future__ import annotations

from importlib import import_module

from exchange.settings import SettingsTable

TABLES: dict[str, str] = {
    "": "exchange.settings:GeneralSettings",
    "redis": "exchange.settings:RedisSettings",
    "persona": "exchange.settings:PersonaSettings",
    "power": "exchange.machine:PowerSettings",
    "model": "exchange.inference.models:ModelSettings",
    "crawl": "crawler.settings:CrawlSettings",
    "work": "workers.settings:WorkSettings",
    "plan": "exchange.planning.settings:PlanSettings",
    "dataset": "trainer.dataset.settings:DatasetSettings",
    "train": "trainer.training.settings:TrainSettings",
    "score": "trainer.scorer.settings:ScoreSettings",
    "evaluate": "trainer.evaluate.settings:EvaluateSettings",
    "publish": "trainer.publish.settings:PublishSettings",
    "serve": "trainer.serve.settings:ServeSettings",
    "dashboard": "kkoracle.settings:DashboardSettings",
    "log": "exchange.logs:LogSettings",
    "operate": "kkoracle.settings:MonitorSettings",
    "ui": "kkoracle.settings:StudioSettings",
}


def settings_model(table: str) -> type[SettingsTable]:
    """The pydantic model of one table."""
    module, _, name = TABLES[table].partition(":")
    found: type[SettingsTable] = getattr(import_module(module), name)
    return found
