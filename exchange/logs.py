"""How messages are written: for people, or as JSON lines for programs (`[log] format`).

And how the files are kept small that a service, or a command started by another, writes them into.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import re
import secrets
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
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


# Files of messages. The writers hold them open for months, several of them one file, and whatever
# they run writes there, too: so a file is copied aside and emptied in its place, as `logrotate`
# does with `copytruncate`. Whoever appends goes on at its new end.

SUFFIX = ".log"
LOG_BYTES = 10_000_000  # a file that is larger is put aside
LOGS_KEPT = 3  # that were put aside: NAME.log.1 is the newest
LOOK_S = 60.0  # between two looks
_COPY_BYTES = 1 << 20


def keep_bounded(data: Path) -> None:
    """From now on keep the log small into which this process writes, if it is one of ours.

    Args:
        data: our folder; what stands elsewhere is its owner's.
    """
    ours = {path for path in map(_appended_file, (1, 2)) if path and path.is_relative_to(data)}
    logs = [path for path in ours if path.suffix == SUFFIX]
    if logs:
        threading.Thread(target=_watch, args=(logs,), name="logs", daemon=True).start()


def _watch(logs: Sequence[Path]) -> None:
    while True:
        for path in logs:
            bound_log(path)
        time.sleep(LOOK_S)


def bound_log(path: Path, most: int = LOG_BYTES, kept: int = LOGS_KEPT) -> bool:
    """Put a log aside that has become too large; returns whether it was.

    A line that is written in the microseconds between the last look and the cut may be lost. On a
    full disk nothing is done: nobody can write then, either.

    Args:
        most: bytes that it may have.
        kept: how many of before are kept.
    """
    with contextlib.suppress(OSError):
        if path.stat().st_size <= most:
            return False
        with path.open("r+b") as log:
            fcntl.flock(log, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.fstat(log.fileno()).st_size <= most:  # another one was first
                return False
            aside = [path.with_name(f"{path.name}.{number}") for number in range(1, kept + 1)]
            for older, newer in zip(aside[:0:-1], aside[-2::-1], strict=True):
                with contextlib.suppress(FileNotFoundError):
                    newer.replace(older)
            with aside[0].open("wb") as copy:
                for piece in _pieces(log):
                    copy.write(piece)
                copy.flush()
                copy.writelines(_pieces(log))
                log.truncate(0)
            return True
    return False


def _pieces(file: Any) -> Iterator[bytes]:
    while piece := file.read(_COPY_BYTES):
        yield piece


def _appended_file(descriptor: int) -> Path | None:
    """The file that is only appended to by this descriptor; None for all else."""
    try:
        if not fcntl.fcntl(descriptor, fcntl.F_GETFL) & os.O_APPEND:
            return None
        if sys.platform == "darwin":
            name = fcntl.fcntl(descriptor, fcntl.F_GETPATH, bytes(1024)).rstrip(b"\0").decode()
        else:
            name = str(Path(f"/proc/self/fd/{descriptor}").readlink())
        path = Path(name)
        same = os.path.samestat(path.stat(), os.fstat(descriptor))
    except (OSError, ValueError):
        return None
    return path if same and path.is_file() else None


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
