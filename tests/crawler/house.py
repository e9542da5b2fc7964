"""Run the daemon on a test's site, without generation: no Redis, no model."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from crawler.daemon import run
from crawler.report import read_counters
from crawler.settings import Crawl
from exchange.house import House, Recipe
from exchange.records import Story
from exchange.settings import Config, General, Redis
from exchange.spool import Spool

PROFILE = """
name = "Δοκιμή"
base = "http://127.0.0.1:1"
start = ["/"]

[kinds.list]
role = "index"
path = '/list/(?P<n>\\d+)'
key = ["n"]

[kinds.story]
role = "story"
path = '/story/(?P<id>\\d+)'
key = ["id"]

[[shapes]]
name = "plain"
text = '//div[@class="text"]'
title = '//h1'
"""


def open_house(folder: Path, recipe: str = "aaaaaa") -> House:
    return House(
        Config({}, None, {}),
        General(data=folder),
        Redis(),
        lambda: Recipe(recipe, "el/chunk", "0" * 12, "greedy", "tiny"),
    )


def settings(folder: Path, url: str, profile: str = PROFILE, **changes: Any) -> Crawl:
    path = folder / "profile.toml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(profile, "utf-8")
    values: dict[str, Any] = {
        "contact": "tests@example.org",
        "delay": 0.0,
        "retry_s": 0.05,
        "tries": 3,
        "min_free_mb": 0,
        "base_url": url,
        "profile": str(path),
    }
    return Crawl(**(values | changes))


async def crawling(folder: Path, wanted: Crawl, **options: Any) -> int:
    return await run(open_house(folder), "paper", wanted, generate=False, **options)


def crawl(
    folder: Path, url: str, profile: str = PROFILE, *, retry_failed: bool = False, **changes: Any
) -> dict[str, int]:
    """Crawl to the end; returns the counters of the crawl."""
    wanted = settings(folder, url, profile, **changes)
    code = asyncio.run(asyncio.wait_for(crawling(folder, wanted, retry_failed=retry_failed), 60))
    assert code == 0
    return read_counters(folder / "paper")


def stories(folder: Path, archive: str = "paper") -> list[Story]:
    spool = Spool.read(folder / archive)
    try:
        return list(spool.stories())
    finally:
        spool.close()
