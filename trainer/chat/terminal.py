"""The conversation on the screen: a line is a question, a line that begins with / is a command."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from exchange import signals
from exchange.errors import NotEnoughData, NotFound, UserError
from exchange.inference.engine import TUNED
from exchange.recipes.prompts import PromptTemplate
from exchange.text.controls import printable
from trainer.abstention import AnswerThreshold
from trainer.chat.session import (
    RAG,
    SYSTEMS,
    ChatModels,
    ChatSession,
    ChatTurn,
    ReplyUsage,
    default_transcript_path,
    save_transcript,
    transcript,
)
from trainer.evaluate.rag import AnswerSource, Document, source_lines

HELP = """\
/{systems}   who answers, and with what before the question
/sources          the last answer's sources in full, or the stories nearest to it
/save [FILE]      the whole conversation as Markdown
/new              forget the conversation; the next question stands alone
/help, /quit      Ctrl-C stops an answer, Ctrl-D ends"""


@dataclass(slots=True, kw_only=True)
class ChatContext:
    """The conversation, its models and its search, and the console that shows it."""

    session: ChatSession
    models: ChatModels
    systems: Sequence[str]  # those that can answer
    search: Callable[[str], list[Document]]
    find_sources: Callable[[ChatTurn], list[AnswerSource]]
    template: PromptTemplate
    max_tokens: int
    title: str
    about: str
    console: Console
    threshold: AnswerThreshold | None = None  # under it the tuned model's answer is withheld
    refusal: str = ""  # what is said then

    @property
    def withholds(self) -> AnswerThreshold | None:
        """The threshold that holds for the next answer: it was fitted on questions alone."""
        return self.threshold if self.session.answered_by == TUNED else None


def run_chat(context: ChatContext) -> None:
    """Read, answer, until the end of the input or /quit."""
    with suppress(ImportError):
        import readline  # noqa: F401  # arrow keys and history at the prompt
    context.console.print(f"[bold]{escape(context.title)}[/]  [dim]{escape(context.about)}[/]")
    context.console.print(f"[dim]{_help(context)}[/]")
    while True:
        try:
            line = _read(context).strip()
        except KeyboardInterrupt:
            context.console.print("\n[dim]Ctrl-D or /quit ends[/]")
            continue
        except EOFError:
            context.console.print()
            return
        try:
            if line.startswith("/"):
                if not _command(context, line):
                    return
            elif line:
                _answer(context, line)
        except UserError as error:
            context.console.print(f"[red]{escape(str(error))}[/]", soft_wrap=True)


def _read(context: ChatContext) -> str:
    if sys.stdin.isatty():
        return input(f"{context.session.answered_by}> ")
    line = sys.stdin.readline()
    if not line:
        raise EOFError
    return line


def _command(context: ChatContext, line: str) -> bool:
    """Do what a line beginning with / asks; false to end."""
    word, _, rest = line[1:].partition(" ")
    session, console = context.session, context.console
    if word in ("quit", "exit"):
        return False
    if word in SYSTEMS:
        if word not in context.systems:
            raise NotFound(f"{word} is not here: there is {', '.join(context.systems)}")
        session.answered_by = word
        console.print(f"[dim]{word} answers[/]")
    elif word == "new":
        session.forget()
        console.print("[dim]a new conversation[/]")
    elif word == "sources":
        _show_sources(context, whole=True)
    elif word == "save":
        path = Path(rest.strip()).expanduser() if rest.strip() else default_transcript_path()
        save_transcript(path, transcript(session, context.title, context.about))
        console.print(
            f"[dim]{len(session.turns)} answers in {escape(str(path))}[/]", soft_wrap=True
        )
    elif word == "help":
        console.print(f"[dim]{_help(context)}[/]")
    else:
        raise NotFound(f"no such command: /{word}; /help names them")
    return True


def _answer(context: ChatContext, question: str) -> None:
    """Print the answer as it comes; Ctrl-C ends it and keeps what came."""
    session = context.session
    found = context.search(question) if session.searching else []
    if session.searching and not found:
        context.console.print("[dim]nothing of the archive fits: asked without passages[/]")
    turns, shown = session.prompt(
        question, found, context.template, lambda one: context.models.fits(one, context.max_tokens)
    )
    if len(shown) < len(found):
        context.console.print(
            f"[dim]{len(shown)} of {len(found)} passages fit the model's context[/]"
        )
    usage = ReplyUsage()
    pieces: list[str] = []
    with (
        signals.until_interrupted(),
        closing(
            context.models.stream(turns, context.max_tokens, usage, tuned=session.tuned)
        ) as answering,
    ):
        for piece in answering:
            pieces.append(piece if pieces else piece.lstrip())
            if not context.withholds:
                context.console.out(printable(pieces[-1]), end="", highlight=False)
                context.console.file.flush()
    answer = "".join(pieces).strip()
    if context.withholds:
        sure = context.models.likelihood(turns, answer)
        answer = context.refusal if context.withholds.withholds(sure) else answer
        context.console.out(printable(answer), end="", highlight=False)
    context.console.print()
    session.turns.append(
        ChatTurn(
            question,
            answer,
            session.answered_by,
            shown,
            usage.tokens,
            usage.seconds,
            usage.finish_reason,
        )
    )
    if usage.only_thought:
        context.console.print(
            "[dim](it only thought: a higher --max-tokens may bring an answer)[/]"
        )
    cut = {"length": ", cut at the limit", "stopped": ", stopped"}.get(usage.finish_reason, "")
    speed = usage.tokens / usage.seconds if usage.seconds else 0.0
    context.console.print(f"[dim]{usage.tokens} tokens, {speed:.0f} a second{cut}[/]")
    _show_sources(context)


def _show_sources(context: ChatContext, *, whole: bool = False) -> None:
    """Newspaper, date and title of each passage, with its address."""
    turn = context.session.turns[-1] if context.session.turns else None
    sources = turn.sources if turn else ()
    if whole and not sources:
        _show_nearest_stories(context, turn)
    for number, source in enumerate(sources, 1):
        context.console.print(
            f"[dim][{number}][/] {escape(printable(source.head))}", soft_wrap=True
        )
        if source.url:
            context.console.print(f"    [dim]{escape(printable(source.url))}[/]", soft_wrap=True)
        if whole:
            context.console.print(f"    {escape(printable(source.text))}")


def _show_nearest_stories(context: ChatContext, turn: ChatTurn | None) -> None:
    """Where an answer from the weights alone can be read; nobody knows where it comes from."""
    if turn is None:
        raise NotEnoughData("nothing was asked yet")
    if RAG not in context.systems:
        raise NotFound("the archive has no spool to look for it in")
    found = context.find_sources(turn)
    if not found:
        raise NotFound("no story holds a word of this answer")
    context.console.print("[dim]it was answered without a search; nearest to it are[/]")
    for line in source_lines(found):
        context.console.print(escape(line), soft_wrap=True)


def _help(context: ChatContext) -> str:
    return escape(HELP.format(systems=", /".join(context.systems)))
