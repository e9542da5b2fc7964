"""The `[crawl]` table: who asks, how fast, from where."""

from __future__ import annotations

import datetime as dt
from typing import Literal

from pydantic import Field

from exchange.errors import UsageError
from exchange.settings import Seconds, SettingsTable

AGENT = "kkoracle"  # the product token that robots.txt rules are looked up by
VERSION = "0.1"


class CrawlSettings(SettingsTable):
    """[crawl]"""

    contact: str = Field("", description="your e-mail or web page; sent with every request")
    delay: float = Field(1.0, ge=0, le=3600, description="least seconds between two requests")
    jitter: float = Field(0, ge=0, le=2, description="lengthen gaps by up to this share, at random")
    latency_factor: float = Field(
        0, ge=0, le=50, description="wait this many times what answers take, if longer; 0: off"
    )
    concurrency: int = Field(4, ge=1, le=32, description="requests in flight at once")
    language: str = Field(
        "",
        pattern=r"^([a-z]{2,3})?$",
        description="of the newspaper, ISO 639, if the profile names none; empty: its pages'",
    )
    profile: str = Field(
        "", description="a profile's file or name; empty: the archive's name, or its NAME.toml here"
    )
    route: str = Field("", description="one of the profile's routes; `archive probe` says which")
    base_url: str = Field("", description="ask this address instead of the profile's base")
    source: Literal["site", "wayback"] = Field(
        "site", description="site; or wayback: what a web archive has of pages gone or paywalled"
    )
    wayback_url: str = Field(
        "https://web.archive.org", description="the web archive that source wayback asks"
    )
    captured_until: dt.date | None = Field(
        None, description="source wayback: last day of captures wanted, YYYY-MM-DD"
    )
    since: dt.date | None = Field(None, description="first issue wanted, YYYY-MM-DD")
    until: dt.date | None = Field(None, description="last issue wanted, YYYY-MM-DD")
    weekdays: tuple[Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"], ...] = Field(
        (), description='issues of these days only, as ["sat", "sun"]; empty: of every day'
    )
    by_year: bool = Field(False, description="take turns over the years, not one after the other")
    every: Seconds = Field(3600, ge=1, description="--follow looks this often: 30m, 1h, 1d")
    tries: int = Field(5, ge=1, le=20, description="times a failing page is asked for")
    retry_s: float = Field(30, gt=0, description="seconds to the first retry; then 4 times longer")
    share: float = Field(
        1.0,
        gt=0,
        le=100,
        description="of the workers, against the other archives of a Redis: 2 gets twice as much",
    )
    min_free_mb: int = Field(500, ge=0, description="pause fetching below this much free disk")
    extract_processes: int = Field(1, ge=1, le=16, description="processes that extract text")
    near_duplicates: bool = Field(True, description="find teasers and second editions; take one")
    extract_s: float = Field(20, gt=0, description="seconds that one page's extraction may take")


def user_agent(settings: CrawlSettings) -> str:
    """What we call ourselves: the site's owner must be able to reach whoever crawls.

    Raises:
        UsageError: no contact is set, or it is neither an e-mail nor a URL.
    """
    contact = settings.contact.strip()
    if not contact:
        raise UsageError(
            "crawling needs a contact that the site's owner can reach: set contact = "
            '"you@example.org" under [crawl] in kkoracle.toml, or give --contact'
        )
    reachable = "@" in contact or contact.startswith(("http://", "https://"))
    if not reachable or not contact.isascii() or not contact.isprintable() or " " in contact:
        raise UsageError(f"crawl.contact {contact!r} is neither an e-mail nor a web address")
    return f"{AGENT}/{VERSION} (+{contact})"
