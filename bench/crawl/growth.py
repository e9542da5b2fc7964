"""How an extracting process grows: what it holds after many pages over what it held after a few."""

from __future__ import annotations

import random
import subprocess
from pathlib import Path

from bench.crawl.site import pages
from bench.registry import Figures, Log
from crawler import profiles
from crawler.extract.pool import ExtractionPool
from crawler.frontier.frontier import Frontier
from crawler.records import FetchOutcome, Link

BEGUN = 0.05  # of the pages: everything is loaded by then
SIZES = [1] * 40 + [4, 16, 64]  # times as much text as a story has: some pages are large
_BATCH = 100


def measure(folder: Path, count: int, stories: int, seed: int, log: Log) -> Figures:
    """Extract `count` pages by a profile in one process, and look at its size on the way."""
    from bench.crawl.ours import PROFILE, SHAPE

    profile = profiles.parse(PROFILE + SHAPE, "growth")
    frontier = Frontier.open(folder)
    try:
        _store(frontier, count, list(pages(stories, seed).items()), random.Random(seed))
        ids = [row["id"] for row in frontier.db.execute("SELECT id FROM pages ORDER BY id")]
    finally:
        frontier.close()
    pool = ExtractionPool(folder, "growth", profile, processes=1, limit_s=60.0)
    sizes: list[float] = []
    try:
        for start in range(0, count, _BATCH):
            for _ in pool.run(ids[start : start + _BATCH]):
                pass
            if start + _BATCH >= BEGUN * count:
                sizes.append(_rss_mb(pool._processes[0].popen.pid))
    finally:
        pool.close()
    log(f"an extracting process: {sizes[0]:.0f} MB at first, {sizes[-1]:.0f} MB at last")
    return {
        "extract_pages": count,
        "extract_rss_mb": round(sizes[-1]),
        "extract_growth": round(max(sizes) / sizes[0], 3),
    }


def _store(
    frontier: Frontier, count: int, served: list[tuple[str, bytes]], dice: random.Random
) -> None:
    frontier.seed(Link(f"story:{n}", f"/story/{n}", "story") for n in range(count))
    bodies = [body for path, body in served if path.startswith("/story/")]
    while claims := frontier.claim(_BATCH):
        frontier.store(
            [
                FetchOutcome(
                    claim.id, "done", body=_longer(dice.choice(bodies), dice), has_story=True
                )
                for claim in claims
            ]
        )


def _longer(body: bytes, dice: random.Random) -> bytes:
    begin, mark, end = body.partition(b'<div class="text">')
    text = end.partition(b"</div>")[0]
    return begin + mark + text * (dice.choice(SIZES) - 1) + end


def _rss_mb(process: int) -> float:
    told = subprocess.run(
        ["ps", "-o", "rss=", "-p", str(process)], capture_output=True, text=True, check=True
    )
    return int(told.stdout) / 1024
