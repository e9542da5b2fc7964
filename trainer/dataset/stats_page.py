"""The statistics as tables of a terminal and as one HTML page without scripts."""

from __future__ import annotations

from collections.abc import Mapping

from rich.markup import escape
from rich.table import Table

from exchange.display import one_line
from exchange.html import templates
from trainer.dataset.archive_stats import ArchiveStatistics

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
