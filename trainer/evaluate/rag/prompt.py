"""How passages are put before a question."""

from __future__ import annotations

from collections.abc import Iterable

from exchange.inference.engine import Message
from exchange.recipes.prompts import PromptTemplate
from trainer import tokenization
from trainer.evaluate.rag.index import Document

PLACEHOLDERS = {"passages", "question"}


def rag_messages(
    template: PromptTemplate, question: str, passages: Iterable[Document], system: str = ""
) -> list[Message]:
    """The request: every passage under its newspaper, date and title; the best one last.

    What stands nearest to the question is used most by small models.
    """
    shown = "\n\n".join(f"{one.head}\n{one.text}" for one in reversed(list(passages)))
    return tokenization.chat_messages(
        template.fill({"passages": shown, "question": question}), system
    )
