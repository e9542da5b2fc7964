"""What all tabs share."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from exchange.house import House
from kkoracle.studio.threads import ModelThread, OneThread


class Studio:
    """One archive's studio; use it as a context."""

    def __init__(self, house: House, archive: str, idle_s: float) -> None:
        self.house = house
        self.archive = archive
        self.directory = house.archive_dir(archive)
        self.records = OneThread("records")  # owns the connection to what people say
        self.models = ModelThread(house.data, idle_s)

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
