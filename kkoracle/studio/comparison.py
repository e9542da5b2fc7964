"""One question to several systems, read without knowing whose answers they are.

Pure: who is shown under which letter, what a vote says, who won how often, and the talk as a file.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from exchange.errors import UsageError
from exchange.html.templates import environment
from exchange.store.review import Vote
from exchange.text.controls import plain_markdown
from kkoracle.studio.systems import STOPPED, StudioAnswer
from trainer.chat.session import ChatTurn

LETTERS = "ABCD"
MOST_ROUNDS = 200  # questions of one talk
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
    strength: float = 1.0  # of the adapter
    follows: bool = False  # each system knows what it said before

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


def begin_round(
    question: str,
    run: str,
    systems: Sequence[str],
    blind: bool,
    *,
    strength: float = 1.0,
    follows: bool = False,
) -> ComparisonRound:
    """A round in which nobody has answered yet; blind ones are shuffled."""
    order = list(systems)
    if blind:
        random.SystemRandom().shuffle(order)
    return ComparisonRound(
        question, run, tuple(order), blind=blind, strength=strength, follows=follows
    )


@dataclass(slots=True)
class Talk:
    """Questions of one page, of which at most one is being answered."""

    rounds: list[ComparisonRound] = field(default_factory=list)
    busy: bool = False
    error: str = ""  # why the last question was not answered
    note: str = ""  # what it waits for
    stop: threading.Event = field(default_factory=threading.Event)
    _beginning: threading.Lock = field(default_factory=threading.Lock)

    def begin(self, of: ComparisonRound) -> None:
        """Put the next question.

        Raises:
            UsageError: the last one is still being answered, or the talk is too long.
        """
        with self._beginning:
            if self.busy:
                raise UsageError("the last question is still being answered: wait, or cancel it")
            if len(self.rounds) >= MOST_ROUNDS:
                raise UsageError("this talk is long enough: save it, and begin another")
            self.rounds.append(of)
            self.stop.clear()
            self.error, self.busy = "", True

    def said_by(self, system: str) -> list[ChatTurn]:
        """What one system was asked and has answered, before the last question."""
        return [
            ChatTurn(one.question, given.text, system)
            for one in self.rounds[:-1]
            for given in one.given
            if given.system == system and not given.error
        ]

    def add(self, given: StudioAnswer) -> None:
        """One more answer to the last question."""
        self.rounds[-1] = replace(self.rounds[-1], given=(*self.rounds[-1].given, given))

    def end(self, error: str = "") -> None:
        """The last question has its answers; one that was stopped keeps those that are whole."""
        last = self.rounds[-1]
        given = tuple(one for one in last.given if one.error != STOPPED)
        if given:
            names = (
                last.systems
                if len(given) == len(last.systems)
                else tuple(one.system for one in given)
            )
            self.rounds[-1] = replace(last, given=given, systems=names)
        else:
            self.rounds.pop()
        self.error, self.note, self.busy = error, "", False


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
    template = environment(__package__).get_template("transcript.html.j2")
    return template.render(title=title, talk=talk)


def _blockquote(text: str) -> str:
    """A quotation, in which a line that looks like markup is shown as it stands."""
    return "\n".join(f"> {plain_markdown(line)}" for line in text.splitlines() or [""])


def _markdown_link(url: str) -> str:
    whole = url.startswith(("http://", "https://")) and not set(url) & set("<> \n")
    return f"<{url}>" if whole else ""
