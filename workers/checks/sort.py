"""The sort of answer: «πότε» is answered with a time, «πόσο» with a number."""

from __future__ import annotations

import re

from exchange.text.reading import Claim
from workers.checks.context import Context

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


def right_sort(claim: Claim, context: Context) -> str:
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
