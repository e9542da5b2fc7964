"""What is odd in an answer and clear to a browser costs no story, and is no trouble of the host."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import Callable
from pathlib import Path

import pytest
from aiohttp import web

from crawler.frontier import pages
from tests.crawler.harness import crawl, stories
from tests.crawler.loopback import Answer, Loopback, Route, paper, story

BODY = story(1).response().body
assert isinstance(BODY, bytes)
PACKED = gzip.compress(BODY)


def told(body: bytes, kind: str = "text/html; charset=utf-8", **headers: str) -> Answer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(body, kind=kind, headers=named)


def raw(*head: bytes, body: bytes = BODY, pieces: int = 1) -> Callable[..., object]:
    """Bytes that no server library would send; the head in several packets if asked for."""

    async def route(request: web.Request, nth: int) -> web.Response:
        assert isinstance(request.transport, asyncio.Transport)
        sent = b"\r\n".join([*head, b"Connection: close", b"", b""]) + body
        step = len(sent) // pieces + 1
        for start in range(0, len(sent), step):
            request.transport.write(sent[start : start + step])
            await asyncio.sleep(0.02 if pieces > 1 else 0)
        request.transport.close()
        return web.Response()

    return route


OK, TYPE = b"HTTP/1.1 200 OK", b"Content-Type: text/html; charset=utf-8"
LENGTH = b"Content-Length: %d" % len(BODY)
CHUNKED = b"%x\r\n%s\r\n0\r\n\r\n" % (len(BODY), BODY)

ODD: dict[str, Route] = {
    "a byte after the end of gzip": told(PACKED + b"\n", Content_Encoding="gzip"),
    "gzip without its checksum": told(PACKED[:-8], Content_Encoding="gzip"),
    "gzip in capitals beside nothing": told(PACKED, Content_Encoding="GZIP, identity"),
    "a coding called none": told(BODY, Content_Encoding="none"),
    "a coding called utf-8": told(BODY, Content_Encoding="UTF-8"),
    "a coding that was not done": told(BODY, Content_Encoding="gzip"),
    "gzip that nobody announces": told(PACKED),
    "a type said twice": told(BODY, kind="text/html, text/html; charset=utf-8"),
    "no type": told(BODY, kind=""),
    "a type that is none": told(BODY, kind="html"),
    "a type of bytes": told(BODY, kind="application/octet-stream"),
    "a type of plain text": told(b"<!-- x -->\n<!DOCTYPE html>" + BODY, kind="text/plain"),
    "a type of XML": told(b"<?xml version='1.0'?>\n" + BODY, kind="text/xml"),
    "a type of a program": told(BODY, kind="application/x-httpd-php"),
    "a charset outside of ASCII": raw(OK, "Content-Type: text/html; charset=ελ".encode("cp1253")),
    "validators outside of ASCII": raw(OK, TYPE, 'ETag: "ά"'.encode("cp1253"), LENGTH),
    "a proxy's status": Answer(BODY, 203),
    "a length said twice": raw(OK, TYPE, LENGTH, LENGTH),
    "a length beside chunks": raw(
        OK, TYPE, b"Content-Length: 9", b"Transfer-Encoding: chunked", body=CHUNKED
    ),
    "a line without colon": raw(OK, TYPE, b"X-Served-By", LENGTH),
    "a line without colon in many packets": raw(OK, TYPE, b"X-Served-By", LENGTH, pieces=9),
    "a name with a blank": raw(OK, TYPE, b"X Served By: me", LENGTH),
    "a blank before a colon": raw(OK, b"Content-Type : text/html", LENGTH),
    "a control character in a header": raw(OK, TYPE, b"X-Note: a\x01b", LENGTH),
}


@pytest.mark.parametrize("name", ODD)
def test_the_story_is_stored_and_the_host_is_well(name: str, tmp_path: Path) -> None:
    with Loopback(paper("/story/1") | {"/story/1": ODD[name]}) as site:
        counters = crawl(tmp_path, site.url, tries=1)
        assert site.visits()["/story/1"] == 1
    assert [found.title for found in stories(tmp_path)] == ["Τίτλος 1"]
    assert not {name for name in counters if name.startswith(("reason.", "retry.", "breaks"))}


@pytest.mark.parametrize(
    ("route", "reason"),
    [
        (raw(OK, TYPE, LENGTH, b"Content-Length: 9"), "broken"),
        (told(PACKED[:-30], Content_Encoding="gzip"), "broken"),
        (told(b"<rss><channel><item>x</item></channel></rss>", kind="text/xml"), "not-html"),
        (told(b"a < b and <c", kind="text/plain"), "not-html"),
        (told(BODY, kind="image/png"), "not-html"),
    ],
)
def test_what_is_not_clear_is_refused(route: Route, reason: str, tmp_path: Path) -> None:
    with Loopback(paper("/story/1") | {"/story/1": route}) as site:
        counters = crawl(tmp_path, site.url, tries=1)
    assert counters[f"reason.{reason}"] == 1
    assert stories(tmp_path) == []


def test_an_odd_answer_never_counts_as_trouble(tmp_path: Path) -> None:
    odd = {f"/story/{n}": Answer(story(n).body, 203, kind="") for n in range(1, 31)}
    with Loopback(paper(*odd) | odd) as site:
        counters = crawl(tmp_path, site.url)
    assert "breaks" not in counters
    assert len(stories(tmp_path)) == 30


def test_rules_sent_as_a_web_page_are_obeyed(tmp_path: Path) -> None:
    rules = Answer("<!-- cached -->\nUser-agent: kkoracle/0.1\nDisallow: /story/2\n")
    with Loopback(paper("/story/1", "/story/2") | {"/robots.txt": rules}) as site:
        counters = crawl(tmp_path, site.url)
        assert "/story/2" not in site.visits()
    assert counters["reason.robots"] == 1
    assert len(stories(tmp_path)) == 1


def test_a_redirect_in_any_charset_is_followed_as_it_was_sent(tmp_path: Path) -> None:
    where = "/story/1?ά=1".encode("cp1253")
    routes = paper("/story/1") | {
        "/story/1": raw(
            b"HTTP/1.1 302 Found", b"Location: " + where, b"Content-Length: 0", body=b""
        ),
        "/story/1?%DC=1": story(1),
    }
    with Loopback(routes) as site:
        crawl(tmp_path, site.url)
    assert [found.title for found in stories(tmp_path)] == ["Τίτλος 1"]
    connection = pages.connect_readonly(tmp_path / "paper")
    assert connection.execute("SELECT COUNT(*) FROM pages WHERE state='done'").fetchone()[0] == 2
