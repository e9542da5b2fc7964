"""Every table that `kkoracle.toml` may hold, and those of the front door's own."""

from __future__ import annotations

from importlib import import_module
from typing import Self

from pydantic import Field, model_validator

from exchange.settings import Seconds, SettingsTable


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


_HOURS = r"([01]\d|2[0-3]):[0-5]\d"


class LiveSettings(SettingsTable):
    """[live]: when a morning begins, and what is kept of the earlier ones."""

    pairs: int = Field(
        500,
        ge=0,
        description="so many new pairs begin a morning, once nothing more comes; 0: no number does",
    )
    at: str = Field(
        "",
        pattern=rf"^({_HOURS})?$",
        description='local hour at which a morning begins with whatever is new, such as "05:00"; '
        "empty: at none",
    )
    settle: Seconds = Field(
        60, ge=1, description="so long nothing new has come before a number begins a morning"
    )
    quiet: str = Field(
        "",
        pattern=rf"^({_HOURS}-{_HOURS})?$",
        description='local hours in which no morning begins, such as "08:00-20:00"; [work] quiet '
        "names those without new pairs",
    )
    replay: float = Field(
        3.0, ge=0, le=100, description="old rows that are taught again for each new one"
    )
    keep: int = Field(7, ge=2, description="promoted runs that can be gone back to")
    disk_gb: float = Field(
        20.0,
        ge=0,
        description="disk that they may take; the one that answers and the one before always "
        "stay; 0: no bound",
    )

    @model_validator(mode="after")
    def _begins_at_all(self) -> Self:
        if not self.pairs and not self.at:
            raise ValueError("with pairs = 0 and no hour in `at` no morning would ever begin")
        return self


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
    "promote": "trainer.promote.settings:PromoteSettings",
    "live": "kkoracle.settings:LiveSettings",
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
