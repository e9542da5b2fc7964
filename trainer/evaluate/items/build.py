"""The items of an evaluation, from a built dataset and the archive it was made of."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, zip_longest
from pathlib import Path

from exchange.records import Chunk, digest
from exchange.text.similarity import question_signature
from exchange.text.stems import stem
from trainer.dataset import DatasetRow, Manifest, read_split
from trainer.dataset.split import Split
from trainer.evaluate.items import distractors
from trainer.evaluate.items.distractors import DistractorIndex
from trainer.evaluate.rag import SearchIndex
from trainer.evaluate.records import AFTER, BEFORE, EvalItem

TEST_SPLITS: tuple[Split, ...] = ("test_recall", "test_unseen", "test_general")
ABSENT = "absent"
RARE_CHUNKS = 5  # chunks; a name that stands in more is a common one


@dataclass(frozen=True, slots=True)
class BuiltItems:
    """The items, the taught rows to take examples from, and what was not there to be asked."""

    items: list[EvalItem]
    examples: SearchIndex
    warnings: list[str]


@dataclass(frozen=True, slots=True)
class ItemCounts:
    """How many questions of what kind; 0: all there are. No set has more than `each`."""

    each: int  # of every split
    absent: int  # coined, that the archive cannot answer
    disturbed: int  # asked again without accents, in capitals, with slips

    def coined(self, refusals: int) -> int | None:
        """How many questions are coined beside some that are refused anyway; None: all."""
        room = [self.absent] if self.absent else []
        room += [max(0, self.each - refusals)] if self.each else []
        return min(room, default=None)


def build_items(
    dataset: Path,
    chunks: Callable[[set[str]], dict[str, Chunk]],
    search: SearchIndex | None,
    sought: ItemCounts,
) -> BuiltItems:
    """Read the test splits and lay everything beside each question that it is measured against.

    Args:
        chunks: the chunks of some ids, as far as they are there.
        search: the archive's index; without one there is no rarity and no coined question.

    Raises:
        UserError: no dataset, or its files are not those of its manifest.
    """
    manifest = Manifest.read(dataset)
    warnings = []
    chosen: dict[str, list[DatasetRow]] = {}
    for split in TEST_SPLITS:
        if manifest.splits.get(split, {}).get("rows"):
            chosen[split] = _spread_by_period(read_split(dataset, split), sought.each, manifest)
        else:
            empty = f"{split} is empty: nothing is said about it"
            warnings.append(_NO_GENERAL if split == "test_general" else empty)
    taught = DistractorIndex(read_split(dataset, "train"))
    unseen = DistractorIndex(read_split(dataset, "test_unseen"))
    among = {"test_recall": taught, "test_unseen": unseen}
    found = chunks({chunk for rows in chosen.values() for row in rows for chunk in row.chunks})
    items = [
        build_item(split, row, among.get(split), found, search, manifest)
        for split, rows in chosen.items()
        for row in rows
    ]
    facts = [item for item in items if item.split in among and item.reference]
    refusals = [item for item in items if item.split == ABSENT][: sought.each or None]
    items = [item for item in items if item.split != ABSENT] + refusals
    items += _disturbed_items(facts, sought.disturbed)[: sought.each or None]
    if search is not None:
        items += islice(_absent_items(facts, search), sought.coined(len(refusals)))
    return BuiltItems(items, taught.index, warnings)


_NO_GENERAL = (
    "no general questions (they are there in Greek and English): what was forgotten is not "
    "measured, so the gate cannot pass"
)


def _spread_by_period(
    rows: Sequence[DatasetRow], most: int, manifest: Manifest
) -> list[DatasetRow]:
    """Up to `most` rows; as many after the day as before it, where there are enough of each."""
    late = [row for row in rows if _period(row, manifest) == AFTER]
    early = [row for row in rows if _period(row, manifest) != AFTER]
    if not most or not late or not early:
        return _spread(rows, most)
    share = min(len(late), max(most // 2, most - len(early)))
    return sorted(_spread(early, most - share) + _spread(late, share), key=lambda row: row.id)


def _spread(rows: Sequence[DatasetRow], most: int) -> list[DatasetRow]:
    """Up to `most` rows, one of every cluster before a second of any: clusters are what counts."""
    by_cluster: defaultdict[str, list[DatasetRow]] = defaultdict(list)
    for row in rows:
        by_cluster[row.cluster or row.id].append(row)
    rounds = zip_longest(*(by_cluster[name] for name in sorted(by_cluster)))
    spread = [row for one in rounds for row in one if row is not None]
    return sorted(spread[: most or None], key=lambda row: row.id)


def build_item(
    split: str,
    row: DatasetRow,
    among: DistractorIndex | None,
    chunks: dict[str, Chunk],
    search: SearchIndex | None,
    manifest: Manifest,
) -> EvalItem:
    """One row with what it is measured against.

    Args:
        among: where wrong answers are taken from; None where none are wanted.
        chunks: by id, as far as they are there.
        search: tells how rare a name is; None where that is not asked.
    """
    refused = row.kind == "refusal"
    # A timeline is made from several chunks; one that is stale by now is not there.
    gold = [] if refused else [chunks[name] for name in row.chunks if name in chunks]
    return EvalItem(
        id=row.id,
        split=ABSENT if refused else split,
        question=row.question,
        reference="" if refused else row.answer,
        cluster=row.cluster or row.id,
        system=row.system,
        kind=row.kind,
        gold="\n\n".join(chunk.text for chunk in gold),
        header=gold[0].header if gold else "",
        url=row.origin.url,
        distractors=among.distractors(row) if among and not refused else (),
        slices=_slices(row, search, manifest) if among else {},
    )


def _slices(row: DatasetRow, search: SearchIndex | None, manifest: Manifest) -> dict[str, str]:
    found = {
        "period": _period(row, manifest),
        "paper": row.origin.paper,
        "section": row.origin.section,
        "year": row.origin.published[:4],
        "entity": row.kind,
        "rarity": _rarity(row.question, search) if search else "",
    }
    return {name: value for name, value in found.items() if value}


def _period(row: DatasetRow, manifest: Manifest) -> str:
    """On which side of the day as of which the model was taught; "" where there is none."""
    if not manifest.as_of or not row.origin.published:
        return ""
    return AFTER if row.origin.published[:10] > manifest.as_of else BEFORE


def _rarity(question: str, search: SearchIndex) -> str:
    """By the rarest name of a question; "" when it has none."""
    names = question_signature(question).names
    if not names:
        return ""
    return "rare" if min(search.documents(name) for name in names) <= RARE_CHUNKS else "common"


def _disturbed_items(facts: Sequence[EvalItem], most: int) -> list[EvalItem]:
    """The first facts, in every other way of typing."""
    split = "test_recall" if any(item.split == "test_recall" for item in facts) else "test_unseen"
    chosen = [item for item in facts if item.split == split]
    return [
        item.replace(
            id=digest("disturbed", way, item.id),
            split="disturbed",
            question=disturb(item.question),
            variant=way,
            variant_of=item.id,
        )
        for item in chosen[: most or None]
        for way, disturb in distractors.PERTURBATIONS.items()
    ]


def _absent_items(facts: Iterable[EvalItem], search: SearchIndex) -> Iterator[EvalItem]:
    def known(word: str) -> bool:
        return bool(search.documents(stem(word)))

    for item in facts:
        question = distractors.with_coined_name(item.question, known, item.id)
        if question:
            yield EvalItem(
                digest("absent", item.id),
                ABSENT,
                question,
                "",
                item.cluster,
                item.system,
                item.kind,
                slices=item.slices,
            )
