"""What an archive has given so far, counted; the dataset's side of it comes from its manifest."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from exchange.errors import UserError
from exchange.store.corpus import Corpus, SpoolCorpus
from exchange.store.export import FolderCorpus
from exchange.text.similarity import question_signature
from trainer.dataset import manifest as manifests
from trainer.dataset.build import FOLDER
from trainer.dataset.manifest import Manifest
from trainer.dataset.mix import answer_length

ENTITIES = 30  # names shown
UNKNOWN = "unknown"
_EVERY = 1000  # pairs between two reports


@dataclass(slots=True)
class ArchiveStatistics:
    """Counters for people; keys are strings, so that it can be written as JSON."""

    archive: str
    stories: int = 0
    pairs: dict[str, int] = field(default_factory=dict)  # by status
    by_year: dict[str, int] = field(default_factory=dict)  # accepted pairs
    by_section: dict[str, int] = field(default_factory=dict)
    by_kind: dict[str, int] = field(default_factory=dict)
    by_length: dict[str, int] = field(default_factory=dict)
    rejected: dict[str, int] = field(default_factory=dict)  # by reason
    coverage: dict[str, dict[str, int]] = field(default_factory=dict)  # year -> section -> stories
    names: dict[str, int] = field(default_factory=dict)  # the commonest, of accepted questions
    splits: dict[str, int] = field(default_factory=dict)  # rows of the built dataset


def read_statistics(
    archive_dir: Path, origin: Path | None, report: Callable[[str, int, int], None]
) -> ArchiveStatistics:
    """Count an archive, or an export of one.

    Raises:
        UserError: nothing crawled yet, or no export there.
    """
    corpus: Corpus = FolderCorpus(origin) if origin else SpoolCorpus(archive_dir)
    with corpus:
        found = _count(corpus, report)
    folder = archive_dir / FOLDER
    if (folder / manifests.FILE).exists():
        try:
            found.splits = {name: of["rows"] for name, of in Manifest.read(folder).splits.items()}
        except UserError:
            found.splits = {}  # of another version; the archive's own figures stand without it
    return found


def _count(corpus: Corpus, report: Callable[[str, int, int], None]) -> ArchiveStatistics:
    found = ArchiveStatistics(corpus.archive)
    years: dict[str, str] = {}
    sections: dict[str, str] = {}
    coverage: Counter[tuple[str, str]] = Counter()
    for stored in corpus.stories():
        story = stored.story
        years[story.id] = story.published[:4] or UNKNOWN
        sections[story.id] = story.section or UNKNOWN
        coverage[years[story.id], sections[story.id]] += 1
        found.stories += 1
    for (year, section), number in sorted(coverage.items()):
        found.coverage.setdefault(year, {})[section] = number
    counters = corpus.counters()
    total = counters.get("pairs.accepted", 0) + counters.get("pairs.rejected", 0)
    status, by_year, by_section = Counter[str](), Counter[str](), Counter[str]()
    kinds, lengths, reasons, names = (
        Counter[str](),
        Counter[str](),
        Counter[str](),
        Counter[str](),
    )
    spelled: dict[str, Counter[str]] = {}
    for number, (pair, story_id) in enumerate((s.pair, s.story) for s in corpus.pairs()):
        if number % _EVERY == 0:
            report("reading pairs", number, total)
        status[pair.status] += 1
        if pair.status == "rejected":
            reasons[pair.reason] += 1
            continue
        by_year[years.get(story_id, UNKNOWN)] += 1
        by_section[sections.get(story_id, UNKNOWN)] += 1
        kinds[pair.kind] += 1
        lengths[answer_length(pair.answer)] += 1
        for stem, word in question_signature(pair.question).spelled:
            names[stem] += 1
            spelled.setdefault(stem, Counter())[word] += 1
    report("reading pairs", total, total)
    found.pairs, found.by_kind, found.by_length = dict(status), dict(kinds), dict(lengths)
    found.by_year, found.by_section = dict(sorted(by_year.items())), dict(by_section.most_common())
    found.rejected = dict(reasons.most_common())
    found.names = {
        spelled[stem].most_common(1)[0][0]: count for stem, count in names.most_common(ENTITIES)
    }
    return found
