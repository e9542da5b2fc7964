"""What a question asks for, by its opening words."""

from __future__ import annotations

from exchange.records import PairKind
from exchange.text.reading import Reading

_OPENINGS: tuple[tuple[PairKind, tuple[str, ...]], ...] = (
    ("time", ("ποτε ", "ποια ημερομηνια", "ποια χρονια", "ποιο ετοσ", "ποια μερα", "when ")),
    ("place", ("που ", "σε ποια πολη", "σε ποιο χωριο", "σε ποιο σημειο", "where ")),
    (
        "quantity",
        ("ποσο", "ποσα", "ποσεσ", "ποσοι", "ποσουσ", "ποσων", "ποιο ποσο", "how many", "how much"),
    ),
    ("cause", ("γιατι", "για ποιο λογο", "για ποιον λογο", "ποια ηταν η αιτια", "why ")),
    ("person", ("ποιοσ", "ποια ηταν η", "ποια ειναι η", "ποιοι", "ποιον", "ποιου", "who ")),
)
_LARGER: tuple[tuple[PairKind, tuple[str, ...]], ...] = (
    (
        "timeline",
        (
            "χρονολογι",
            "με ποια σειρα",
            "χρονικ",
            "πωσ εξελιχθηκ",
            "ποια γεγονοτα",
            "in what order",
            "timeline",
        ),
    ),
    ("cause", ("συνεπει", "επιπτωσ", "αποτελεσμα", "τι προκαλεσ", "consequence")),
)


def kind_of(question: Reading) -> PairKind:
    """The kind of a question about one fact."""
    opening = question.line + " "
    for kind, starts in _OPENINGS:
        if opening.startswith(starts):
            return kind
    return "fact"


def larger_kind_of(question: Reading) -> PairKind:
    """The kind of a question about a whole chunk: its order, its consequences, or all of it."""
    for kind, marks in _LARGER:
        if any(mark in question.line for mark in marks):
            return kind
    return "summary"
