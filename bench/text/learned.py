"""Layouts that no profile knows, through `kkoracle archive learn` alone."""

from __future__ import annotations

import asyncio
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web

from bench import processes
from bench.registry import Figures, Log
from bench.text import modern_layout, portal_layout
from bench.text.layouts import RandomLayout
from bench.text.measures import WordTally, worst
from crawler import profiles
from crawler.extract.page import PageReader, StoredPage
from crawler.scope import CrawlScope
from exchange.errors import ProgramFailed
from exchange.records import Story
from kkoracle.demo.newspaper import DemoStory


def measure(stories: list[DemoStory], seeds: Sequence[int], log: Log) -> Figures:
    """Learn each layout and read every story by what was learned."""
    log("archive learn on the layout kept aside")
    kept, fields = _learn(
        portal_layout.site(stories), portal_layout.url, portal_layout.paragraphs, stories
    )
    log("archive learn on a layout of today")
    tallies = [
        kept,
        _learn(modern_layout.site(stories), modern_layout.url, modern_layout.paragraphs, stories)[
            0
        ],
    ]
    for seed in seeds:
        log(f"archive learn on the made layout {seed}")
        layout = RandomLayout(seed)
        tallies.append(
            _learn(layout.site(stories), layout.url, lambda story: story.paragraphs, stories)[0]
        )
    recall, extra = worst(tallies)
    return {
        "learned_recall": round(recall, 4),
        "learned_extra": round(extra, 4),
        "learned_kept_aside": [round(kept.recall, 4), round(kept.extra, 4)],
        **{
            f"learned_{name}": round(fields[name] / len(stories), 4)
            for name in ("title", "date", "section", "author")
        },
        "learned_layouts": {
            name: [round(t.recall, 4), round(t.extra, 4)]
            for name, t in zip(("portal", "today", *map(str, seeds)), tallies, strict=True)
        },
    }


def _learn(
    site: dict[str, str],
    url: Callable[[DemoStory], str],
    printed: Callable[[DemoStory], tuple[str, ...]],
    stories: list[DemoStory],
) -> tuple[WordTally, Counter[str]]:
    with tempfile.TemporaryDirectory(prefix="kk-bench-") as folder, serving(site) as served:
        profile = profiles.parse(learn(served.url, Path(folder)).profile, "learned")
    reader, addresses = PageReader(profile, "learned"), CrawlScope(profile)
    tally: WordTally = WordTally()
    fields: Counter[str] = Counter()
    for story in stories:
        link = addresses.classify(url(story))
        found: list[Story] = []
        if link is not None:
            page = StoredPage(
                link.key, link.url, link.kind, "", None, "", site[url(story)].encode()
            )
            found = [made for made, *_ in reader.read(page).stories]
        tally.add(printed(story), "\n".join(made.text for made in found))
        if found:
            first = found[0]
            fields["title"] += first.title == story.title
            fields["date"] += first.published == story.date.isoformat()
            fields["section"] += first.section == story.section
            fields["author"] += first.author == story.author
    return tally, fields


@dataclass(frozen=True, slots=True)
class LearnedProfile:
    """What the command wrote, and what it took."""

    profile: str
    used: processes.ResourceUsage


def learn(base: str, folder: Path) -> LearnedProfile:
    """Run the command as a person does.

    Raises:
        ProgramFailed: it ended with another code than 0.
    """
    command = [sys.executable, "-m", "kkoracle", "archive", "learn", f"{base}/"]
    options = ["--out", "made.toml", "--contact", "bench@example.org", "--delay", "0"]
    log = folder / "learn.log"
    used = processes.run([*command, *options], folder, processes.command_environment(), log)
    if used.code:
        raise ProgramFailed(f"archive learn failed: {log.read_text('utf-8').strip()[-300:]}")
    return LearnedProfile((folder / "made.toml").read_text("utf-8"), used)


@dataclass(slots=True)
class LoopbackSite:
    """A site on this machine, and how often it was asked."""

    url: str = ""
    asked: int = 0


@contextmanager
def serving(site: dict[str, str]) -> Iterator[LoopbackSite]:
    """Serve pages on a free port of this machine, in a thread."""
    ready, loop = threading.Event(), asyncio.new_event_loop()
    stop = asyncio.Event()
    served = LoopbackSite()

    async def answer(request: web.Request) -> web.Response:
        served.asked += 1
        text = site.get(request.raw_path)
        if text is None:
            return web.Response(status=404, text="not here")
        return web.Response(text=text, content_type="text/html")

    async def serve() -> None:
        app = web.Application()
        app.router.add_get("/{path:.*}", answer)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        served.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        ready.set()
        await stop.wait()
        await runner.cleanup()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),), daemon=True)
    thread.start()
    ready.wait(10)
    try:
        yield served
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(10)
        loop.close()
