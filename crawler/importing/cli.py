"""`kkoracle import`: stories of files that you have."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from crawler.settings import CrawlSettings
from exchange.cli.fields import settings_options
from exchange.cli.options import Archive
from exchange.machine import install_command
from exchange.project import Project

if TYPE_CHECKING:
    from crawler.importing.importer import ImportResult


# What helps where a document yields no story, by the code of the reason.
_CURES = {
    "no-text-field": "say which field holds the text, --field text=NAME",
    "no-pdf-support": "{pdf}, then `kkoracle archive retry`",
    "encrypted-pdf": "take their passwords off, and import them again",
    "too-short": "they have fewer words than the profile's min_words",
}


@settings_options("crawl", CrawlSettings, "profile", "language")
def import_(
    ctx: typer.Context,
    settings: CrawlSettings,
    path: Annotated[Path, typer.Argument(help="A file, or a folder with all that is in it.")],
    name: Archive = None,
    date_pattern: Annotated[
        str | None,
        typer.Option(
            help="Where the date stands in a file's path: '{yyyy}/{mm}/{dd}', * for anything."
        ),
    ] = None,
    field: Annotated[
        list[str] | None,
        typer.Option(
            help="What a record's field or column is called: text=COLUMN; also title, date, "
            "author, section, url. Say it once for each."
        ),
    ] = None,
) -> None:
    """Make stories of files that you have: pages, texts, records, web archives, scanned pages.

    It reads HTML, text, Markdown, PDF, JSON and JSON lines, CSV, spreadsheets, WARC, ARC and WACZ,
    METS with ALTO; a file without a telling suffix by its content. Nothing is asked of any site.
    Titles and dates come from the files themselves (meta data, front matter, fields), else from
    their names. Run it again after adding files: only what is new is read. Broken files, records
    and rows are counted, listed by `kkoracle archive review`, and stop nothing. Then
    `kkoracle crawl NAME --no-fetch` generates.

    Extras: warc for web archives, pdf for PDF, xlsx for spreadsheets, ocr to read scans;
    `kkoracle doctor` says which are here, and how the others are installed.
    """
    from crawler.extract.file_names import compile_date_pattern
    from crawler.importing.importer import ImportTally, import_files
    from crawler.importing.json_files import field_names
    from crawler.status.console import CrawlConsole, StepProgressBar
    from crawler.status.losses import find_held
    from exchange.errors import NotEnoughData, Stopped

    project: Project = ctx.obj
    archive = project.archive(name)
    project.newspaper_dir(archive)  # refuses what stands for several
    date = compile_date_pattern(date_pattern) if date_pattern else None
    bar = StepProgressBar("reading", " MB")

    def on_progress(tally: ImportTally, done: int, total: int) -> None:
        bar(done // 10**6, total // 10**6, f"{tally.new:,} new, {tally.known:,} known")

    with CrawlConsole() as console:
        done = import_files(
            project,
            archive,
            settings,
            path,
            date=date,
            fields=field_names(field or []),
            on_progress=on_progress,
            on_scan=StepProgressBar("reading scans", " files"),
            on_snapshot=console,
        )
    bar.close()
    typer.echo(
        f"{archive}: {_format_tally(done.tally.new, done.tally.known, done.tally.rejected)}; "
        f"{console.stories()}"
    )
    if done.tally.foreign:
        typer.echo(
            f"pages of other sites than the profile's were read as single files, such as "
            f"{done.tally.foreign}: if they are the newspaper's, set [crawl] profile and "
            "base_url to it first"
        )
    if not done.stopped and (nothing := _said_of_nothing(done, path)):
        raise NotEnoughData(nothing)
    for detail in done.tally.details.values():
        typer.echo(detail)
    if without := _said_of_no_story(done):
        typer.echo(f"no story came of {without}")
    lost = _said_of_scans(done)
    if lost and done.few_stories:
        raise NotEnoughData(lost)
    if lost:
        typer.echo(lost)
    if done.tally.rejected:
        typer.echo(f"`kkoracle archive review {archive}` lists what failed")
    if done.stopped:
        raise Stopped("stopped, nothing is lost: the same command goes on")
    if done.tally.new and (held := find_held(project.archive_dir(archive))):
        raise NotEnoughData(f"{archive}: {held.says}")
    if done.tally.new:
        typer.echo(f"next: `kkoracle crawl {archive} --no-fetch`, and `kkoracle work` beside it")


def _said_of_no_story(done: ImportResult) -> str:
    """How many new documents yielded no story, and what helps; "" when all did."""
    none = {reason: count for reason, count in done.outcomes.items() if reason != "done"}
    if not none:
        return ""
    listed = ", ".join(f"{reason} {count:,}" for reason, count in none.items())
    cure = next((f": {_CURES[reason]}" for reason in none if reason in _CURES), "")
    cure = cure.replace("{pdf}", install_command("pdf"))
    return f"{sum(none.values()):,} of what is new ({listed}){cure}"


def _said_of_nothing(done: ImportResult, path: Path) -> str:
    """Why an import that brought nothing at all has failed; "" for one that brought something."""
    if done.tally.documents:
        lost = done.outcomes and not done.outcomes.get("done") and not done.scans
        return f"no story at all came of {_said_of_no_story(done)}" if lost else ""
    for detail in done.tally.details.values():
        return detail
    if done.tally.rejected["image"]:
        return ""  # said as scans
    rejected = ", ".join(sorted(done.tally.rejected))
    return f"nothing to import in {path}" + (f": every file is {rejected}" if rejected else "")


def _said_of_scans(done: ImportResult) -> str:
    """What the pictures among the files cost, and the cure; "" when there are none."""
    from crawler.importing import ocr

    pictures = done.tally.rejected["image"] if not done.tally.documents else 0
    if not done.scans and not pictures:
        return ""
    files = f"{done.scans:,} PDF files are" if done.scans else f"{pictures:,} pictures may be"
    name = ocr.tesseract_language(done.language)
    made = "page.pdf text.pdf" if done.scans else "page.tif text.pdf"
    cure = "then import text.pdf"
    if done.scans:
        cure = ocr.missing_for_ocr(done.language) or "it could not read them here"
    return f"{files} scans: run OCR first (ocrmypdf -l {name} {made}); {cure}"


def _format_tally(new: int, known: int, rejected: dict[str, int]) -> str:
    reasons = ", ".join(f"{reason} {count:,}" for reason, count in sorted(rejected.items()))
    total = sum(rejected.values())
    return f"{new:,} new, {known:,} known, {total:,} rejected{f' ({reasons})' if total else ''}"
