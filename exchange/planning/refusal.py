"""Questions that rest on something false: a kept pair's question with another year or name in it.

The swap is looked up first: no chunk may hold the other year beside the question's names, or the
other name beside them, or the question might be a good one after all.
"""

from __future__ import annotations

import re

from exchange.planning.context import (
    PlanningContext,
    SourcePair,
    chunks_naming,
    find_names,
    name_key,
)
from exchange.records import Chunk

MAX_CHUNKS_READ = (
    200  # chunks that are looked through for one question; a name with more is left out
)
YEAR_STEPS = (2, -3, 1, -1, 3, 4)  # how far the other year is, in the order they are tried
MAX_CANDIDATES = 40  # other names that are looked at for one question
_YEAR = re.compile(r"\b(19|20)\d{2}\b")


def plan_refusal(context: PlanningContext) -> int:
    """Make tasks for the shares of pairs with the highest ids: refusals, then corrections."""
    refused, corrected = context.settings.refusal, context.settings.correction
    if not refused and not corrected:
        return 0
    made = 0
    for source in context.fresh_pairs():
        if source.hash_fraction >= 1 - refused:
            made += _refuse(context, source)
        elif source.hash_fraction >= 1 - refused - corrected:
            made += _correct(context, source)
    return made


def _correct(context: PlanningContext, source: SourcePair) -> bool:
    """Another year, or another name, in a question whose chunk says what is right."""
    question = source.pair.question
    swap = _other_year(context, question) or _other_name(context, source)
    row = context.spool.db.execute(
        "SELECT record FROM chunks WHERE id=?", (source.pair.chunk_ids[0],)
    ).fetchone()
    if swap is None or row is None:
        return False
    chunk = Chunk.from_json(row["record"])
    true, false = swap
    return _add_refusal(
        context, source, chunk.text, chunk.header, question.replace(true, false), true
    )


def _refuse(context: PlanningContext, source: SourcePair) -> bool:
    """Another name in a question that is asked without a chunk: nobody can know the answer."""
    swap = _other_name(context, source)
    if swap is None:
        return False
    return _add_refusal(context, source, "", "", source.pair.question.replace(*swap), "")


def _add_refusal(
    context: PlanningContext, source: SourcePair, text: str, header: str, question: str, true: str
) -> bool:
    pair = source.pair
    task = context.task(
        (pair.id,), pair.chunk_ids, text, header, pair=pair.id, question=question, true=true
    )
    return context.add(task, subject=pair.id, story_id=source.story_id, year=source.year)


def _other_year(context: PlanningContext, question: str) -> tuple[str, str] | None:
    """The question's only year and one that no chunk holds beside the question's names."""
    years = {match[0] for match in _YEAR.finditer(question)}
    if len(years) != 1:
        return None
    (true,) = years
    texts = _texts_naming(context, [key for key, _ in find_names(question)])
    if texts is None:
        return None
    for step in YEAR_STEPS:
        false = str(int(true) + step)
        if not any(false in text for text in texts):
            return true, false
    return None


def _other_name(context: PlanningContext, source: SourcePair) -> tuple[str, str] | None:
    """One of the question's names, and one of the same shape that is never beside the others."""
    found = dict(find_names(source.pair.question))
    for key, name in found.items():
        others = [other for other in found if other != key]
        about = name_key(re.findall(r"[^\W\d_]{4,}", source.pair.question.replace(name, " ")))
        for false_key, false in _names_alike(context, source, key, name):
            if false_key in found or _may_be_true(context, false_key, others, about):
                continue
            return name, false
    return None


def _names_alike(
    context: PlanningContext, source: SourcePair, key: str, name: str
) -> list[tuple[str, str]]:
    """Names with as many words and the same ending, beginning anywhere by the pair's hash."""
    last = context.spool.db.execute("SELECT MAX(id) FROM names").fetchone()[0] or 0
    start = int(source.hash_fraction * 1e6) % max(1, last)
    rows = context.spool.db.execute(
        "SELECT key, name FROM names WHERE id>=? AND key<>? LIMIT ?", (start, key, MAX_CANDIDATES)
    )
    words = name.split()
    return [
        (row["key"], row["name"])
        for row in rows
        if [word[-1] for word in row["name"].split()] == [word[-1] for word in words]
    ]


def _may_be_true(context: PlanningContext, key: str, others: list[str], about: str) -> bool:
    """True when a chunk names both, or speaks of the same with the other name: it may be so."""
    texts = _texts_naming(context, [key])
    if texts is None:
        return True
    if others and chunks_naming(context.spool, [key, *others], 1):
        return True
    stems = set(about.split())
    for text in texts:
        held = set(name_key(re.findall(r"[^\W\d_]{4,}", text)).split())
        if stems and len(stems & held) > len(stems) / 2:
            return True
    return False


def _texts_naming(context: PlanningContext, keys: list[str]) -> list[str] | None:
    """Header and text of every chunk that names all of these; None when they cannot be told."""
    rows = chunks_naming(context.spool, keys, MAX_CHUNKS_READ + 1)
    if rows is None or len(rows) > MAX_CHUNKS_READ:
        return None
    found = []
    for row in rows:
        (record,) = context.spool.db.execute(
            "SELECT record FROM chunks WHERE rowid=?", (row,)
        ).fetchone()
        chunk = Chunk.from_json(record)
        found.append(f"{chunk.header}\n{chunk.text}")
    return found
