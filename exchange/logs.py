"""How messages are written: for people, or as JSON lines for programs (`[log] format`)."""

from __future__ import annotations

import logging
import re
import secrets
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Literal
from urllib.parse import urlsplit

import orjson
from pydantic import Field

from exchange.settings import Config, SettingsTable
from exchange.text.controls import printable

# What a message may carry beside its text. Ids, codes and numbers: never text of a page or model.
EXTRA_FIELDS = ("archive", "task", "chunk", "worker", "state", "reason")
TEXT_FORMAT = "%(levelname)s %(message)s"


class LogSettings(SettingsTable):
    """[log]"""

    format: Literal["text", "json"] = Field(
        "text", description="json: one object a line, also of every task that ends"
    )
    level: Literal["", "debug", "info", "warning", "error"] = Field(
        "", description="the least that is written; empty: what the command takes for useful"
    )
    run: str = Field("", description="names this run in JSON lines; empty: made at every start")


def configure(config: Config, level: int) -> str:
    """Set logging up for this process; returns the run's name, for its children to share.

    Args:
        level: the least that is written as text, unless `[log] level` says; JSON lines have all
            from INFO on.

    Raises:
        UsageError: the settings are not valid.
    """
    settings = config.table("log", LogSettings)
    run = settings.run or secrets.token_hex(4)
    handler = logging.StreamHandler(sys.stderr)
    as_json = settings.format == "json"
    handler.setFormatter(JsonLinesFormatter(run) if as_json else TextFormatter(TEXT_FORMAT))
    usual = logging.INFO if as_json else level
    wanted = logging.getLevelNamesMapping()[settings.level.upper()] if settings.level else usual
    logging.basicConfig(level=wanted, handlers=[handler], force=True)
    return run


class TextFormatter(logging.Formatter):
    """For people; what a peer put into a message steers no terminal."""

    def format(self, record: logging.LogRecord) -> str:
        return printable(super().format(record))


class JsonLinesFormatter(logging.Formatter):
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
            "text": printable(record.getMessage()),
        }
        line |= {name: getattr(record, name) for name in EXTRA_FIELDS if hasattr(record, name)}
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return orjson.dumps(line, default=str).decode()


# What must never be shown or written down: passwords, keys, and addresses that hold them.

MASK = "***"
_SECRET_KEY = re.compile(r"(^|[_.-])(password|passwd|secret|token|(api_?|access_?)key)$")
_URL_KEY = re.compile(r"(^|[_.-])(url|webhook)$")
_URL_LOGIN = re.compile(r"(\w[\w+.-]*://)[^/@\s]+@")


def mask_setting(key: str, value: object) -> str:
    """A setting's value, fit to be shown; of an address only scheme, host and port.

    Args:
        key: its name, such as "redis.url".
    """
    name = key.lower().replace("-", "_")
    if value and _SECRET_KEY.search(name):
        return MASK
    return mask_url(str(value)) if value and _URL_KEY.search(name) else mask_logins(str(value))


def mask_url(url: str) -> str:
    """Where an address leads, without user, password, path or options; a socket with its path."""
    parts = urlsplit(url)
    if parts.scheme == "unix":
        return f"unix://{parts.path}"
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


def mask_logins(text: str) -> str:
    """Any text, without the logins of addresses in it."""
    return _URL_LOGIN.sub(rf"\1{MASK}@", text)


def mask_arguments(given: Sequence[str]) -> list[str]:
    """A command line's words: what follows an option that names a secret is masked."""
    shown: list[str] = []
    hidden = False
    for word in given:
        option, equals, _ = word.partition("=")
        if hidden:
            shown.append(MASK)
            hidden = False
        elif word.startswith("-") and _SECRET_KEY.search(option.lower().replace("-", "_")):
            shown.append(f"{option}={MASK}" if equals else word)
            hidden = not equals
        else:
            shown.append(mask_logins(word))
    return shown
