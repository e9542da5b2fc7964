"""Our crawl against Scrapy with JOBDIR, on one generated newspaper served on this machine.

Both follow links from lists only, obey robots.txt, keep as many requests under way, wait for
nothing, and must end with the same stories. Ratios are ours over Scrapy's, in processor time of
the whole command with all its processes, start-up included, the best of `--rounds` runs each; the
server is another process and not counted.

cpu_ratio_fetch      fetch, frontier and raw store; Scrapy writes the bodies without compressing
cpu_ratio_profile    fetch and text by an XPath profile, against Scrapy + trafilatura's fast mode
cpu_ratio_fallback   the same without a profile: our text, too, is trafilatura's
cpu_ratio_clusters   as profile, with near-duplicates found too, which Scrapy leaves to others
rss_ratio_1m         largest memory of a crawl that already knows a million other addresses
extract_growth       an extracting process after 20,000 pages over the same after 1,000 (in memory)
same_stories         1.0 when both stored every story, byte by byte (fetch) or with text
..._cpu_ms, ..._rss_mb   what the ratios are made of: per page, and in all
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from bench import peers, processes
from bench.crawl import commands, stored
from bench.crawl.serving import serve_site
from bench.crawl.site import pages, paragraphs
from bench.registry import BenchSettings, Figures

SEED = 7
NOT_FOR_JUDGING = ("cpu_ratio_*", "rss_ratio_1m", "*_cpu_ms", "*_rss_mb", "extract_growth")
STORIES, QUICK = 2000, 200
EXTRACTED, QUICK_EXTRACTED = 20_000, 2000
KNOWN, QUICK_KNOWN = 1_000_000, 20_000
CONCURRENCY = 16  # Scrapy's own default
ROUNDS = 5
_TURNS = (
    ("ours", "fetch"),
    ("scrapy", "fetch"),
    ("ours", "profile"),
    ("scrapy", "text"),
    ("ours", "fallback"),
    ("ours", "clusters"),
)


def options(parser: argparse.ArgumentParser) -> None:
    """Add the bench's own options."""
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"default: {ROUNDS}")
    parser.add_argument("--stories", type=int, help=f"default: {STORIES}, quick {QUICK}")


def run(args: argparse.Namespace, settings: BenchSettings) -> Figures:
    """Each side in turn; a crawl that did not store every story ends the bench."""
    from bench.crawl import growth

    stories = args.stories or (QUICK if settings.quick else STORIES)
    known = QUICK_KNOWN if settings.quick else KNOWN
    python = peers.python("scrapy", settings.log)
    with (
        tempfile.TemporaryDirectory(prefix="kk-bench-") as folder,
        serve_site(stories, SEED) as url,
    ):
        sides = _Contestants(Path(folder), url, python, stories, settings)
        cpu = dict.fromkeys(_TURNS, float("inf"))
        for turn in range(args.rounds):  # in turn, so that a machine's slow minute meets both
            for who, what in _TURNS:
                took = sides.crawl(who, what, turn).cpu_s
                cpu[who, what] = min(cpu[who, what], took)
        grown = Path(folder) / "growth"
        grown.mkdir()
        extracted = QUICK_EXTRACTED if settings.quick else EXTRACTED
        growing = growth.measure(grown, extracted, stories, SEED, settings.log)
        rss = {who: sides.knowing(who, known).rss_mb for who in ("ours", "scrapy")}
    served = pages(stories, SEED)
    requests = len(served)
    return {
        "stories": stories,
        "page_kb": round(sum(map(len, served.values())) / requests / 1024, 1),
        "concurrency": CONCURRENCY,
        "same_stories": 1.0,  # `_Sides` has looked
        "cpu_ratio_fetch": round(cpu["ours", "fetch"] / cpu["scrapy", "fetch"], 3),
        "cpu_ratio_profile": round(cpu["ours", "profile"] / cpu["scrapy", "text"], 3),
        "cpu_ratio_fallback": round(cpu["ours", "fallback"] / cpu["scrapy", "text"], 3),
        "cpu_ratio_clusters": round(cpu["ours", "clusters"] / cpu["scrapy", "text"], 3),
        **growing,
        "rss_ratio_1m": round(rss["ours"] / rss["scrapy"], 3),
        **{
            f"{who}_{what}_cpu_ms": round(1000 * seconds / requests, 2)
            for (who, what), seconds in cpu.items()
        },
        **{f"{who}_rss_mb": round(megabytes) for who, megabytes in rss.items()},
    }


class _Contestants:
    """Runs either side as a command of its own and looks at what it stored."""

    def __init__(
        self, folder: Path, url: str, python: Path, stories: int, settings: BenchSettings
    ) -> None:
        self._folder = folder
        self._url = url
        self._python = python
        self._stories = stories
        self._log = settings.log

    def crawl(self, who: str, what: str, turn: int) -> processes.ResourceUsage:
        """One crawl into an empty folder."""
        folder = self._folder / f"{who}-{what}-{turn}"
        folder.mkdir()
        return self._run(who, what, folder)

    def knowing(self, who: str, known: int) -> processes.ResourceUsage:
        """One crawl that fetches, where `known` addresses were seen before."""
        folder = self._folder / f"{who}-known"
        folder.mkdir()
        self._log(f"{who}: {known:,} known addresses")
        self._command(who, f"know-{known}", folder)
        return self._run(who, "fetch", folder)

    def _run(self, who: str, what: str, folder: Path) -> processes.ResourceUsage:
        taken = self._command(who, what, folder)
        self._check(who, what, folder)
        self._log(f"{who} {what}: {taken.cpu_s:.2f} s of processor, {taken.rss_mb:.0f} MB")
        return taken

    def _command(self, who: str, what: str, folder: Path) -> processes.ResourceUsage:
        chosen = (self._url, folder, CONCURRENCY, what)
        command = (
            commands.ours(*chosen) if who == "ours" else commands.scrapy(self._python, *chosen)
        )
        log = folder / "log"
        taken = processes.run(command, folder, processes.command_environment(), log)
        if taken.code:
            raise stored.StoredMismatch(
                f"{who} {what} ended with {taken.code}: {stored.last_line(log)}"
            )
        return taken

    def _check(self, who: str, what: str, folder: Path) -> None:
        found = stored.ours(folder, what) if who == "ours" else stored.scrapy(folder)
        if what == "fetch":
            wanted = pages(self._stories, SEED)
            stored.check_bodies(
                found,
                {f"/story/{n}": wanted[f"/story/{n}"] for n in range(self._stories)},
                f"{who} {what}",
            )
            return
        stored.check_texts(
            found,
            {f"/story/{n}": paragraphs(n, SEED) for n in range(self._stories)},
            f"{who} {what}",
        )
