"""The statistics as tables of a terminal and as one HTML page without scripts."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

from rich.markup import escape as plain
from rich.table import Table

from trainer.dataset.archive_stats import ArchiveStatistics

MAX_ROWS = 15  # rows of a table in a terminal; the page has all
WIDTH = 40  # characters, so that no title is broken
MAX_SECTIONS = 12  # columns of the heat map; the rest is summed up
OTHERS = "others"
_STYLE = """
body{font:15px/1.5 system-ui,sans-serif;max-width:64rem;margin:2rem auto;padding:0 1rem;color:#222}
h1{font-size:1.5rem}h2{font-size:1.1rem;margin-top:2rem}
table{border-collapse:collapse}td,th{padding:.15rem .6rem;text-align:left;font-weight:normal}
td.n{text-align:right;font-variant-numeric:tabular-nums}td.b{width:20rem}
td.b div{background:#4a7ba6;height:.8rem}.h td{text-align:right;min-width:2.5rem}
@media(prefers-color-scheme:dark){body{background:#161616;color:#ddd}}
"""


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
            table.add_row(plain(_printable(name)), f"{count:,}", f"[blue]{bar}[/]")
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
        table.add_column(plain(_printable(name))[:12], justify="right")
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
    parts = [f"<h1>{_html(found.archive)}: {found.stories:,} stories</h1>"]
    for title, counts in _counts_by_title(found).items():
        if counts:
            parts.append(f"<h2>{title}</h2><table>{_bars(counts)}</table>")
    columns, rows = coverage_grid(found)
    highest = max((count for counts in rows.values() for count in counts), default=1) or 1
    head = "".join(f"<th>{_html(name)}</th>" for name in columns)
    body = "".join(
        f"<tr><th>{_html(year)}</th>" + "".join(_cell(count, highest) for count in counts) + "</tr>"
        for year, counts in rows.items()
    )
    parts.append(
        "<h2>Stories by year and section</h2>"
        f'<table class="h"><tr><th></th>{head}</tr>{body}</table>'
    )
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        f"<title>{_html(found.archive)}</title><style>{_STYLE}</style>{''.join(parts)}</html>\n"
    )


def _bars(counts: Mapping[str, int]) -> str:
    highest = max(counts.values()) or 1
    return "".join(
        f'<tr><td>{_html(name)}</td><td class="n">{count:,}</td>'
        f'<td class="b"><div style="width:{100 * count / highest:.1f}%"></div></td></tr>'
        for name, count in counts.items()
    )


def _cell(count: int, highest: int) -> str:
    shade = f"rgba(74,123,166,{count / highest:.2f})"
    return f'<td style="background:{shade}">{count or ""}</td>'


def _html(text: str) -> str:
    return escape(_printable(text))


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else " " for c in text)
