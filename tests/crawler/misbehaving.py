"""Everything that a server may do wrong: a name, what it answers, and how the page must end.

Each case is a story of its own; `/story/N` in a `Location` header means that story, `/well` one
that is well. An outcome is the page's state and reason, or the outcome of its text.
"""

from __future__ import annotations

import asyncio
import gzip
import zlib
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from tests.crawler.loopback import Answer, Loopback, Route, index, story

WELL = 900


@dataclass(frozen=True)
class Case:
    """`outcome` is (state, reason) or, for a page that was kept, ("text", what came of it)."""

    route: Route
    outcome: tuple[str, str]


def to(where: str, status: int = 302) -> Answer:
    return Answer("", status, headers={"Location": where})


async def _hangs_up(request: web.Request, nth: int) -> Any:
    assert request.transport is not None
    request.transport.close()
    return Answer("")


async def _raw(request: web.Request, sent: bytes) -> web.StreamResponse:
    """Bytes that no server library would send."""
    assert isinstance(request.transport, asyncio.Transport)
    request.transport.write(sent)
    request.transport.close()
    return web.Response()


async def _no_http(request: web.Request, nth: int) -> web.StreamResponse:
    return await _raw(request, b"220 smtp.example.org ESMTP ready\r\n\r\n")


async def _long_header(request: web.Request, nth: int) -> web.StreamResponse:
    return await _raw(request, b"HTTP/1.1 200 OK\r\nX-Long: " + b"a" * (1 << 20) + b"\r\n\r\nx")


async def _bad_length(request: web.Request, nth: int) -> web.StreamResponse:
    return await _raw(request, b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n<p>x</p>")


async def _bad_chunks(request: web.Request, nth: int) -> web.StreamResponse:
    return await _raw(
        request,
        b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"zzz\r\n<p>x</p>\r\n",
    )


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
    await asyncio.sleep(4)
    return story(1)


async def _dripping(request: web.Request, nth: int) -> web.StreamResponse:
    answer = web.StreamResponse(headers={"Content-Type": "text/html"})
    await answer.prepare(request)
    for _ in range(80):
        await answer.write(b"<p>x</p>")
        await asyncio.sleep(0.05)
    return answer


def _redirects_on_and_on(request: web.Request, nth: int) -> Answer:
    return to(f"{request.path}?n={int(request.query.get('n', 0)) + 1}")


def _busy_for_a_moment(request: web.Request, nth: int) -> Answer:
    return Answer("later", 429, headers={"Retry-After": "1"}) if nth == 1 else story(1)


def _blocked_for_a_moment(request: web.Request, nth: int) -> Answer:
    return Answer("<title>Just a moment...</title>") if nth == 1 else story(1)


def bomb(megabytes: int, *, wbits: int = 31) -> bytes:
    """A page that is a thousand times larger than what is sent; 31 gzip, 15 deflate."""
    packer = zlib.compressobj(9, zlib.DEFLATED, wbits)
    start = packer.compress(b"<p>") + packer.flush(zlib.Z_FULL_FLUSH)
    more = packer.compress(bytes(1 << 20)) + packer.flush(zlib.Z_FULL_FLUSH)
    return start + more * megabytes + packer.flush()  # its checksum is wrong; nobody gets there


def packed(body: bytes, how: str) -> Answer:
    return Answer(body, headers={"Content-Encoding": how})


CASES: dict[str, Case] = {
    "not found": Case(Answer("x", 404), ("failed", "http-404")),
    "gone": Case(Answer("x", 410), ("failed", "http-410")),
    "forbidden": Case(Answer("x", 403), ("failed", "http-403")),
    "for lawyers only": Case(Answer("x", 451), ("failed", "http-451")),
    "always failing": Case(Answer("x", 500), ("failed", "http-500")),
    "a status that does not exist": Case(Answer("x", 799), ("failed", "http-799")),
    "nothing to send": Case(Answer("", 204), ("failed", "http-204")),
    "not changed though nobody asked": Case(Answer("", 304), ("failed", "http-304")),
    "too busy once": Case(_busy_for_a_moment, ("text", "done")),
    "a block page once": Case(_blocked_for_a_moment, ("text", "done")),
    "always a block page": Case(
        Answer("<html><title>Access Denied</title>no</html>"), ("failed", "blocked")
    ),
    "a refusal only the profile knows": Case(
        Answer("<p>Παρακαλώ αποδείξτε ότι είστε άνθρωπος</p>"), ("failed", "blocked")
    ),
    "a redirect to itself": Case(to("/story/N"), ("failed", "redirect-loop")),
    "a redirect to nowhere": Case(Answer("", 302), ("failed", "redirect-loop")),
    "a redirect chain": Case(_redirects_on_and_on, ("failed", "redirect-many")),
    "a redirect to another host": Case(
        to("http://127.0.0.2:9/story/1"), ("left_out", "redirect-out")
    ),
    "a redirect into the house": Case(to("http://10.0.0.1/story/1"), ("left_out", "redirect-out")),
    "a redirect to another scheme": Case(to("file:///etc/passwd"), ("left_out", "redirect-out")),
    "a redirect to a broken address": Case(to("http://[x/"), ("left_out", "redirect-out")),
    "a redirect to a page of no kind": Case(to("/login"), ("left_out", "redirect-out")),
    "a redirect to another story": Case(to("/well"), ("left_out", "moved")),
    "an image": Case(Answer(b"\x89PNG", kind="image/png"), ("left_out", "not-html")),
    "plain text": Case(Answer("hello", kind="text/plain"), ("left_out", "not-html")),
    "bytes of no type": Case(
        Answer(b"\x7fELF", kind="application/octet-stream"), ("left_out", "not-html")
    ),
    "a type that is none": Case(Answer("x", kind="/;;="), ("left_out", "not-html")),
    "too long": Case(Answer(b"<p>" + b"x" * (6 << 20)), ("failed", "too-big")),
    "too long without saying so": Case(_endless, ("failed", "too-big")),
    "a bomb of gzip": Case(packed(bomb(200), "gzip"), ("failed", "too-big")),
    "a bomb of deflate": Case(packed(bomb(200, wbits=15), "deflate"), ("failed", "too-big")),
    "a bomb in a bomb": Case(
        packed(gzip.compress(bomb(200)), "gzip, gzip"), ("failed", "encoding")
    ),
    "a coding nobody asked for": Case(packed(b"nonsense", "br"), ("failed", "encoding")),
    "broken compression": Case(packed(b"nonsense", "gzip"), ("failed", "broken")),
    "compression cut short": Case(
        packed(gzip.compress(b"<p>x" * 9999)[:60], "gzip"), ("failed", "broken")
    ),
    "hanging up": Case(_hangs_up, ("failed", "broken")),
    "another protocol": Case(_no_http, ("failed", "broken")),
    "a header without end": Case(_long_header, ("failed", "broken")),
    "a length that is no number": Case(_bad_length, ("failed", "broken")),
    "chunks that are none": Case(_bad_chunks, ("failed", "broken")),
    "a body that ends early": Case(_short, ("failed", "broken")),
    "no answer in time": Case(_slow, ("failed", "timeout")),
    "a body that drips": Case(_dripping, ("failed", "timeout")),
    "an empty page": Case(Answer(""), ("text", "empty")),
    "a page without text": Case(Answer("<html><body></body></html>"), ("text", "no-text")),
    "nothing but zeros": Case(Answer(b"\0" * 5000), ("text", "empty")),
    "a hundred thousand open tags": Case(Answer("<div>" * 100_000), ("text", "no-text")),
    "an entity that grows": Case(
        Answer('<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]><p>&b;&b;</p>'),
        ("text", "too-short"),
    ),
}


def routes() -> tuple[dict[str, Route], dict[str, int]]:
    """A site with all of it, and each case's number."""
    numbers = {name: number for number, name in enumerate(CASES, 100)}
    found: dict[str, Route] = {f"/story/{WELL + n}": story(WELL + n) for n in range(3)}
    for name, number in numbers.items():
        found[f"/story/{number}"] = _at(CASES[name].route, number)
    for n in range(1, 15):
        number = numbers["a redirect chain"]
        found[f"/story/{number}?n={n}"] = found[f"/story/{number}"]
    found["/"] = index(*(path for path in found if "?" not in path))
    return found, numbers


def _at(route: Route, number: int) -> Route:
    if not isinstance(route, Answer):
        return route
    where = route.headers.get("Location", "")
    where = where.replace("/story/N", f"/story/{number}").replace("/well", f"/story/{WELL}")
    headers = {**route.headers, **({"Location": where} if where else {})}
    return Answer(route.body, route.status, route.kind, headers)


def serve() -> tuple[Loopback, dict[str, int]]:
    """The server and the number of each case's story."""
    found, numbers = routes()
    return Loopback(found), numbers
