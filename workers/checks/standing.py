"""Standing alone: years later, without the page, does the question still mean something?"""

from __future__ import annotations

import re

from exchange.text.fold import fold
from workers.checks.context import Context
from workers.parse import Draft

_META = re.compile(
    r"συμφωνα με (το|τα|την|τον|τι) (παραπανω )?(κειμεν|αρθρ|αποσπασμ|δημοσιευμ)"
    r"|\b(το|του|στο|τα|στα) (παρον |παραπανω |συγκεκριμενο )?(κειμενο|αρθρο|αποσπασμα|κειμενου"
    r"|αρθρου|αποσπασματοσ)\b"
    r"|\bο συγγραφεασ\b|οπωσ αναφερεται|\bαναφερεται στο (κειμενο|αρθρο)|γλωσσικο μοντελο"
)
_DEICTIC = re.compile(
    r"\b(σημερα|χθεσ|χτεσ|αυριο|προχθεσ|προχτεσ|μεθαυριο|φετοσ|περσι|αποψε|φετινο\w*|περσιν\w*"
    r"|σημεριν\w*|χθεσιν\w*|χτεσιν\w*|αυριαν\w*)\b"
    r"|\b(αυτη|αυτην|εκεινη|την περασμενη|την επομενη|την προηγουμενη)"
    r" (τη )?(μερα|ημερα|εβδομαδα|χρονια)\b"
    r"|\b(τον περασμενο|τον επομενο) (μηνα|χρονο)\b"
)
_PRONOUN = re.compile(
    r"^(αυτοσ|αυτη|αυτο|αυτοι|αυτεσ|αυτα|εκεινοσ|εκεινη|εκεινο|του|τησ|τουσ)\b[^α-ω]*$"
)


def meta_reference(draft: Draft, context: Context) -> str:
    """It speaks of "the text" or "the article", which nobody will have before them."""
    found = _META.search(fold(draft.question)) or _META.search(fold(draft.answer))
    return "meta-reference" if found else ""


def deictic(draft: Draft, context: Context) -> str:
    """Today, yesterday, this year: relative to a day that the pair does not hold."""
    found = _DEICTIC.search(fold(draft.question)) or _DEICTIC.search(fold(draft.answer))
    return "deictic" if found else ""


def pronoun_only(draft: Draft, context: Context) -> str:
    """The answer is a bare pronoun."""
    return "pronoun-only" if _PRONOUN.match(fold(draft.answer)) else ""
