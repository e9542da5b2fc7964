"""What the newspaper is made of. Records only; `stories` and `site` make them."""

from __future__ import annotations

import datetime as dt
import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path

from exchange.files import write_atomic


@dataclass(frozen=True, slots=True)
class PrintedFact:
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
    facts: tuple[PrintedFact, ...]
    shape: str
    page_no: int
    edition: int

    @property
    def words(self) -> int:
        """Words of the text, as the completeness list counts them (title not included)."""
        return sum(len(paragraph.split()) for paragraph in self.paragraphs)


@dataclass(frozen=True, slots=True)
class NewspaperPage:
    """What the server sends for one address. The charset may be wrong or missing on purpose."""

    body: bytes
    content_type: str


@dataclass(frozen=True, slots=True)
class SampleNewspaper:
    """The whole site. `pages` has every address (path with query) exactly as it is linked.

    `aliases` maps an address to the canonical one of the same story, `leave_outs` lists the
    addresses whose text is no story of ours (television, teasers, private pages), and
    `addresses` gives each story's canonical address (with #id where a page holds several).
    """

    name: str
    stories: tuple[DemoStory, ...]
    pages: dict[str, NewspaperPage]
    aliases: dict[str, str] = field(default_factory=dict)
    leave_outs: tuple[str, ...] = ()
    addresses: dict[int, str] = field(default_factory=dict)
    charsets: dict[str, str] = field(default_factory=dict)


# Writes what is true of a newspaper as JSON, for the stages that are measured against it.


def truth_record(newspaper: SampleNewspaper) -> dict[str, object]:
    """Stories with their address and facts, aliases, and the addresses to leave out."""
    stories = []
    for story in newspaper.stories:
        record = asdict(story)
        record["date"] = story.date.isoformat()
        record["words"] = story.words
        record["url"] = newspaper.addresses[story.id]
        stories.append(record)
    return {
        "name": newspaper.name,
        "stories": stories,
        "aliases": newspaper.aliases,
        "leave_outs": list(newspaper.leave_outs),
    }


def write_truth(newspaper: SampleNewspaper, path: str | os.PathLike[str]) -> None:
    """Writes the truth to `path`, whole or not at all."""
    write_atomic(Path(path), json.dumps(truth_record(newspaper), ensure_ascii=False, indent=1))
