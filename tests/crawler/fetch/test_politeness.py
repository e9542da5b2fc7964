from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
from itertools import pairwise
from pathlib import Path

from aiohttp import web

from tests.crawler.harness import crawl, run_crawl, settings, stories
from tests.crawler.loopback import Answer, Loopback, paper, story

STORIES = [f"/story/{number}" for number in range(1, 11)]


def gaps(times: list[float]) -> list[float]:
    return [later - earlier for earlier, later in pairwise(times)]


def test_requests_keep_their_distance_and_never_come_in_a_burst(tmp_path: Path) -> None:
    with Loopback(paper(*STORIES)) as site:
        crawl(tmp_path, site.url, delay=0.12, concurrency=4)
        seen = gaps(site.times())
    assert len(seen) == 11
    assert min(seen) > 0.12 * 0.5  # the bench measures how exactly
    assert sum(seen) / len(seen) > 0.12 * 0.95


def test_the_sites_own_delay_counts_when_it_is_longer(tmp_path: Path) -> None:
    rules = Answer("User-agent: *\nCrawl-delay: 0.15", kind="text/plain")
    with Loopback(paper(*STORIES[:6]) | {"/robots.txt": rules}) as site:
        crawl(tmp_path, site.url, delay=0.01)
        assert min(gaps(site.times())) > 0.15 * 0.5


def test_jitter_lengthens_gaps_and_never_shortens_one(tmp_path: Path) -> None:
    with Loopback(paper(*STORIES)) as site:
        # So long that a request which a busy machine sees late makes no short gap behind it.
        crawl(tmp_path, site.url, delay=0.2, jitter=1.0, concurrency=4)
        seen = gaps(site.times())
    assert min(seen) > 0.2 * 0.5
    assert sum(seen) / len(seen) > 0.2 * 1.2


def test_requests_say_who_asks_and_send_no_cookies(tmp_path: Path) -> None:
    start = paper("/story/1")["/"]
    assert isinstance(start, Answer)
    greedy = Answer(start.body, headers={"Set-Cookie": "a=b"})
    with Loopback(paper("/story/1") | {"/": greedy}) as site:
        crawl(tmp_path, site.url)
        for _, _, headers in site.log:
            assert headers["User-Agent"].endswith("(+tests@example.org)")
            assert "Cookie" not in headers


def test_retry_after_is_obeyed_across_a_restart(tmp_path: Path) -> None:
    def busy(request: web.Request, nth: int) -> Answer:
        if nth == 1:
            return Answer("later", 429, headers={"Retry-After": "3"})
        return story(1)

    async def for_a_moment(url: str) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(run_crawl(tmp_path, settings(tmp_path, url)), 1.0)

    with Loopback(paper(*STORIES) | {"/story/1": busy}) as site:
        asyncio.run(for_a_moment(site.url))
        refused = next(at for at, path, _ in site.log if path == "/story/1")
        before = len(site.log)
        counters = crawl(tmp_path, site.url)
        after = [at for at, _, _ in site.log[before:]]
    assert min(after) - refused >= 3.0
    assert counters["retry.http-429"] >= 1
    assert len(stories(tmp_path)) == 10


def test_a_robots_file_that_fails_is_waited_for_and_nothing_else_is_asked(tmp_path: Path) -> None:
    def moody(request: web.Request, nth: int) -> Answer:
        if nth == 1:
            return Answer("", 503, headers={"Retry-After": "1"})
        return Answer("User-agent: *\nDisallow: /story/2", kind="text/plain")

    with Loopback(paper("/story/1", "/story/2") | {"/robots.txt": moody}) as site:
        crawl(tmp_path, site.url)
        assert [path for _, path, _ in site.log[:3]] == ["/robots.txt", "/robots.txt", "/"]
        assert site.log[1][0] - site.log[0][0] >= 1.0
    assert len(stories(tmp_path)) == 1


def hours(begin: int, end: int) -> Answer:
    """Rules that let us in between two moments, in hours from now."""
    now = dt.datetime.now(dt.UTC)
    first, last = (now + dt.timedelta(hours=hour) for hour in (begin, end))
    return Answer(f"User-agent: *\nVisit-time: {first:%H%M}-{last:%H%M}", kind="text/plain")


def test_within_visit_time_all_is_asked_for(tmp_path: Path) -> None:
    with Loopback(paper(*STORIES[:2]) | {"/robots.txt": hours(-2, 2)}) as site:
        crawl(tmp_path, site.url)
    assert len(stories(tmp_path)) == 2


def test_outside_visit_time_only_the_rules_were_asked_for_also_after_a_restart(
    tmp_path: Path,
) -> None:
    async def for_a_moment(url: str) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(run_crawl(tmp_path, settings(tmp_path, url)), 1.0)

    with Loopback(paper(*STORIES[:2]) | {"/robots.txt": hours(2, 4)}) as site:
        for _ in range(2):
            asyncio.run(for_a_moment(site.url))
        assert [path for _, path, _ in site.log] == ["/robots.txt"]


def test_a_slow_host_is_asked_less_often_and_a_quick_one_as_often_as_allowed(
    tmp_path: Path,
) -> None:
    async def slow(request: web.Request, nth: int) -> Answer:
        await asyncio.sleep(0.1)
        return story(1)

    def mean_gap(name: str, factor: float, route: object) -> float:
        routes = paper(*STORIES) | dict.fromkeys(STORIES, route)
        with Loopback(routes) as site:
            crawl(tmp_path / name, site.url, delay=0.02, latency_factor=factor, concurrency=4)
            times = [at for at, path, _ in site.log if path in STORIES[5:]]
        return (times[-1] - times[0]) / (len(times) - 1)

    heeded = mean_gap("slow", 3, slow)
    assert heeded > 0.2
    assert mean_gap("slow-but-nobody-minds", 0, slow) < heeded / 2
    assert mean_gap("quick", 3, story(1)) < heeded / 2
