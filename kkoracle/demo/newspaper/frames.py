"""Sentence frames: one sentence with slots, and what to ask about it.

A frame's question and answer only copy spans of its own sentence, in the same case, so that
reading one sentence is enough to write the pair. Half of the frames (`NEW_FRAMES`) are never in
the model's training text; they show what the model does with sentences it has not met.

Slots, by letter: p q persons, v u places, o an association, b an institution, g a school, t j
teams, c a company, w a public work, s a sum, n a count, a an age, k an ordinal, d a past date,
e a coming date, h a time of day, x a title, m a demand, r a cause, f a product, y a year,
z a score.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class SentenceFrame:
    """One sentence frame.

    `templates` are headline, sentence, question, answer and two rephrasings, in that order.
    """

    id: str
    section: str
    kind: str
    templates: tuple[str, str, str, str, str, str]

    def fill(self, slots: dict[str, object]) -> tuple[str, ...]:
        """The six texts with the slots filled."""
        return tuple(template.format(**slots) for template in self.templates)


def parse_frames(text: str) -> tuple[SentenceFrame, ...]:
    """Reads frames from text: blocks of seven lines, the first `id section kind`."""
    frames = []
    for block in text.strip().split("\n\n"):
        head, *lines = block.strip().splitlines()
        name, section, kind = head.split()
        if len(lines) != 6:
            raise ValueError(f"frame {name}: six lines expected, found {len(lines)}")
        frames.append(SentenceFrame(name, section, kind, tuple(lines)))  # type: ignore[arg-type]
    return tuple(frames)


def known_frames() -> tuple[SentenceFrame, ...]:
    """The frames that the model's training text uses."""
    return parse_frames(Path(__file__).with_name("frames_known.txt").read_text("utf-8"))


def new_frames() -> tuple[SentenceFrame, ...]:
    """The frames held out from the model's training text."""
    return parse_frames(Path(__file__).with_name("frames_new.txt").read_text("utf-8"))
