"""Writes the stories of every issue: facts in known sentence frames, joined by other sentences."""

from __future__ import annotations

import random
import string
from dataclasses import dataclass, field
from itertools import pairwise

from kkoracle.demo.newspaper.calendar import (
    NewspaperIssue,
    StoryEvent,
    all_events,
    event_slots,
    plan_issues,
    shape_of,
)
from kkoracle.demo.newspaper.inflect import upper_first
from kkoracle.demo.newspaper.records import DemoStory, PrintedFact
from kkoracle.demo.newspaper.slots import TownCast
from kkoracle.demo.newspaper.vocabulary import CONNECTIVES, SentenceFrame, known_frames, new_frames

# Share of facts in frames that the model's training text does not use.
_NEW_SHARE = 0.13
# Chance that a fact names the same person, place or body as the story's first fact.
_SAME_NAME = 0.35
# What a section's stories may also tell.
_RELATED = {
    "Δήμος": ("Έργα", "Συγκοινωνίες"),
    "Έργα": ("Δήμος", "Οικονομία"),
    "Οικονομία": ("Εργασία", "Αγροτικά"),
    "Εργασία": ("Οικονομία", "Δήμος"),
    "Κοινωνία": ("Υγεία", "Παιδεία"),
    "Υγεία": ("Κοινωνία", "Δήμος"),
    "Παιδεία": ("Κοινωνία", "Πολιτισμός"),
    "Πολιτισμός": ("Κοινωνία", "Παιδεία"),
    "Αθλητισμός": ("Κοινωνία", "Συγκοινωνίες"),
    "Αγροτικά": ("Οικονομία", "Δήμος"),
    "Αστυνομικά": ("Συγκοινωνίες", "Δήμος"),
    "Συγκοινωνίες": ("Έργα", "Αστυνομικά"),
}


def slot_letters(frame: SentenceFrame) -> list[str]:
    """The slot letters of a frame, each once, in order of first use."""
    names = [
        name.split(".")[0]
        for template in frame.templates
        for _, name, _, _ in string.Formatter().parse(template)
        if name
    ]
    return list(dict.fromkeys(names))


def connective(draw: TownCast, rng: random.Random) -> str:
    """A sentence without a fact."""
    text = rng.choice(CONNECTIVES)
    slots = {"p": draw.slot("p").o, "v": draw.slot("v").ston, "c": draw.slot("c").ston}  # type: ignore[attr-defined]
    return upper_first(text.format(**slots))


@dataclass(slots=True)
class StoryWriter:
    """Writes one story after another; `asked` keeps every question the only one of its kind."""

    rng: random.Random
    cast: TownCast
    known: dict[str, SentenceFrame]
    new: dict[str, SentenceFrame]
    asked: set[str] = field(default_factory=set)

    def _fact(
        self,
        frame: SentenceFrame,
        issue: NewspaperIssue,
        fixed: dict[str, object],
        shared: dict[str, object],
    ) -> tuple[PrintedFact, str, dict[str, object]] | None:
        for _ in range(20):
            slots: dict[str, object] = {}
            for letter in slot_letters(frame):
                if letter in fixed:
                    slots[letter] = fixed[letter]
                elif letter in shared and self.rng.random() < _SAME_NAME:
                    slots[letter] = shared[letter]
                else:
                    slots[letter] = self.cast.slot(letter, issue.day)
                if frame.id == "obituary" and letter not in fixed and letter == "p":
                    # Nobody of the cast dies by chance: they are in the news again later.
                    slots[letter] = self.cast.person()
            if slots.get("t") is not None and slots.get("t") == slots.get("j"):
                continue
            if slots.get("v") is not None and slots.get("v") == slots.get("u"):
                continue
            title, sentence, question, answer, first, second = frame.fill(slots)
            if question in self.asked:
                continue
            self.asked.add(question)
            fact = PrintedFact(
                sentence,
                question,
                upper_first(answer),
                (first, second),
                frame.id,
                frame.kind,
                frame.id in self.known,
            )
            return fact, upper_first(title), slots
        return None

    def _frames(self, section: str, lead: SentenceFrame, count: int) -> list[SentenceFrame]:
        """The lead frame and others of the section and its neighbours, none twice."""
        near = {section, *_RELATED[section]}
        chosen = [lead]
        while len(chosen) < count:
            pool = self.new if self.rng.random() < _NEW_SHARE else self.known
            frames = [f for f in pool.values() if f.section in near and f not in chosen]
            if not frames:
                frames = [f for f in self.known.values() if f not in chosen]
            chosen.append(self.rng.choice(frames))
        return chosen

    def _paragraphs(self, sentences: list[str]) -> tuple[str, ...]:
        count = min(len(sentences), self.rng.randint(2, 4))
        cuts = sorted(self.rng.sample(range(1, len(sentences)), count - 1))
        bounds = [0, *cuts, len(sentences)]
        return tuple(" ".join(sentences[a:b]) for a, b in pairwise(bounds))

    def story(self, number: int, issue: NewspaperIssue, event: StoryEvent | None) -> DemoStory:
        """One story; `event` makes it a piece of a thread."""
        frames = self.known | self.new
        if event is not None:
            lead = frames[event.frame]
        else:
            pool = self.new if self.rng.random() < _NEW_SHARE else self.known
            lead = self.rng.choice(list(pool.values()))
        facts: list[PrintedFact] = []
        title = ""
        shared: dict[str, object] = {}
        for frame in self._frames(lead.section, lead, self.rng.randint(3, 6)):
            fixed = event_slots(event, issue.day, self.cast) if event and frame is lead else {}
            made = self._fact(frame, issue, fixed, shared)
            if made is None:
                continue
            facts.append(made[0])
            if not title:
                title = made[1]
                shared = {k: v for k, v in made[2].items() if k in "pvobgtcw"}
        sentences = [fact.sentence for fact in facts]
        used: set[str] = set()
        for _ in range(max(1, round(len(facts) * self.rng.uniform(0.3, 0.7)))):
            extra = connective(self.cast, self.rng)
            if extra not in used:
                used.add(extra)
                sentences.insert(self.rng.randint(1, len(sentences)), extra)
        return DemoStory(
            number,
            issue.day,
            lead.section,
            title,
            self.rng.choice(self.cast.authors),
            self._paragraphs(sentences),
            tuple(facts),
            shape_of(issue.day),
            0,
            1,
        )


def write_stories(seed: int, count: int) -> tuple[list[NewspaperIssue], list[DemoStory]]:
    """All issues and stories, the same for the same seed and count."""
    rng = random.Random(f"kkoracle newspaper {seed}")
    cast = TownCast(rng)
    plan = plan_issues(rng, count)
    waiting = all_events(cast)
    writer = StoryWriter(
        rng, cast, {f.id: f for f in known_frames()}, {f.id: f for f in new_frames()}
    )
    numbers = rng.sample(range(100_000, 100_000 + 40 * count), count)
    stories: list[DemoStory] = []
    for issue in plan:
        for place in range(issue.stories):
            event = None
            # Threads take at most half of an issue, so that the rest stays varied.
            if waiting and waiting[0].day <= issue.day and place % 2 == 0:
                event = waiting.pop(0)
            story = writer.story(numbers[len(stories)], issue, event)
            stories.append(_with_place(story, issue, place))
    return plan, stories


def _with_place(story: DemoStory, issue: NewspaperIssue, place: int) -> DemoStory:
    """The story with its newspaper page (two to a page, from page 2) and its edition."""
    late = issue.second_edition and place == issue.stories - 1
    return DemoStory(
        story.id,
        story.date,
        story.section,
        story.title,
        story.author,
        story.paragraphs,
        story.facts,
        story.shape,
        2 + place // 2,
        2 if late else 1,
    )
