"""Questions that rest on something false: a kept pair's question with another year or name in it.

The swap is looked up first: no chunk may hold the other year beside the question's names, or the
other name beside them, or the question might be a good one after all.
"""

from __future__ import annotations

import re

from exchange.planning import names
from exchange.planning.context import PlanningContext, SourcePair
from exchange.planning.survey import chunks_naming
from exchange.records import Chunk
from exchange.store import inputs

MAX_CHUNKS_READ = (
    200  # chunks that are looked through for one question; a name with more is left out
)
YEAR_STEPS = (2, -3, 1, -1, 3, 4)  # how far the other year is, in the order they are tried
MAX_CANDIDATES = 40  # other names that are looked at for one question
_YEAR = re.compile(r"\b(19|20)\d{2}\b")


def plan_refusal(making: PlanningContext) -> int:
    """Make tasks for the shares of pairs with the highest ids: refusals, then corrections."""
    refused, corrected = making.settings.refusal, making.settings.correction
    if not refused and not corrected:
        return 0
    made = 0
    for source in making.fresh_pairs():
        if source.point >= 1 - refused:
            made += _refuse(making, source)
        elif source.point >= 1 - refused - corrected:
            made += _correct(making, source)
    return made


def _correct(making: PlanningContext, source: SourcePair) -> bool:
    """Another year, or another name, in a question whose chunk says what is right."""
    question = source.pair.question
    swap = _other_year(making, question) or _other_name(making, source)
    row = making.spool.db.execute(
        "SELECT record FROM chunks WHERE id=?", (source.pair.chunk_ids[0],)
    ).fetchone()
    if swap is None or row is None:
        return False
    chunk = Chunk.from_json(row["record"])
    true, false = swap
    return _add_refusal(
        making, source, chunk.text, chunk.header, question.replace(true, false), true
    )


def _refuse(making: PlanningContext, source: SourcePair) -> bool:
    """Another name in a question that is asked without a chunk: nobody can know the answer."""
    swap = _other_name(making, source)
    if swap is None:
        return False
    return _add_refusal(making, source, "", "", source.pair.question.replace(*swap), "")


def _add_refusal(
    making: PlanningContext, source: SourcePair, text: str, header: str, question: str, true: str
) -> bool:
    pair = source.pair
    task = making.task(
        (pair.id,), pair.chunk_ids, text, header, pair=pair.id, question=question, true=true
    )
    return inputs.add_task(
        making.spool, task, subject=pair.id, story_id=source.story_id, year=source.year
    )


def _other_year(making: PlanningContext, question: str) -> tuple[str, str] | None:
    """The question's only year and one that no chunk holds beside the question's names."""
    years = {match[0] for match in _YEAR.finditer(question)}
    if len(years) != 1:
        return None
    (true,) = years
    told = _texts_naming(making, [key for key, _ in names.find_names(question)])
    if told is None:
        return None
    for step in YEAR_STEPS:
        false = str(int(true) + step)
        if not any(false in text for text in told):
            return true, false
    return None


def _other_name(making: PlanningContext, source: SourcePair) -> tuple[str, str] | None:
    """One of the question's names, and one of the same shape that is never beside the others."""
    found = dict(names.find_names(source.pair.question))
    for key, name in found.items():
        others = [other for other in found if other != key]
        about = names.name_key(re.findall(r"[^\W\d_]{4,}", source.pair.question.replace(name, " ")))
        for false_key, false in _names_alike(making, source, key, name):
            if false_key in found or _may_be_true(making, false_key, others, about):
                continue
            return name, false
    return None


def _names_alike(
    making: PlanningContext, source: SourcePair, key: str, name: str
) -> list[tuple[str, str]]:
    """Names with as many words and the same ending, beginning anywhere by the pair's hash."""
    last = making.spool.db.execute("SELECT MAX(id) FROM names").fetchone()[0] or 0
    start = int(source.point * 1e6) % max(1, last)
    rows = making.spool.db.execute(
        "SELECT key, name FROM names WHERE id>=? AND key<>? LIMIT ?", (start, key, MAX_CANDIDATES)
    )
    words = name.split()
    return [
        (row["key"], row["name"])
        for row in rows
        if [word[-1] for word in row["name"].split()] == [word[-1] for word in words]
    ]


def _may_be_true(making: PlanningContext, key: str, others: list[str], about: str) -> bool:
    """True when a chunk names both, or speaks of the same with the other name: it may be so."""
    told = _texts_naming(making, [key])
    if told is None:
        return True
    if others and chunks_naming(making.spool, [key, *others], 1):
        return True
    stems = set(about.split())
    for text in told:
        held = set(names.name_key(re.findall(r"[^\W\d_]{4,}", text)).split())
        if stems and len(stems & held) > len(stems) / 2:
            return True
    return False


def _texts_naming(making: PlanningContext, keys: list[str]) -> list[str] | None:
    """Header and text of every chunk that names all of these; None when they cannot be told."""
    rows = chunks_naming(making.spool, keys, MAX_CHUNKS_READ + 1)
    if rows is None or len(rows) > MAX_CHUNKS_READ:
        return None
    found = []
    for row in rows:
        (record,) = making.spool.db.execute(
            "SELECT record FROM chunks WHERE rowid=?", (row,)
        ).fetchone()
        chunk = Chunk.from_json(record)
        found.append(f"{chunk.header}\n{chunk.text}")
    return found
