"""`kkoracle archive ...` and `kkoracle import`: everything about an archive but its crawl."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from crawler.learn.cli import learn
from exchange.house import House

if TYPE_CHECKING:
    from crawler.links import Site

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
    from crawler.probe.run import probe as look
    from crawler.probe.run import show
    from crawler.settings import Crawl

    house: House = ctx.obj
    settings = house.config.table("crawl", Crawl, {"contact": contact, "profile": profile})
    raise typer.Exit(show(look(url, settings.model_copy(update={"base_url": ""})), as_json=json))


def coverage(
    ctx: typer.Context,
    name: Name = None,
    json: Annotated[bool, typer.Option("--json", help="Machine-readable, one object.")] = False,
) -> None:
    """How much of the archive is here, by year and section.

    Where the site prints word counts, also how complete the stories are against them.
    """
    import datetime as dt

    from crawler import coverage as counted

    house: House = ctx.obj
    found = counted.look(
        house.archive_dir(name), _site(house, house.archive(name)), dt.date.today()
    )
    counted.show(found, as_json=json)


Reason = Annotated[str | None, typer.Option(help="Only pages with this reason, such as http-500.")]


def review(
    ctx: typer.Context,
    name: Name = None,
    reason: Reason = None,
    limit: Annotated[int, typer.Option(help="How many pages to list.")] = 20,
    json: Annotated[bool, typer.Option("--json", help="Machine-readable, one object.")] = False,
) -> None:
    """List the pages that came to nothing: state, reason, address, and how to try them again."""
    from crawler import review as failures

    house: House = ctx.obj
    archive = house.archive(name)
    failures.show(
        house.archive_dir(archive),
        archive,
        _site(house, archive),
        reason=reason,
        limit=limit,
        as_json=json,
    )


def retry(ctx: typer.Context, name: Name = None, reason: Reason = None) -> None:
    """Make pages that failed due again; the next `kkoracle crawl` asks for them.

    Pages that are here but yielded no story are read again from disk instead.
    """
    from crawler import review as failures

    house: House = ctx.obj
    archive = house.archive(name)
    asked, read = failures.retry(house.archive_dir(archive), reason)
    typer.echo(
        f"{archive}: {asked:,} to ask for again, {read:,} to read again from disk; "
        f"`kkoracle crawl {archive}` does it"
    )


def _site(house: House, archive: str) -> Site:
    from crawler import profiles
    from crawler.links import Site
    from crawler.settings import Crawl

    settings = house.config.table("crawl", Crawl)
    profile = profiles.load(settings, archive, imported=True)
    return Site(profile, settings.since, settings.until, settings.weekdays)


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
    from crawler.importing import names
    from crawler.importing.command import bring_in
    from crawler.importing.store import Tally
    from crawler.settings import Crawl
    from crawler.show import Bar, Show
    from exchange.errors import STOPPED

    house: House = ctx.obj
    archive = house.archive(name)
    settings = house.config.table("crawl", Crawl, {"profile": profile})
    date = names.pattern(date_pattern) if date_pattern else None
    bar = Bar("reading", " MB")

    def tell(tally: Tally, done: int, total: int) -> None:
        bar(done // 10**6, total // 10**6, f"{tally.new:,} new, {tally.known:,} known")

    with Show() as show:
        done = bring_in(house, archive, settings, path, date=date, tell=tell, watch=show)
    bar.close()
    typer.echo(
        f"{archive}: {_said(done.tally.new, done.tally.known, done.tally.rejected)}; "
        f"{show.stories()}"
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


def _said(new: int, known: int, rejected: dict[str, int]) -> str:
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
    from crawler import pages
    from crawler.importing.warc import write
    from crawler.show import Bar
    from exchange.errors import UsageError

    house: House = ctx.obj
    if not file.name.endswith((".warc", ".warc.gz")):
        raise UsageError(f"{file} must end in .warc or .warc.gz")
    site = _site(house, house.archive(name))
    connection = pages.connect_readonly(house.archive_dir(name))
    bar = Bar("writing", " pages")
    try:
        count = write(connection, site, file, bar)
    finally:
        connection.close()
        bar.close()
    typer.echo(f"{file}: {count:,} pages, {file.stat().st_size / 10**6:.1f} MB")
