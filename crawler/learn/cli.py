"""`kkoracle archive learn`: propose a profile for a newspaper from a few dozen of its pages."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from exchange.house import House


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

    What changes from page to page is content, what repeats is furniture. It shows what is found
    without and with the new profile, and writes a file that `crawl --profile` takes as it is.

    A web address is asked for about 60 pages, at the crawl's own pace and rules; they are kept, so
    that a second run asks for none again. A folder may hold saved pages, or be that of an archive
    crawled with the generic profile: then nothing is asked for at all.
    """
    from crawler.learn import command
    from crawler.settings import Crawl

    house: House = ctx.obj
    settings = house.config.table("crawl", Crawl, {"contact": contact, "delay": delay})
    kept = house.data / ".learn"  # no archive can have such a name
    for line in command.learn(source, out, kept, pages, settings, name=name, force=force):
        typer.echo(line)
