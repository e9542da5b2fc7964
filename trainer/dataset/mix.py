"""What train is made of: caps and shares, each a setting, each shown beside what it came to.

Rows are left out by the hash of their id, so the choice is the same every time.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import Any

from exchange.records import Chunk, digest
from exchange.text.dates import format_date
from exchange.text.fold import fold
from exchange.text.instructions import commands
from exchange.text.language import texts_in
from exchange.text.similarity import question_signature
from trainer.dataset.rows import DatasetRow, StoryOrigin, parse_rows
from trainer.dataset.settings import DatasetSettings
from trainer.dataset.split import SplitAssignment, SplitRule, hash_fraction

SHORT, MEDIUM = 60, 240  # characters of an answer: up to here it is short, medium; else long
FEW = 200  # rows about one name that are never too many
_LENGTHS = ("short", "medium", "long")


def answer_length(answer: str) -> str:
    """The class of an answer: short, medium or long."""
    return "short" if len(answer) <= SHORT else "medium" if len(answer) <= MEDIUM else "long"


def mix_train(
    rows: Sequence[DatasetRow],
    settings: DatasetSettings,
    line: SplitRule,
    placed: Collection[str],
    left_out: Counter[str],
) -> list[DatasetRow]:
    """The rows of train after caps and shares, in the order given.

    Args:
        placed: stories of earlier builds; their rows are chosen first, so that new ones displace
            none of them.
    """
    order = sorted(rows, key=lambda r: (r.story not in placed, hash_fraction(r.id, line.key), r.id))
    order = _capped(order, settings, left_out)
    order = _shared(order, settings, left_out)
    if settings.balance:
        order = _balanced(order, settings, left_out)
    kept = {row.id for row in order}
    return [row for row in rows if row.id in kept]


BOUNDARY = "boundary.jsonl"  # beside the dataset's folder; see `trainer.evaluate.boundary`


def relabel_boundary(
    train: Sequence[DatasetRow], archive_dir: Path, settings: DatasetSettings, line: SplitRule
) -> list[DatasetRow]:
    """Train with the rows at which the model's knowledge ends; as it is where nobody looked.

    A row of the same id takes the place of the one that was never learned; the others ask what
    nobody can know of a taught story. No more than leave refusals their share: what is over it
    goes on being taught.

    Raises:
        UserError: the file is damaged.
    """
    path = archive_dir / BOUNDARY
    if not path.exists():
        return list(train)
    taught = {row.id: row for row in train}
    stories = {row.story for row in train}
    found = [
        row
        for row in parse_rows(path, path.read_bytes())
        if (taught[row.id].question == row.question if row.id in taught else row.story in stories)
    ]
    found.sort(key=lambda row: hash_fraction(row.id, line.key))
    room = int(settings.refusals * len(train)) - sum(row.kind == "refusal" for row in train)
    chosen = {row.id: row for row in found[: max(0, room)]}
    kept = [chosen.pop(row.id, row) for row in train]
    return sorted([*kept, *chosen.values()], key=lambda row: row.id)


def _capped(
    rows: Sequence[DatasetRow], settings: DatasetSettings, left_out: Counter[str]
) -> list[DatasetRow]:
    """No answer and no name more often than allowed: «Ναι.» would be learned as the answer."""
    answers: Counter[str] = Counter()
    entities: Counter[str] = Counter()
    most = max(FEW, int(settings.entity_share * len(rows)))
    kept = []
    for row in rows:
        answer, asked = fold(row.answer), question_signature(row.question).names
        if settings.answer_cap and answers[answer] >= settings.answer_cap:
            left_out["answer_cap"] += 1
        elif settings.entity_share and any(entities[name] >= most for name in asked):
            left_out["entity_share"] += 1
        else:
            kept.append(row)
        # Rows left out count too: else a cap that grows with the set would let one in that takes
        # the place of a row further on.
        answers[answer] += 1
        entities.update(asked)
    return kept


def _shared(
    rows: Sequence[DatasetRow], settings: DatasetSettings, left_out: Counter[str]
) -> list[DatasetRow]:
    """Refusals, corrections and replay up to their share of what train will be."""
    most = {
        "refusal": settings.refusals,
        "correction": settings.corrections,
        "replay": settings.replay,
    }
    plain = sum(row.kind not in most for row in rows)
    whole = plain / max(1e-9, 1 - sum(most.values()))
    room = {kind: int(share * whole) for kind, share in most.items()}
    kept = []
    for row in rows:
        if row.kind in room:
            if not room[row.kind]:
                left_out[f"share_{row.kind}"] += 1
                continue
            room[row.kind] -= 1
        kept.append(row)
    return kept


def _balanced(
    rows: Sequence[DatasetRow], settings: DatasetSettings, left_out: Counter[str]
) -> list[DatasetRow]:
    """As many rows as give the lengths asked for; the rest is left out."""
    wanted = {"short": settings.short, "medium": settings.medium, "long": settings.long}
    have = Counter(answer_length(row.answer) for row in rows)
    whole = min(have[name] / share for name, share in wanted.items() if share)
    room = {name: int(share * whole) for name, share in wanted.items()}
    kept = []
    for row in rows:
        name = answer_length(row.answer)
        if room[name]:
            room[name] -= 1
            kept.append(row)
        else:
            left_out[f"length_{name}"] += 1
    return kept


def text_rows(
    chunks: Iterable[Chunk],
    origins: dict[str, StoryOrigin],
    places: dict[str, SplitAssignment],
    count: int,
    line: SplitRule,
    language: str,
    system: str,
) -> list[DatasetRow]:
    """`count` chunks of taught stories as completions: the paper's own words, for its style."""
    taught = (
        chunk
        for chunk in chunks
        if chunk.story_id in origins
        and places.get(chunk.story_id, _NOWHERE).side == "train"
        and not commands(chunk.text, language)  # what somebody put there is not the paper's style
    )
    chosen = heapq.nsmallest(count, ((hash_fraction(c.id, line.key), c.id, c) for c in taught))
    texts = texts_in(language)
    ask, more = texts["report_request"], texts["report_part"]
    rows = []
    for _point, _id, chunk in sorted(chosen, key=lambda item: item[1]):
        origin = origins[chunk.story_id]
        date = format_date(origin.published, language) if origin.published else "—"
        question = ask.format(date=date, title=origin.title)
        question += more.format(part=chunk.index + 1) if chunk.index else ""
        rows.append(
            DatasetRow(
                id=digest("text", chunk.id),
                question=question,
                answer=chunk.text,
                kind="text",
                story=chunk.story_id,
                cluster=places[chunk.story_id].cluster,
                chunks=(chunk.id,),
                system=system,
                origin=origin,
            )
        )
    return rows


def describe_mix(rows: Sequence[DatasetRow], settings: DatasetSettings) -> dict[str, Any]:
    """What train came to, and what was asked for, as shares."""
    count = max(1, len(rows))
    lengths = Counter(answer_length(row.answer) for row in rows if row.kind != "text")
    answers = max(1, sum(lengths.values()))
    kinds = Counter(row.kind for row in rows)
    return {
        "lengths": {name: round(lengths[name] / answers, 4) for name in _LENGTHS},
        "lengths_wanted": {
            "short": settings.short,
            "medium": settings.medium,
            "long": settings.long,
            "balanced": settings.balance,
        },
        "kinds": {kind: round(number / count, 4) for kind, number in sorted(kinds.items())},
        "most": {
            "refusal": settings.refusals,
            "correction": settings.corrections,
            "replay": settings.replay,
            "text": settings.text,
        },
        "answer_cap": settings.answer_cap,
        "entity_share": settings.entity_share,
    }


_NOWHERE = SplitAssignment("quarantine", "")
