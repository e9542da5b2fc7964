from __future__ import annotations

import gzip
import zlib

import pytest

from crawler.inflate import CorruptBodyError, Inflater, gunzip

TEXT = b"".join(b"line %d\n" % n for n in range(5000))


def raw(body: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(body) + packer.flush()


def unpack(sent: bytes, piece: int, room: int = 1 << 20) -> tuple[bytes, bool]:
    inflate, found = Inflater(), b""
    for start in range(0, len(sent), piece):
        found += inflate.feed(sent[start : start + piece], room - len(found))
    return found, inflate.whole


@pytest.mark.parametrize("piece", [7, 1000, 10**6])
@pytest.mark.parametrize(
    "sent",
    [
        gzip.compress(TEXT),
        zlib.compress(TEXT),
        raw(TEXT),
        gzip.compress(TEXT[:99]) + gzip.compress(TEXT[99:]),
    ],
)
def test_every_spelling_is_read_whatever_the_pieces(sent: bytes, piece: int) -> None:
    assert unpack(sent, piece) == (TEXT, True)


@pytest.mark.parametrize("pack", [gzip.compress, zlib.compress, raw])
def test_a_body_cut_short_is_not_whole(pack: object) -> None:
    sent = pack(TEXT)  # type: ignore[operator]
    assert unpack(sent[: len(sent) // 2], 500)[1] is False


@pytest.mark.parametrize("piece", [7, 1000, 10**6])
@pytest.mark.parametrize("after", [b"\n", b"\0" * 600, b"\x1f", b"\x1f\x1f", b"<!-- 0.1 s -->"])
def test_bytes_after_the_end_are_no_matter(after: bytes, piece: int) -> None:
    assert unpack(gzip.compress(TEXT) + after, piece) == (TEXT, True)
    assert unpack(zlib.compress(TEXT) + after, piece) == (TEXT, True)


@pytest.mark.parametrize("missing", range(1, 9))
def test_a_missing_checksum_is_no_matter(missing: int) -> None:
    assert unpack(gzip.compress(TEXT)[:-missing], 500) == (TEXT, True)
    assert unpack(zlib.compress(TEXT)[: -min(missing, 4)], 500) == (TEXT, True)


def test_a_file_is_as_whole_as_its_bytes() -> None:
    packed = gzip.compress(TEXT[:99]) + gzip.compress(TEXT[99:])
    assert gunzip(packed, 1 << 20) == (TEXT, True)
    assert gunzip(packed[:-20], 1 << 20)[1] is False
    assert gunzip(packed, 50) == (TEXT[:50], False)
    assert gunzip(b"\x1f\x8b\x08broken", 50) == (b"", False)
    assert gunzip(b"plain", 50) == (b"plain", True)


def test_no_more_comes_out_than_there_is_room_for() -> None:
    assert unpack(gzip.compress(bytes(10**7)), 10**6, room=1000)[0] == bytes(1000)


def test_nonsense_is_refused() -> None:
    with pytest.raises(CorruptBodyError):
        unpack(b"nonsense, not compressed at all", 100)


def test_nothing_at_all_is_an_empty_body() -> None:
    assert unpack(b"", 100) == (b"", True)
