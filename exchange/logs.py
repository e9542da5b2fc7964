"""How messages are written: for people, or as JSON lines for programs (`[log] format`)."""

from __future__ import annotations

import logging
import secrets
import sys
from datetime import UTC, datetime
from typing import Any, Literal

import orjson
from pydantic import Field

from exchange.settings import Config, Table

# What a message may carry beside its text. Ids, codes and numbers: never text of a page or model.
FIELDS = ("archive", "task", "chunk", "worker", "state", "reason")
TEXT = "%(levelname)s %(message)s"


class Log(Table):
    """[log]"""

    format: Literal["text", "json"] = Field(
        "text", description="json: one object a line, also of every task that ends"
    )
    run: str = Field("", description="names this run in JSON lines; empty: made at every start")


def configure(config: Config, level: int) -> str:
    """Set logging up for this process; returns the run's name, for its children to share.

    Args:
        level: the least that is written as text; JSON lines have all from INFO on.

    Raises:
        UsageError: the settings are not valid.
    """
    settings = config.table("log", Log)
    run = settings.run or secrets.token_hex(4)
    handler = logging.StreamHandler(sys.stderr)
    as_json = settings.format == "json"
    handler.setFormatter(JsonLines(run) if as_json else logging.Formatter(TEXT))
    logging.basicConfig(level=logging.INFO if as_json else level, handlers=[handler], force=True)
    return run


class JsonLines(logging.Formatter):
    """One object a line: when, how grave, whose, what; and the ids that it is about."""

    def __init__(self, run: str) -> None:
        super().__init__()
        self._run = run

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "run": self._run,
            "pid": record.process,
            "text": record.getMessage(),
        }
        line |= {name: getattr(record, name) for name in FIELDS if hasattr(record, name)}
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return orjson.dumps(line, default=str).decode()
