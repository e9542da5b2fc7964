"""`kkoracle archive ...` and `kkoracle import`: everything about an archive but its crawl."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from crawler.importing.cli import import_
from crawler.settings import CrawlSettings
from exchange.cli.commands import add_command, add_group
from exchange.cli.fields import settings_options
from exchange.cli.options import Archive, Json, print_json
from exchange.display import format_bytes
from exchange.project import Project

if TYPE_CHECKING:
    from crawler.profile import Profile
    from crawler.scope import CrawlScope


@settings_options("crawl", CrawlSettings, "contact", "delay")
def learn(
    ctx: typer.Context,
    settings: CrawlSettings,
    source: Annotated[
        str, typer.Argument(help="A web address to begin at, a folder of HTML files, or a crawl's.")
    ],
    out: Annotated[Path | None, typer.Option(help="The profile; default: HOST.toml here.")] = None,
    name: Annotated[str, typer.Option(help="The newspaper as its readers call it.")] = "",
    pages: Annotated[int, typer.Option(help="About how many pages to look at.")] = 60,
    force: Annotated[bool, typer.Option("--force", help="Write over an existing file.")] = False,
) -> None:
    """Propose a profile: where headline, text, date, section and author stand on its pages.

    What changes from page to page is content, what repeats is boilerplate. It shows what is found
    without and with the new profile, and writes a file that `crawl --profile` takes as it is.

    A web address is asked for about 60 pages, at the crawl's own pace and rules; they are kept, so
    that a second run asks for none again. A folder may hold saved pages, or be that of an archive
    crawled with the generic profile: then nothing is asked for at all.
    """
    from crawler.learn import command

    project: Project = ctx.obj
    kept = project.data / ".learn"  # no archive can have such a name
    for line in command.learn(source, out, kept, pages, settings, name=name, force=force):
        typer.echo(line)


def register(app: typer.Typer) -> None:
    """Add the commands to the front door."""
    add_command(
        app,
        import_,
        "kkoracle import scans/ my-files --date-pattern '{yyyy}/{mm}/{dd}'",
        "kkoracle import pages.warc.gz rizospastis",
        "kkoracle import articles.csv my-files --field text=Body --field title=Headline",
        panel="Archive",
        name="import",
    )
    archive = add_group(app, "archive", "What is known of newspapers and archives.", "Archive")
    add_command(
        archive,
        list_archives,
        "kkoracle archive list",
        "kkoracle archive list --json",
        name="list",
        journal=False,
    )
    add_command(
        archive,
        learn,
        "kkoracle archive learn https://example.org --contact you@example.org",
        "kkoracle archive learn saved-pages/ --out paper.toml",
        journal=False,
    )
    add_command(
        archive,
        probe,
        "kkoracle archive probe https://example.org/story/1 --contact you@example.org",
        journal=False,
    )
    add_command(archive, coverage, "kkoracle archive coverage --json", journal=False)
    add_command(archive, review, "kkoracle archive review --reason http-500", journal=False)
    add_command(archive, retry, "kkoracle archive retry --reason http-500")
    add_command(archive, warc, "kkoracle archive warc rizospastis pages.warc.gz")


def list_archives(json: Json = False) -> None:
    """Show the built-in profiles."""
    from crawler.profiles import builtin

    found = [
        {"name": name, "newspaper": profile.name, "base": profile.base, "years": _years(profile)}
        for name, profile in builtin().items()
    ]
    if json:
        print_json(found)
        return
    for one in found:
        line = f"{one['name']:14} {one['newspaper']:24} {one['base']:28} {one['years']}"
        typer.echo(line.rstrip())


def _years(profile: Profile) -> str:
    if not profile.ranges:
        return ""
    last = max((item.until.year if item.until else 9999) for item in profile.ranges)
    first = min(item.since.year for item in profile.ranges)
    return f"{first}-{'today' if last == 9999 else last}"


@settings_options("crawl", CrawlSettings, "contact", "profile")
def probe(
    ctx: typer.Context,
    settings: CrawlSettings,
    url: Annotated[str, typer.Argument(help="An address of the archive, best that of a story.")],
    json: Json = False,
) -> None:
    """Would this archive work, and if not, why? Asks for robots.txt and a handful of pages.

    Says: will work, needs a profile, paywalled, JavaScript only (logins and pages that a browser
    must build are out of scope), refused by robots.txt, or cannot be had. Names feeds and
    sitemaps, words against training, and the route to take where a profile knows two.
    Exit code 0: will work; 1: not as it is.
    """
    from crawler.probe.run import print_result
    from crawler.probe.run import probe as look

    raise typer.Exit(
        print_result(look(url, settings.model_copy(update={"base_url": ""})), as_json=json)
    )


def coverage(
    ctx: typer.Context,
    name: Archive = None,
    json: Json = False,
) -> None:
    """How much of the archive is here, by year and section.

    Where the site prints word counts, also how complete the stories are against them.
    """
    import datetime as dt

    from crawler.status import coverage as counted

    project: Project = ctx.obj
    found = counted.measure_coverage(
        project.archive_dir(name), scope_of(project, project.archive(name)), dt.date.today()
    )
    counted.print_coverage(found, as_json=json)


Reason = Annotated[str | None, typer.Option(help="Only pages with this reason, such as http-500.")]


def review(
    ctx: typer.Context,
    name: Archive = None,
    reason: Reason = None,
    limit: Annotated[int, typer.Option(help="How many pages to list.")] = 20,
    json: Json = False,
) -> None:
    """List the pages that came to nothing: state, reason, address, and how to try them again."""
    from crawler.status import failed_pages as failures

    project: Project = ctx.obj
    archive = project.archive(name)
    failures.print_failures(
        project.archive_dir(archive),
        archive,
        scope_of(project, archive),
        reason=reason,
        limit=limit,
        as_json=json,
    )


def retry(ctx: typer.Context, name: Archive = None, reason: Reason = None) -> None:
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


def scope_of(project: Project, archive: str, settings: CrawlSettings | None = None) -> CrawlScope:
    """The addresses of an archive, by the profile that it is crawled with.

    Args:
        settings: as a command's flags make them; default: without any.
    """
    from crawler import profiles
    from crawler.scope import CrawlScope

    settings = settings or project.config.table("crawl", CrawlSettings)
    profile = profiles.load(settings, archive, imported=True)
    return CrawlScope(profile, settings.since, settings.until, settings.weekdays)


def warc(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(help="The archive.")],
    file: Annotated[Path, typer.Argument(help="Where to; .warc.gz compresses.")],
) -> None:
    """Write the raw pages of an archive as a WARC file, for other people's tools.

    Needs the extra warc (`kkoracle doctor` says how). `kkoracle import` reads such a file back.
    """
    from crawler.frontier import pages
    from crawler.importing.warc import write_warc
    from crawler.status.console import StepProgressBar
    from exchange.errors import UsageError

    project: Project = ctx.obj
    if not file.name.endswith((".warc", ".warc.gz")):
        raise UsageError(f"{file} must end in .warc or .warc.gz")
    site = scope_of(project, project.archive(name))
    connection = pages.connect_readonly(project.archive_dir(name))
    bar = StepProgressBar("writing", " pages")
    try:
        count = write_warc(connection, site, file, bar)
    finally:
        connection.close()
        bar.close()
    typer.echo(f"{file}: {count:,} pages, {format_bytes(file.stat().st_size)}")
