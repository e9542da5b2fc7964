"""A server that misbehaves: every page ends in a counted outcome, and none stops the crawl."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from crawler import client
from tests.crawler.house import crawl, stories
from tests.crawler.loopback import Answer, Loopback, Route, index, paper, story


def to(where: str, status: int = 302) -> Answer:
    return Answer("", status, headers={"Location": where})


async def _hangs_up(request: web.Request, nth: int) -> Any:
    assert request.transport is not None
    request.transport.close()
    return Answer("")


async def _short(request: web.Request, nth: int) -> web.StreamResponse:
    answer = web.StreamResponse(headers={"Content-Type": "text/html", "Content-Length": "999"})
    await answer.prepare(request)
    await answer.write(b"<p>half")
    assert request.transport is not None
    request.transport.close()
    return answer


async def _endless(request: web.Request, nth: int) -> web.StreamResponse:
    answer = web.StreamResponse(headers={"Content-Type": "text/html"})
    await answer.prepare(request)
    for _ in range(200):
        await answer.write(b"<p>" + b"x" * 65_536)
    return answer


async def _slow(request: web.Request, nth: int) -> Any:
    await asyncio.sleep(3)
    return story(1)


def _redirects_on_and_on(request: web.Request, nth: int) -> Answer:
    return to(f"/story/1?n={int(request.query.get('n', 0)) + 1}")


BOMB = gzip.compress(b"<p>" + b"\0" * (20 << 20))
CASES: dict[str, tuple[Route, str]] = {
    "not found": (Answer("x", 404), "reason.http-404"),
    "gone": (Answer("x", 410), "reason.http-410"),
    "forbidden": (Answer("x", 403), "reason.http-403"),
    "always failing": (Answer("x", 500), "reason.http-500"),
    "nothing to send": (Answer("", 204), "reason.http-204"),
    "a redirect to itself": (to("/story/1"), "reason.redirect-loop"),
    "a redirect to nowhere": (Answer("", 302), "reason.redirect-loop"),
    "a redirect to another host": (to("http://127.0.0.2:9/story/1"), "reason.redirect-out"),
    "a redirect to another scheme": (to("file:///etc/passwd"), "reason.redirect-out"),
    "a redirect to a broken address": (to("http://[x/"), "reason.redirect-out"),
    "a redirect to a page of no kind": (to("/login"), "reason.redirect-out"),
    "a redirect to another story": (to("/story/2"), "reason.moved"),
    "an image": (Answer(b"\x89PNG", kind="image/png"), "reason.not-html"),
    "plain text": (Answer("hello", kind="text/plain"), "reason.not-html"),
    "bytes of no type": (Answer(b"\x7fELF", kind="application/octet-stream"), "reason.not-html"),
    "too long": (Answer(b"<p>" + b"x" * (6 << 20)), "reason.too-big"),
    "too long without saying so": (_endless, "reason.too-big"),
    "a compressed bomb": (
        Answer(BOMB, headers={"Content-Encoding": "gzip"}), "reason.too-big"),
    "broken compression": (
        Answer(b"nonsense", headers={"Content-Encoding": "gzip"}), "reason.broken"),
    "hanging up": (_hangs_up, "reason.broken"),
    "a body that ends early": (_short, "reason.broken"),
    "no answer in time": (_slow, "reason.timeout"),
    "an empty page": (Answer(""), "text.empty"),
    "a page without text": (Answer("<html><body></body></html>"), "text.no-text"),
    "a redirect chain": (_redirects_on_and_on, "reason.redirect-many"),
}  # fmt: skip


def test_every_misbehaviour_is_counted_and_none_stops_the_crawl(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All at once: each on a story of its own, next to stories that are well."""
    monkeypatch.setattr(client, "TIMES", client.aiohttp.ClientTimeout(total=0.8))
    routes: dict[str, Route] = {"/story/900": story(900), "/story/901": story(901)}
    expected: dict[str, int] = {}
    for number, (route, outcome) in enumerate(CASES.values(), 100):
        expected[outcome] = expected.get(outcome, 0) + 1
        for path in {f"/story/{number}", *(f"/story/{number}?n={n}" for n in range(1, 15))}:
            routes[path] = _moved_to(route, number)
    links = sorted(path for path in routes if "?" not in path)
    routes["/"] = index(*links)
    with Loopback(routes) as site:
        counters = crawl(tmp_path, site.url, tries=2)
    assert {name: count for name, count in counters.items() if name in expected} == expected
    assert {s.title for s in stories(tmp_path)} >= {"Τίτλος 900", "Τίτλος 901"}
    assert "pages.waiting" not in counters
    assert "reason.internal" not in counters


def _moved_to(route: Route, number: int) -> Route:
    """The cases speak of /story/1 and /story/2; here is where they stand."""
    if isinstance(route, Answer):
        return _renamed(route, number)

    def call(request: web.Request, nth: int, route: Callable[..., Any] = route) -> Any:
        found = route(request, nth)
        return _renamed(found, number) if isinstance(found, Answer) else found

    return call


def _renamed(answer: Answer, number: int) -> Answer:
    where = answer.headers.get("Location", "")
    if where.startswith("/story/1"):
        where = where.replace("/story/1", f"/story/{number}", 1)
    elif where == "/story/2":
        where = "/story/900"
    return Answer(answer.body, answer.status, answer.kind,
                  {**answer.headers, **({"Location": where} if where else {})})  # fmt: skip


def test_a_page_that_fails_once_is_had_the_second_time(tmp_path: Path) -> None:
    def moody(request: web.Request, nth: int) -> Answer:
        return Answer("x", 502) if nth == 1 else story(1)

    with Loopback(paper("/story/1") | {"/story/1": moody}) as site:
        counters = crawl(tmp_path, site.url)
    assert counters["retry.http-502"] == 1
    assert [s.title for s in stories(tmp_path)] == ["Τίτλος 1"]


def test_a_redirect_that_stays_the_same_page_is_followed(tmp_path: Path) -> None:
    routes = paper("/story/1") | {"/story/1": to("/story/01?view=full"),
                                  "/story/01?view=full": story(1)}  # fmt: skip
    with Loopback(routes) as site:
        crawl(tmp_path, site.url)
    assert [s.title for s in stories(tmp_path)] == ["Τίτλος 1"]


def test_two_stories_that_lead_to_one_are_stored_once(tmp_path: Path) -> None:
    routes = paper("/story/1", "/story/2", "/story/3") | {
        "/story/2": to("/story/1"), "/story/3": to("/story/1", 301)}  # fmt: skip
    with Loopback(routes) as site:
        crawl(tmp_path, site.url)
        assert site.visits()["/story/1"] == 1
    assert len(stories(tmp_path)) == 1


def test_what_robots_forbids_is_never_asked_for(tmp_path: Path) -> None:
    rules = Answer("User-agent: kkoracle\nDisallow: /story/2", kind="text/plain")
    with Loopback(paper("/story/1", "/story/2") | {"/robots.txt": rules}) as site:
        counters = crawl(tmp_path, site.url)
        assert "/story/2" not in site.visits()
        assert site.log[0][1] == "/robots.txt"
    assert counters["reason.robots"] == 1


def test_a_name_that_leads_into_the_house_is_refused(tmp_path: Path) -> None:
    async def ask(url: str) -> str:
        async with client.Client("x", allow_private=False, concurrency=1) as asker:
            try:
                await asker.get(url)
            except client.Refused as refusal:
                return refusal.reason
        return ""

    for host in ("127.0.0.1", "localhost", "[::1]", "10.0.0.1", "169.254.169.254", "192.168.1.1"):
        assert asyncio.run(ask(f"http://{host}:9/")) == "private"
