"""The people, places and bodies of the town: a finite cast, so that they come back in the news."""

from __future__ import annotations

import datetime as dt
import random

from kkoracle.demo.newspaper.pools import NEWSPAPER
from kkoracle.demo.newspaper.slots import Draw

# How many of each the town has. Enough that a question with a date stays the only one of its
# kind, few enough that a reader of ten stories meets someone twice.
_SIZES = {
    "p": 170,
    "v": 48,
    "o": 36,
    "b": 30,
    "g": 26,
    "t": 16,
    "c": 34,
    "w": 140,
    "x": 90,
}
_LIKE = {"q": "p", "u": "v", "j": "t"}


class Cast(Draw):
    """A source of slot values for the newspaper that draws names from its cast."""

    def __init__(self, rng: random.Random) -> None:
        super().__init__(NEWSPAPER, rng)
        self.members: dict[str, list[object]] = {}
        for letter, size in _SIZES.items():
            found: dict[str, object] = {}
            while len(found) < size:
                value = Draw.slot(self, letter)
                found.setdefault(str(value), value)
            self.members[letter] = list(found.values())
        self.authors = [str(Draw.slot(self, "p")) for _ in range(14)]

    def slot(self, letter: str, near: dt.date | None = None) -> object:
        members = self.members.get(_LIKE.get(letter, letter))
        if members is None:
            return super().slot(letter, near)
        return self.rng.choice(members)
