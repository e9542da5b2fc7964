"""`kkoracle trace`: from an answer back to the printed page, and every step between.

A pair is followed by its id, to the page's own bytes; an answer in free words to the stories that
say it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from exchange.cli.commands import add_command
from exchange.cli.options import Archive, Json, RunName, print_json
from exchange.errors import NotFound, UsageError
from exchange.project import DEFAULT_RUN, Project

if TYPE_CHECKING:
    from rich.console import Console

    from exchange.store.pairs import SourcedPair
    from exchange.store.review import Label
    from trainer.evaluate.rag import AnswerSource


def register(app: typer.Typer) -> None:
    """Add the command to the front door."""
    add_command(
        app,
        trace,
        "kkoracle trace 4f0e070a",
        "kkoracle trace 4f0e070a --html > page.html",
        'kkoracle trace --answer "The bridge was opened in 1931."',
        panel="Look and operate",
        journal=False,
    )


def trace(
    ctx: typer.Context,
    pair: Annotated[
        str | None, typer.Argument(help="Id of a pair (a row's id), or its beginning.")
    ] = None,
    archive: Archive = None,
    html: Annotated[
        bool, typer.Option("--html", help="Only the page, as the server sent it.")
    ] = False,
    answer: Annotated[
        str | None,
        typer.Option(help="An answer in free words, in place of an id: which stories say it?"),
    ] = None,
    question: Annotated[
        str, typer.Option(help="That it answered: its words help to find the story.")
    ] = "",
    count: Annotated[int, typer.Option("-n", min=1, max=50, help="Stories for an answer.")] = 5,
    name: RunName = DEFAULT_RUN,
    json: Json = False,
) -> None:
    """From an answer back to the page: pair, completion, chunk, story, raw HTML.

    With --answer (of a model, or anybody's) the stories are found that its words stand in, rare
    words weighing more, with the pairs that say the same and whether the run was taught them: a
    way to read it up, and no proof that a model has it from there.
    """
    from rich.console import Console

    project: Project = ctx.obj
    if answer is not None:
        if html or (pair and archive):
            raise UsageError("--answer takes the place of the pair's id, and has no --html")
        _trace_answer(project, archive or pair, (answer, question), name, count, json)
        return
    if pair is None:
        raise UsageError("give the id of a pair, or --answer with the words of one")
    found = trace_pair(project.archive_dir(archive), pair)
    if html:
        if not found.body:
            raise NotFound(f"the page of {pair} is not in the raw store")
        sys.stdout.buffer.write(found.body)
    elif json:
        print_json(_as_json(found))
    else:
        print_trace(Console(highlight=False), found)


def _trace_answer(
    project: Project, archive: str | None, said: tuple[str, str], run: str, count: int, json: bool
) -> None:
    from rich.markup import escape

    from exchange.cli.options import result_console
    from trainer.evaluate.rag import ArchiveSearch, source_lines

    answer, question = said
    archive_dir = project.archive_dir(archive)
    console = result_console(json)
    with closing(ArchiveSearch(archive_dir, project.language(archive), run)) as search:
        with console.status("") as status:
            search.open(lambda what, done, total: status.update(f"{what} {done:,} of {total:,}"))
        found = search.sources(answer, question, count=count)
    if json:
        print_json(
            {
                "answer": answer,
                "question": question,
                "stories": list(_with_page(archive_dir, found)),
            }
        )
    elif not found:
        raise NotFound(f"no story of {archive_dir.name} holds a word of this answer")
    else:
        for line in source_lines(found):
            console.print(escape(line), soft_wrap=True)


def _with_page(archive_dir: Path, found: Iterable[AnswerSource]) -> Iterable[dict[str, Any]]:
    """Each story with what the raw store has of its page."""
    from crawler.frontier.raw_store import StoredBody
    from exchange.store.papers import folders_of

    for one in found:
        # In a folder that stands for several, page keys are each paper's own.
        folder = next(path for path in folders_of(archive_dir) if path.name == one.archive)
        kept = StoredBody.read(folder, one.page)
        page = {
            "key": one.page,
            "status": kept.status,
            "sha256": kept.body_hash,
            "bytes": len(kept.body),
        }
        yield asdict(one) | {"page": page}


@dataclass(frozen=True, slots=True)
class PairTrace:
    """Where one pair came from. `body` is the page as the server sent it, b"" when not kept."""

    source: SourcedPair
    labels: list[Label]  # that stand, the oldest first
    status: int
    body_hash: str
    body: bytes


def trace_pair(archive_dir: Path, name: str) -> PairTrace:
    """Follow a pair's id (or its beginning) to the raw store.

    Raises:
        UserError: no such pair, or several begin so.
    """
    from crawler.frontier.raw_store import StoredBody
    from exchange.store.pairs import labels_of, read_pair
    from exchange.store.papers import folders_of
    from exchange.store.spool import Spool

    unknown: list[NotFound] = []
    traces: list[PairTrace] = []
    for folder in folders_of(archive_dir):
        with closing(Spool.read(folder)) as spool:
            try:
                found = read_pair(spool, name)
            except NotFound as error:
                unknown.append(error)
                continue
        labels = labels_of(folder, found.pair.id)
        kept = StoredBody.read(folder, found.page)
        traces.append(PairTrace(found, labels, kept.status, kept.body_hash, kept.body))
    if len(traces) > 1:
        raise NotFound(f"several pairs begin with {name}")
    if not traces:
        raise unknown[0]
    return traces[0]


def _as_json(found: PairTrace) -> dict[str, Any]:
    """All but the page's bytes."""
    source = found.source
    return {
        "pair": source.pair.to_dict(),
        "labels": [asdict(label) for label in found.labels],
        "completion": source.completion.to_dict() if source.completion else None,
        "chunks": [chunk.to_dict() for chunk in source.chunks],
        "story": source.story.to_dict() if source.story else None,
        "page": {
            "key": source.page,
            "status": found.status,
            "sha256": found.body_hash,
            "bytes": len(found.body),
        },
    }


def print_trace(console: Console, trace: PairTrace) -> None:
    """The steps, the newest first; nothing of it is read as markup."""
    from rich.markup import escape

    source = trace.source
    pair, story, made = source.pair, source.story, source.completion
    state = pair.status + (f" ({pair.reason})" if pair.reason else "")
    console.print(f"[bold]pair[/] {pair.id} {pair.kind} {state}")
    console.print(escape(f"  {pair.question}\n  {pair.answer}"))
    if made:
        console.print(
            f"[bold]completion[/] of task {made.task_id}: {escape(made.model)} "
            f"{escape(made.quantisation)}, {escape(made.engine)}, prompt {escape(made.prompt)} "
            f"({made.prompt_sha[:8]}), seed {made.seed}, {made.tokens_out} tokens, "
            f"{escape(made.finish_reason)}, {escape(made.generated_at)}"
        )
    for label in trace.labels:
        more = f": {label.reason}" if label.reason else ""
        console.print(f"[bold]label[/] {label.verdict} by {escape(label.reviewer)}{escape(more)}")
        if label.question or label.answer:
            console.print(escape(f"  {label.question}\n  {label.answer}"))
    for chunk in source.chunks:
        console.print(f"[bold]chunk[/] {chunk.id}, number {chunk.index + 1} of its story")
        console.print(escape(f"  {chunk.text}"))
    if story:
        console.print(
            f"[bold]story[/] {story.id}, {story.published or 'no date'}, "
            f"{escape(story.section)}: {escape(story.title)}"
        )
        console.print(f"  {escape(story.url)}", soft_wrap=True)
    kept = f"{len(trace.body):,} bytes, sha256 {trace.body_hash}" if trace.body else "not kept"
    console.print(f"[bold]page[/] {escape(source.page) or 'unknown'}: {kept}", soft_wrap=True)
