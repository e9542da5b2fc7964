"""Tasks of three kinds: pairs in other words, the richest chunks once more, general questions.

Pairs in other words test what is taught and are never trained on. The richest chunks are asked for
a summary, the order of events, or consequences. General questions are answered by the model as it
is: what keeps it from forgetting them.
"""

from __future__ import annotations

from exchange.planning.context import PlanningContext, SourcePair
from exchange.records import Chunk, Pair, digest


def plan_rephrase(context: PlanningContext) -> int:
    """Make tasks for the share of pairs with the lowest ids; at rest, for the least number too."""
    share = context.settings.rephrase
    if not share:
        return 0
    made = sum(
        _add_rephrase(context, source)
        for source in context.fresh_pairs()
        if source.hash_fraction < share
    )
    if not made and context.idle:
        missing = min(context.settings.rephrase_least - context.count(), context.limit)
        made = sum(_add_rephrase(context, source) for source in _lowest_unasked(context, missing))
    return made


def _lowest_unasked(context: PlanningContext, count: int) -> list[SourcePair]:
    """Pairs with the lowest ids among those that are not asked in other words yet."""
    if count <= 0:
        return []
    rows = context.spool.db.execute(
        "SELECT p.record, p.story_id, t.year FROM pairs p JOIN tasks t ON t.id=p.task_id "
        "WHERE p.status='accepted' AND t.kind='chunk' AND NOT EXISTS (SELECT 1 FROM tasks r "
        "WHERE r.subject=p.id AND r.kind='rephrase' AND r.recipe=? AND r.state<>'stale') "
        "ORDER BY p.id LIMIT ?",
        (context.recipe, count),
    ).fetchall()
    return [SourcePair(Pair.from_json(row["record"]), row["story_id"], row["year"]) for row in rows]


def _add_rephrase(context: PlanningContext, source: SourcePair) -> bool:
    pair = source.pair
    task = context.task(
        (pair.id,),
        pair.chunk_ids,
        pair.question,
        pair=pair.id,
        kind=pair.kind,
        question=pair.question,
        answer=pair.answer,
    )
    return context.add(task, subject=pair.id, story_id=source.story_id, year=source.year)


DENSE_STEP = 0.02  # of the wanted number: until so many are missing, more chunks are waited for


def plan_dense(context: PlanningContext) -> int:
    """Make tasks for the richest chunks that have none, up to the share of all live ones."""
    wanted = int(context.settings.dense * context.counters.get("chunks.live", 0))
    missing = wanted - context.count()
    if missing <= 0 or (missing < DENSE_STEP * wanted and not context.idle):
        return 0
    rows = context.spool.db.execute(
        "SELECT c.record, s.published FROM richness r JOIN chunks c ON c.rowid=r.chunk "
        "JOIN stories s ON s.id=c.story_id WHERE c.state='live' AND r.density>0 AND NOT EXISTS "
        "(SELECT 1 FROM tasks t WHERE t.subject=c.id AND t.kind='dense' AND t.recipe=? "
        "AND t.state<>'stale') ORDER BY r.density DESC, r.chunk LIMIT ?",
        (context.recipe, min(missing, context.limit)),
    ).fetchall()
    made = 0
    for row in rows:
        chunk = Chunk.from_json(row["record"])
        task = context.task((chunk.id,), (chunk.id,), chunk.text, chunk.header)
        made += context.add(
            task,
            subject=chunk.id,
            story_id=chunk.story_id,
            year=int(row["published"][:4] or 0),
        )
    return made


def plan_replay(context: PlanningContext, questions: tuple[str, ...]) -> int:
    """Make tasks for the first of `questions`, up to the share of kept pairs."""
    have = context.count()
    kept = context.counters.get("pairs.accepted", 0) - have  # or they would ask for more of them
    wanted = min(len(questions), int(context.settings.replay * kept))
    made = 0
    for question in questions[have : min(wanted, have + context.limit)]:
        subject = digest(question)
        task = context.task((subject,), (), question)
        made += context.add(task, subject=subject, story_id="", year=0)
    return made
