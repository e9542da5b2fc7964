"""Decompress a body piece by piece: never more than there is room for, and never half of it.

An HTTP library that takes a compressed body cut short for a whole one would lose the rest of a
story without a word, so we unpack by ourselves.
"""

from __future__ import annotations

import zlib

GZIP = b"\x1f\x8b"
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
            CorruptBodyError: this is no gzip, zlib or deflate.
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


def gunzip(body: bytes, limit: int) -> bytes:
    """What a gzip file holds, at most `limit` bytes; other bytes come back as they are."""
    if not body.startswith(GZIP):
        return body
    try:
        return Inflater().feed(body, limit)
    except CorruptBodyError:
        return b""
