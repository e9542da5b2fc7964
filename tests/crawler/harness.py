"""Run the daemon on a test's site, without generation: no Redis, no model."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from crawler.daemon import run_daemon
from crawler.settings import CrawlSettings
from crawler.status.report import read_counters
from exchange.errors import Stopped
from exchange.project import Project
from exchange.recipes.recipe import Recipe
from exchange.records import Story
from exchange.settings import Config, GeneralSettings, RedisSettings
from exchange.store.spool import Spool

PROFILE = """
name = "Δοκιμή"
language = "el"
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


def make_project(folder: Path, recipe: str = "aaaaaa") -> Project:
    return Project(
        Config({}, None, {}),
        GeneralSettings(data=folder),
        RedisSettings(),
        lambda: Recipe(recipe, "el/chunk", "0" * 12, "greedy", "tiny"),
    )


def settings(folder: Path, url: str, profile: str = PROFILE, **changes: Any) -> CrawlSettings:
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
    return CrawlSettings(**(values | changes))


async def run_crawl(folder: Path, wanted: CrawlSettings, **options: Any) -> int:
    """The exit code with which the command would end: 0, or 3 when it was stopped."""
    try:
        await run_daemon(make_project(folder), "paper", wanted, generate=False, **options)
    except Stopped as stopped:
        return stopped.exit_code
    return 0


def crawl(
    folder: Path, url: str, profile: str = PROFILE, *, retry_failed: bool = False, **changes: Any
) -> dict[str, int]:
    """Crawl to the end; returns the counters of the crawl."""
    wanted = settings(folder, url, profile, **changes)
    code = asyncio.run(asyncio.wait_for(run_crawl(folder, wanted, retry_failed=retry_failed), 60))
    assert code == 0
    return read_counters(folder / "paper")


def stories(folder: Path, archive: str = "paper") -> list[Story]:
    spool = Spool.read(folder / archive)
    try:
        return list(spool.stories())
    finally:
        spool.close()
