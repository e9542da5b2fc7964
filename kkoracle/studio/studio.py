"""What all tabs share."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from exchange.house import House
from kkoracle.studio.settings import Ui
from kkoracle.studio.threads import ModelThread, OneThread


class Studio:
    """One archive's studio; use it as a context."""

    def __init__(self, house: House, archive: str, settings: Ui) -> None:
        self.house = house
        self.archive = archive
        self.directory = house.archive_dir(archive)
        self.records = OneThread("records")  # owns the connection to what people say
        self.models = ModelThread(house.data, settings.idle_minutes * 60)
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
