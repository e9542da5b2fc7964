"""How passages are put before a question."""

from __future__ import annotations

from collections.abc import Iterable

from exchange.engine import Message
from trainer import chat
from trainer.evaluate.prompts import Template
from trainer.evaluate.rag.index import Document

PLACES = {"passages", "question"}


def ask(
    template: Template, question: str, passages: Iterable[Document], system: str = ""
) -> list[Message]:
    """The request: every passage under its newspaper, date and title; the best one last.

    What stands nearest to the question is used most by small models.
    """
    shown = "\n\n".join(f"{one.head}\n{one.text}" for one in reversed(list(passages)))
    return chat.messages(template.fill({"passages": shown, "question": question}), system)
