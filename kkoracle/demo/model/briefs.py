"""The prompts the tiny model is trained on: text files, filled in without their last line break.

They say the same as the workers' prompt files of the same names, so that the worker's messages
are exactly what the model has learned to read.
"""

from __future__ import annotations

from functools import cache
from importlib import resources

NOTHING_TO_ASK = "Καμία ερώτηση."


@cache
def prompt(name: str) -> str:
    """The text of `prompts/<name>.txt` without its last line break."""
    file = resources.files("kkoracle.demo.model") / "prompts" / f"{name}.txt"
    return file.read_text(encoding="utf-8").removesuffix("\n")


def fill(name: str, **slots: str) -> str:
    """A prompt with its slots filled; braces in the slots' texts are left alone."""
    return prompt(name).format(**slots)


def pairs_text(pairs: list[tuple[str, str]]) -> str:
    """Questions and answers in the line format that the worker's parser reads."""
    if not pairs:
        return NOTHING_TO_ASK
    return "\n".join(f"Ερώτηση: {question}\nΑπάντηση: {answer}" for question, answer in pairs)


def parse_pairs(text: str) -> list[tuple[str, str]]:
    """The pairs of a completion; lines out of place are skipped."""
    pairs: list[tuple[str, str]] = []
    question = ""
    for line in text.splitlines():
        if line.startswith("Ερώτηση: "):
            question = line.removeprefix("Ερώτηση: ").strip()
        elif line.startswith("Απάντηση: ") and question:
            pairs.append((question, line.removeprefix("Απάντηση: ").strip()))
            question = ""
    return pairs
