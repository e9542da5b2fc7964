"""Every table that `kkoracle.toml` may hold, and the model that checks it (imported when asked)."""

from __future__ import annotations

from importlib import import_module

from exchange.settings import Table

TABLES: dict[str, str] = {
    "": "exchange.settings:General",
    "redis": "exchange.settings:Redis",
    "persona": "exchange.settings:Persona",
    "power": "exchange.power:Power",
    "model": "exchange.models:Model",
    "crawl": "crawler.settings:Crawl",
    "work": "workers.settings:Work",
    "plan": "exchange.plan.settings:Plan",
    "dataset": "trainer.settings:Dataset",
    "train": "trainer.settings:Train",
    "score": "trainer.scorer.settings:Score",
    "evaluate": "trainer.evaluate.settings:Evaluate",
    "publish": "trainer.publish.settings:Publish",
    "serve": "trainer.serve.settings:Serve",
    "dashboard": "kkoracle.dashboard:Dashboard",
    "log": "exchange.logs:Log",
    "operate": "kkoracle.beside.settings:Operate",
    "ui": "kkoracle.studio.settings:Ui",
}


def model_of(table: str) -> type[Table]:
    """The pydantic model of one table."""
    module, _, name = TABLES[table].partition(":")
    found: type[Table] = getattr(import_module(module), name)
    return found
