"""Web archive files of every make: what is damaged costs itself, and nothing behind it."""

from __future__ import annotations

import gzip
import io
import zipfile
import zlib
from pathlib import Path

import brotli
import pytest
import zstandard
from warcio.statusandheaders import StatusAndHeaders
from warcio.warcwriter import WARCWriter

from crawler.fetch.client import MAX_BODY
from crawler.importing.warc import read_wacz, read_warc

PAGE = b"<html><body>" + b"<p>The bridge was opened on Monday.</p>" * 40 + b"</body></html>"
CODED = {
    "plain": (PAGE, ""),
    "brotli": (brotli.compress(PAGE), "br"),
    "unpacked by the archive": (PAGE, "br"),
    "zstd": (zstandard.compress(PAGE), "zstd"),
    "gzip": (gzip.compress(PAGE), "gzip"),
    "deflate": (zlib.compress(PAGE), "deflate"),
    "twice": (gzip.compress(brotli.compress(PAGE)), "br, gzip"),
    "made up": (PAGE, "sdch"),
}


def warc(*bodies: tuple[bytes, str], packed: bool = False, kind: str = "response") -> list[bytes]:
    """The records of a file, each as its bytes; the address of record N ends in N."""
    made: list[bytes] = []
    for number, (body, coding) in enumerate(bodies):
        stream = io.BytesIO()
        writer = WARCWriter(stream, gzip=packed)
        headers = [("Content-Type", "text/html")]
        headers += [("Content-Encoding", coding)] if coding else []
        writer.write_record(
            writer.create_warc_record(
                f"http://paper.example/{number}",
                kind,
                payload=io.BytesIO(body),
                warc_content_type="text/html" if kind == "resource" else "",
                http_headers=StatusAndHeaders("200 OK", headers, protocol="HTTP/1.1")
                if kind == "response"
                else None,
            )
        )
        made.append(stream.getvalue())
    return made


def read(folder: Path, content: bytes, name: str = "a.warc") -> list[tuple[str, str]]:
    """The last character of each item's address, and what is wrong with it."""
    path = folder / name
    path.write_bytes(content)
    opened = read_wacz if name.endswith(".wacz") else read_warc
    items = list(opened(path, name, lambda count: None))
    assert all(item.body == PAGE for item in items if not item.reason)
    assert len({item.body for item in items if item.reason}) == sum(bool(i.reason) for i in items)
    return [(item.url[-1:], item.reason) for item in items]


@pytest.mark.parametrize("packed", [False, True])
def test_a_body_in_any_coding_is_read(tmp_path: Path, packed: bool) -> None:
    records = warc(*CODED.values(), packed=packed)
    assert read(tmp_path, b"".join(records)) == [(str(n), "") for n in range(len(CODED))]


@pytest.mark.parametrize("packed", [False, True])
def test_a_body_that_is_not_in_its_coding_costs_itself(tmp_path: Path, packed: bool) -> None:
    records = warc((PAGE, ""), (b"\x1b\x03garbage", "br"), (PAGE, ""), packed=packed)
    assert read(tmp_path, b"".join(records)) == [("0", ""), ("1", "encoding"), ("2", "")]


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("damage", ["head", "cut", "length"])
def test_a_damaged_record_never_ends_the_file(tmp_path: Path, packed: bool, damage: str) -> None:
    first, bad, last = warc((PAGE, ""), (PAGE, ""), (PAGE, ""), packed=packed)
    if damage == "head":
        bad = b"x" * 30 + bad[30:]
    elif damage == "cut":
        bad = bad[: len(bad) * 2 // 3]
    else:  # it claims to be longer than the file
        plain = gzip.decompress(bad) if packed else bad
        plain = plain.replace(b"Content-Length: 1", b"Content-Length: 9999991", 1)
        bad = gzip.compress(plain) if packed else plain
    found = read(tmp_path, first + bad + last)
    assert (found[0], found[-1]) == (("0", ""), ("2", ""))
    assert [reason for _, reason in found[1:-1]] == ["broken-warc"]


def test_wherever_a_packed_record_is_cut_it_is_told(tmp_path: Path) -> None:
    first, bad, last = warc((PAGE, ""), (PAGE, ""), (PAGE, ""), packed=True)
    for end in range(1, len(bad), 5):
        found = read(tmp_path, first + bad[:end] + last)
        assert found[0] == ("0", "") and any(reason for _, reason in found[1:]), end


def test_resources_archives_of_other_makes_and_files_packed_as_a_whole(tmp_path: Path) -> None:
    assert read(tmp_path, b"".join(warc((PAGE, ""), kind="resource"))) == [("0", "")]
    three = b"".join(warc(*[(PAGE, "")] * 3))
    assert read(tmp_path, gzip.compress(three)) == [("0", ""), ("1", ""), ("2", "")]
    response = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n" + PAGE
    head = b"1 0 InternetArchive\nURL IP-address Archive-date Content-type Archive-length\n\n"
    arc = b"filedesc://x.arc 0.0.0.0 20050101000000 text/plain %d\n%s" % (len(head) - 1, head)
    for number in range(2):
        line = b"http://paper.example/%d 192.0.2.1 20050102030405 text/html %d\n"
        arc += line % (number, len(response)) + response + b"\n"
    assert read(tmp_path, arc, "a.arc") == [("0", ""), ("1", "")]
    with zipfile.ZipFile(tmp_path / "made.wacz", "w") as made:
        made.writestr("archive/data.warc.gz", b"".join(warc((PAGE, ""), packed=True)))
        made.writestr("pages/pages.jsonl", "{}")
    content = (tmp_path / "made.wacz").read_bytes()
    assert read(tmp_path, content, "a.wacz") == [("0", "")]
    assert read(tmp_path, content[:-30], "a.wacz") == [("", "broken-wacz")]


@pytest.mark.parametrize("coding", ["br", "zstd", "gzip"])
def test_a_body_that_unpacks_without_end_is_too_big(tmp_path: Path, coding: str) -> None:
    blank = b" " * (MAX_BODY * 2)
    bomb = {
        "br": lambda: brotli.compress(blank, quality=1),
        "zstd": lambda: zstandard.compress(blank),
        "gzip": lambda: gzip.compress(blank, 1),
    }[coding]()
    records = warc((bomb, coding), (PAGE, ""))
    assert read(tmp_path, b"".join(records)) == [("0", "too-big"), ("1", "")]


def test_a_page_of_a_web_archive_is_known_by_its_own_address(tmp_path: Path) -> None:
    archived = b"https://web.archive.org/web/20050102030405id_/http://paper.example/0"
    (record,) = warc((PAGE, ""))
    (tmp_path / "a.warc").write_bytes(record.replace(b"http://paper.example/0", archived))
    (item,) = read_warc(tmp_path / "a.warc", "a.warc", lambda count: None)
    assert item.url == "http://paper.example/0"
