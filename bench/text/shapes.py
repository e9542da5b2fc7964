"""The sample newspaper's four shapes, read by the demo's profile and by trafilatura."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from bench.registry import Figures
from bench.text.measures import WordTally, worst
from crawler import profiles
from crawler.extract.charset import decode
from crawler.extract.page import PageReader, StoredPage
from crawler.scope import CrawlScope
from exchange.records import Story
from kkoracle.demo.newspaper import DemoStory, SampleNewspaper


class _CpuTimer:
    def __init__(self) -> None:
        self.seconds = 0.0

    @contextmanager
    def running(self) -> Iterator[None]:
        begun = time.process_time()
        yield
        self.seconds += time.process_time() - begun


def measure(newspaper: SampleNewspaper) -> Figures:
    """Figures of the profile and of the peer, the worst shape first, each shape beside."""
    from trafilatura import extract

    profile = profiles.builtin()["demo"]
    reader, site = PageReader(profile, "demo"), CrawlScope(profile)
    by_page: dict[str, list[DemoStory]] = defaultdict(list)
    for story in newspaper.stories:
        by_page[newspaper.addresses[story.id].partition("#")[0]].append(story)
    ours = {shape: WordTally() for shape in dict.fromkeys(s.shape for s in newspaper.stories)}
    full, fast = ({shape: WordTally() for shape in ours} for _ in range(2))
    clocks = {"profile": _CpuTimer(), "trafilatura": _CpuTimer(), "trafilatura_fast": _CpuTimer()}
    right = 0
    for url, printed in by_page.items():
        shape = printed[0].shape
        link = site.classify(url, issue=printed[0].date.isoformat())
        assert link is not None
        body = newspaper.pages[url].body
        page = StoredPage(link.key, url, link.kind, link.issue, None, "", body)
        with clocks["profile"].running():
            stories = [story for story, *_ in reader.read(page).stories]
        paragraphs = [paragraph for story in printed for paragraph in story.paragraphs]
        ours[shape].add(paragraphs, "\n".join(story.text for story in stories))
        right += _right(printed, stories)
        for name, tallies, quick in (
            ("trafilatura", full, False),
            ("trafilatura_fast", fast, True),
        ):
            with clocks[name].running():
                text = _peer(extract, decode(body), quick)
            tallies[shape].add(paragraphs, text)
    recall, extra = worst(ours.values())
    full_worst, fast_worst = worst(full.values()), worst(fast.values())
    return {
        "paragraph_recall": round(recall, 4),
        "extra": round(extra, 4),
        "stories_right": round(right / len(newspaper.stories), 4),
        "trafilatura_recall": round(full_worst[0], 4),
        "trafilatura_extra": round(full_worst[1], 4),
        "trafilatura_fast_recall": round(fast_worst[0], 4),
        "trafilatura_fast_extra": round(fast_worst[1], 4),
        "shapes": {
            shape: {
                name: [round(t[shape].recall, 4), round(t[shape].extra, 4)]
                for name, t in (("profile", ours), ("trafilatura", full), ("fast", fast))
            }
            for shape in ours
        },
        **{f"{name}_ms": round(1000 * c.seconds / len(by_page), 3) for name, c in clocks.items()},
    }


def _peer(extract: Callable[..., Any], text: str, quick: bool) -> str:
    return extract(text, include_comments=False, fast=quick) or ""


def _right(printed: list[DemoStory], found: list[Story]) -> int:
    wanted = {
        (s.title, s.date.isoformat(), s.section, s.author, "\n\n".join(s.paragraphs))
        for s in printed
    }
    return len(wanted & {(s.title, s.published, s.section, s.author, s.text) for s in found})
