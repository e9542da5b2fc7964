"""Some kept pairs are asked in other words: what is taught is tested by these, never trained on."""

from __future__ import annotations

from exchange.planning.context import PlanningContext, SourcePair
from exchange.records import Chunk, Pair, digest
from exchange.store import inputs


def plan_rephrase(making: PlanningContext) -> int:
    """Make tasks for the share of pairs with the lowest ids; at rest, for the least number too."""
    share = making.settings.rephrase
    if not share:
        return 0
    made = sum(
        _add_rephrase(making, source) for source in making.fresh_pairs() if source.point < share
    )
    if not made and making.resting:
        missing = min(making.settings.rephrase_least - making.count(), making.limit)
        made = sum(_add_rephrase(making, source) for source in _lowest_unasked(making, missing))
    return made


def _lowest_unasked(making: PlanningContext, count: int) -> list[SourcePair]:
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
    return [SourcePair(Pair.from_json(row["record"]), row["story_id"], row["year"]) for row in rows]


def _add_rephrase(making: PlanningContext, source: SourcePair) -> bool:
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
    return inputs.add_task(
        making.spool, task, subject=pair.id, story_id=source.story_id, year=source.year
    )


# The richest chunks are asked once more: for a summary, the order of events, or consequences.

DENSE_STEP = 0.02  # of the wanted number: until so many are missing, more chunks are waited for


def plan_dense(making: PlanningContext) -> int:
    """Make tasks for the richest chunks that have none, up to the share of all live ones."""
    wanted = int(making.settings.dense * making.counters.get("chunks.live", 0))
    missing = wanted - making.count()
    if missing <= 0 or (missing < DENSE_STEP * wanted and not making.resting):
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
        made += inputs.add_task(
            making.spool,
            task,
            subject=chunk.id,
            story_id=chunk.story_id,
            year=int(row["published"][:4] or 0),
        )
    return made


# General questions, answered by the model as it is: what keeps it from forgetting them.


def plan_replay(making: PlanningContext, questions: tuple[str, ...]) -> int:
    """Make tasks for the first of `questions`, up to the share of kept pairs."""
    have = making.count()
    kept = making.counters.get("pairs.accepted", 0) - have  # or they would ask for more of them
    wanted = min(len(questions), int(making.settings.replay * kept))
    made = 0
    for question in questions[have : min(wanted, have + making.limit)]:
        subject = digest(question)
        task = making.task((subject,), (), question)
        made += inputs.add_task(making.spool, task, subject=subject, story_id="", year=0)
    return made
