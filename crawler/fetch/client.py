"""One HTTP request with limits on everything: size, time, type, address. Follows nothing."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Sequence
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Self
from urllib.parse import urlsplit

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.client_proto import ResponseHandler
from yarl import URL

from crawler.fetch.response import FetchError, LenientResponseHandler, read_response
from crawler.records import HttpResponse
from crawler.settings import CrawlSettings, user_agent

if TYPE_CHECKING:
    from crawler.profile import Profile

MAX_BODY = 5 * 1024 * 1024  # bytes, decompressed
TIMES = aiohttp.ClientTimeout(total=60, sock_connect=15, sock_read=30)


class PrivateAddressError(OSError):
    """A name that leads to a private address."""


class _PublicResolver(AbstractResolver):
    """Resolves names and drops private addresses, so that no name leads into a private network."""

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


# Networks whose addresses carry one of IPv4 (and how many bits stand behind it) that somebody on
# the way asks in our name: translated (RFC 6052, 7915), mapped and compatible (RFC 4291), 6to4
# (RFC 3056).
_CARRIERS = (
    (ipaddress.ip_network("64:ff9b::/96"), 0),
    (ipaddress.ip_network("::ffff:0:0:0/96"), 0),
    (ipaddress.ip_network("::ffff:0:0/96"), 0),
    (ipaddress.ip_network("::/96"), 0),
    (ipaddress.ip_network("2002::/16"), 80),
)
_ISATAP = 0x5EFE  # behind any prefix (RFC 5214), whatever its bit for "assigned once" says
_LOCAL_NAT64 = ipaddress.ip_network("64:ff9b:1::/48")  # RFC 8215; older Pythons take it for public


def is_private_address(address: str) -> bool:
    """True for addresses that are not of the public internet; false for names.

    One of IPv6 that carries one of IPv4 is as private as that.
    """
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    judged = _carried(found) if isinstance(found, ipaddress.IPv6Address) else [found]
    return found in _LOCAL_NAT64 or any(not one.is_global or one.is_multicast for one in judged)


def _carried(
    address: ipaddress.IPv6Address,
) -> Sequence[ipaddress.IPv4Address | ipaddress.IPv6Address]:
    """The addresses of IPv4 that it leads to, and itself where its prefix is no carrier's."""
    number = int(address)
    behind = [number >> bits for network, bits in _CARRIERS if address in network]
    isatap = number >> 32 & 0xFDFF_FFFF == _ISATAP
    carried = [ipaddress.IPv4Address(one & 0xFFFF_FFFF) for one in behind + [number] * isatap]
    return carried if behind else [*carried, address]


def is_local(host: str) -> bool:
    """True for a host that says itself that it is private."""
    return host == "localhost" or host.endswith(".localhost") or is_private_address(host)


class _LenientConnector(aiohttp.TCPConnector):
    """Connections whose answers are read by `LenientResponseHandler`."""

    def __init__(self, *, limit: int, resolver: AbstractResolver | None) -> None:
        super().__init__(limit=limit, resolver=resolver)
        handler: type[ResponseHandler] = LenientResponseHandler
        self._factory = partial(handler, loop=self._loop)


class HttpClient:
    """Makes requests; use as `async with`. Cookies are not kept.

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
            connector=_LenientConnector(limit=self._concurrency, resolver=resolver),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=TIMES,
            auto_decompress=False,  # see `crawler.inflate`
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
        cookies: str = "",
    ) -> HttpResponse:
        """Ask for one address, exactly as it is written.

        Args:
            html: refuse bodies of another type before reading them.
            limit: bytes; with `html` a longer body is refused, without it is cut.
            etag, last_modified: of the copy that we hold; the answer may then be 304.
            cookies: what answers on the way to this one asked to be told.

        Raises:
            FetchError: connect, timeout, broken, not-html, too-big, encoding, private, bad-url.
        """
        assert self._session is not None
        if not self._allow_private and is_local(urlsplit(url).hostname or ""):
            raise FetchError("private")
        try:
            async with self._session.get(
                URL(url, encoded=True),
                allow_redirects=False,
                headers=_validators(etag, last_modified) | ({"Cookie": cookies} if cookies else {}),
            ) as answer:
                return await read_response(answer, html, limit)
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


def client_for(
    profile: Profile, settings: CrawlSettings, *, concurrency: int | None = None
) -> HttpClient:
    """A client for one newspaper's pages, `settings.concurrency` at once unless said otherwise.

    Private addresses are asked only where the profile allows them, or where its base is one, or
    the web archive that is asked.

    Raises:
        UsageError: no contact is set.
    """
    asked = [profile.base, *([settings.wayback_url] if settings.source == "wayback" else [])]
    local = any(is_local(urlsplit(address).hostname or "") for address in asked)
    return HttpClient(
        user_agent(settings),
        allow_private=profile.allow_private or local,
        concurrency=settings.concurrency if concurrency is None else concurrency,
    )


def _validators(etag: str, last_modified: str) -> dict[str, str]:
    """The headers of a conditional request; what a server sent goes back as it came."""
    headers = {"If-None-Match": etag, "If-Modified-Since": last_modified}
    return {name: value for name, value in headers.items() if value and value.isprintable()}
