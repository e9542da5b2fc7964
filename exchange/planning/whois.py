"""A person's or an organisation's stories side by side: who is it, and who did this?

A name is asked about when it stands in three stories, and again each time it stands in four times
as many, so that an archive that grows is asked again but not for ever.
"""

from __future__ import annotations

import re

from exchange.planning import names
from exchange.planning.context import PlanningContext
from exchange.records import Chunk

MIN_STORIES = 3  # stories that name somebody before there is something to tell
GROWTH = 4
MAX_EXCERPTS = 6  # stories of one task, spread over the years
EXCERPT_CHARS = 600  # characters of each
MAX_CHUNKS_READ = 200  # chunks of one name
_SENTENCE = re.compile(r"(?<=[.!;…])\s+|\n+")


def plan_whois(context: PlanningContext) -> int:
    """Make tasks for the most named, up to the share of all live chunks."""
    wanted = int(context.settings.whois * context.counters.get("chunks.live", 0))
    if wanted - context.count() <= 0 or not context.idle:
        return 0
    left = min(wanted - context.count(), context.limit)
    made = 0
    rows = context.spool.db.execute(
        "SELECT id, key, name, mentions FROM names WHERE mentions>=? ORDER BY mentions DESC, id "
        "LIMIT ?",
        (MIN_STORIES, 2 * wanted),
    )
    for row in rows.fetchall():
        if made >= left:
            break
        made += _plan_one(context, row["id"], row["key"], row["name"], row["mentions"])
    return made


def _plan_one(context: PlanningContext, name_id: int, key: str, name: str, mentions: int) -> bool:
    level, least = 0, MIN_STORIES
    while mentions >= least * GROWTH:
        level, least = level + 1, least * GROWTH
    subject = f"{key}@{level}"
    known = context.spool.db.execute(
        "SELECT 1 FROM tasks WHERE subject=? AND kind='whois' AND recipe=? AND state<>'stale'",
        (subject, context.recipe),
    ).fetchone()
    if known:
        return False
    excerpts = _excerpts(context, name_id, key)
    if len(excerpts) < MIN_STORIES:
        return False
    chunks = [chunk for chunk, _year, _text in excerpts]
    text = "\n\n".join(f"{chunk.header}\n{text}" for chunk, _year, text in excerpts)
    task = context.task((subject,), tuple(chunk.id for chunk in chunks), text, name, name=name)
    return context.add(task, subject=subject, story_id=chunks[0].story_id, year=excerpts[-1][1])


def _excerpts(context: PlanningContext, name_id: int, key: str) -> list[tuple[Chunk, int, str]]:
    """One chunk of each story that says something of the name, at most `EXCERPTS`, by date."""
    rows = context.spool.db.execute(
        "SELECT c.record, s.published FROM mentions m JOIN chunks c ON c.rowid=m.chunk "
        "JOIN stories s ON s.id=c.story_id WHERE m.name=? AND c.state='live' "
        "GROUP BY s.cluster ORDER BY s.published, s.id LIMIT ?",
        (name_id, MAX_CHUNKS_READ),
    ).fetchall()
    step = max(1, len(rows) // MAX_EXCERPTS)
    found = []
    for row in rows[::step][:MAX_EXCERPTS]:
        chunk = Chunk.from_json(row["record"])
        text = excerpt(chunk.text, key)
        if text:
            found.append((chunk, int(row["published"][:4] or 0), text))
    return found


def excerpt(text: str, key: str) -> str:
    """The sentences that hold a name and those that follow them, as far as there is room."""
    kept: list[str] = []
    near = False
    for sentence in _SENTENCE.split(text):
        named = any(found == key for found, _ in names.find_names(sentence))
        if (named or near) and sum(map(len, kept)) + len(sentence) <= EXCERPT_CHARS:
            kept.append(sentence.strip())
        near = named
    return " ".join(kept)
