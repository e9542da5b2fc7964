"""Tasks of three kinds: pairs in other words, the richest chunks once more, general questions.

Pairs in other words test what is taught; beside those that are held out for that, they may be
taught too ([dataset] wordings). The richest chunks are asked for
a summary, the order of events, or consequences. General questions are answered by the model as it
is: what keeps it from forgetting them.
"""

from __future__ import annotations

import re

from exchange.planning.context import (
    DENSE_AT,
    NAMES_AT,
    PlanningContext,
    SourcePair,
    find_names,
)
from exchange.records import TOO_ALIKE, Chunk, Pair, digest

FURTHER = "@2"  # ends the subject of a task that asks for a wording of a wording
_EVERY_ID = "g"  # comes after every id in hex


def plan_rephrase(context: PlanningContext) -> int:
    """Make tasks for the share of pairs with the lowest ids; at rest, for the least number too.

    Of the share that gets further wordings, what came out is put in other words once more.
    """
    settings = context.settings
    share = max(settings.rephrase, settings.wordings)
    if not share:
        return 0
    made = sum(
        _add_rephrase(context, source)
        for source in context.fresh_pairs()
        if source.hash_fraction < share
    )
    if made or not context.idle:
        return made
    missing = settings.rephrase_least - _asked_first(context) if settings.rephrase else 0
    sources = _lowest_unasked(context, min(missing, context.limit), _EVERY_ID)
    if settings.wordings:
        below = _first_id_above(settings.wordings)
        sources += _lowest_unasked(context, context.limit, below)
        made += sum(_add_further(context, *found) for found in _unrepeated(context, below))
    return made + sum(_add_rephrase(context, source) for source in sources)


def _first_id_above(share: float) -> str:
    """Ids are hashes in hex: below this one lies the share of them with the lowest."""
    return f"{int(share * 2**32):08x}" if share < 1 else _EVERY_ID


def _asked_first(context: PlanningContext) -> int:
    """How many pairs there are tasks for, further wordings not counted."""
    (count,) = context.spool.db.execute(
        "SELECT COUNT(*) FROM tasks WHERE kind='rephrase' AND recipe=? AND state<>'stale' "
        "AND subject NOT LIKE '%' || ?",
        (context.recipe, FURTHER),
    ).fetchone()
    return int(count)


def _lowest_unasked(context: PlanningContext, count: int, below: str) -> list[SourcePair]:
    """Pairs with the lowest ids among those that are not asked in other words yet."""
    if count <= 0:
        return []
    rows = context.spool.db.execute(
        "SELECT p.record, p.story_id, t.year FROM pairs p JOIN tasks t ON t.id=p.task_id "
        "WHERE p.status='accepted' AND t.kind='chunk' AND p.id<? AND NOT EXISTS "
        "(SELECT 1 FROM tasks r INDEXED BY tasks_by_subject "
        "WHERE r.subject=p.id AND r.kind='rephrase' AND r.recipe=? AND r.state<>'stale') "
        "ORDER BY p.id LIMIT ?",
        (below, context.recipe, count),
    ).fetchall()
    return [SourcePair(Pair.from_json(row["record"]), row["story_id"], row["year"]) for row in rows]


def _unrepeated(context: PlanningContext, below: str) -> list[tuple[SourcePair, str]]:
    """The first wording of each of these pairs that has no further one yet, and the pair's id.

    One that is too near to its source is as good a beginning as any.
    """
    rows = context.spool.db.execute(
        "SELECT MIN(p.id), p.record, p.story_id, t.year, t.subject FROM tasks t "
        "JOIN pairs p ON p.task_id=t.id "
        "WHERE t.kind='rephrase' AND t.recipe=? AND t.subject<? AND t.subject NOT LIKE '%' || ? "
        "AND (p.status='accepted' OR p.reason=?) AND NOT EXISTS "
        "(SELECT 1 FROM tasks r INDEXED BY tasks_by_subject "
        "WHERE r.subject=t.subject || ? AND r.kind='rephrase' AND r.recipe=t.recipe "
        "AND r.state<>'stale') GROUP BY t.id ORDER BY t.subject LIMIT ?",
        (context.recipe, below, FURTHER, TOO_ALIKE, FURTHER, context.limit),
    ).fetchall()
    return [
        (SourcePair(Pair.from_json(row["record"]), row["story_id"], row["year"]), row["subject"])
        for row in rows
    ]


def _add_further(context: PlanningContext, wording: SourcePair, source: str) -> bool:
    return _add_rephrase(context, wording, source, source + FURTHER)


def _add_rephrase(
    context: PlanningContext, asked: SourcePair, source: str = "", subject: str = ""
) -> bool:
    pair = asked.pair
    subject = subject or pair.id
    task = context.task(
        (subject,),
        pair.chunk_ids,
        pair.question,
        pair=source or pair.id,
        kind=pair.kind,
        question=pair.question,
        answer=pair.answer,
    )
    return context.add(task, subject=subject, story_id=asked.story_id, year=asked.year)


DENSE_STEP = 0.02  # of the wanted number: until so many are missing, more chunks are waited for


def plan_dense(context: PlanningContext) -> int:
    """Make tasks for the richest chunks that have none, up to the share of all live ones."""
    if not context.surveyed:  # or the first that were read would be taken for the richest
        return 0
    wanted = int(context.settings.dense * context.counters.get("chunks.live", 0))
    missing = wanted - context.count()
    if missing <= 0 or (missing < DENSE_STEP * wanted and not context.idle):
        return 0
    # On from where the last step stopped: to look through all richer ones for each would be work
    # that grows with the square of the archive.
    density, last = map(int, (context.spool.meta(DENSE_AT) or "1000000 0").split())
    rows = context.spool.db.execute(
        "SELECT r.density, r.chunk, c.record, s.published FROM richness r "
        "JOIN chunks c ON c.rowid=r.chunk JOIN stories s ON s.id=c.story_id "
        "WHERE r.density<=? AND r.density>0 AND (r.density<? OR r.chunk>?) AND c.state='live' "
        "AND NOT EXISTS (SELECT 1 FROM tasks t INDEXED BY tasks_by_subject "
        "WHERE t.subject=c.id AND t.kind='dense' AND t.recipe=? AND t.state<>'stale') "
        "ORDER BY r.density DESC, r.chunk LIMIT ?",
        (density, density, last, context.recipe, min(missing, context.limit)),
    ).fetchall()
    if rows:
        context.spool.set_meta(DENSE_AT, f"{rows[-1]['density']} {rows[-1]['chunk']}")
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


# A person's or an organisation's stories side by side: who is it, and who did this?
#
# A name is asked about when it stands in three stories, and again each time it stands in four times
# as many, so that an archive that grows is asked again but not for ever.

MIN_STORIES = 3  # stories that name somebody before there is something to tell
GROWTH = 4
MAX_EXCERPTS = 6  # stories of one task, spread over the years
EXCERPT_CHARS = 600  # characters of each
MAX_CHUNKS_READ = 200  # chunks of one name
NAMES_PER_STEP = 200  # looked at in one step: about 0.1 s
MOST_MENTIONS = 2**62  # more than any name has: the top of the list
_SENTENCE = re.compile(r"(?<=[.!;…])\s+|\n+")


def plan_whois(context: PlanningContext) -> int:
    """Make tasks for the most named, up to the share of all live chunks.

    Looks no further than at twice as many names, each of them once until more chunks are read: what
    a name has to tell changes with nothing else.
    """
    if not context.idle:
        return 0
    wanted = int(context.settings.whois * context.counters.get("chunks.live", 0))
    left = min(wanted - context.count(), context.limit)
    if left <= 0:
        return 0
    spool = context.spool
    at = spool.meta(NAMES_AT) or f"{MOST_MENTIONS} 0 0"
    mentions, last, looked = map(int, at.split())
    made = 0
    # Two spans of the index: one condition with OR would read all names of as many mentions anew.
    rows = spool.db.execute(
        "SELECT id, key, name, mentions FROM names WHERE mentions=? AND id>? UNION ALL "
        "SELECT id, key, name, mentions FROM names WHERE mentions<? AND mentions>=? "
        "ORDER BY mentions DESC, id LIMIT ?",
        (mentions, last, mentions, MIN_STORIES, max(0, min(2 * wanted - looked, NAMES_PER_STEP))),
    ).fetchall()
    for row in rows:
        made += _plan_one(context, row["id"], row["key"], row["name"], row["mentions"])
        mentions, last, looked = row["mentions"], row["id"], looked + 1
        if made >= left:
            break
    if rows:
        spool.set_meta(NAMES_AT, f"{mentions} {last} {looked}")
    return made


def _plan_one(context: PlanningContext, name_id: int, key: str, name: str, mentions: int) -> bool:
    level, least = 0, MIN_STORIES
    while mentions >= least * GROWTH:
        level, least = level + 1, least * GROWTH
    subject = f"{key}@{level}"
    known = context.spool.db.execute(
        "SELECT 1 FROM tasks INDEXED BY tasks_by_subject "
        "WHERE subject=? AND kind='whois' AND recipe=? AND state<>'stale'",
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
        named = any(found == key for found, _ in find_names(sentence))
        if (named or near) and sum(map(len, kept)) + len(sentence) <= EXCERPT_CHARS:
            kept.append(sentence.strip())
        near = named
    return " ".join(kept)
