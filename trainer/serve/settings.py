"""[serve]: where the endpoint listens and how much it takes on."""

from __future__ import annotations

from pydantic import Field

from exchange.settings import SettingsTable


class ServeSettings(SettingsTable):
    """The settings of `kkoracle serve`."""

    host: str = Field("127.0.0.1", description="address; another one needs an api_key")
    port: int = Field(8080, ge=0, le=65535, description="0: any that is free")
    api_key: str = Field("", description="asked of every client; better in the environment")
    scale: float = Field(
        1.0, gt=0, le=1, description="strength of the adapter; `evaluate --scales` compares some"
    )
    abstain: bool = Field(
        False,
        description="let the tuned model say that it does not know where it is not sure, by the "
        "threshold that `evaluate` fitted; its answers then come whole",
    )
    width: int = Field(
        16, ge=1, le=64, description="answers decoded together, of each model; memory grows with it"
    )
    waiting: int = Field(
        64, ge=0, description="requests that may wait for their turn; more are refused for now"
    )
    max_tokens: int = Field(
        512, ge=1, description="longest answer where the client names no length"
    )
    cache_mb: int = Field(
        1024, ge=0, description="memory for what went before in a chat, so that it is read once"
    )
