"""`kkoracle archive ...` and `kkoracle import`: everything about an archive but its crawl."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from exchange.display import format_bytes
from exchange.project import Project

if TYPE_CHECKING:
    from crawler.scope import CrawlScope


# `kkoracle archive learn`: propose a profile for a newspaper from a few dozen of its pages.


def learn(
    ctx: typer.Context,
    source: Annotated[
        str, typer.Argument(help="A web address to begin at, a folder of HTML files, or a crawl's.")
    ],
    out: Annotated[Path | None, typer.Option(help="The profile; default: HOST.toml here.")] = None,
    name: Annotated[str, typer.Option(help="The newspaper as its readers call it.")] = "",
    pages: Annotated[int, typer.Option(help="About how many pages to look at.")] = 60,
    force: Annotated[bool, typer.Option("--force", help="Write over an existing file.")] = False,
    contact: Annotated[
        str | None, typer.Option(help="Your e-mail or web page, for the site's owner.")
    ] = None,
    delay: Annotated[float | None, typer.Option(help="Least seconds between requests.")] = None,
) -> None:
    """Propose a profile: where headline, text, date, section and author stand on its pages.

    What changes from page to page is content, what repeats is boilerplate. It shows what is found
    without and with the new profile, and writes a file that `crawl --profile` takes as it is.

    A web address is asked for about 60 pages, at the crawl's own pace and rules; they are kept, so
    that a second run asks for none again. A folder may hold saved pages, or be that of an archive
    crawled with the generic profile: then nothing is asked for at all.
    """
    from crawler.learn import command
    from crawler.settings import CrawlSettings

    project: Project = ctx.obj
    settings = project.config.table("crawl", CrawlSettings, {"contact": contact, "delay": delay})
    kept = project.data / ".learn"  # no archive can have such a name
    for line in command.learn(source, out, kept, pages, settings, name=name, force=force):
        typer.echo(line)


Name = Annotated[str | None, typer.Argument(help="The archive; default: `archive`.")]


def register(app: typer.Typer) -> None:
    """Add the commands to the front door."""
    archive = typer.Typer(no_args_is_help=True, help="What is known of newspapers and archives.")
    archive.command("list")(list_archives)
    archive.command("learn")(learn)
    archive.command("probe")(probe)
    archive.command("coverage")(coverage)
    archive.command("review")(review)
    archive.command("retry")(retry)
    archive.command("warc")(warc)
    app.add_typer(archive, name="archive")
    app.command("import")(import_)


def list_archives() -> None:
    """Show the built-in profiles."""
    from crawler.profiles import builtin

    for name, profile in builtin().items():
        span = ""
        if profile.ranges:
            last = max((item.until.year if item.until else 9999) for item in profile.ranges)
            span = f"{min(item.since.year for item in profile.ranges)}-"
            span += "today" if last == 9999 else str(last)
        typer.echo(f"{name:14} {profile.name:24} {profile.base:32} {span}")


def probe(
    ctx: typer.Context,
    url: Annotated[str, typer.Argument(help="An address of the archive, best that of a story.")],
    profile: Annotated[
        str | None, typer.Option(help="A profile's name or file; default: what knows the host.")
    ] = None,
    contact: Annotated[
        str | None, typer.Option(help="Your e-mail or web page, for the site's owner.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Machine-readable, one object.")] = False,
) -> None:
    """Would this archive work, and if not, why? Asks for robots.txt and a handful of pages.

    Says: will work, needs a profile, paywalled, JavaScript only (logins and pages that a browser
    must build are out of scope), refused by robots.txt, or cannot be had. Names feeds and
    sitemaps, words against training, and the route to take where a profile knows two.
    Exit code 0: will work; 1: not as it is.
    """
    from crawler.probe.run import print_result
    from crawler.probe.run import probe as look
    from crawler.settings import CrawlSettings

    project: Project = ctx.obj
    settings = project.config.table(
        "crawl", CrawlSettings, {"contact": contact, "profile": profile}
    )
    raise typer.Exit(
        print_result(look(url, settings.model_copy(update={"base_url": ""})), as_json=json)
    )


def coverage(
    ctx: typer.Context,
    name: Name = None,
    json: Annotated[bool, typer.Option("--json", help="Machine-readable, one object.")] = False,
) -> None:
    """How much of the archive is here, by year and section.

    Where the site prints word counts, also how complete the stories are against them.
    """
    import datetime as dt

    from crawler.status import coverage as counted

    project: Project = ctx.obj
    found = counted.measure_coverage(
        project.archive_dir(name), _scope_of(project, project.archive(name)), dt.date.today()
    )
    counted.print_coverage(found, as_json=json)


Reason = Annotated[str | None, typer.Option(help="Only pages with this reason, such as http-500.")]


def review(
    ctx: typer.Context,
    name: Name = None,
    reason: Reason = None,
    limit: Annotated[int, typer.Option(help="How many pages to list.")] = 20,
    json: Annotated[bool, typer.Option("--json", help="Machine-readable, one object.")] = False,
) -> None:
    """List the pages that came to nothing: state, reason, address, and how to try them again."""
    from crawler.status import failed_pages as failures

    project: Project = ctx.obj
    archive = project.archive(name)
    failures.print_failures(
        project.archive_dir(archive),
        archive,
        _scope_of(project, archive),
        reason=reason,
        limit=limit,
        as_json=json,
    )


def retry(ctx: typer.Context, name: Name = None, reason: Reason = None) -> None:
    """Make pages that failed due again; the next `kkoracle crawl` asks for them.

    Pages that are here but yielded no story are read again from disk instead.
    """
    from crawler.status import failed_pages as failures

    project: Project = ctx.obj
    archive = project.archive(name)
    asked, read = failures.retry_failed_pages(project.archive_dir(archive), reason)
    typer.echo(
        f"{archive}: {asked:,} to ask for again, {read:,} to read again from disk; "
        f"`kkoracle crawl {archive}` does it"
    )


def _scope_of(project: Project, archive: str) -> CrawlScope:
    from crawler import profiles
    from crawler.scope import CrawlScope
    from crawler.settings import CrawlSettings

    settings = project.config.table("crawl", CrawlSettings)
    profile = profiles.load(settings, archive, imported=True)
    return CrawlScope(profile, settings.since, settings.until, settings.weekdays)


def import_(
    ctx: typer.Context,
    path: Annotated[Path, typer.Argument(help="A file, or a folder with all that is in it.")],
    name: Name = None,
    date_pattern: Annotated[
        str | None,
        typer.Option(
            help="Where the date stands in a file's path: '{yyyy}/{mm}/{dd}', * for anything."
        ),
    ] = None,
    profile: Annotated[
        str | None, typer.Option(help="A profile's name or file, for HTML of a newspaper.")
    ] = None,
) -> None:
    """Make stories of files that you have: HTML, text, Markdown, JSON, JSONL, WARC, PDF.

    Nothing is asked of any site. Titles and dates come from the files themselves (meta data,
    front matter, JSON fields), else from their names. Run it again after adding files: only what
    is new is read. Broken files are counted, listed by `kkoracle archive review`, and stop
    nothing. Then `kkoracle crawl NAME --no-fetch` generates.

    WARC needs `pip install 'kkoracle\\[warc]'`, PDF `pip install 'kkoracle\\[pdf]'`.
    """
    from crawler.importing.document import compile_date_pattern
    from crawler.importing.importer import ImportTally, import_files
    from crawler.settings import CrawlSettings
    from crawler.status.console import CrawlConsole, StepProgressBar
    from exchange.errors import STOPPED

    project: Project = ctx.obj
    archive = project.archive(name)
    settings = project.config.table("crawl", CrawlSettings, {"profile": profile})
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
            on_progress=on_progress,
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
    if done.tally.rejected:
        typer.echo(f"`kkoracle archive review {archive}` lists what failed")
    if done.code == STOPPED:
        typer.echo("stopped, nothing is lost: the same command goes on", err=True)
        raise typer.Exit(done.code)
    if done.tally.new:
        typer.echo(f"next: `kkoracle crawl {archive} --no-fetch`, and `kkoracle work` beside it")


def _format_tally(new: int, known: int, rejected: dict[str, int]) -> str:
    reasons = ", ".join(f"{reason} {count:,}" for reason, count in sorted(rejected.items()))
    total = sum(rejected.values())
    return f"{new:,} new, {known:,} known, {total:,} rejected{f' ({reasons})' if total else ''}"


def warc(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(help="The archive.")],
    file: Annotated[Path, typer.Argument(help="Where to; .warc.gz compresses.")],
) -> None:
    """Write the raw pages of an archive as a WARC file, for other people's tools.

    Needs `pip install 'kkoracle\\[warc]'`. `kkoracle import` reads such a file back.
    """
    from crawler.frontier import pages
    from crawler.importing.warc import write_warc
    from crawler.status.console import StepProgressBar
    from exchange.errors import UsageError

    project: Project = ctx.obj
    if not file.name.endswith((".warc", ".warc.gz")):
        raise UsageError(f"{file} must end in .warc or .warc.gz")
    site = _scope_of(project, project.archive(name))
    connection = pages.connect_readonly(project.archive_dir(name))
    bar = StepProgressBar("writing", " pages")
    try:
        count = write_warc(connection, site, file, bar)
    finally:
        connection.close()
        bar.close()
    typer.echo(f"{file}: {count:,} pages, {format_bytes(file.stat().st_size)}")
