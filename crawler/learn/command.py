"""What `kkoracle archive learn` does: get pages, propose, show, write the profile."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from crawler import profiles
from crawler.learn import sample, show, toml
from crawler.learn.propose import Proposal, propose
from crawler.settings import Crawl
from exchange.errors import UsageError, UserError

FEWEST, MOST = 10, 500
NOTES = """Learned from {pages} pages of {source}.
Look at a few stories before a long crawl: `kkoracle init {file}`, `kkoracle crawl`.
Worth adding by hand: ranges (addresses by date), keys that merge aliases, leave_out."""


def learn(
    source: str,
    out: Path | None,
    folder: Path,
    count: int,
    settings: Crawl,
    *,
    name: str = "",
    force: bool = False,
) -> Iterator[str]:
    """Learn from a site, a folder of pages or a raw store; yields lines for people.

    Args:
        folder: where pages that are asked for are kept, a folder per host.
        count: about how many pages to look at.

    Raises:
        UsageError: the source or the number does not fit, the file is there already.
        UserError: no page came, or no layout could be told.
    """
    if not FEWEST <= count <= MOST:
        raise UsageError(f"--pages must lie between {FEWEST} and {MOST}, not {count}")
    online = source.startswith(("http://", "https://"))
    host = urlsplit(source).netloc if online else Path(source).resolve().name
    if not host:
        raise UsageError(f"{source!r} is no web address: http://newspaper.example/")
    host = host.rpartition("@")[2].replace(":", "_")
    file = out or Path(f"{host}.toml")
    if file.exists() and not force:
        raise UsageError(f"{file} exists already: give another --out, or --force to write over it")
    if online:
        kept = folder / host
        raws = asyncio.run(sample.from_site(source, kept, count, settings, _Progress()))
        yield f"{len(raws)} pages, kept in {kept}"
    else:
        raws = sample.from_folder(Path(source), count)
        yield f"{len(raws)} pages of {source}"
    path = urlsplit(source).path or "/" if online else "/"
    proposal = propose(sample.parsed(raws), name, path)
    yield from show.lines(proposal)
    yield from _write(proposal, file, source, len(raws))


def _write(proposal: Proposal, file: Path, source: str, pages: int) -> Iterator[str]:
    text = toml.write(proposal.profile, NOTES.format(pages=pages, source=source, file=file))
    profiles.parse(text, str(file))  # what the crawl would say, before it is written
    try:
        file.write_text(text, "utf-8")
    except OSError as error:
        raise UserError(f"cannot write {file}: {error.strerror}") from None
    yield f"wrote {file}: {', '.join(proposal.told)}; kinds {', '.join(proposal.profile.kinds)}"
    yield f"next: kkoracle init {file} --contact you@example.org, then kkoracle crawl"


class _Progress:
    """One line on standard error, renewed in a terminal."""

    def __init__(self) -> None:
        self._begun = time.monotonic()
        self._first: int | None = None
        self._said = 0.0

    def __call__(self, done: int, wanted: int) -> None:
        self._first = done if self._first is None else self._first
        now = time.monotonic()
        if now - self._said < (0.2 if sys.stderr.isatty() else 10.0):
            return
        self._said = now
        new = done - self._first
        left = f"; {(now - self._begun) / new * (wanted - done):.0f} s left" if new else ""
        end = "\r" if sys.stderr.isatty() else "\n"
        sys.stderr.write(f"asked for {done} of about {wanted} pages{left}   {end}")
        sys.stderr.flush()
