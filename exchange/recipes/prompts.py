"""Prompts are versioned files: an id, a hash, and two places to fill.

The constant instruction comes first and the chunk last, so that all requests share a prefix
that the engine computes once.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from pathlib import Path

from exchange.errors import UsageError
from exchange.inference.engine import Message
from exchange.records import digest

PROMPT_SHA_BYTES = 8


@dataclass(frozen=True, slots=True)
class TaskPrompt:
    """One prompt: its id ("el/chunk"), its text, and the hash of that text."""

    id: str
    text: str

    @property
    def sha(self) -> str:
        return digest(self.text, size=PROMPT_SHA_BYTES)

    @property
    def instruction(self) -> str:
        """The constant part before the chunk."""
        return self.text.partition("{header}")[0]

    def messages(self, header: str, text: str, system: str = "") -> list[Message]:
        """The request for one chunk. Braces in the chunk mean nothing: no formatting happens."""
        content = (
            self.instruction + header + self.text.partition("{header}")[2].replace("{text}", text)
        )
        asked = [{"role": "user", "content": content.strip()}]
        return [{"role": "system", "content": system}, *asked] if system else asked


def load_prompt(name: str) -> TaskPrompt:
    """A prompt of ours by id, or a file of the user's by path.

    Raises:
        UsageError: there is none of that name, or it does not hold both places to fill.
    """
    own = resources.files(__package__).joinpath(*f"{name}.txt".split("/"))
    path = Path(name)
    if ".." not in path.parts and not path.is_absolute() and own.is_file():
        text = own.read_text("utf-8")
    elif path.suffix == ".txt" and path.is_file():
        text = path.read_text("utf-8")
    else:
        raise UsageError(
            f"no prompt {name!r}: known are {', '.join(prompt_names())}, or a .txt file"
        )
    if (
        text.count("{header}") != 1
        or text.count("{text}") != 1
        or (text.index("{header}") > text.index("{text}"))
    ):
        raise UsageError(f"prompt {name!r} must hold {{header}} and then {{text}}, once each")
    return TaskPrompt(name, text)


@lru_cache
def general_questions(language: str) -> tuple[str, ...]:
    """Questions that have nothing to do with a newspaper, for answers of the base to train on.

    They stand in `general.list`, one a line; () for a language without them.
    """
    file = resources.files(__package__).joinpath(language, "general.list")
    if not file.is_file():
        return ()
    lines = (line.strip() for line in file.read_text("utf-8").splitlines())
    return tuple(dict.fromkeys(line for line in lines if line))


def prompt_names() -> list[str]:
    """The ids of all prompts that come with the package."""
    found = []
    for language in resources.files(__package__).iterdir():
        if language.is_dir():
            found += [
                f"{language.name}/{file.name[:-4]}"
                for file in language.iterdir()
                if file.name.endswith(".txt") and _asks_for_pairs(file.read_text("utf-8"))
            ]
    return sorted(found)


def _asks_for_pairs(text: str) -> bool:
    return "{header}" in text and "{text}" in text


# What the models of an evaluation are told, in versioned files.
#
# A template holds places to fill, such as {question}; what fills them is never read as a template.

_PLACEHOLDER = re.compile(r"\{([a-z_]+)\}")


@dataclass(frozen=True, slots=True)
class PromptTemplate:
    """One prompt: its id ("el/rag"), its text, and the hash of that text."""

    id: str
    text: str

    @property
    def sha(self) -> str:
        return digest(self.text, size=4)

    def fill(self, values: Mapping[str, str]) -> str:
        """Every place at once, so that braces in a value mean nothing."""
        return _PLACEHOLDER.sub(lambda place: values[place[1]], self.text).strip()


def template_in_language(kind: str, language: str, places: set[str]) -> PromptTemplate:
    """Our prompt of a kind in a language, in English where we have none in it."""
    own = resources.files(__package__).joinpath(language, f"{kind}.txt")
    return load_template(f"{language if own.is_file() else 'en'}/{kind}", places)


def load_template(name: str, places: set[str]) -> PromptTemplate:
    """A prompt of ours by id, or a file of the user's by path.

    Args:
        places: what it must hold, no more and no less.

    Raises:
        UsageError: there is none of that name, or its places are others.
    """
    own = resources.files(__package__).joinpath(*f"{name}.txt".split("/"))
    path = Path(name)
    if ".." not in path.parts and not path.is_absolute() and own.is_file():
        text = own.read_text("utf-8")
    elif path.suffix == ".txt" and path.is_file():
        text = path.read_text("utf-8")
    else:
        raise UsageError(f"no prompt {name!r}: name one such as el/rag, or a .txt file")
    if set(_PLACEHOLDER.findall(text)) != places:
        wanted = ", ".join(f"{{{place}}}" for place in sorted(places))
        raise UsageError(f"prompt {name!r} must hold {wanted} and no other place to fill")
    return PromptTemplate(name, text)
