"""Before a crawl asks for its first page: has the operator seen what the site says?

What was seen, and that it was confirmed, is kept in `opt-outs.json` beside the archive.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import getpass
import os
import socket
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urljoin

import orjson

from crawler.extract.charset import as_utf8
from crawler.extract.html import parse
from crawler.fetch.client import client_for
from crawler.fetch.hosts import HostTable
from crawler.fetch.response import FetchError
from crawler.fetch.throttle_pool import PoliteClient, ThrottlePool
from crawler.frontier.frontier import Frontier
from crawler.optout import signals
from crawler.optout.signals import OptOutSignal
from crawler.profile import Profile
from crawler.scope import CrawlScope
from crawler.settings import CrawlSettings
from exchange.errors import Busy, Unreachable, UsageError, UserError
from exchange.files import write_atomic
from exchange.lock import daemon_lock

CONSENT_FILE = "opt-outs.json"
SURVEY_FRESH_S = 86_400.0  # as robots.txt: asked again every day


@dataclass(frozen=True, slots=True)
class Consent:
    """The last survey, and what was confirmed."""

    looked_at: float
    signals: tuple[OptOutSignal, ...]
    accepted: tuple[OptOutSignal, ...] | None  # None: never confirmed
    accepted_at: str = ""
    how: str = ""
    who: str = ""  # the account that answered, and on which machine

    @property
    def is_fresh(self) -> bool:
        return 0 <= time.time() - self.looked_at < SURVEY_FRESH_S

    @property
    def unconfirmed(self) -> tuple[OptOutSignal, ...]:
        """Wishes that the operator has not confirmed; fewer than before need no new answer."""
        return tuple(signal for signal in self.signals if signal not in (self.accepted or ()))


def load_consent(directory: Path) -> Consent | None:
    """What is known of an archive's site; None when nobody has looked, or the file is broken."""
    try:
        raw = orjson.loads((directory / CONSENT_FILE).read_bytes())
        return Consent(
            float(raw["looked_at"]),
            _read_signals(raw["signals"]),
            None if raw["accepted"] is None else _read_signals(raw["accepted"]),
            str(raw["accepted_at"]),
            str(raw["how"]),
            str(raw.get("who", "")),
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None


def record_survey(directory: Path, signals: tuple[OptOutSignal, ...]) -> Consent:
    """Keep what a survey has found; what was confirmed before stays confirmed."""
    before = load_consent(directory) or Consent(0.0, (), None)
    return _save(directory, replace(before, looked_at=time.time(), signals=signals))


def record_acceptance(directory: Path, known: Consent, how: str) -> Consent:
    """Keep that the operator knows and goes on: who, when, how, and the words seen."""
    at = dt.datetime.now().astimezone().isoformat(timespec="seconds")
    return _save(
        directory, Consent(known.looked_at, known.signals, known.signals, at, how, _operator())
    )


def _operator() -> str:
    try:
        account = getpass.getuser()
    except (OSError, KeyError):  # an account without a name, as in some containers
        account = f"uid {os.getuid()}"
    return f"{account}@{socket.gethostname()}"


def _save(directory: Path, known: Consent) -> Consent:
    write_atomic(directory / CONSENT_FILE, orjson.dumps(known, option=orjson.OPT_INDENT_2))
    return known


def _read_signals(raw: list[dict[str, str]]) -> tuple[OptOutSignal, ...]:
    return tuple(OptOutSignal(str(item["where"]), str(item["says"])) for item in raw)


TDMREP = "/.well-known/tdmrep.json"
_UNREACHABLE = ("connect", "timeout", "broken")
MAX_TDMREP = 256 * 1024


async def survey_site(client: PoliteClient, urls: Sequence[str]) -> tuple[OptOutSignal, ...]:
    """All wishes against training that concern these addresses, each once, in a fixed order.

    Three requests at most: robots.txt, the first address, and tdmrep.json. What cannot be had
    says nothing, but a site that cannot be reached has not been looked at.

    Raises:
        UserError: the site cannot be reached.
    """
    url = urls[0]
    found = set(signals.from_robots(await client.robots(url), urls))
    try:
        page = await client.get(url)
    except FetchError as error:
        if error.reason in _UNREACHABLE:
            raise Unreachable(f"cannot reach {url} ({error.reason})") from None
    else:
        found |= set(
            signals.from_headers(page.response.headers.items() if page.response.headers else ())
        )
        found |= set(signals.from_page(parse(as_utf8(page.response.body, page.response.charset))))
    try:
        tdmrep = await client.get(urljoin(url, TDMREP), html=False, limit=MAX_TDMREP)
    except FetchError:
        pass
    else:
        for address in urls:
            found |= set(signals.from_tdmrep(tdmrep.response.body, address))
    return tuple(sorted(found))


FIRST_SURVEY_S = 600.0  # three requests, however long the delay that robots.txt asks for
NEXT_SURVEY_S = 60.0  # a known site that makes us wait longer is surveyed again at the next start


def confirm_opt_outs(
    directory: Path,
    archive: str,
    profile: Profile,
    settings: CrawlSettings,
    *,
    accept: bool,
    say: Callable[[str], None],
) -> None:
    """Survey the site once a day, show what is new, and let the operator confirm it.

    Args:
        accept: the operator confirms unseen (`--accept-opt-outs`); it is kept as such.
        say: where the report goes.

    Raises:
        UsageError: there is something to confirm and nobody to ask, or the answer is no.
    """
    known = load_consent(directory)
    if known is None:
        try:
            found = _survey_within(directory, profile, settings, FIRST_SURVEY_S)
        except Unreachable:
            if settings.source == "site":
                raise
            say(
                f"{archive}: the site cannot be reached any more; what its owner says on training "
                "models is yours to find out"
            )
            return
        known = record_survey(directory, found)
        if not known.signals:
            say(
                f"{archive}: no word against training models found (robots.txt, X-Robots-Tag, "
                "tdm-reservation)"
            )
    elif not known.is_fresh:
        try:
            known = record_survey(
                directory, _survey_within(directory, profile, settings, NEXT_SURVEY_S)
            )
        except UsageError:
            raise
        except UserError as error:  # a site that is away is waited for by the crawl
            say(f"{archive}: could not look again at what the site says on training ({error})")
    if not known.unconfirmed:
        return
    before = "" if known.accepted is None else "since you confirmed, this is new: "
    say(f"{archive}: {before}the site speaks against training models on its text:")
    for signal in known.unconfirmed:
        say(f"  {signal.where}: {signal.says}")
    say(
        "The crawl obeys robots.txt in any case. Whether you may train on the text depends on your "
        "licence and your law; see who decides before you go on."
    )
    how = "--accept-opt-outs" if accept else _ask_operator(archive)
    who = record_acceptance(directory, known, how).who
    say(f"confirmed by {who} ({how}); kept in {directory / CONSENT_FILE}")


def _ask_operator(archive: str) -> str:
    if not sys.stdin.isatty():
        raise UsageError(
            f"{archive}: the site's words above need your confirmation: run "
            f"`kkoracle crawl {archive}` in a terminal, or add --accept-opt-outs"
        )
    answer = input("Go on? [y/N] ")
    if answer.strip().lower() not in ("y", "yes", "ν", "ναι"):
        raise UsageError(f"{archive}: not confirmed, nothing was crawled")
    return f"asked, answered {answer.strip()!r}"


def require_still_confirmed(directory: Path, site: CrawlScope, robots: str) -> None:
    """While a crawl follows a site for months: nothing new may stand in its robots.txt.

    Raises:
        UsageError: it says something that was not confirmed.
    """
    known = load_consent(directory)
    if known is None:
        return
    for signal in signals.from_robots(robots, _addresses(site)):
        if signal not in (*known.signals, *(known.accepted or ())):
            raise UsageError(
                f"{site.origin}/robots.txt has changed: it {signal.says}; run the same command "
                "again to see and confirm it; nothing was lost"
            )


def _survey_within(
    directory: Path, profile: Profile, settings: CrawlSettings, longest: float
) -> tuple[OptOutSignal, ...]:
    try:
        return asyncio.run(asyncio.wait_for(_survey_archive(directory, profile, settings), longest))
    except TimeoutError:
        raise Busy(
            f"{profile.base} makes us wait (robots.txt cannot be had, or it paused us): try again "
            "later; no page was asked for"
        ) from None


async def _survey_archive(
    directory: Path, profile: Profile, settings: CrawlSettings
) -> tuple[OptOutSignal, ...]:
    """Under the daemon's lock, as what the host asks of us is kept for the crawl."""
    async with contextlib.AsyncExitStack() as stack:
        stack.enter_context(daemon_lock(directory))
        frontier = Frontier.open(directory)
        stack.callback(frontier.close)
        http = await stack.enter_async_context(client_for(profile, settings, concurrency=1))
        client = PoliteClient(http, ThrottlePool(http, HostTable.of(frontier), settings))
        return await survey_site(client, _addresses(CrawlScope(profile)))


def _addresses(site: CrawlScope) -> list[str]:
    """The front page, and a page of the archive's own kind: rules may differ between them."""
    first = next(site.starts(), None)
    dated = next((link for link in site.seeds(dt.date.today()) if link.issue), None)
    front = site.absolute(first.url) if first else site.profile.base
    return [front, *([site.absolute(dated.url)] if dated else [])]
