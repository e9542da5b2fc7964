"""Our crawl as a program of its own: the daemon itself, without generation.

    python -P ours.py URL FOLDER CONCURRENCY WHAT [DELAY]

WHAT is fetch; profile or fallback, for text too; clusters, for profile with near-duplicates found;
demo, for the sample newspaper; or know-N, which only makes N addresses known.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from pathlib import Path

from crawler.daemon import run_daemon
from crawler.frontier.frontier import Frontier
from crawler.records import Link
from crawler.settings import CrawlSettings
from exchange import signals
from exchange.project import Project
from exchange.recipes.recipe import Recipe
from exchange.settings import Config, GeneralSettings, RedisSettings

PROFILE = r"""
name = "Η Εφημερίδα"
language = "el"
base = "http://127.0.0.1:1"
start = ["/"]

[kinds.list]
role = "index"
path = '/list/(?P<n>\d+)'
key = ["n"]

[kinds.story]
role = "story"
path = '/story/(?P<id>\d+)'
key = ["id"]
"""
SHAPE = """
[[shapes]]
name = "article"
text = '//article/div[@class="text"]'
title = '//article/h1'
author = '//article/div[@class="sign"]'
"""


def main(url: str, folder: Path, concurrency: int, what: str, delay: float) -> int:
    """Crawl to the end, or with know-N only make N addresses known."""
    if what.startswith("know-"):
        frontier = Frontier.open(folder / "paper")
        frontier.seed(_known(int(what.removeprefix("know-"))))
        frontier.db.execute("UPDATE pages SET state='done'")
        frontier.close()
        return 0
    profile = folder / "profile.toml"
    profile.write_text(PROFILE + (SHAPE if what in ("profile", "clusters") else ""), "utf-8")
    config = Config(
        {
            "data": str(folder),
            "crawl": {
                "contact": "bench@example.org",
                "min_free_mb": 0,
                "delay": delay,
                "concurrency": concurrency,
                "base_url": url,
                "near_duplicates": what in ("clusters", "demo"),
                "profile": "demo" if what == "demo" else str(profile),
            },
        },
        None,
        {},
    )
    project = Project(
        config,
        config.table("", GeneralSettings),
        config.table("redis", RedisSettings),
        lambda: Recipe("000000", "", "", "", ""),
    )
    settings = config.table("crawl", CrawlSettings)
    asyncio.run(run_daemon(project, "paper", settings, extract=what != "fetch", generate=False))
    return 0


def _known(count: int) -> Iterator[Link]:
    return (Link(f"story:{n}", f"/story/{n}", "story", "", 1) for n in range(10**7, 10**7 + count))


if __name__ == "__main__":
    url, folder, concurrency, what, *rest = sys.argv[1:]
    delay = float(rest[0]) if rest else 0.0
    code = main(url, Path(folder), int(concurrency), what, delay)
    signals.end_process(code)  # as `kkoracle` does
