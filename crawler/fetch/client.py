"""One HTTP request with limits on everything: size, time, type, address. Follows nothing.

Compressed bodies are unpacked here, piece by piece and never more than there is room for: an HTTP
library that takes one cut short for a whole one would lose the rest of a story without a word.
"""

from __future__ import annotations

import ipaddress
import socket
import zlib
from dataclasses import dataclass
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from multidict import CIMultiDictProxy
from yarl import URL

_ANY_HEADER = 32 + zlib.MAX_WBITS  # gzip or zlib, whichever it is
CODINGS = ("gzip", "x-gzip", "deflate")


class CorruptBodyError(ValueError):
    """Bytes that are not what their coding says."""


class Inflater:
    """One body in one coding. Several gzip members in a row are one body, as in files."""

    def __init__(self) -> None:
        self._unpacker: zlib._Decompress | None = None
        self._begun = False

    def feed(self, data: bytes, room: int) -> bytes:
        """Unpack the next piece; stops at `room` bytes, with the rest of the piece unread.

        Raises:
            Broken: this is no gzip, zlib or deflate.
        """
        out = bytearray()
        while data and len(out) < room:
            if self._unpacker is None:
                self._unpacker = zlib.decompressobj(self._bits(data))
            try:
                out += self._unpacker.decompress(data, room - len(out))
            except zlib.error as error:
                raise CorruptBodyError(str(error)) from None
            data = self._unpacker.unconsumed_tail
            if self._unpacker.eof:
                data = self._unpacker.unused_data
                self._unpacker = None
        return bytes(out)

    @property
    def whole(self) -> bool:
        """True when nothing is missing at the end."""
        return self._unpacker is None

    def _bits(self, data: bytes) -> int:
        """Some servers send deflate without zlib's header, though the standard asks for it."""
        zlib_header = data[0] & 0x0F == 8 and int.from_bytes(data[:2], "big") % 31 == 0
        raw = not self._begun and not zlib_header and data[0] != 0x1F
        self._begun = True
        return -zlib.MAX_WBITS if raw else _ANY_HEADER


MAX_BODY = 5 * 1024 * 1024  # bytes, decompressed
TIMES = aiohttp.ClientTimeout(total=60, sock_connect=15, sock_read=30)
HTML = ("text/html", "application/xhtml+xml")
SNIFF = 1024


class FetchError(Exception):
    """A request that yields no page. `reason` is a code; `received` the bytes that came."""

    def __init__(self, reason: str, *, status: int = 0, received: int = 0) -> None:
        super().__init__(reason)
        self.reason = reason
        self.status = status
        self.received = received


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """An answer. `body` is empty unless the status is 200."""

    status: int
    body: bytes = b""
    content_type: str = ""
    charset: str = ""
    location: str = ""
    retry_after: str = ""
    etag: str = ""
    last_modified: str = ""
    headers: CIMultiDictProxy[str] | None = None  # all of them, for who looks for opt-outs


class PrivateAddressError(OSError):
    """A name that leads to a private address."""


class _PublicResolver(AbstractResolver):
    """Resolves names and drops private addresses, so that no name can lead into the house."""

    def __init__(self) -> None:
        self._inner = aiohttp.ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found = await self._inner.resolve(host, port, family)
        public = [entry for entry in found if not is_private_address(entry["host"])]
        if found and not public:
            raise PrivateAddressError(f"{host} leads to a private address")
        return public

    async def close(self) -> None:
        await self._inner.close()


def is_private_address(address: str) -> bool:
    """True for addresses that are not of the public internet; false for names."""
    try:
        return not ipaddress.ip_address(address.partition("%")[0]).is_global
    except ValueError:
        return False


def is_local(host: str) -> bool:
    """True for a host that says itself that it is private."""
    return host == "localhost" or host.endswith(".localhost") or is_private_address(host)


class HttpClient:
    """Makes requests; use as `async with`. Cookies are neither kept nor sent.

    Args:
        allow_private: whether private addresses may be asked at all.
    """

    def __init__(self, agent: str, *, allow_private: bool, concurrency: int) -> None:
        self._agent = agent
        self._allow_private = allow_private
        self._concurrency = concurrency
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        resolver = None if self._allow_private else _PublicResolver()
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=self._concurrency, resolver=resolver),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=TIMES,
            auto_decompress=False,  # see `crawler.fetch.inflate`
            headers={
                "User-Agent": self._agent,
                "Accept": "text/html,*/*;q=0.5",
                "Accept-Encoding": "gzip, deflate",
            },
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._session is not None
        await self._session.close()

    async def get(
        self,
        url: str,
        *,
        html: bool = True,
        limit: int = MAX_BODY,
        etag: str = "",
        last_modified: str = "",
    ) -> HttpResponse:
        """Ask for one address, exactly as it is written.

        Args:
            html: refuse bodies of another type before reading them.
            limit: bytes; with `html` a longer body is refused, without it is cut.
            etag, last_modified: of the copy that we hold; the answer may then be 304.

        Raises:
            Refused: connect, timeout, broken, not-html, too-big, encoding, private, bad-url.
        """
        assert self._session is not None
        if not self._allow_private and is_local(urlsplit(url).hostname or ""):
            raise FetchError("private")
        try:
            async with self._session.get(
                URL(url, encoded=True),
                allow_redirects=False,
                headers=_validators(etag, last_modified),
            ) as answer:
                return await _read(answer, html, limit)
        except aiohttp.ConnectionTimeoutError:
            raise FetchError("connect") from None
        except TimeoutError:
            raise FetchError("timeout") from None
        except aiohttp.ClientConnectorError as error:
            lead = isinstance(error.os_error, PrivateAddressError)
            raise FetchError("private" if lead else "connect") from None
        except PrivateAddressError:
            raise FetchError("private") from None
        except (aiohttp.InvalidURL, ValueError):
            raise FetchError("bad-url") from None
        except (aiohttp.ClientError, OSError):
            raise FetchError("broken") from None


def _validators(etag: str, last_modified: str) -> dict[str, str]:
    """The headers of a conditional request; what a server sent goes back as it came."""
    told = {"If-None-Match": etag, "If-Modified-Since": last_modified}
    return {name: value for name, value in told.items() if value and value.isprintable()}


async def _read(answer: aiohttp.ClientResponse, html: bool, limit: int) -> HttpResponse:
    headers = answer.headers
    content_type = answer.content_type if "Content-Type" in headers else ""
    body = bytearray()
    if answer.status == 200:
        if html and content_type and content_type.lower() not in HTML:
            raise FetchError("not-html", status=200)
        if html and (answer.content_length or 0) > limit:
            raise FetchError("too-big", status=200)
        body = await _body(answer, html, limit)
        if html and not content_type and not _looks_like_markup(body):
            raise FetchError("not-html", status=200, received=len(body))
    return HttpResponse(
        answer.status,
        bytes(body),
        content_type,
        answer.charset or "",
        headers.get("Location", ""),
        headers.get("Retry-After", ""),
        headers.get("ETag", ""),
        headers.get("Last-Modified", ""),
        headers,
    )


async def _body(answer: aiohttp.ClientResponse, html: bool, limit: int) -> bytearray:
    """The unpacked body, at most one byte more than the limit at any time."""
    coding = answer.headers.get("Content-Encoding", "identity").strip().lower()
    if coding not in ("identity", "", *CODINGS):
        raise FetchError("encoding", status=200)  # we asked for others
    inflate = Inflater() if coding in CODINGS else None
    body = bytearray()
    async for piece in answer.content.iter_chunked(1 << 16):
        room = limit + 1 - len(body)
        try:
            body += inflate.feed(piece, room) if inflate else piece
        except CorruptBodyError:
            raise FetchError("broken", status=200, received=len(body)) from None
        if len(body) > limit:
            if html:
                raise FetchError("too-big", status=200, received=len(body))
            del body[limit:]
            return body
    if inflate is not None and not inflate.whole:
        raise FetchError("broken", status=200, received=len(body))
    return body


def _looks_like_markup(body: bytearray) -> bool:
    """For answers that name no type: does the first thing in them open a tag?"""
    return bytes(body[:SNIFF]).lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<")
