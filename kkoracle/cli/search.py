"""`kkoracle search`: every story of the archive that mentions some words, by date."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from exchange.cli.commands import add_command
from exchange.cli.options import ArchiveOption, Json, print_json
from exchange.display import progress_bar
from exchange.errors import NotFound, UsageError
from exchange.project import Project

if TYPE_CHECKING:
    from rich.console import Console

    from exchange.store.spool import Spool
    from trainer.evaluate.rag import SearchIndex
    from trainer.evaluate.rag.mentions import ArchiveQuery, Mention, MentionCounts

SHOWN = 20  # stories in a terminal, unless more are asked for
AT_ONCE = 50_000  # passages that are indexed before one searches: some 15 s
BATCH = 500  # stories read at once for a file
COLUMNS = ("published", "title", "section", "author", "url", "story", "passages", "excerpt")


def register(app: typer.Typer) -> None:
    """Add the command to the front door."""
    add_command(
        app,
        search,
        "kkoracle search Venizelos",
        'kkoracle search "George Smith" strike --from 1998 --to 2003-06',
        "kkoracle search harbour --csv > harbour.csv",
        "kkoracle search 12/3/2014 -- -weather",
        panel="Look and operate",
        journal=False,
    )


def search(
    ctx: typer.Context,
    words: Annotated[
        list[str] | None,
        typer.Argument(
            help='Words that stand together in a passage; a "phrase in quotes" word for word; '
            "after -- also -words that must not be there. None: only bring the index up to date."
        ),
    ] = None,
    since: Annotated[
        str, typer.Option("--from", help="First day, month or year: 2014-03-25, 2014-03, 2014.")
    ] = "",
    until: Annotated[str, typer.Option("--to", help="Last day, month or year.")] = "",
    count: Annotated[
        int | None,
        typer.Option(
            "-n", min=0, help="Stories; 0: all. Default: 20 on the screen, all in a file."
        ),
    ] = None,
    newest: Annotated[bool, typer.Option("--newest", help="The newest first.")] = False,
    archive: ArchiveOption = None,
    json: Json = False,
    csv: Annotated[bool, typer.Option("--csv", help="A table for a spreadsheet.")] = False,
) -> None:
    """Every mention of some words in the archive, by date, with its link.

    A word is found in all its cases, with and without accents and capitals: a search for
    Βενιζέλος finds Βενιζέλου and ΒΕΝΙΖΕΛΟ. A full date (12/3/2014, 12 March 2014) is found however
    it is written. The index is the one that `evaluate` and `chat` search, brought up to date
    first; that of a large archive, which takes minutes, only by a search without words.
    """
    from exchange.cli.options import result_console
    from exchange.store.joined_corpus import open_spools
    from exchange.store.stories import StoryFilter
    from trainer.evaluate.rag import current_index
    from trainer.evaluate.rag.archive import usable_index
    from trainer.evaluate.rag.mentions import ArchiveQuery, count_mentions

    project: Project = ctx.obj
    if json and csv:
        raise UsageError("--json or --csv, not both")
    StoryFilter(since=since, until=until)  # refuses what is no date
    asked = " ".join(
        f'"{word}"' if " " in word and '"' not in word else word for word in words or ()
    )
    query = ArchiveQuery.parse(asked) if words else None
    archive_dir = project.archive_dir(archive)
    console = result_console(json or csv)
    # The store is opened first: an archive that is not there is told before anything is indexed.
    with open_spools(archive_dir) as spools:
        with progress_bar("passages indexed") as show:
            at_once = AT_ONCE if query else sys.maxsize
            index, behind = usable_index(archive_dir, at_once, lambda _, *far: show(*far))
            if index is None:
                index, behind = current_index(archive_dir, lambda _, *far: show(*far)), ""
        with closing(index):
            if query is None:
                console.print(f"the index is up to date: {index.count:,} passages")
                return
            if behind:
                line = f"{behind}: `kkoracle search` without words brings it up to date"
                typer.echo(line, err=True)
            counted = count_mentions(index, query, since=since, until=until)
            if not counted.passages and not (json or csv):
                raise NotFound(_nothing(archive_dir.name, index, query, since, until))
            limit = (SHOWN if not (json or csv) else 0) if count is None else count
            found = _mentions(
                index,
                spools,
                query,
                (since, until),
                newest,
                limit or counted.stories,
            )
            if csv:
                _print_csv(found)
            elif json:
                print_json(
                    {
                        "search": asked,
                        "passages": counted.passages,
                        "stories": counted.stories,
                        "by_month": counted.by_month,
                        "mentions": [_record(one) for one in found],
                    }
                )
            else:
                _print_mentions(console, list(found), counted, newest)


def _is_phrase(word: str) -> bool:
    return " " in word and not any(mark in word for mark in '"«“')


def _mentions(
    index: SearchIndex,
    spools: Mapping[str, Spool],
    query: ArchiveQuery,
    dates: tuple[str, str],
    newest: bool,
    limit: int,
) -> Iterator[Mention]:
    """So many stories, read in batches."""
    from trainer.evaluate.rag.mentions import find_mentions

    cursor, left = "", limit
    while left:
        page = find_mentions(
            index,
            spools,
            query,
            since=dates[0],
            until=dates[1],
            cursor=cursor,
            size=min(left, BATCH),
            newest=newest,
        )
        yield from page.rows
        left, cursor = left - len(page.rows), page.after
        if not cursor:
            return


def _record(one: Mention) -> dict[str, Any]:
    """A mention as JSON and CSV have it: the excerpt as plain text."""
    found = asdict(one) | {"excerpt": "".join(part for part, _ in one.excerpt)}
    return {name: found[name] for name in COLUMNS}


def _print_csv(found: Iterator[Mention]) -> None:
    from exchange.text.controls import csv_lines

    sys.stdout.write(csv_lines([COLUMNS]))
    for one in found:
        sys.stdout.write(csv_lines([_record(one).values()]))


def _print_mentions(
    console: Console, found: Sequence[Mention], counted: MentionCounts, newest: bool
) -> None:
    """Each story under the other: date and title, the words as they stand, the link."""
    from rich.markup import escape

    from exchange.text.controls import one_line

    for one in found:
        section = f" ({escape(one.section)})" if one.section else ""
        date = one.published or "no date"
        console.print(f"[bold]{date}[/]  {escape(one.title)}{section}", soft_wrap=True)
        parts = (f"[bold]{escape(part)}[/]" if met else escape(part) for part, met in one.excerpt)
        console.print("  " + "".join(parts), soft_wrap=True)
        if one.url:
            console.print("  " + escape(one_line(one.url)), soft_wrap=True, style="dim")
    stories = f"{counted.stories:,} stor{'y' if counted.stories == 1 else 'ies'}"
    passages = f"{counted.passages:,} passage{'' if counted.passages == 1 else 's'}"
    said = f"{passages} in {stories}"
    if len(found) < counted.stories:
        said += f"; the {'newest' if newest else 'oldest'} {len(found):,} are shown: -n 0 shows all"
    console.print(said, soft_wrap=True)


def _nothing(archive: str, index: SearchIndex, query: ArchiveQuery, since: str, until: str) -> str:
    """Why nothing may have been found, in one line."""
    from dataclasses import replace

    from trainer.evaluate.rag.mentions import count_mentions

    if query.loose:
        apart = count_mentions(
            index, replace(query, expression=query.loose), since=since, until=until
        )
        if apart.passages:
            return (
                f"no passage of {archive} has these words one after another; "
                f"{apart.passages:,} have all of them: give them without quotes"
            )
    if (since or until) and (always := count_mentions(index, query).stories):
        return f"no story of {archive} mentions this between these dates; {always:,} others do"
    if len(query.phrases) > 1:
        return f"no passage of {archive} has all of these words: give fewer"
    return f"no story of {archive} mentions this"
