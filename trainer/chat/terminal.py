"""The conversation on the screen: a line is a question, a line that begins with / is an order."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from exchange import signals
from exchange.display import printable
from exchange.errors import NotEnoughData, NotFound, UserError
from exchange.recipes.prompts import PromptTemplate
from trainer.chat.models import ChatModels, ReplyUsage
from trainer.chat.session import (
    SYSTEMS,
    ChatSession,
    ChatTurn,
    default_transcript_path,
    save_transcript,
    transcript,
)
from trainer.evaluate.rag import Document

HELP = """\
/{ways}   who answers, and with what before the question
/sources          the last answer's sources in full
/save [FILE]      the whole conversation as Markdown
/new              forget what was said; the next question stands alone
/help, /quit      Ctrl-C stops an answer, Ctrl-D ends"""


@dataclass(slots=True)
class ChatContext:
    """Everything a conversation needs."""

    session: ChatSession
    models: ChatModels
    ways: Sequence[str]  # those that can be chosen
    search: Callable[[str], list[Document]]
    template: PromptTemplate
    max_tokens: int
    title: str
    about: str
    console: Console


def run_chat(desk: ChatContext) -> None:
    """Read, answer, until the end of the input or /quit."""
    with suppress(ImportError):
        import readline  # noqa: F401  # arrow keys and history at the prompt
    desk.console.print(f"[bold]{escape(desk.title)}[/]  [dim]{escape(desk.about)}[/]")
    desk.console.print(f"[dim]{_help(desk)}[/]")
    while True:
        try:
            line = _read(desk).strip()
        except KeyboardInterrupt:
            desk.console.print("\n[dim]Ctrl-D or /quit ends[/]")
            continue
        except EOFError:
            desk.console.print()
            return
        try:
            if line.startswith("/"):
                if not _order(desk, line):
                    return
            elif line:
                _answer(desk, line)
        except UserError as error:
            desk.console.print(f"[red]{escape(str(error))}[/]", soft_wrap=True)


def _read(desk: ChatContext) -> str:
    if sys.stdin.isatty():
        return input(f"{desk.session.way}> ")
    line = sys.stdin.readline()
    if not line:
        raise EOFError
    return line


def _order(desk: ChatContext, line: str) -> bool:
    """Do what a line beginning with / asks; false to end."""
    word, _, rest = line[1:].partition(" ")
    session, console = desk.session, desk.console
    if word in ("quit", "exit"):
        return False
    if word in SYSTEMS:
        if word not in desk.ways:
            raise NotFound(f"{word} is not here: there is {', '.join(desk.ways)}")
        session.way = word
        console.print(f"[dim]{word} answers[/]")
    elif word == "new":
        session.forget()
        console.print("[dim]begun anew[/]")
    elif word == "sources":
        _show_sources(desk, whole=True)
    elif word == "save":
        path = Path(rest.strip()).expanduser() if rest.strip() else default_transcript_path()
        save_transcript(path, transcript(session, desk.title, desk.about))
        console.print(
            f"[dim]{len(session.turns)} answers in {escape(str(path))}[/]", soft_wrap=True
        )
    elif word == "help":
        console.print(f"[dim]{_help(desk)}[/]")
    else:
        raise NotFound(f"no such order: /{word}; /help names them")
    return True


def _answer(desk: ChatContext, question: str) -> None:
    """Print the answer as it comes; Ctrl-C ends it and keeps what was said."""
    session = desk.session
    found = desk.search(question) if session.searching else []
    if session.searching and not found:
        desk.console.print("[dim]nothing of the archive fits: asked without passages[/]")
    turns, shown = session.prompt(
        question, found, desk.template, lambda one: desk.models.fits(one, desk.max_tokens)
    )
    usage = ReplyUsage()
    pieces: list[str] = []
    with (
        signals.until_interrupted(),
        closing(
            desk.models.stream(turns, desk.max_tokens, usage, tuned=session.tuned)
        ) as answering,
    ):
        for piece in answering:
            pieces.append(piece if pieces else piece.lstrip())
            desk.console.out(printable(pieces[-1]), end="", highlight=False)
            desk.console.file.flush()
    answer = "".join(pieces).strip()
    desk.console.print()
    session.turns.append(
        ChatTurn(
            question, answer, session.way, shown, usage.tokens, usage.seconds, usage.finish_reason
        )
    )
    cut = {"length": ", cut at the limit", "stopped": ", stopped"}.get(usage.finish_reason, "")
    speed = usage.tokens / usage.seconds if usage.seconds else 0.0
    desk.console.print(f"[dim]{usage.tokens} tokens, {speed:.0f} a second{cut}[/]")
    _show_sources(desk)


def _show_sources(desk: ChatContext, *, whole: bool = False) -> None:
    """Newspaper, date and title of each passage, with its address."""
    sources = desk.session.turns[-1].sources if desk.session.turns else ()
    if whole and not sources:
        raise NotEnoughData("the last answer had no sources: /rag or /tuned+rag looks for some")
    for number, source in enumerate(sources, 1):
        desk.console.print(f"[dim][{number}][/] {escape(printable(source.head))}", soft_wrap=True)
        if source.url:
            desk.console.print(f"    [dim]{escape(printable(source.url))}[/]", soft_wrap=True)
        if whole:
            desk.console.print(f"    {escape(printable(source.text))}")


def _help(desk: ChatContext) -> str:
    return escape(HELP.format(ways=", /".join(desk.ways)))
