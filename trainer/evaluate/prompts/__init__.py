"""What the models of an evaluation are told, in versioned files.

A template holds places to fill, such as {question}; what fills them is never read as a template.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from exchange.errors import UsageError
from exchange.records import digest

_PLACE = re.compile(r"\{([a-z_]+)\}")


@dataclass(frozen=True, slots=True)
class Template:
    """One prompt: its id ("el/rag"), its text, and the hash of that text."""

    id: str
    text: str

    @property
    def sha(self) -> str:
        return digest(self.text, size=4)

    def fill(self, values: Mapping[str, str]) -> str:
        """Every place at once, so that braces in a value mean nothing."""
        return _PLACE.sub(lambda place: values[place[1]], self.text).strip()


def in_language(kind: str, language: str, places: set[str]) -> Template:
    """Our prompt of a kind in a language, in English where we have none in it."""
    own = resources.files(__package__).joinpath(language, f"{kind}.txt")
    return load(f"{language if own.is_file() else 'en'}/{kind}", places)


def load(name: str, places: set[str]) -> Template:
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
    if set(_PLACE.findall(text)) != places:
        wanted = ", ".join(f"{{{place}}}" for place in sorted(places))
        raise UsageError(f"prompt {name!r} must hold {wanted} and no other place to fill")
    return Template(name, text)
