"""The prompts the tiny model is trained on: text files, filled in without their last line break.

What the worker asks for stands with the worker's prompts, so that its messages are exactly what
the model has learned to read; the model's other tasks have their files here.
"""

from __future__ import annotations

from functools import cache
from importlib import resources

from exchange.recipes.prompts import packaged_text
from workers.parse import parse

NOTHING_TO_ASK = "Καμία ερώτηση."


@cache
def prompt(name: str) -> str:
    """The text of a prompt by its name, without its last line break."""
    text = packaged_text(f"el/{name}")
    if text is None:
        text = packaged_text(name, resources.files("tools.demo_model") / "prompts")
    if text is None:
        raise ValueError(f"no prompt {name!r}")
    return text.removesuffix("\n")


def fill(name: str, **slots: str) -> str:
    """A prompt with its slots filled; braces in the slots' texts are left alone."""
    return prompt(name).format(**slots)


def pairs_text(pairs: list[tuple[str, str]]) -> str:
    """Questions and answers in the line format that the worker's parser reads."""
    if not pairs:
        return NOTHING_TO_ASK
    return "\n".join(f"Ερώτηση: {question}\nΑπάντηση: {answer}" for question, answer in pairs)


def parse_pairs(text: str) -> list[tuple[str, str]]:
    """The pairs of a completion, as the worker reads them."""
    return [(draft.question, draft.answer) for draft in parse(text)]
