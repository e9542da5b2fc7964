"""An answer, read as browsers read it: what is odd but clear is taken, what is cut or bombs is not.

Most of it is about servers that are old, or behind others that add their own: they announce codings
that are none, types that are empty or doubled, and send header lines that no standard knows.
"""

from __future__ import annotations

import re

import aiohttp
from aiohttp.client_proto import ResponseHandler

from crawler.inflate import CODINGS, GZIP, CorruptBodyError, Inflater, gunzip
from crawler.records import HttpResponse

HTML = ("text/html", "application/xhtml+xml")
WITH_BODY = (200, 203)  # 203, a proxy has changed it, goes on as 200
SNIFF = 1024
_OTHER_CODINGS = frozenset({"br", "zstd", "compress", "x-compress", "dcb", "dcz", "xz", "bzip2"})
# What is another thing for certain is refused by its name; what may be a page is looked at.
_OTHER_TYPES = re.compile(
    r"(?:image|video|audio|font|model)/|text/(?:css|javascript|csv|calendar|rtf|vcard)"
    r"|application/(?:pdf|zip|gzip|x-gzip|x-tar|json|[\w.-]+\+json|javascript|x-javascript|msword"
    r"|rss\+xml|atom\+xml|rtf|postscript|epub\+zip|vnd\.(?!wap\.xhtml))"
)
_CHARSET = re.compile(r"charset\s*=\s*[\"']?\s*([\w.:+-]+)", re.I)
_PAGE = re.compile(rb"<(?:!doctype\s+html|html|head|body|frameset)\b", re.I)
_ELEMENT = re.compile(
    rb"\s*(?:<\?[^>]*>\s*|<!--.*?-->\s*)*"
    rb"<(?:title|meta|link|script|style|table|div|p|h[1-6]|b|br|a|font|center|iframe|span)\b",
    re.I | re.S,
)


class FetchError(Exception):
    """A request that yields no page. `reason` is a code; `received` the bytes that came."""

    def __init__(self, reason: str, *, status: int = 0, received: int = 0) -> None:
        super().__init__(reason)
        self.reason = reason
        self.status = status
        self.received = received


async def read_response(answer: aiohttp.ClientResponse, html: bool, limit: int) -> HttpResponse:
    """An answer as a record, its body unpacked.

    Args:
        html: refuse what is no page; what names its type as another one is not even read.
        limit: bytes; with `html` a longer body is refused, without it is cut.

    Raises:
        FetchError: not-html, too-big, encoding, broken.
    """
    headers = answer.headers
    announced = headers.get("Content-Type", "")
    kind = announced.partition(";")[0].partition(",")[0].strip().lower()
    body: bytes = b""
    if answer.status in WITH_BODY:
        if html and _OTHER_TYPES.match(kind):
            raise FetchError("not-html", status=answer.status)
        if html and (answer.content_length or 0) > limit:
            raise FetchError("too-big", status=answer.status)
        body = await _body(answer, html, limit)
        if html and body.startswith(GZIP):  # packed, and nobody says so
            body = gunzip(body, limit)[0]
        if html and kind not in HTML and not looks_like_page(body):
            raise FetchError("not-html", status=answer.status, received=len(body))
    charset = _CHARSET.search(announced)
    return HttpResponse(
        200 if answer.status in WITH_BODY else answer.status,
        body,
        kind,
        charset[1] if charset and charset[1].isascii() else "",
        as_ascii(headers.get("Location", "")),
        headers.get("Retry-After", ""),
        _validator(headers.get("ETag", "")),
        _validator(headers.get("Last-Modified", "")),
        headers,
    )


def as_ascii(location: str) -> str:
    """An address in a header as browsers take it: other bytes are escaped, in whatever charset."""
    if location.isascii():
        return location
    raw = location.encode("utf-8", "surrogateescape")
    return "".join(chr(byte) if byte < 128 else f"%{byte:02X}" for byte in raw)


def _validator(value: str) -> str:
    """What a server is told again; one that cannot be sent is none."""
    return value if value.isascii() and value.isprintable() else ""


async def _body(answer: aiohttp.ClientResponse, html: bool, limit: int) -> bytes:
    """The unpacked body, at most one byte more than the limit at any time."""
    inflate = _inflater(answer.headers.get("Content-Encoding", ""))
    body = bytearray()
    async for piece in answer.content.iter_chunked(1 << 16):
        if inflate is not None and not body and piece.lstrip()[:1] == b"<":
            inflate = None  # announced, and not done
        room = limit + 1 - len(body)
        try:
            body += inflate.feed(piece, room) if inflate else piece
        except CorruptBodyError:
            raise FetchError("broken", status=answer.status, received=len(body)) from None
        if len(body) > limit:
            if html:
                raise FetchError("too-big", status=answer.status, received=len(body))
            return bytes(body[:limit])
    if inflate is not None and not inflate.whole:
        raise FetchError("broken", status=answer.status, received=len(body))
    return bytes(body)


def _inflater(announced: str) -> Inflater | None:
    """For the codings of a header; words that name none ("none", "utf-8") are no matter."""
    codings = [name.strip() for name in announced.lower().split(",")] if announced else []
    packed = [name for name in codings if name in CODINGS]
    if len(packed) > 1 or not _OTHER_CODINGS.isdisjoint(codings):
        raise FetchError("encoding", status=200)  # we asked for others
    return Inflater() if packed else None


def looks_like_page(body: bytes) -> bool:
    """For answers of no type or an odd one: is there HTML inside?"""
    head = body[: 2 * SNIFF]
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        head = head.decode("utf-16", "ignore").encode()
    head = head.removeprefix(b"\xef\xbb\xbf")
    return bool(_PAGE.search(head, 0, SNIFF) or _ELEMENT.match(head, 0, SNIFF))


# The beginning of an answer, when nothing in it needs mending.
_NAME = rb"[\w!#$%&'*+.^`|~-]+"
_VALUE = rb"[^\x00-\x08\x0a-\x1f\x7f]*"
_SOUND_HEAD = re.compile(
    rb"HTTP/" + _VALUE + rb"\r?\n(?:" + _NAME + rb":" + _VALUE + rb"\r?\n)*\r?\n"
)
_LINE = re.compile(rb"(" + _NAME + rb")[ \t]*:(.*)", re.S)
_CONTROLS = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
_HEAD_END = re.compile(rb"\n\r?\n")
MAX_HEAD = 64 * 1024


class LenientResponseHandler(ResponseHandler):
    """aiohttp's reader of answers, for heads that its parser refuses and browsers read.

    Lines that are no headers are left out, control characters become blanks, and a length that is
    given twice counts once. A head that is sound goes on as it came.
    """

    _head = b""

    def data_received(self, data: bytes) -> None:
        if self._head or (data.startswith(b"HTTP/") and not self._reads_body()):
            data, self._head = self._head + data, b""
            sound = _SOUND_HEAD.match(data)
            end = sound or _HEAD_END.search(data)
            if end is None and len(data) < MAX_HEAD:
                self._head = data  # the rest is still to come
                return
            if end is not None and (not sound or _doubtful_length(data[: end.end()])):
                data = mended_head(data[: end.end()]) + data[end.end() :]
        super().data_received(data)

    def _reads_body(self) -> bool:
        payload = self._payload
        return payload is not None and not payload.is_eof()


def _doubtful_length(head: bytes) -> bool:
    lower = head.lower()
    lengths = lower.count(b"\ncontent-length:")
    return lengths > 1 or (lengths == 1 and b"\ntransfer-encoding:" in lower)


def mended_head(head: bytes) -> bytes:
    """A head with only what is a header in it. Lengths that differ are left for the parser to
    refuse: nobody knows then where the body ends."""
    status, *lines = head.rstrip(b"\r\n").split(b"\n")
    kept: dict[bytes, None] = {}
    chunked = any(re.match(rb"transfer-encoding\s*:.*chunked", line, re.I) for line in lines)
    for line in lines:
        found = _LINE.match(line.rstrip(b"\r"))
        if found is None:
            continue
        name, value = found[1], _CONTROLS.sub(b" ", found[2]).strip()
        if name.lower() != b"content-length":
            kept[name + b": " + value] = None
        elif not chunked:
            kept[b"Content-Length: " + value] = None
    return b"\r\n".join([_CONTROLS.sub(b" ", status.rstrip(b"\r")), *kept, b"", b""])
