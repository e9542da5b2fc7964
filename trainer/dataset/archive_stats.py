"""What an archive has given so far: counted, as tables of a terminal and as one HTML page.

The dataset's side of it comes from its manifest.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from rich.markup import escape
from rich.table import Table

from exchange.errors import UserError
from exchange.html import templates
from exchange.store.corpus import Corpus
from exchange.store.export import FolderCorpus
from exchange.store.joined_corpus import open_corpus
from exchange.text.controls import one_line
from exchange.text.similarity import question_signature
from trainer.console import StageProgress
from trainer.dataset.build import FOLDER
from trainer.dataset.mix import answer_length
from trainer.dataset.rows import MANIFEST, Manifest

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
    archive_dir: Path, origin: Path | None, report: StageProgress
) -> ArchiveStatistics:
    """Count an archive, or an export of one.

    Raises:
        UserError: nothing crawled yet, or no export there.
    """
    corpus: Corpus = FolderCorpus(origin) if origin else open_corpus(archive_dir)
    with corpus:
        found = _count(corpus, report)
    folder = archive_dir / FOLDER
    if (folder / MANIFEST).exists():
        try:
            found.splits = {name: of["rows"] for name, of in Manifest.read(folder).splits.items()}
        except UserError:
            found.splits = {}  # of another version; the archive's own figures stand without it
    return found


def _count(corpus: Corpus, report: StageProgress) -> ArchiveStatistics:
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


MAX_ROWS = 15  # rows of a table in a terminal; the page has all
WIDTH = 40  # characters, so that no title is broken
MAX_SECTIONS = 12  # columns of the heat map; the rest is summed up
OTHERS = "others"


def _counts_by_title(found: ArchiveStatistics) -> dict[str, Mapping[str, int]]:
    return {
        "Pairs by status": found.pairs,
        "Rows of the dataset": found.splits,
        "Accepted by year": found.by_year,
        "Accepted by section": found.by_section,
        "Accepted by kind": found.by_kind,
        "Accepted by length of the answer": found.by_length,
        "Rejected by reason": found.rejected,
        "Names asked about most": found.names,
    }


def statistics_tables(found: ArchiveStatistics) -> list[Table]:
    """One table a part, the longest ones cut."""
    made = []
    for title, counts in _counts_by_title(found).items():
        if not counts:
            continue
        table = Table(title=title, title_justify="left", show_header=False, min_width=WIDTH)
        table.add_column()
        table.add_column(justify="right")
        table.add_column()
        highest = max(counts.values())
        for name, count in list(counts.items())[:MAX_ROWS]:
            bar = "█" * max(1, round(20 * count / highest))
            table.add_row(escape(one_line(name)), f"{count:,}", f"[blue]{bar}[/]")
        if len(counts) > MAX_ROWS:
            table.add_row(f"… {len(counts) - MAX_ROWS} more", "", "")
        made.append(table)
    made.append(_heat(found))
    return made


def _heat(found: ArchiveStatistics) -> Table:
    columns, rows = coverage_grid(found)
    table = Table(title="Stories by year and section", title_justify="left", min_width=WIDTH)
    table.add_column("")
    for name in columns:
        table.add_column(escape(one_line(name))[:12], justify="right")
    for year, counts in rows.items():
        table.add_row(year, *(f"{count:,}" if count else "·" for count in counts))
    return table


def coverage_grid(found: ArchiveStatistics) -> tuple[list[str], dict[str, list[int]]]:
    """Columns (the commonest sections, then all others) and counts by year."""
    totals: dict[str, int] = {}
    for sections in found.coverage.values():
        for name, count in sections.items():
            totals[name] = totals.get(name, 0) + count
    ranked = sorted(totals, key=lambda name: (-totals[name], name))
    kept, rest = ranked[:MAX_SECTIONS], ranked[MAX_SECTIONS:]
    columns = [*kept, OTHERS] if rest else kept
    rows = {}
    for year, sections in sorted(found.coverage.items()):
        counts = [sections.get(name, 0) for name in kept]
        rows[year] = [*counts, sum(sections.get(n, 0) for n in rest)] if rest else counts
    return columns, rows


def render_page(found: ArchiveStatistics) -> str:
    """The page: HTML without a script or a request."""
    columns, rows = coverage_grid(found)
    page = templates.environment("trainer.dataset").get_template("stats.html.j2")
    return page.render(
        found=found,
        tables=_counts_by_title(found).items(),
        columns=columns,
        rows=rows,
        most=max((count for counts in rows.values() for count in counts), default=1) or 1,
    )
