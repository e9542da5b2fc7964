"""Ways of putting a question: as it is, after examples, under passages that were found."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from exchange.records import digest
from trainer import chat
from trainer.evaluate.prompts import Template
from trainer.evaluate.rag import Document, Index, ask
from trainer.evaluate.rag.terms import of_question
from trainer.evaluate.records import Item
from trainer.evaluate.systems.speaker import Prompt

Fits = Callable[[Prompt], bool]


@dataclass(frozen=True, slots=True)
class Asked:
    """A prompt and the ids of what was shown in it."""

    prompt: Prompt
    sources: tuple[str, ...] = ()


class Way(Protocol):
    """Attributes: key, a hash of what the prompt depends on besides the item; about, one line."""

    @property
    def key(self) -> str: ...

    @property
    def about(self) -> str: ...

    def ask(self, item: Item, fits: Fits) -> Asked:
        """The prompt for one item; what does not fit the context is shortened first."""


@dataclass(frozen=True, slots=True)
class Plain:
    """The question alone."""

    key: str = "plain"
    about: str = "the question alone"

    def ask(self, item: Item, fits: Fits = lambda prompt: True) -> Asked:
        return Asked(chat.messages(item.question, item.system))


@dataclass(frozen=True, slots=True)
class Examples:
    """After taught questions with their answers, the likest ones; the nearest stands last."""

    index: Index  # over the train split: a document's head is the question, its text the answer
    count: int

    @property
    def key(self) -> str:
        return digest("examples", self.index.key, str(self.count), size=6)

    @property
    def about(self) -> str:
        return f"after the {self.count} likest taught question{'s' * (self.count > 1)} with answers"

    def ask(self, item: Item, fits: Fits) -> Asked:
        found = [one.document for one in self.index.search(of_question(item.question), self.count)]
        while True:
            asked = Asked(_with_examples(item, found), tuple(one.id for one in found))
            if not found or fits(asked.prompt):
                return asked
            found.pop()


@dataclass(frozen=True, slots=True)
class Retrieved:
    """Under the passages of the archive that full-text search finds."""

    index: Index
    template: Template
    count: int

    @property
    def key(self) -> str:
        return digest("rag", self.index.key, self.template.text, str(self.count), size=6)

    @property
    def about(self) -> str:
        return f"with {self.count} passage{'s' * (self.count > 1)} of the archive, by BM25"

    def ask(self, item: Item, fits: Fits) -> Asked:
        found = [one.document for one in self.index.search(of_question(item.question), self.count)]
        return _under(self.template, item, found, fits)


@dataclass(frozen=True, slots=True)
class Gold:
    """Under the very chunk that the question was made from: what reading alone can reach."""

    template: Template

    @property
    def key(self) -> str:
        return digest("gold", self.template.text, size=6)

    @property
    def about(self) -> str:
        return "with the chunk that the question was made from"

    def ask(self, item: Item, fits: Fits) -> Asked:
        gold = [Document("gold", item.header, item.gold)] if item.gold else []
        return _under(self.template, item, gold, fits)


def _under(template: Template, item: Item, found: Sequence[Document], fits: Fits) -> Asked:
    """As many passages as fit, worst ones dropped first; none at all is the plain question."""
    for count in range(len(found), 0, -1):
        shown = found[:count]
        prompt = ask(template, item.question, shown, item.system)
        if fits(prompt):
            return Asked(prompt, tuple(one.id for one in shown))
    return Plain().ask(item)


def _with_examples(item: Item, found: Sequence[Document]) -> Prompt:
    prompt = chat.messages(item.question, item.system)
    turns = [
        turn
        for one in reversed(found)
        for turn in (
            {"role": "user", "content": one.head},
            {"role": "assistant", "content": one.text},
        )
    ]
    return [*prompt[:-1], *turns, prompt[-1]]
