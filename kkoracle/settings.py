"""Every table that `kkoracle.toml` may hold, and those of the front door's own."""

from __future__ import annotations

from importlib import import_module

from pydantic import Field

from exchange.settings import SettingsTable


class DashboardSettings(SettingsTable):
    """[dashboard]"""

    host: str = Field("127.0.0.1", description="address to listen on")
    port: int = Field(9181, ge=0, le=65535, description="port to listen on; 0 picks a free one")
    user: str = Field("kkoracle", description="user name, when there is a password")
    password: str = Field("", description="needed beyond loopback; better in the environment")


class MonitorSettings(SettingsTable):
    """[operate]"""

    keep_awake: bool = Field(True, description="keep this machine from sleeping while work is left")
    crawl_port: int = Field(
        0, ge=0, le=65535, description="port of the daemon's /metrics for Prometheus; 0: none"
    )
    work_port: int = Field(0, ge=0, le=65535, description="the same of `kkoracle work`; 0: none")
    metrics_host: str = Field("127.0.0.1", description="address that /metrics listens on")
    notify_desktop: bool = Field(
        False, description="show a notice when it is done, stalls or needs you"
    )
    notify_webhook: str = Field(
        "", description="post notices as JSON there; better in the environment"
    )
    notify_failed: float = Field(
        0.2, gt=0, le=1, description="share of failed tasks or pages that is worth a notice"
    )
    notify_disk_mb: int = Field(
        2000, ge=0, description="free disk below this is worth a notice; fetching still goes on"
    )


class StudioSettings(SettingsTable):
    """[ui]: the studio in a browser."""

    host: str = Field("127.0.0.1", description="address to listen on")
    port: int = Field(7860, ge=0, le=65535, description="port to listen on; 0 picks a free one")
    user: str = Field("kkoracle", description="user name, when there is a password")
    password: str = Field("", description="needed beyond loopback; better in the environment")
    public_url: str = Field(
        "",
        pattern=r"^(https?://[A-Za-z0-9.:\[\]-]+(/[A-Za-z0-9._~-]+)*/?)?$",
        description="where a proxy shows the studio to others: https://desk.example.org/archive",
    )
    max_tokens: int = Field(
        256, ge=1, le=4096, description="longest answer in Ask; one that rambles is cut there"
    )
    idle_minutes: float = Field(
        10, gt=0, description="a model that is not asked for so long leaves the memory"
    )


# The model that checks each table, imported when it is asked for.
TABLES: dict[str, str] = {
    "": "exchange.settings:GeneralSettings",
    "redis": "exchange.settings:RedisSettings",
    "persona": "exchange.settings:PersonaSettings",
    "power": "exchange.machine:PowerSettings",
    "model": "exchange.inference.models:ModelSettings",
    "crawl": "crawler.settings:CrawlSettings",
    "work": "workers.settings:WorkSettings",
    "plan": "exchange.planning.context:PlanSettings",
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


def field_names(table: str) -> list[str]:
    """The keys of one table."""
    return list(settings_model(table).model_fields)
