"""Tell a person who is away: it is done, it stalls, too much fails, the disk runs out.

A notice holds numbers, names of ours and what to do; never text of a page or a model, an address
with a password, or the webhook itself.
"""

from __future__ import annotations

import contextlib
import logging
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

import orjson

from exchange.display import MIB, format_bytes
from exchange.errors import UsageError
from kkoracle.settings import MonitorSettings
from kkoracle.status.problems import FAILING_LEAST
from kkoracle.status.records import Status

log = logging.getLogger(__name__)

TITLE = "kkoracle"
TIMEOUT_S = 10.0
REPEAT_S = 86_400.0  # what goes on being wrong is told once a day


@dataclass(frozen=True, slots=True)
class Notice:
    """One thing worth telling."""

    code: str  # a problem's, or `finished`, `failed-share`, `disk`
    text: str


class Notifier:
    """Tells each thing when it begins, and again a day later if it still is so.

    Raises:
        UsageError: the webhook is no web address.
    """

    def __init__(self, settings: MonitorSettings, archive: str) -> None:
        if settings.notify_webhook:
            parts = urlsplit(settings.notify_webhook)
            if parts.scheme not in ("http", "https") or not parts.hostname:
                raise UsageError("operate.notify_webhook is no web address (https://...)")
        self._settings = settings
        self._archive = archive
        self._told: dict[str, float] = {}
        self._worked = False

    def see(self, status: Status) -> list[Notice]:
        """Tell what is new; returns it."""
        if not self._settings.notify_desktop and not self._settings.notify_webhook:
            return []
        moment = time.monotonic()
        now = list(self._news(status))
        self._worked = self._worked or status.work_left
        self._told = {c: at for c, at in self._told.items() if c in {one.code for one in now}}
        fresh = [one for one in now if moment - self._told.get(one.code, -REPEAT_S) >= REPEAT_S]
        for one in fresh:
            self._told[one.code] = moment
            self._tell(one)
        return fresh

    def _news(self, status: Status) -> Iterator[Notice]:
        if self._worked and not status.work_left:
            pairs = status.pairs.accepted
            yield Notice("finished", f"{self._archive} is done: {pairs:,} pairs kept")
        for problem in status.problems:
            if problem.code != "stopped":  # it is being stopped by whoever reads this
                yield Notice(problem.code, f"{self._archive}: {problem.text}")
        for what, done, failed in (
            ("tasks", status.counters.get("tasks.done", 0), status.counters.get("tasks.failed", 0)),
            ("pages", status.pages.get("pages.done", 0), status.pages.get("pages.failed", 0)),
        ):
            share = failed / max(1, done + failed)
            if failed >= FAILING_LEAST and share > self._settings.notify_failed:
                yield Notice(f"failed-{what}", f"{self._archive}: {share:.0%} of the {what} failed")
        if status.machine.free_mb < self._settings.notify_disk_mb:
            yield Notice(
                "disk",
                f"{self._archive}: {format_bytes(status.machine.free_mb * MIB)} of disk are left",
            )

    def _tell(self, news: Notice) -> None:
        log.warning("%s", news.text)
        if self._settings.notify_desktop:
            _show_on_desktop(news.text)
        if self._settings.notify_webhook:
            _post_to_webhook(self._settings.notify_webhook, self._archive, news)


def desktop_command(text: str, platform: str = sys.platform) -> list[str]:
    """The command that shows a notice; the text is an argument, never part of a script."""
    if platform == "darwin":
        script = "on run argv\ndisplay notification (item 2 of argv) with title (item 1 of argv)"
        return ["osascript", "-e", f"{script}\nend run", TITLE, text]
    return ["notify-send", f"--app-name={TITLE}", "--", TITLE, text]


def _show_on_desktop(text: str) -> None:
    command = desktop_command(text)
    if shutil.which(command[0]) is None:
        log.debug("no %s here: no notice on the desktop", command[0])
        return
    with contextlib.suppress(OSError, subprocess.TimeoutExpired):
        subprocess.run(command, capture_output=True, timeout=TIMEOUT_S, check=False)


class _NoRedirect(HTTPRedirectHandler):
    """Notices go where they were told to, and nowhere else."""

    def redirect_request(self, *_: object) -> None:
        return None


def _post_to_webhook(url: str, archive: str, news: Notice) -> None:
    """Post `{"text": .., "code": .., "archive": .., "at": ..}`, which Slack and ntfy read too."""
    body = {
        "text": f"{TITLE}: {news.text}",
        "code": news.code,
        "archive": archive,
        "at": int(time.time()),
    }
    request = Request(url, orjson.dumps(body), {"Content-Type": "application/json"})
    try:
        build_opener(_NoRedirect).open(request, timeout=TIMEOUT_S).close()
    except HTTPError as error:
        log.warning("the webhook answered %s to a notice", error.code)
    except (OSError, ValueError) as error:
        log.warning("a notice could not be posted (%s)", type(error).__name__)
