"""Addresses without end are said and slowed; one short page under many addresses is no story."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from pathlib import Path

import pytest
from aiohttp import web

from crawler.fetch import hosts
from crawler.frontier import yields
from crawler.frontier.yields import PageYields, family
from crawler.records import FetchOutcome
from crawler.status.report import read_counters
from tests.crawler.harness import PROFILE, crawl, run_crawl, settings, stories
from tests.crawler.loopback import Answer, Loopback, Route, index, paper, story
from tests.crawler.test_addresses import ANY, SessionPaper


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("story:5", "story"),
        ("page:/cal/2031/05", "page:/cal/#/*"),
        ("page:/s.php?id=5&x=7", "page:/s.php?id&x"),
        ("page:/story/5?x=7", "page:/story/#?x"),
        ("page:/2004/05/a-slug", "page:/#/#/*"),
    ],
)
def test_pages_that_are_made_alike_are_one_family(key: str, name: str) -> None:
    assert family(key) == name


async def asked_after_it_was_said(
    folder: Path, site: Loopback, caplog: pytest.LogCaptureFixture
) -> int:
    """How many pages are asked for in the second after it was said that they bring nothing."""
    wanted = settings(folder, site.url, ANY, delay=0.005)
    crawling = asyncio.create_task(run_crawl(folder, wanted))
    async with asyncio.timeout(40):
        while "in a row such as" not in caplog.text:
            assert not crawling.done(), crawling.exception()
            await asyncio.sleep(0.05)
    before = len(site.log)
    await asyncio.sleep(1.0)
    asked = len(site.log) - before
    crawling.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await crawling
    return asked


class Calendar(dict[str, Route]):
    """Every month leads to the next one, and to nothing else."""

    def get(self, path: str, default: object = None) -> Route | None:  # type: ignore[override]
        if not path.startswith("/cal?"):
            return super().get(path)
        month = int(path.partition("=")[2])
        return index(f"/cal?m={month + 1}", f"/cal?m={month + 2}", "/story/1")


def test_a_calendar_without_end_is_said_and_slowed_and_the_stories_are_had(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    site = Loopback({})
    site.routes = Calendar({"/": index("/cal?m=1", "/story/1"), "/story/1": story(1)})
    with site:
        assert asyncio.run(asked_after_it_was_said(tmp_path, site, caplog)) <= 20  # of 200
    assert "in a row such as /cal?m=" in caplog.text and "leave_out" in caplog.text
    assert [found.title for found in stories(tmp_path)] == ["Τίτλος 1"]
    assert read_counters(tmp_path / "paper")["slowed"] >= 1


def test_a_session_under_a_name_of_its_own_is_slowed(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    site = Loopback({})
    site.routes = SessionPaper(lambda n, visit: f"/story/{n}?visit={visit}")
    with site:
        assert asyncio.run(asked_after_it_was_said(tmp_path, site, caplog)) <= 20


def test_a_family_that_brings_a_story_again_is_no_longer_slow(tmp_path: Path) -> None:
    noted = PageYields()

    def note(page: int, *, new_story: bool) -> None:
        noted.note_fetched(FetchOutcome(page, "done"), [])
        noted.note_text(page, f"page:/s?n={page}", ["Νέα"] if new_story else [])

    for page in range(yields.FRUITLESS):
        note(page, new_story=False)
    assert noted._slow
    note(10**6, new_story=True)
    assert not noted._slow


WALL = "<html><h1>Ωχ</h1><p>Κάτι δεν πήγε καλά. Αριθμός 3f9ac2017be4.</p></html>"


def test_one_short_page_under_many_addresses_is_asked_for_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = itertools.count()

    def guarded(request: web.Request, nth: int) -> Answer:
        if 5 <= next(asked) < 25:
            return Answer(WALL.replace("3f9ac2017be4", f"{id(request):x}c0ffee1"))
        return story(int(request.path.rsplit("/", 1)[1]))

    links = [f"/story/{n}" for n in range(1, 41)]
    monkeypatch.setattr(hosts, "FIRST_PAUSE_S", 0.3)
    with Loopback(paper(*links) | dict.fromkeys(links, guarded)) as site:
        counters = crawl(tmp_path, site.url, PROFILE + "\n", tries=9)
    assert len(stories(tmp_path)) == 40
    assert counters["retry.blocked"] >= yields.SAME_PAGES


def test_what_a_site_says_where_it_has_nothing_holds_nobody_up_for_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    links = [f"/story/{n}" for n in range(1, 61)]
    nothing = {link: Answer("<p>Δεν υπάρχει.</p>") for link in links[20:]}
    monkeypatch.setattr(hosts, "FIRST_PAUSE_S", 0.05)
    with Loopback(paper(*links) | nothing) as site:
        counters = crawl(tmp_path, site.url, tries=9)
        assert len(site.log) < 160
    assert len(stories(tmp_path)) == 20
    assert counters["pages.done"] + counters.get("reason.blocked", 0) == 61
    assert counters["retry.blocked"] <= yields.WALL_PAUSES * yields.SAME_PAGES
