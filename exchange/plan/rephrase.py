"""Some kept pairs are asked in other words: what is taught is tested by these, never trained on."""

from __future__ import annotations

from exchange import inputs
from exchange.plan.making import Making, Source
from exchange.records import Pair


def plan(making: Making) -> int:
    """Make tasks for the share of pairs with the lowest ids; at rest, for the least number too."""
    share = making.settings.rephrase
    if not share:
        return 0
    made = sum(_add(making, source) for source in making.fresh_pairs() if source.point < share)
    if not made and making.resting:
        missing = min(making.settings.rephrase_least - making.count(), making.limit)
        made = sum(_add(making, source) for source in _lowest(making, missing))
    return made


def _lowest(making: Making, count: int) -> list[Source]:
    """Pairs with the lowest ids among those that are not asked in other words yet."""
    if count <= 0:
        return []
    rows = making.spool.db.execute(
        "SELECT p.record, p.story_id, t.year FROM pairs p JOIN tasks t ON t.id=p.task_id "
        "WHERE p.status='accepted' AND t.kind='chunk' AND NOT EXISTS (SELECT 1 FROM tasks r "
        "WHERE r.subject=p.id AND r.kind='rephrase' AND r.recipe=? AND r.state<>'stale') "
        "ORDER BY p.id LIMIT ?",
        (making.recipe, count),
    ).fetchall()
    return [Source(Pair.from_json(row["record"]), row["story_id"], row["year"]) for row in rows]


def _add(making: Making, source: Source) -> bool:
    pair = source.pair
    task = making.task(
        (pair.id,),
        pair.chunk_ids,
        pair.question,
        pair=pair.id,
        kind=pair.kind,
        question=pair.question,
        answer=pair.answer,
    )
    return inputs.add(
        making.spool, task, subject=pair.id, story_id=source.story_id, year=source.year
    )
