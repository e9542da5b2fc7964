"""Ways of putting a question: as it is, after examples, under passages that were found."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from exchange.recipes.prompts import PromptTemplate
from exchange.records import digest
from trainer import tokenization
from trainer.evaluate.rag import Document, SearchIndex, rag_messages
from trainer.evaluate.rag.index import question_terms
from trainer.evaluate.records import EvalItem
from trainer.evaluate.systems.client import Messages

Fits = Callable[[Messages], bool]


@dataclass(frozen=True, slots=True)
class EvalPrompt:
    """A prompt and the ids of what was shown in it."""

    prompt: Messages
    sources: tuple[str, ...] = ()
    left_out: int = 0  # passages or examples that did not fit the model's context


class PromptStrategy(Protocol):
    """Attributes: key, a hash of what the prompt depends on besides the item; about, one line."""

    @property
    def key(self) -> str: ...

    @property
    def about(self) -> str: ...

    def build_prompt(self, item: EvalItem, fits: Fits) -> EvalPrompt:
        """The prompt for one item; what does not fit the context is shortened first."""


@dataclass(frozen=True, slots=True)
class ZeroShotStrategy:
    """The question alone."""

    key: str = "plain"
    about: str = "the question alone"

    def build_prompt(self, item: EvalItem, fits: Fits = lambda prompt: True) -> EvalPrompt:
        return EvalPrompt(tokenization.chat_messages(item.question, item.system))


@dataclass(frozen=True, slots=True)
class FewShotStrategy:
    """After taught questions with their answers, the most similar ones; the nearest stands last."""

    index: (
        SearchIndex  # over the train split: a document's head is the question, its text the answer
    )
    count: int

    @property
    def key(self) -> str:
        return digest("examples", self.index.key, str(self.count), size=6)

    @property
    def about(self) -> str:
        plural = "s" * (self.count > 1)
        return f"after the {self.count} most similar taught question{plural} with answers"

    def build_prompt(self, item: EvalItem, fits: Fits) -> EvalPrompt:
        found = [
            one.document for one in self.index.search(question_terms(item.question), self.count)
        ]
        for count in range(len(found), 0, -1):
            shown = found[:count]
            prompt = _with_examples(item, shown)
            if fits(prompt):
                return EvalPrompt(prompt, tuple(one.id for one in shown), len(found) - count)
        return EvalPrompt(_with_examples(item, []), left_out=len(found))


@dataclass(frozen=True, slots=True)
class RagStrategy:
    """Under the passages of the archive that full-text search finds."""

    index: SearchIndex
    template: PromptTemplate
    count: int

    @property
    def key(self) -> str:
        return digest("rag", self.index.key, self.template.text, str(self.count), size=6)

    @property
    def about(self) -> str:
        return f"with {self.count} passage{'s' * (self.count > 1)} of the archive, by BM25"

    def build_prompt(self, item: EvalItem, fits: Fits) -> EvalPrompt:
        found = [
            one.document for one in self.index.search(question_terms(item.question), self.count)
        ]
        return _prompt_with_passages(self.template, item, found, fits)


@dataclass(frozen=True, slots=True)
class OracleStrategy:
    """Under the very chunk that the question was made from: what reading alone can reach."""

    template: PromptTemplate

    @property
    def key(self) -> str:
        return digest("gold", self.template.text, size=6)

    @property
    def about(self) -> str:
        return "with the chunk that the question was made from"

    def build_prompt(self, item: EvalItem, fits: Fits) -> EvalPrompt:
        gold = [Document("gold", item.header, item.gold)] if item.gold else []
        return _prompt_with_passages(self.template, item, gold, fits)


def _prompt_with_passages(
    template: PromptTemplate, item: EvalItem, found: Sequence[Document], fits: Fits
) -> EvalPrompt:
    """As many passages as fit, worst ones dropped first; none at all is the plain question."""
    for count in range(len(found), 0, -1):
        shown = found[:count]
        prompt = rag_messages(template, item.question, shown, item.system)
        if fits(prompt):
            return EvalPrompt(prompt, tuple(one.id for one in shown), len(found) - count)
    return EvalPrompt(ZeroShotStrategy().build_prompt(item).prompt, left_out=len(found))


def _with_examples(item: EvalItem, found: Sequence[Document]) -> Messages:
    prompt = tokenization.chat_messages(item.question, item.system)
    turns = [
        turn
        for one in reversed(found)
        for turn in (
            {"role": "user", "content": one.head},
            {"role": "assistant", "content": one.text},
        )
    ]
    return [*prompt[:-1], *turns, prompt[-1]]
