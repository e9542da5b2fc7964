"""The extracting process: page ids in, stories and chunks out, over its own pipe.

    python -m crawler.extract.worker DIRECTORY ARCHIVE BASE < profile and ids

It knows nothing about the spool and writes nothing. Frames are a length of four bytes and what is
told: a profile in JSON first, then ids, and for each a result in MessagePack. It ends when its
input does, so it never outlives the daemon.
"""

from __future__ import annotations

import gc
import logging
import os
import sqlite3
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, BinaryIO, cast

import msgspec
import orjson

from crawler import scope
from crawler.extract.page import PageReader, StoredPage
from crawler.frontier import pages
from crawler.frontier.raw_store import RawStore
from crawler.frontier.story_parts import parts_of
from crawler.records import ExtractionResult, original_address, part_key
from exchange import signals

if TYPE_CHECKING:
    from crawler.profile import Profile

READY = b"ready"
NICE = 5  # text can wait, the next request cannot


def read_frame(stream: BinaryIO) -> bytes | None:
    """One frame, None at the end of the stream."""
    head = stream.read(4)
    if len(head) < 4:
        return None
    size = int.from_bytes(head, "big")
    body = stream.read(size)
    return body if len(body) == size else None


def write_frame(stream: BinaryIO, body: bytes) -> None:
    stream.write(len(body).to_bytes(4, "big") + body)
    stream.flush()


def load(
    connection: sqlite3.Connection, bodies: RawStore, page: int, origin: str
) -> StoredPage | None:
    """A page with its body, None when it is not stored."""
    row = connection.execute(
        "SELECT p.key, p.url, p.kind, p.issue, p.words, p.charset, b.body, "
        "EXISTS (SELECT 1 FROM pages WHERE key=p.key || ?) AS goes_on "
        "FROM pages p JOIN bodies b ON b.page=p.id WHERE p.id=?",
        (part_key("", 2), page),
    ).fetchone()
    if row is None:
        return None
    parts = list(parts_of(connection, row["key"])) if row["goes_on"] else []
    more = [load(connection, bodies, part, origin) for part in parts if part]
    return StoredPage(
        row["key"],
        original_address(scope.absolute(origin, row["url"])),
        row["kind"],
        row["issue"],
        row["words"],
        row["charset"],
        bodies.unpack(row["body"]),
        tuple(part for part in more if part),
        is_cut=len(list(filter(None, more))) < len(parts),
    )


def unpack_profile(packed: bytes) -> Profile:
    """The profile that `Profile.of_extraction` wrote, by the same names; others are no attributes.

    It was checked where it was written. Checking it again would load the checker here too: a tenth
    of a second and 15 MB in each process.
    """
    fields = orjson.loads(packed)
    months = fields.pop("months")
    return cast("Profile", SimpleNamespace(**_fields(fields), months=months))


def _fields(values: dict[str, Any]) -> dict[str, Any]:
    return {name: _value(value) for name, value in values.items()}


def _value(value: Any) -> Any:
    if isinstance(value, dict):
        return SimpleNamespace(**_fields(value))
    return tuple(map(_value, value)) if isinstance(value, list) else value


def main(arguments: list[str]) -> int:
    """Serve until the input ends. A page that fails answers "crashed" and the next is read."""
    directory, archive = Path(arguments[0]), arguments[1]
    signals.leave_to_parent()
    os.nice(NICE)
    logging.disable(logging.CRITICAL)
    replies = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever a library prints must not look like a frame
    told = read_frame(sys.stdin.buffer)
    if told is None:
        return 0
    profile = unpack_profile(told)
    origin, reader = scope.origin(profile.base), PageReader(profile, archive)
    connection = pages.connect_readonly(directory)
    bodies = RawStore(connection)
    gc.freeze()
    write_frame(replies, READY)
    while (frame := read_frame(sys.stdin.buffer)) is not None:
        try:
            page = load(connection, bodies, int(frame), origin)
            found = reader.read(page) if page else ExtractionResult("no-body")
        except Exception as error:
            found = ExtractionResult("crashed")
            if told:  # once: the first says what the others would
                sys.stderr.write(f"extraction failed: {type(error).__name__}: {str(error)[:200]}\n")
                told = b""
        write_frame(replies, msgspec.msgpack.encode(found))
    return 0


if __name__ == "__main__":
    signals.end_process(main(sys.argv[1:]))
