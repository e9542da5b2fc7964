"""The sort of answer: «πότε» is answered with a time, «πόσο» with a number."""

from __future__ import annotations

import re

from exchange.records import PairKind
from exchange.text.tokens import TokenizedPair, TokenizedText
from workers.checks.context import CheckContext

_TIME = re.compile(
    r"\b(κυριακ|δευτερ|τριτη|τεταρτ|πεμπτ|παρασκευ|σαββατ|πρωι|μεσημερι|απογευμα|βραδυ|νυχτα|ξημερωμα"
    r"|μεσανυχτα|ανοιξη|καλοκαιρι|φθινοπωρο|χειμων|αιων|χρον|μην|εβδομαδ|ημερ|μερα|ωρα|ωρεσ|λεπτ|πριν"
    r"|μετα|οταν|αφου|μολισ|μεχρι|κατα|παραμον|πασχα|χριστουγενν|πρωτομαγι|επετειο|τελοσ|αρχη|αρχεσ"
    r"|αμεσωσ|ποτε|δεκαετι|monday|tuesday|wednesday|thursday|friday|saturday|sunday|morning|evening"
    r"|night|summer|winter|spring|autumn|century|year|month|week|day|after|before|when)"
)
_COUNT = re.compile(
    r"\b(μια|μιασ|ενα|ενασ|εναν|ενοσ|δυο|τρεισ|τρια|τριων|τεσσερ|πεντε|εξι|επτα|εφτα|οκτω|οχτω|εννεα"
    r"|εννια|δεκα|εντεκα|δωδεκα|εικοσι|τριαντα|σαραντα|πενηντα|εξηντα|εβδομηντα|ογδοντα|ενενηντα|εκατ"
    r"|χιλι|δισεκατ|δεκαδ|δεκαρ|μηδεν|καν(ε|ενασ|ενα)\b|καμια|ολοι|ολεσ|ολα|ολο|μισ|διπλασ|τριπλασ"
    r"|περισσοτερ|λιγ|πολλ|πολυ|τιποτ|δωρεαν|one|two|three|four|five|six|seven|eight|nine|ten|hundred"
    r"|thousand|million|none|all|half|many|few)"
)
_MEASURE = re.compile(r"%|ευρώ|δραχμ|μέτρα|χιλιόμετρα|κιλά|τόνο")
_YEAR = ("σε ποιο ετοσ ", "ποιο ετοσ ", "ποια χρονια ", "in which year ", "what year ")
_WHEN = ("ποτε ", "when ")
_HOW_MANY = ("ποσο ", "ποσα ", "ποσεσ ", "ποσοι ", "ποσουσ ", "ποσων ", "how many ", "how much ")


def right_answer_type(claim: TokenizedPair, context: CheckContext) -> str:
    """An answer without any time to "when", without any number to "how many"."""
    asked, answer = claim.question.line, claim.answer
    if asked.startswith(_YEAR) and not any(len(found) == 4 for found in answer.numbers):
        return "wrong-sort"
    if answer.numbers and not (asked.startswith(_WHEN) and _MEASURE.search(answer.text)):
        return ""
    if asked.startswith(_WHEN):
        return "" if answer.months or _TIME.search(answer.line) else "wrong-sort"
    if asked.startswith(_HOW_MANY):
        return "" if _COUNT.search(answer.line) else "wrong-sort"
    return ""


# What a question asks for, by its opening words.

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


def kind_of(question: TokenizedText) -> PairKind:
    """The kind of a question about one fact."""
    opening = question.line + " "
    for kind, starts in _OPENINGS:
        if opening.startswith(starts):
            return kind
    return "fact"


def larger_kind_of(question: TokenizedText) -> PairKind:
    """The kind of a question about a whole chunk: its order, its consequences, or all of it."""
    for kind, marks in _LARGER:
        if any(mark in question.line for mark in marks):
            return kind
    return "summary"
