"""What the newspaper is made of. Records only; `stories` and `site` make them."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Fact:
    """One sentence of a story and what may be asked about it.

    `sentence` stands verbatim in one paragraph, `question` makes sense without the story,
    `rephrasings` are two other wordings, `frame` is the sentence frame's id and `known` says
    whether the model's training text uses that frame.
    """

    sentence: str
    question: str
    answer: str
    rephrasings: tuple[str, str]
    frame: str
    kind: str
    known: bool


@dataclass(frozen=True, slots=True)
class DemoStory:
    """One story as printed. `shape` is tables, storybody, several or modern."""

    id: int
    date: dt.date
    section: str
    title: str
    author: str
    paragraphs: tuple[str, ...]
    facts: tuple[Fact, ...]
    shape: str
    page_no: int
    edition: int

    @property
    def words(self) -> int:
        """Words of the text, as the completeness list counts them (title not included)."""
        return sum(len(paragraph.split()) for paragraph in self.paragraphs)


@dataclass(frozen=True, slots=True)
class Page:
    """What the server sends for one address. The charset may be wrong or missing on purpose."""

    body: bytes
    content_type: str


@dataclass(frozen=True, slots=True)
class Newspaper:
    """The whole site. `pages` has every address (path with query) exactly as it is linked.

    `aliases` maps an address to the canonical one of the same story, `leave_outs` lists the
    addresses whose text is no story of ours (television, teasers, private pages), and
    `addresses` gives each story's canonical address (with #id where a page holds several).
    """

    name: str
    stories: tuple[DemoStory, ...]
    pages: dict[str, Page]
    aliases: dict[str, str] = field(default_factory=dict)
    leave_outs: tuple[str, ...] = ()
    addresses: dict[int, str] = field(default_factory=dict)
    charsets: dict[str, str] = field(default_factory=dict)
