"""Greek nouns as the newspaper needs them: three cases, with and without the article.

A frame's sentence and its question use the same case of a name, so that a reader of the
sentence can copy the name as it stands. Everything here is plain data and pure functions.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

MONTHS_GENITIVE = (
    "Ιανουαρίου",
    "Φεβρουαρίου",
    "Μαρτίου",
    "Απριλίου",
    "Μαΐου",
    "Ιουνίου",
    "Ιουλίου",
    "Αυγούστου",
    "Σεπτεμβρίου",
    "Οκτωβρίου",
    "Νοεμβρίου",
    "Δεκεμβρίου",
)
# What date lines print: the spoken forms, which date parsers misread.
MONTHS_DEMOTIC = (
    "Γενάρη",
    "Φλεβάρη",
    "Μάρτη",
    "Απρίλη",
    "Μάη",
    "Ιούνη",
    "Ιούλη",
    "Αυγούστου",
    "Σεπτέμβρη",
    "Οχτώβρη",
    "Νοέμβρη",
    "Δεκέμβρη",
)
WEEKDAYS = ("Δευτέρα", "Τρίτη", "Τετάρτη", "Πέμπτη", "Παρασκευή", "Σάββατο", "Κυριακή")

# The feminine article keeps its final ν only before these (school grammar).
_KEEPS_NU = (
    "α",
    "ε",
    "η",
    "ι",
    "ο",
    "υ",
    "ω",
    "ά",
    "έ",
    "ή",
    "ί",
    "ό",
    "ύ",
    "ώ",
    "κ",
    "π",
    "τ",
    "ξ",
    "ψ",
    "γκ",
    "μπ",
    "ντ",
)


def upper_first(text: str) -> str:
    """The text with its first letter in upper case (accents kept)."""
    return text[:1].upper() + text[1:]


@dataclass(frozen=True, slots=True)
class Noun:
    """A noun phrase without its article.

    `gender` is m, f or n. The properties name the article they add: `o` nominative, `tou`
    genitive, `ton` accusative, `ston` "to/at"; a capital first letter starts a sentence.
    """

    gender: str
    nom: str
    gen: str
    acc: str

    @property
    def o(self) -> str:
        return {"m": "ο", "f": "η", "n": "το"}[self.gender] + " " + self.nom

    @property
    def tou(self) -> str:
        return {"m": "του", "f": "της", "n": "του"}[self.gender] + " " + self.gen

    @property
    def ton(self) -> str:
        if self.gender == "f":
            keeps = self.acc.lstrip("«").lower().startswith(_KEEPS_NU)
            return ("την " if keeps else "τη ") + self.acc
        return ("τον " if self.gender == "m" else "το ") + self.acc

    @property
    def ston(self) -> str:
        return "σ" + self.ton

    @property
    def O(self) -> str:  # noqa: E743 - the capital is the point
        return upper_first(self.o)

    @property
    def Tou(self) -> str:
        return upper_first(self.tou)

    @property
    def Ton(self) -> str:
        return upper_first(self.ton)

    @property
    def Ston(self) -> str:
        return upper_first(self.ston)

    def __str__(self) -> str:
        return self.nom


@dataclass(frozen=True, slots=True)
class Phrase:
    """A phrase that is used as it stands; `cap` starts a sentence."""

    text: str

    @property
    def cap(self) -> str:
        return upper_first(self.text)

    def __str__(self) -> str:
        return self.text


def long_date(day: dt.date) -> str:
    """A date as the stories write it, in the genitive: «12 Μαρτίου 2014»."""
    return f"{day.day} {MONTHS_GENITIVE[day.month - 1]} {day.year}"


def slash_date(day: dt.date) -> str:
    """A date as addresses and headers write it, without padding: 5/3/2014."""
    return f"{day.day}/{day.month}/{day.year}"


def date_line(day: dt.date, weekend: bool) -> str:
    """The date line of an issue; a weekend issue carries two dates."""
    first = f"{WEEKDAYS[day.weekday()]} {day.day} {MONTHS_DEMOTIC[day.month - 1]}"
    if not weekend:
        return f"{first} {day.year}"
    last = day + dt.timedelta(days=1)
    return (
        f"{first} - {WEEKDAYS[last.weekday()]} {last.day} "
        f"{MONTHS_DEMOTIC[last.month - 1]} {last.year}"
    )
