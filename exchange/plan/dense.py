"""The richest chunks are asked once more: for a summary, the order of events, or consequences."""

from __future__ import annotations

from exchange import inputs
from exchange.plan.making import Making
from exchange.records import Chunk

STEP = 0.02  # of the wanted number: until so many are missing, more chunks are waited for


def plan(making: Making) -> int:
    """Make tasks for the richest chunks that have none, up to the share of all live ones."""
    wanted = int(making.settings.dense * making.counters.get("chunks.live", 0))
    missing = wanted - making.count()
    if missing <= 0 or (missing < STEP * wanted and not making.resting):
        return 0
    rows = making.spool.db.execute(
        "SELECT c.record, s.published FROM richness r JOIN chunks c ON c.rowid=r.chunk "
        "JOIN stories s ON s.id=c.story_id WHERE c.state='live' AND r.density>0 AND NOT EXISTS "
        "(SELECT 1 FROM tasks t WHERE t.subject=c.id AND t.kind='dense' AND t.recipe=? "
        "AND t.state<>'stale') ORDER BY r.density DESC, r.chunk LIMIT ?",
        (making.recipe, min(missing, making.limit)),
    ).fetchall()
    made = 0
    for row in rows:
        chunk = Chunk.from_json(row["record"])
        task = making.task((chunk.id,), (chunk.id,), chunk.text, chunk.header)
        made += inputs.add(
            making.spool,
            task,
            subject=chunk.id,
            story_id=chunk.story_id,
            year=int(row["published"][:4] or 0),
        )
    return made
