from __future__ import annotations

import gzip
import zlib

import pytest

from crawler.inflate import CorruptBodyError, Inflater

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


def test_no_more_comes_out_than_there_is_room_for() -> None:
    assert unpack(gzip.compress(bytes(10**7)), 10**6, room=1000)[0] == bytes(1000)


def test_nonsense_is_refused() -> None:
    with pytest.raises(CorruptBodyError):
        unpack(b"nonsense, not compressed at all", 100)


def test_nothing_at_all_is_an_empty_body() -> None:
    assert unpack(b"", 100) == (b"", True)
