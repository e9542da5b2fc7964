"""One question to several systems, read without knowing whose answers they are.

Pure: who is shown under which letter, what a vote says, who won how often, and the talk as a file.
"""

from __future__ import annotations

import base64
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace

from exchange.store.review import Vote
from exchange.text.controls import plain_markdown
from kkoracle.studio import studio
from kkoracle.studio.systems import StudioAnswer

LETTERS = "ABCD"
ALL_ALIKE, NONE_RIGHT = OTHER_CHOICES = ("all alike", "none is right")


@dataclass(frozen=True, slots=True)
class ComparisonRound:
    """A question, and the answers in the order in which they are shown."""

    question: str
    run: str
    systems: tuple[str, ...]
    given: tuple[StudioAnswer, ...] = ()
    blind: bool = True
    said: str = ""  # the vote, in words; "" while there is none
    better: str = ""

    @property
    def whole(self) -> bool:
        """Every system has answered."""
        return len(self.given) == len(self.systems)

    @property
    def open(self) -> bool:
        """It may be told whose answers these are."""
        return not self.blind or bool(self.said)

    def name(self, place: int) -> str:
        """What stands above an answer."""
        return f"{LETTERS[place]}: {self.systems[place]}" if self.open else LETTERS[place]

    @property
    def choices(self) -> list[str]:
        """What can be voted for."""
        return [*LETTERS[: len(self.systems)], *OTHER_CHOICES]


def begin_round(question: str, run: str, systems: Sequence[str], blind: bool) -> ComparisonRound:
    """A round in which nobody has answered yet; blind ones are shuffled."""
    order = list(systems)
    if blind:
        random.SystemRandom().shuffle(order)
    return ComparisonRound(question, run, tuple(order), blind=blind)


def record_vote(
    of: ComparisonRound, choice: str, better: str, reviewer: str
) -> tuple[ComparisonRound, Vote]:
    """The round as it is afterwards, and what is stored."""
    answers = tuple(one.text for one in of.given)
    best = of.systems[LETTERS.index(choice)] if choice in LETTERS else ""
    stored = Vote(
        question=of.question,
        run=of.run,
        systems=of.systems,
        answers=answers,
        choice="best" if best else "alike" if choice == ALL_ALIKE else "none",
        best=best,
        better=better,
        blind=of.blind,
        reviewer=reviewer,
    )
    said = f"{choice} is best" if best else choice
    return replace(of, said=said, better=better), stored


def count_votes(votes: Sequence[Vote]) -> list[tuple[str, int, int, int]]:
    """For each system: questions voted on, how often it was best, how often blindly so."""
    shown: dict[str, list[int]] = {}
    for one in votes:
        for system in one.systems:
            counts = shown.setdefault(system, [0, 0, 0])
            counts[0] += 1
            counts[1] += one.best == system
            counts[2] += one.best == system and one.blind
    order = sorted(shown.items(), key=lambda item: (-item[1][1] / item[1][0], item[0]))
    return [(system, *counts) for system, counts in order]  # type: ignore[misc]


def to_markdown(title: str, talk: Sequence[ComparisonRound]) -> str:
    """Every question with its answers, votes and sources; nothing in it is read as markup."""
    parts = [f"# {plain_markdown(title)}\n"]
    for one in talk:
        parts.append(f"## {plain_markdown(one.question)}\n")
        for place, given in enumerate(one.given):
            parts.append(f"**{one.name(place)}**\n\n{_blockquote(given.error or given.text)}\n")
            parts += [
                f"- {plain_markdown(source.head)} {_markdown_link(source.url)}".rstrip()
                for source in given.sources
                if one.open
            ]
            parts.append("")
        if one.said:
            parts.append(f"Vote: {one.said}\n")
        if one.better:
            parts.append(f"A better answer:\n\n{_blockquote(one.better)}\n")
    return "\n".join(parts)


def to_html(title: str, talk: Sequence[ComparisonRound]) -> str:
    """The same as one page."""
    return studio.render("transcript", title, talk)


def download_links(name: str, title: str, talk: Sequence[ComparisonRound]) -> str:
    """Links that save it; the file is in the link, so that nothing is left on the server."""
    if not talk:
        return ""
    kinds = (("md", "text/markdown", to_markdown), ("html", "text/html", to_html))
    return " ".join(
        studio.render(
            "save", name, ending, kind, base64.b64encode(write(title, talk).encode()).decode()
        )
        for ending, kind, write in kinds
    )


def _blockquote(text: str) -> str:
    """A quotation, in which a line that looks like markup is shown as it stands."""
    return "\n".join(f"> {plain_markdown(line)}" for line in text.splitlines() or [""])


def _markdown_link(url: str) -> str:
    whole = url.startswith(("http://", "https://")) and not set(url) & set("<> \n")
    return f"<{url}>" if whole else ""
