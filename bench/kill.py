"""SIGKILL of the crawl's daemon at random moments: nothing lost, nothing stored twice.

Each life of the daemon ends between its first request and a second and a half later; the last one
ends by itself. Then an undisturbed crawl of the sample newspaper, whose stories have many
addresses each, shows how many requests a story costs.

lost                stories of the site that the spool does not hold
stored_twice        stories that it holds more than once, and pages with more than one story
refetched_per_kill  requests beyond one an address, over the kills (refetch_limit: requests under
                    way and one batch)
requests_per_story  requests for pages that hold stories, over the stories found there
missed              stories of the sample newspaper that were not found
"""

from __future__ import annotations

import argparse
import random
import tempfile
import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import unquote, urlsplit

from bench.crawl import commands, stored
from bench.crawl.serving import read_requests, serve_site
from bench.registry import BenchSettings, Figures
from exchange.errors import ProgramFailed
from exchange.store.spool import Spool

SEED = 7
NOT_FOR_JUDGING = ("refetched_per_kill", "requests_per_story")
KILLS, QUICK_KILLS = 20, 3
STORIES, QUICK_STORIES = 2000, 300
DEMO_STORIES, QUICK_DEMO_STORIES = 320, 60
CONCURRENCY, DELAY_S = 8, 0.01
LIFE_S = 1.5
PATIENCE_S = 240


def options(parser: argparse.ArgumentParser) -> None:
    """Add the bench's own options."""
    parser.add_argument("--seed", type=int, default=SEED, help="of the moments of the kills")


def run(args: argparse.Namespace, settings: BenchSettings) -> Figures:
    """First the kills, then the undisturbed crawl."""
    quick = settings.quick
    with tempfile.TemporaryDirectory(prefix="kk-bench-") as name:
        folder = Path(name)
        (folder / "kill").mkdir()
        (folder / "demo").mkdir()
        killed = _kill(
            folder / "kill",
            QUICK_STORIES if quick else STORIES,
            QUICK_KILLS if quick else KILLS,
            args.seed,
            settings,
        )
        settings.log("the sample newspaper, undisturbed")
        calm = _undisturbed(folder / "demo", QUICK_DEMO_STORIES if quick else DEMO_STORIES)
    return {**killed, **calm, "kill_seed": args.seed}


def _kill(folder: Path, stories: int, kills: int, seed: int, settings: BenchSettings) -> Figures:
    from crawler.fetch.loop import BATCH

    moments = random.Random(seed)
    log = folder / "requests"
    with serve_site(stories, SEED, "--log", str(log)) as url:
        start = commands.CrawlCommand(
            commands.ours(url, folder, CONCURRENCY, "profile", DELAY_S), folder
        )
        try:
            done = 0
            while done < kills:
                process, before = start(), len(read_requests(log))
                while len(read_requests(log)) == before and process.poll() is None:
                    time.sleep(0.01)
                time.sleep(moments.uniform(0, LIFE_S))
                if process.poll() is not None:
                    raise ProgramFailed(
                        f"the crawl ended after {done} kills of {kills}: "
                        + stored.last_line(folder / "log")
                    )
                process.kill()
                process.wait()
                done += 1
                settings.log(f"kill {done} of {kills}, {len(read_requests(log))} requests so far")
            code = start().wait(PATIENCE_S)
        finally:
            start.end()
    if code:
        raise ProgramFailed(f"the last crawl ended with {code}: {stored.last_line(folder / 'log')}")
    found = _stories(folder)
    asked = Counter(one.path for one in read_requests(log) if one.path != "/robots.txt")
    return {
        "kills": kills,
        "stories": stories,
        "lost": len({f"/story/{n}" for n in range(stories)} - set(found)),
        "stored_twice": count_duplicates(found),
        "refetched_per_kill": round(count_repeats(asked.values()) / kills, 2),
        "refetch_limit": CONCURRENCY + BATCH,
    }


def _undisturbed(folder: Path, stories: int) -> Figures:
    from kkoracle.demo.newspaper import build_newspaper

    log = folder / "requests"
    with serve_site(stories, SEED, "--demo", "--log", str(log)) as url:
        start = commands.CrawlCommand(commands.ours(url, folder, CONCURRENCY, "demo"), folder)
        try:
            code = start().wait(PATIENCE_S)
        finally:
            start.end()
    if code:
        raise ProgramFailed(f"the crawl ended with {code}: {stored.last_line(folder / 'log')}")
    spool = Spool.read(folder / "paper")
    try:
        titles = {(story.title, story.published) for story in spool.stories()}
    finally:
        spool.close()
    newspaper = build_newspaper(SEED, stories)
    addresses = sum("edition" not in url for url in newspaper.pages)
    wanted = {(story.title, story.date.isoformat()) for story in newspaper.stories}
    asked = [one for one in read_requests(log) if _holds_stories(unquote(one.path))]
    return {
        "demo_stories": len(wanted),
        "addresses": addresses,
        "missed": len(wanted - titles),
        "requests_per_story": round(len(asked) / max(len(titles & wanted), 1), 3),
    }


def _holds_stories(path: str) -> bool:
    """Story pages in all their spellings, and newspaper pages but the first."""
    return any(name in path for name in ("/story.do", "/columnStory.do", "/adjacent.do")) or (
        "/page.do" in path
    )


def _stories(folder: Path) -> list[str]:
    """The path of each stored story, as often as it is stored."""
    spool = Spool.read(folder / "paper")
    try:
        return [urlsplit(story.url).path for story in spool.stories()]
    finally:
        spool.close()


def count_duplicates(found: Iterable[str]) -> int:
    """How many are there more than once."""
    return sum(count > 1 for count in Counter(found).values())


def count_repeats(counts: Iterable[int]) -> int:
    """Requests beyond the first of each address."""
    return sum(count - 1 for count in counts)
