"""Draws the values of slots: names, places, sums and dates of one side of the hash split.

`Draw` gives fresh values for one side. The newspaper keeps a cast of them (`cast`), so that
people and places come back; the model's training text draws new ones for every sentence.
"""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Callable

from exchange.errors import NotEnoughData
from kkoracle.demo.newspaper import vocabulary
from kkoracle.demo.newspaper.inflect import Noun, Phrase, long_date
from kkoracle.demo.newspaper.vocabulary import NEWSPAPER

_ACCENTS = str.maketrans("αεηιουω", "άέήίόύώ")
_BARE = str.maketrans("άέήίόύώΆΈΉΊΌΎΏ", "αεηιουωΑΕΗΙΟΥΩ")
_FIRST_YEAR, _LAST_YEAR = 1996, 2029
_TRIES = 10_000


def accent_last(text: str) -> str:
    """The text with an accent on its last vowel («ου» takes it on the υ)."""
    for index in range(len(text) - 1, -1, -1):
        if text[index] in "αεηιουω":
            return text[:index] + text[index].translate(_ACCENTS) + text[index + 1 :]
    return text


class SlotSampler:
    """A seeded source of slot values that all belong to one side.

    With `invented` above 0 that share of first names, surnames and place names is made from
    syllables, so that a model cannot know them by heart and has to copy.
    """

    def __init__(self, side: str, rng: random.Random, invented: float = 0.0) -> None:
        self.side = side
        self.rng = rng
        self.invented = invented

    def _until(self, make: Callable[[], object], key: Callable[[object], str] = str) -> object:
        for _ in range(_TRIES):
            value = make()
            if vocabulary.side(key(value)) == self.side:
                return value
        raise NotEnoughData(f"no value left on the {self.side} side")

    def _stem(self, low: int, high: int) -> str:
        return "".join(self.rng.choices(vocabulary.SYLLABLES, k=self.rng.randint(low, high)))

    def _first_name(self, man: bool) -> tuple[str, str, str]:
        names = vocabulary.MEN if man else vocabulary.WOMEN
        if self.rng.random() < self.invented:
            if self.rng.random() < 0.5:
                # The beginning of one real name with the end of another.
                start, end = self.rng.choice(names), self.rng.choice(names)
                name = start[: self.rng.randint(2, 5)].translate(_BARE) + end[-3:]
            else:
                ending = self.rng.choice(("ης", "ος", "ας") if man else ("α", "η", "ω"))
                stem = accent_last(self._stem(1, 2)) + self.rng.choice("κλμνρσδθτ")
                name = (stem + ending).title()
        else:
            name = self.rng.choice(names)
        if vocabulary.side(name) != self.side:
            return self._first_name(man)
        if not man:
            return name, name + "ς", name
        if name.endswith("ος"):
            return name, name[:-1] + "υ", name[:-1]
        return name, name[:-1], name[:-1]

    def person(self) -> Noun:
        def make() -> Noun:
            man = self.rng.random() < 0.5
            first = self._first_name(man)
            if self.rng.random() < self.invented:
                stem = self._stem(1, 2).capitalize() + self.rng.choice("κλμνρσδθτβγ")
            else:
                stem = self.rng.choice(vocabulary.SURNAME_STEMS)
            nom, gen, acc, woman = self.rng.choice(vocabulary.SURNAME_ENDINGS)
            if not man:
                nom = gen = acc = woman
            return Noun(
                "m" if man else "f",
                f"{first[0]} {stem}{nom}",
                f"{first[1]} {stem}{gen}",
                f"{first[2]} {stem}{acc}",
            )

        return self._until(make)  # type: ignore[return-value]

    def place(self) -> Noun:
        def make() -> Noun:
            if self.rng.random() < self.invented:
                start = self._stem(1, 2).capitalize() + self.rng.choice(("νο", "μο", "ρο", "λο"))
            else:
                start = self.rng.choice(vocabulary.PLACE_STARTS)
            gender, *ends = self.rng.choice(vocabulary.PLACE_ENDS)
            nom, gen, acc = (
                accent_last(start) + end[1:] if end.startswith("´") else start + end for end in ends
            )
            prefix = self.rng.choice(vocabulary.PLACE_PREFIXES)
            return Noun(gender, prefix + nom, prefix + gen, prefix + acc)

        # The prefix does not make another place of it, so it takes no part in the split.
        return self._until(make, lambda value: str(value).split()[-1])  # type: ignore

    def _of_place(self, heads: tuple[tuple[str, str, str, str], ...]) -> Noun:
        def make() -> Noun:
            gender, *cases = self.rng.choice(heads)
            place = self.place().gen
            return Noun(gender, *(f"{case} {place}" for case in cases))

        return self._until(make)  # type: ignore[return-value]

    def association(self) -> Noun:
        return self._of_place(vocabulary.ASSOCIATIONS)

    def institution(self) -> Noun:
        return self._of_place(vocabulary.INSTITUTIONS)

    def school(self) -> Noun:
        return self._of_place(vocabulary.SCHOOLS)

    def team(self) -> Noun:
        return self._of_place(vocabulary.TEAMS)

    def company(self) -> Noun:
        def brand() -> str:
            gender = self.rng.choice("mfn")
            adjective = self.rng.choice(vocabulary.BRAND_ADJECTIVES[gender])
            return f"{adjective} {self.rng.choice(vocabulary.BRAND_NOUNS[gender])}"

        gender, *cases = self.rng.choice(vocabulary.COMPANIES)
        name = self._until(brand)
        return Noun(gender, *(f"{case} «{name}»" for case in cases))

    def work(self) -> Noun:
        nom, gen = self.rng.choice(vocabulary.WORK_HEADS)
        thing = self.rng.choice(vocabulary.WORK_OBJECTS)
        place = self.place().ston
        return Noun(
            "f", f"{nom} {thing} {place}", f"{gen} {thing} {place}", f"{nom} {thing} {place}"
        )

    def title(self) -> Phrase:
        def make() -> str:
            head = self.rng.choice(vocabulary.TITLE_HEADS)
            return f"{head} {self.rng.choice(vocabulary.TITLE_TAILS)}"

        return Phrase(str(self._until(make)))

    def cause(self) -> Phrase:
        return Phrase(f"{self.rng.choice(vocabulary.CAUSES)} {self.place().ston}")

    def demand(self) -> Phrase:
        return Phrase(self.rng.choice(vocabulary.DEMANDS).format(n=self.rng.randint(12, 480)))

    def product(self) -> Phrase:
        return Phrase(self.rng.choice(vocabulary.PRODUCTS))

    def money(self) -> Phrase:
        def make() -> str:
            if self.rng.random() < 0.25:
                whole, tenth = self.rng.randint(2, 39), self.rng.randint(1, 9)
                return f"{whole},{tenth} εκατομμύρια ευρώ"
            thousands = self.rng.randint(2, 950)
            return f"{thousands}.{self.rng.randrange(0, 1000, 50):03d} ευρώ"

        return Phrase(str(self._until(make)))

    def count(self) -> Phrase:
        return Phrase(str(self._until(lambda: self.rng.randint(102, 989))))

    def small(self) -> Phrase:
        return Phrase(str(self.rng.randint(12, 89)))

    def age(self) -> Phrase:
        return Phrase(str(self.rng.randint(54, 99)))

    def year(self) -> Phrase:
        return Phrase(str(self.rng.randint(1952, 1991)))

    def score(self) -> Phrase:
        low = self.rng.randint(0, 4)
        return Phrase(f"{low + self.rng.randint(1, 4)}-{low}")

    def hour(self) -> Phrase:
        if self.rng.random() < 0.5:
            hour, part = self.rng.randint(5, 11), "το πρωί"
        else:
            hour, part = self.rng.randint(4, 9), "το απόγευμα"
        return Phrase(f"{hour}.{self.rng.randrange(0, 60, 5):02d} {part}")

    def date(self, near: dt.date | None, low: int, high: int) -> dt.date:
        """A day of this side, `low` to `high` days from `near`; never the first of a month.

        The range grows by a week while it holds no day of this side.
        """
        for wider in range(0, 400, 7):
            if near is None:
                start = dt.date(_FIRST_YEAR, 1, 1)
                days = (_LAST_YEAR - _FIRST_YEAR) * 365
                base, offset = start, self.rng.randint(0, days)
            else:
                base = near
                offset = (
                    self.rng.randint(low - wider, high)
                    if high <= 0
                    else self.rng.randint(low, high + wider)
                )
            day = base + dt.timedelta(days=offset)
            if day.day > 1 and vocabulary.side(long_date(day)) == self.side:
                return day
        raise NotEnoughData(f"no {self.side} day near {near}")

    def slot(self, letter: str, near: dt.date | None = None) -> object:
        """A value for the slot `letter`; dates lie within weeks of `near` when it is given."""
        if letter == "d":
            return Phrase(long_date(self.date(near, -9, 0)))
        if letter == "e":
            return Phrase(long_date(self.date(near, 6, 150)))
        return getattr(self, SLOT_NAMES[letter])()


SLOT_NAMES = {
    "p": "person",
    "q": "person",
    "v": "place",
    "u": "place",
    "o": "association",
    "b": "institution",
    "g": "school",
    "t": "team",
    "j": "team",
    "c": "company",
    "w": "work",
    "s": "money",
    "n": "count",
    "k": "small",
    "a": "age",
    "h": "hour",
    "x": "title",
    "m": "demand",
    "r": "cause",
    "f": "product",
    "y": "year",
    "z": "score",
}


# The people, places and bodies of the town: a finite cast, so that they come back in the news.

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
_SAME_POOL = {"q": "p", "u": "v", "j": "t"}


class TownCast(SlotSampler):
    """A source of slot values for the newspaper that draws names from its cast."""

    def __init__(self, rng: random.Random) -> None:
        super().__init__(NEWSPAPER, rng)
        self.members: dict[str, list[object]] = {}
        for letter, size in _SIZES.items():
            found: dict[str, object] = {}
            while len(found) < size:
                value = SlotSampler.slot(self, letter)
                found.setdefault(str(value), value)
            self.members[letter] = list(found.values())
        self.authors = [str(SlotSampler.slot(self, "p")) for _ in range(14)]

    def slot(self, letter: str, near: dt.date | None = None) -> object:
        members = self.members.get(_SAME_POOL.get(letter, letter))
        if members is None:
            return super().slot(letter, near)
        return self.rng.choice(members)
