"""A conversation: its turns, the next prompt, the models that answer, and all of it as Markdown."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from exchange.errors import CannotWrite, TooLarge, UserError
from exchange.inference.engine import BASE, TUNED, Message, TextPiece
from exchange.recipes.prompts import PromptTemplate
from exchange.text.controls import one_line, plain_markdown, printable
from trainer import tokenization
from trainer.evaluate import rag
from trainer.evaluate.rag import Document

if TYPE_CHECKING:
    from exchange.inference.mlx.engine import MlxEngine


RAG, TUNED_RAG = "rag", "tuned+rag"
SYSTEMS = (BASE, TUNED, RAG, TUNED_RAG)  # rag: the base with search


@dataclass(frozen=True, slots=True)
class ChatTurn:
    """One question and its answer."""

    question: str
    answer: str
    answered_by: str
    sources: tuple[Document, ...] = ()
    tokens: int = 0
    seconds: float = 0.0
    ended: str = "stop"  # "length" where the limit cut it, "stopped" where the person did


@dataclass(slots=True)
class ChatSession:
    """One conversation; which model is asked, and how, may change between two questions."""

    answered_by: str  # one of SYSTEMS, for the next question
    system: str = ""  # the persona's message
    alone: bool = False  # every question by itself: earlier turns are not shown
    turns: list[ChatTurn] = field(default_factory=list)
    first_turn: int = 0  # turns before this one are forgotten

    @property
    def tuned(self) -> bool:
        """The tuned model is asked, not the base."""
        return self.answered_by.startswith(TUNED)

    @property
    def searching(self) -> bool:
        """Passages are put before the question."""
        return self.answered_by.endswith(RAG)

    def forget(self) -> None:
        """Begin anew; the transcript keeps all."""
        self.first_turn = len(self.turns)

    def prompt(
        self,
        question: str,
        found: Sequence[Document],
        template: PromptTemplate,
        fits: Callable[[list[Message]], bool],
    ) -> tuple[list[Message], tuple[Document, ...]]:
        """The next request, and the passages in it.

        What does not fit the model's context goes: first what was said longest ago, then the
        passages that fit the question least.

        Raises:
            UserError: the question alone is too long.
        """
        past = [] if self.alone else self.turns[self.first_turn :]
        for count in range(len(found), -1, -1):
            shown = tuple(found[:count])
            asked = (
                rag.rag_messages(template, question, shown, self.system)
                if shown
                else tokenization.chat_messages(question, self.system)
            )
            for first in range(len(past) + 1) if count == len(found) or not count else [len(past)]:
                turns = [*asked[:-1], *_history_messages(past[first:]), asked[-1]]
                if fits(turns):
                    return turns, shown
        raise TooLarge(
            "question and answer exceed the model's context: ask shorter, or give less --max-tokens"
        )


def _history_messages(turns: Sequence[ChatTurn]) -> list[Message]:
    return [
        message
        for turn in turns
        for message in (
            Message(role="user", content=turn.question),
            Message(role="assistant", content=turn.answer),
        )
    ]


def transcript(session: ChatSession, title: str, about: str) -> str:
    """The conversation with its sources.

    Args:
        about: a line that says who was asked: model, run, dataset.
    """
    lines = [f"# {plain_markdown(title)}", "", _escaped(about), ""]
    for turn in session.turns:
        lines += [
            f"## {plain_markdown(turn.question)}",
            "",
            f"*{turn.answered_by}*",
            "",
            _escaped(turn.answer) or "(nothing)",
            "",
        ]
        for number, source in enumerate(turn.sources, 1):
            head = plain_markdown(source.head)
            linked = source.url.startswith(("https://", "http://"))
            lines.append(
                f"{number}. [{head}](<{_address(source.url)}>)" if linked else f"{number}. {head}"
            )
        lines += [""] if turn.sources else []
    return "\n".join(lines)


def save_transcript(path: Path, text: str) -> None:
    """Write a new file.

    Raises:
        UserError: there is one of that name already, or it cannot be written.
    """
    try:
        with path.open("x", encoding="utf-8", errors="replace") as file:
            file.write(text)
    except FileExistsError:
        raise CannotWrite(f"{path} exists already: name another file") from None
    except OSError as error:
        raise CannotWrite(f"cannot write {path}: {error.strerror}") from None


def default_transcript_path() -> Path:
    """A name in this folder that says when."""
    return Path(time.strftime("chat-%Y%m%d-%H%M%S.md"))


def _escaped(text: str) -> str:
    """Text that stays text in Markdown; lines are kept."""
    return "\n".join(map(plain_markdown, printable(text).splitlines()))


def _address(url: str) -> str:
    return "".join(c for c in one_line(url) if c not in "<> ")


CACHE_BYTES = 512 << 20  # what was made of the conversation so far, so that it is read only once


@dataclass(slots=True)
class ReplyUsage:
    """What an answer took, filled in as it comes."""

    tokens: int = 0
    seconds: float = 0.0
    finish_reason: str = "stopped"  # "stop" or "length" once it has ended by itself
    only_thought: bool = False


class ChatModels:
    """The loaded models. All calls come from one thread.

    Args:
        newest: the adapter that the tuned model is to have, looked at before it is asked; None
            where that is the loaded one for good.
        loaded: the adapter it has.
        scale: its strength.
    """

    def __init__(
        self,
        engine: MlxEngine,
        newest: Callable[[], Path | None] | None = None,
        loaded: Path | None = None,
        scale: float = 1.0,
    ) -> None:
        self._engine, self._newest = engine, newest
        self._loaded, self._scale = loaded, scale

    def _take_newest(self) -> None:
        """Let the tuned model be the one that was promoted last; the one before, if it is unfit."""
        newest = self._newest() if self._newest else None
        if newest is not None and newest != self._loaded:
            self._loaded = newest
            with suppress(UserError):
                self._engine.replace_adapter(newest, self._scale)

    def fits(self, turns: list[Message], max_tokens: int) -> bool:
        """Whether a request and its answer go into the context."""
        context = self._engine.context
        return not context or len(self._engine.encode(turns)) + max_tokens <= context

    def stream(
        self, turns: list[Message], max_tokens: int, usage: ReplyUsage, *, tuned: bool
    ) -> Generator[str, None, None]:
        """The answer in pieces, greedily. Closing the generator ends it.

        Args:
            usage: filled in meanwhile.
        """
        if tuned:
            self._take_newest()
        pieces: list[TextPiece] = []
        engine, began = self._engine, time.perf_counter()
        ticket = engine.submit(
            turns, max_tokens, 0, model=TUNED if tuned else BASE, on_piece=pieces.append
        )
        try:
            while usage.finish_reason == "stopped":
                for output in engine.step():
                    usage.finish_reason = output.finish_reason
                    usage.only_thought = output.only_thought
                usage.seconds = time.perf_counter() - began
                usage.tokens += sum(piece.tokens for piece in pieces)
                yield "".join(piece.text for piece in pieces)
                pieces.clear()
        finally:
            engine.cancel(ticket)

    def likelihood(self, turns: list[Message], answer: str) -> float:
        """The mean log-probability a token that the tuned model gives to an answer."""
        (found,) = self._engine.loglikelihood([turns], [answer], model=TUNED)
        return found.mean

    def close(self) -> None:
        """Let go of the batches."""
        self._engine.close()


def open_chat_models(
    base: Path,
    adapter: Path | None,
    scale: float = 1.0,
    newest: Callable[[], Path | None] | None = None,
) -> ChatModels:
    """Base, and tuned where there is an adapter, at `scale`. Evaluates MLX: do not fork after.

    Args:
        newest: see `ChatModels`.
    """
    from exchange.inference.mlx.engine import MlxEngine

    engine = MlxEngine(
        base, name=base.name, width=1, adapter=adapter, scales=(scale,), cache_bytes=CACHE_BYTES
    )
    return ChatModels(engine, newest, adapter, scale)
