"""Where the studio listens."""

from __future__ import annotations

from pydantic import Field

from exchange.settings import SettingsTable


class StudioSettings(SettingsTable):
    """[ui]: the studio in a browser."""

    host: str = Field("127.0.0.1", description="address to listen on")
    port: int = Field(7860, ge=0, le=65535, description="port to listen on; 0 picks a free one")
    user: str = Field("kkoracle", description="user name, when there is a password")
    password: str = Field("", description="needed beyond loopback; better in the environment")
    max_tokens: int = Field(
        256, ge=1, le=4096, description="longest answer in Compare; one that rambles is cut there"
    )
    idle_minutes: float = Field(
        10, gt=0, description="a model that is not asked for so long leaves the memory"
    )
