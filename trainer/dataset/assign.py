"""Which row goes to which side: repeated questions, the line of the split, the stories' places."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from exchange.text.fold import fold
from exchange.text.similarity import SIMILAR, SignatureIndex, question_signature
from trainer.dataset import recall_split
from trainer.dataset.rows import DatasetRow
from trainer.dataset.settings import DatasetSettings
from trainer.dataset.source import DatasetSource
from trainer.dataset.split import SplitAssignment, SplitRule, choose_rule, side_of
from trainer.dataset.split_history import SplitHistory

_WITHOUT_STORY = ("replay", "refusal")  # kinds that are there to be taught


def without_repeated_questions(
    source: DatasetSource, placed: Mapping[str, SplitAssignment]
) -> list[DatasetRow]:
    """Rows without repeated questions, in all splits together: what train asks tests nothing.

    Of two, the one of a story that was placed before stays, so that new rows displace none.
    """
    index, told, kept = SignatureIndex(), set[str](), []
    for row in sorted(source.rows, key=lambda row: (row.story not in placed, row.id)):
        question = question_signature(row.question)
        said = fold(row.question) + "\0" + fold(row.answer)
        repeated = said in told or (not row.rephrase_of and index.nearest(question)[1] >= SIMILAR)
        if repeated:
            source.left_out["duplicate"] += 1
            continue
        told.add(said)
        if not row.rephrase_of:
            index.add(row.id, question)
        kept.append(row)
    return sorted(kept, key=lambda row: row.id)


def decide_split(
    source: DatasetSource,
    settings: DatasetSettings,
    rephrased: int,
    before: SplitHistory | None,
    *,
    new_cutoff: bool,
) -> SplitHistory:
    """The line of the build before, or a first one, and the places that hold.

    With `new_cutoff` the next version: later stories may be taught, the rest keeps its place.
    """
    last = max((date for _cluster, date in source.stories.values() if date), default="")[:10]
    cutoff = settings.cutoff or last
    valid = 0.0 if rephrased >= recall_split.MIN_REPHRASINGS else settings.valid
    if before and before.line.key.rpartition(":")[0] == settings.key:
        if not new_cutoff:
            return before
        line = replace(before.line, cutoff=cutoff, valid=valid)
        places = {
            story: place
            for story, place in before.places.items()
            if place.side == side_of(place.cluster, line)
        }
        return SplitHistory(line, before.version + 1, places)
    clusters = {cluster for cluster, _date in source.stories.values()}
    clusters |= {row.cluster for row in source.rows if not row.story}
    return SplitHistory(choose_rule(settings.key, clusters, settings.unseen, valid, cutoff), 1, {})


def rows_by_side(
    rows: Sequence[DatasetRow],
    source: DatasetSource,
    places: Mapping[str, SplitAssignment],
    line: SplitRule,
) -> dict[str, list[DatasetRow]]:
    """Rows by side; a row about stories of several sides is in none."""
    sides: dict[str, list[DatasetRow]] = {"train": [], "valid": [], "unseen": []}
    for row in rows:
        stories = source.ties.get(row.id) or ((row.story,) if row.story else ())
        found = {places[story].side for story in stories}
        if not stories:
            found = {"train" if row.kind in _WITHOUT_STORY else side_of(row.cluster, line)}
        side = found.pop()
        if found or side == "quarantine":
            source.left_out["quarantined"] += 1
            continue
        cluster = places[row.story].cluster if row.story in places else row.cluster
        sides[side].append(row if cluster == row.cluster else replace(row, cluster=cluster))
    return sides
