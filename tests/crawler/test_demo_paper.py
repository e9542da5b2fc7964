"""The sample newspaper, crawled over HTTP: every shape's text equals what was printed."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from crawler.settings import CrawlSettings
from crawler.status.report import read_counters
from exchange.records import Story
from kkoracle.demo.newspaper import SampleNewspaper, build_newspaper
from tests.crawler.harness import make_project, stories
from tests.crawler.loopback import Answer, Loopback

SHAPES = ("tables", "storybody", "several", "modern")


class Crawled:
    """The newspaper, what was found, and what was asked for."""

    def __init__(self, folder: Path) -> None:
        from crawler.daemon import run_daemon

        self.newspaper: SampleNewspaper = build_newspaper(stories=64)
        routes = {
            url: Answer(page.body, kind=page.content_type)
            for url, page in self.newspaper.pages.items()
        }
        routes["/robots.txt"] = Answer("User-agent: *\nDisallow: /private/", kind="text/plain")
        with Loopback(routes) as site:  # type: ignore[arg-type]
            wanted = CrawlSettings(
                contact="tests@example.org", delay=0.0, base_url=site.url, min_free_mb=0
            )
            asyncio.run(run_daemon(make_project(folder), "demo", wanted, generate=False))
            self.asked = site.visits()
        self.counters = read_counters(folder / "demo")
        self.found: dict[tuple[str, str], Story] = {
            (s.title, s.published): s for s in stories(folder, "demo")
        }


@pytest.fixture(scope="module")
def crawled(tmp_path_factory: pytest.TempPathFactory) -> Crawled:
    return Crawled(tmp_path_factory.mktemp("demo"))


@pytest.mark.parametrize("shape", SHAPES)
def test_the_text_of_every_shape_is_exactly_what_was_printed(crawled: Crawled, shape: str) -> None:
    printed = [story for story in crawled.newspaper.stories if story.shape == shape]
    assert printed
    for story in printed:
        found = crawled.found[story.title, story.date.isoformat()]
        assert found.text == "\n\n".join(story.paragraphs)
        assert (found.section, found.author) == (story.section, story.author)
        assert not found.low_confidence


def test_every_story_is_found_once_and_nothing_else(crawled: Crawled) -> None:
    assert len(crawled.found) == len(crawled.newspaper.stories)
    assert not set(crawled.asked) & {f"/private/{n}.do" for n in ("login", "subscribers")}
    assert not [path for path in crawled.asked if "adjacent" in path or "pageNo=1" in path]


def test_no_page_is_asked_for_under_two_names(crawled: Crawled) -> None:
    assert max(crawled.asked.values()) == 1
    assert not set(crawled.asked) & set(crawled.newspaper.aliases)


def test_printed_word_counts_agree(crawled: Crawled) -> None:
    for story in crawled.newspaper.stories:
        found = crawled.found[story.title, story.date.isoformat()]
        if story.shape != "several":
            assert found.words_expected == len(found.text.split()) == story.words


def test_the_television_is_left_out_and_counted(crawled: Crawled) -> None:
    listings = [
        path
        for path in crawled.newspaper.leave_outs
        if path.startswith("/story.do?id=") and "publDate" not in path
    ]
    assert crawled.counters["reason.left-out-section"] == len(listings)
    assert not set(crawled.asked) & set(listings)  # the index says what they are
