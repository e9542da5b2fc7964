"""Decompress a body piece by piece: never more than there is room for, and never half of it.

An HTTP library that takes a compressed body cut short for a whole one would lose the rest of a
story without a word, so we unpack by ourselves.
"""

from __future__ import annotations

import zlib

GZIP = b"\x1f\x8b"
_ANY_HEADER = 32 + zlib.MAX_WBITS  # gzip or zlib, whichever it is
CODINGS = ("gzip", "x-gzip", "deflate")
PIECE = 1 << 16


class CorruptBodyError(ValueError):
    """Bytes that are not what their coding says."""


class Inflater:
    """One body in one coding. Several gzip members in a row are one body, as in files.

    As browsers do, it takes no notice of bytes after the end, nor of a checksum that is missing
    there; a checksum that is wrong, and a body that stops before its end, are errors.
    """

    def __init__(self) -> None:
        self._unpacker: zlib._Decompress | None = None
        self._begun = False
        self._after_member = b""  # a byte that may begin another gzip member
        self._ended = False

    def feed(self, data: bytes, room: int) -> bytes:
        """Unpack the next piece; stops at `room` bytes, with the rest of the piece unread.

        Raises:
            CorruptBodyError: this is no gzip, zlib or deflate.
        """
        out = bytearray()
        data, self._after_member = self._after_member + data, b""
        while data and len(out) < room and not self._ended:
            if self._unpacker is None:
                if self._begun and not data.startswith(GZIP):
                    self._after_member = data if data == GZIP[:1] else b""
                    self._ended = not self._after_member
                    break
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
        """True when nothing is missing at the end, or only the checksum."""
        return self._unpacker is None or all(
            _meets_the_checksum(self._unpacker, bytes([value] * 8)) for value in (0, 255)
        )

    def _bits(self, data: bytes) -> int:
        """Some servers send deflate without zlib's header, though the standard asks for it."""
        zlib_header = data[0] & 0x0F == 8 and int.from_bytes(data[:2], "big") % 31 == 0
        raw = not self._begun and not zlib_header and data[0] != 0x1F
        self._begun = True
        return -zlib.MAX_WBITS if raw else _ANY_HEADER


def _meets_the_checksum(unpacker: zlib._Decompress, more: bytes) -> bool:
    """Is a checksum all that comes next? Then these bytes end it, or are taken for a wrong one."""
    copy = unpacker.copy()
    try:
        copy.decompress(more)
    except zlib.error as error:
        return "incorrect data check" in str(error) or "incorrect length check" in str(error)
    return copy.eof


def gunzip(body: bytes, limit: int) -> tuple[bytes, bool]:
    """What a gzip file holds, at most `limit` bytes, and whether that is all of it; other bytes
    come back as they are."""
    if not body.startswith(GZIP):
        return body, True
    inflate = Inflater()
    out = bytearray()
    try:
        for start in range(0, len(body), PIECE):
            out += inflate.feed(body[start : start + PIECE], limit - len(out))
            if len(out) >= limit:
                return bytes(out), False
    except CorruptBodyError:
        return bytes(out), False
    return bytes(out), inflate.whole


def unpack(body: bytes, codings: str, limit: int) -> bytes:
    """A stored body without its Content-Encoding, at most `limit` bytes of it.

    Args:
        codings: the header's value: gzip, deflate, br, zstd, several of them, or none.

    Raises:
        CorruptBodyError: it is not in these codings, they are unknown, or `br` came without the
            package brotli.
    """
    for coding in reversed([name.strip() for name in codings.lower().split(",")]):
        if coding in CODINGS:
            inflate = Inflater()
            body = inflate.feed(body, limit)
            if len(body) < limit and not inflate.whole:
                raise CorruptBodyError("it ends before its end")
        elif coding == "br":
            body = _unpack_brotli(body, limit)
        elif coding == "zstd":
            body = _unpack_zstd(body, limit)
        elif coding not in ("", "identity", "none"):
            raise CorruptBodyError(f"unknown coding {coding!r}")
    return body


def _unpack_brotli(body: bytes, limit: int) -> bytes:
    try:
        import brotli
    except ImportError:
        raise CorruptBodyError("brotli is not installed") from None
    unpacker = brotli.Decompressor()
    try:
        out = unpacker.process(body, output_buffer_limit=limit)
        while len(out) < limit and not unpacker.is_finished():
            piece = unpacker.process(b"", output_buffer_limit=limit - len(out))
            if not piece:
                break
            out += piece
    except brotli.error as error:
        raise CorruptBodyError(str(error)) from None
    if len(out) < limit and not unpacker.is_finished():
        raise CorruptBodyError("it ends before its end")
    return bytes(out[:limit])


def _unpack_zstd(body: bytes, limit: int) -> bytes:
    import zstandard

    try:
        with zstandard.ZstdDecompressor().stream_reader(body, read_across_frames=True) as reader:
            return reader.read(limit)
    except zstandard.ZstdError as error:
        raise CorruptBodyError(str(error)) from None
