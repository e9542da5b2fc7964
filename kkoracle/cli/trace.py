"""From an answer back to the printed page: every step between, and the page's own bytes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from crawler.frontier import pages
from crawler.frontier.raw_store import RawStore
from exchange.errors import NotFound
from exchange.records import Chunk, Completion, Pair, Story
from exchange.store.spool import Spool

SHORTEST_ID = 4  # characters of an id that may stand for the whole


@dataclass(frozen=True, slots=True)
class PairTrace:
    """Where one pair came from. `body` is the page as the server sent it, b"" when not kept."""

    pair: Pair
    chunks: list[Chunk]
    story: Story | None
    completion: Completion | None
    page: str
    status: int
    body_hash: str
    body: bytes


def trace_pair(archive_dir: Path, name: str) -> PairTrace:
    """Follow a pair's id (or its beginning) to the raw store.

    Raises:
        UserError: no such pair, or several begin so.
    """
    if len(name) < SHORTEST_ID or not name.isalnum():
        raise NotFound(
            f"{name!r} is no id of a pair: give at least {SHORTEST_ID} of its characters"
        )
    spool = Spool.read(archive_dir)
    try:
        rows = spool.db.execute(
            "SELECT record, story_id FROM pairs WHERE id >= ? AND id < ? LIMIT 2",
            (name, name + "\x7f"),
        ).fetchall()
        if len(rows) != 1:
            raise NotFound(f"{'several pairs begin' if rows else 'no pair begins'} with {name}")
        pair = Pair.from_json(rows[0]["record"])
        marks = ",".join("?" * len(pair.chunk_ids))
        chunks = [
            Chunk.from_json(record)
            for (record,) in spool.db.execute(
                f"SELECT record FROM chunks WHERE id IN ({marks})", pair.chunk_ids
            )
        ]
        story = spool.db.execute(
            "SELECT record, page FROM stories WHERE id=?", (rows[0]["story_id"],)
        ).fetchone()
        completion = spool.completion(pair.task_id)
    finally:
        spool.close()
    page = story["page"] if story else ""
    status, body_hash, body = _read_page_body(archive_dir, page)
    return PairTrace(
        pair,
        chunks,
        Story.from_json(story["record"]) if story else None,
        completion,
        page,
        status,
        body_hash,
        body,
    )


def _read_page_body(archive_dir: Path, page: str) -> tuple[int, str, bytes]:
    if not (archive_dir / pages.FILE).exists():
        return 0, "", b""
    db = pages.connect_readonly(archive_dir)
    try:
        row = db.execute("SELECT id, status, body_hash FROM pages WHERE key=?", (page,)).fetchone()
        if row is None:
            return 0, "", b""
        body = RawStore(db).get(row["id"])
        return row["status"], row["body_hash"], body or b""
    finally:
        db.close()


def print_trace(console: Console, trace: PairTrace) -> None:
    """The steps, the newest first; nothing of it is read as markup."""
    pair, story, made = trace.pair, trace.story, trace.completion
    state = pair.status + (f" ({pair.reason})" if pair.reason else "")
    console.print(f"[bold]pair[/] {pair.id} {pair.kind} {state}")
    console.print(escape(f"  {pair.question}\n  {pair.answer}"))
    if made:
        console.print(
            f"[bold]completion[/] of task {made.task_id}: {escape(made.model)} "
            f"{escape(made.quantisation)}, {escape(made.engine)}, prompt {escape(made.prompt)} "
            f"({made.prompt_sha[:8]}), seed {made.seed}, {made.tokens_out} tokens, "
            f"{escape(made.finish_reason)}, {escape(made.generated_at)}"
        )
    for chunk in trace.chunks:
        console.print(f"[bold]chunk[/] {chunk.id}, number {chunk.index + 1} of its story")
        console.print(escape(f"  {chunk.text}"))
    if story:
        console.print(
            f"[bold]story[/] {story.id}, {story.published or 'no date'}, "
            f"{escape(story.section)}: {escape(story.title)}"
        )
        console.print(f"  {escape(story.url)}", soft_wrap=True)
    kept = f"{len(trace.body):,} bytes, sha256 {trace.body_hash}" if trace.body else "not kept"
    console.print(f"[bold]page[/] {escape(trace.page) or 'unknown'}: {kept}", soft_wrap=True)
