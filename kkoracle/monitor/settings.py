"""[operate]: what runs beside the daemon and the workers."""

from __future__ import annotations

from pydantic import Field

from exchange.settings import SettingsTable


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
