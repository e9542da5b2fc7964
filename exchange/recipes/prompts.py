"""Prompts are versioned files: an id, a hash, and placeholders to fill.

They stand beside this module, one a language and kind (`el/chunk.txt`); a path to a `.txt` file
of the user's does as well. A placeholder is a name in braces, such as {question}; what fills it is
never read as a template. The general prompts (`xx/`), for every language that has none of its own,
are in English and ask for the {language}, which is filled as they are loaded.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

from exchange.errors import UsageError
from exchange.inference.engine import Message
from exchange.records import digest
from exchange.text.language import load_language

PROMPT_SHA_BYTES = 8
FALLBACK = "en"  # for a scoring guide in a language without prompts of its own
GENERAL = "xx"  # the folder of the prompts for any language
TASK_PLACEHOLDERS = frozenset({"header", "text"})
_OWN = resources.files(__package__)
_PLACEHOLDER = re.compile(r"\{([a-z_]+)\}")
_LANGUAGE = "{language}"


@dataclass(frozen=True, slots=True)
class PromptTemplate:
    """One prompt: its id ("el/rag"), its text, and the hash of that text."""

    id: str
    text: str

    @property
    def sha(self) -> str:
        return digest(self.text, size=PROMPT_SHA_BYTES)

    def fill(self, values: Mapping[str, str]) -> str:
        """Every placeholder at once, so that braces in a value mean nothing."""
        return _PLACEHOLDER.sub(lambda place: values[place[1]], self.text).strip()


@dataclass(frozen=True, slots=True)
class TaskPrompt(PromptTemplate):
    """A prompt of the worker's, for one chunk.

    The constant instruction comes first, so that all requests share a prefix that the engine
    computes once. A constant line may follow the chunk: without one, a small model goes on with
    the newspaper in place of doing what was asked a page before.
    """

    @property
    def instruction(self) -> str:
        """The constant part before the chunk."""
        return self.text.partition("{header}")[0]

    def messages(self, header: str, text: str, system: str = "") -> list[Message]:
        """The request for one chunk. Braces in the chunk mean nothing: no formatting happens."""
        content = (
            self.instruction + header + self.text.partition("{header}")[2].replace("{text}", text)
        )
        return self._turns(content, system)

    def follow_up(self, header: str, text: str, asked: str, system: str = "") -> list[Message]:
        """Another request about the same chunk: it begins as `messages` does, up to its end."""
        between = self.text.partition("{header}")[2].partition("{text}")[0]
        return self._turns(f"{self.instruction}{header}{between}{text}\n\n{asked}", system)

    @staticmethod
    def _turns(content: str, system: str) -> list[Message]:
        asked = [{"role": "user", "content": content.strip()}]
        return [{"role": "system", "content": system}, *asked] if system else asked


def packaged_text(name: str, folder: Traversable = _OWN) -> str | None:
    """The text of a prompt that comes with a package, by its id; None when there is none."""
    path = Path(name)
    file = folder.joinpath(*f"{name}.txt".split("/"))
    if ".." in path.parts or path.is_absolute() or not file.is_file():
        return None
    return file.read_text("utf-8")


def load_template(name: str, placeholders: Collection[str], language: str = "") -> PromptTemplate:
    """A prompt of ours by id, or a file of the user's by path.

    Args:
        placeholders: what it must hold, no more and no less, but for the language.
        language: what it asks for, where it leaves that open.

    Raises:
        UsageError: there is none of that name, or its placeholders are others.
    """
    text = _text(name, placeholders, language)
    if set(_PLACEHOLDER.findall(text)) != set(placeholders):
        wanted = ", ".join(f"{{{one}}}" for one in sorted(placeholders))
        raise UsageError(f"prompt {name!r} must hold {wanted} and no other placeholder")
    return PromptTemplate(name, text)


def load_prompt(name: str, language: str = "") -> TaskPrompt:
    """The same for the worker's prompts, whose chunk comes after the instruction.

    Raises:
        UsageError: there is none of that name, or it does not hold both placeholders.
    """
    text = _text(name, TASK_PLACEHOLDERS, language)
    if (
        text.count("{header}") != 1
        or text.count("{text}") != 1
        or text.index("{header}") > text.index("{text}")
    ):
        raise UsageError(f"prompt {name!r} must hold {{header}} and then {{text}}, once each")
    return TaskPrompt(name, text)


def template_in_language(kind: str, language: str, placeholders: Collection[str]) -> PromptTemplate:
    """Our prompt of a kind in a language, the general one where we have none in it."""
    return load_template(f"{prompt_folder(language)}/{kind}", placeholders, language)


def prompt_folder(language: str) -> str:
    """Where the prompts of a language are: its own folder, or that of the general ones."""
    return language if packaged_text(f"{language}/chunk") is not None else GENERAL


def templates_by_language(kind: str, placeholders: Collection[str]) -> dict[str, PromptTemplate]:
    """Our prompts of a kind in every language that has one; {} for an unknown kind."""
    return {
        name.partition("/")[0]: load_template(name, placeholders)
        for name in prompt_names(frozenset(placeholders))
        if name.partition("/")[2] == kind
    }


@lru_cache
def prompt_names(placeholders: frozenset[str] = TASK_PLACEHOLDERS) -> tuple[str, ...]:
    """The ids of all prompts that come with the package and hold these placeholders."""
    return tuple(
        sorted(
            f"{language.name}/{file.name[:-4]}"
            for language in _OWN.iterdir()
            if language.is_dir()
            for file in language.iterdir()
            if file.name.endswith(".txt")
            and set(_PLACEHOLDER.findall(file.read_text("utf-8"))) - {"language"} == placeholders
        )
    )


@lru_cache
def general_questions(language: str) -> tuple[str, ...]:
    """Questions that have nothing to do with a newspaper, for answers of the base to train on.

    They stand in `general.list`, one a line; () for a language without them.
    """
    file = _OWN.joinpath(language, "general.list")
    if not file.is_file():
        return ()
    lines = (line.strip() for line in file.read_text("utf-8").splitlines())
    return tuple(dict.fromkeys(line for line in lines if line))


def _text(name: str, placeholders: Collection[str], language: str) -> str:
    text = packaged_text(name)
    path = Path(name)
    if text is None and path.suffix == ".txt" and path.is_file():
        text = path.read_text("utf-8")
    if text is not None:
        said = load_language(language).english_name if language else "the excerpt's language"
        return text.replace(_LANGUAGE, said)
    known = ", ".join(prompt_names(frozenset(placeholders)))
    raise UsageError(f"no prompt {name!r}: known are {known}, or a .txt file")
