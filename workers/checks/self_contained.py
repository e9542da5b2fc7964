"""Standing alone: years later, without the page, does the question still mean something?"""

from __future__ import annotations

import re

from exchange.text.tokens import TokenizedPair, word_set
from workers.checks.context import CheckContext

_META = re.compile(
    r"συμφωνα με (το|τα|την|τον|τισ?) (παραπανω )?(κειμεν|αρθρ|αποσπασμ|δημοσιευμ|ρεπορταζ)"
    r"|\b(το|του|στο|τα|στα) (παρον |παραπανω |συγκεκριμενο |ιδιο )?(κειμενο|αρθρο|αποσπασμα"
    r"|κειμενου|αποσπασματοσ|δημοσιευμα|δημοσιευματοσ)\b(?! \d)(?! (του|τησ|των) συνταγμ)"
    r"|\bο (αρθρογραφοσ|συντακτησ|συγγραφεασ) (αναφερ|γραφ|λε|σημειων|υποστηρ|περιγραφ)"
    r"|\b(αναφερει|γραφει|λεει|υποστηριζει) ο (συγγραφεασ|συντακτησ|αρθρογραφοσ)\b"
    r"|\bο συγγραφεασ\b$"
    r"|οπωσ αναφερεται|\bαναφερεται στο (κειμενο|αρθρο)|γλωσσικο μοντελο"
    r"|\bstated in the (text|article)|\bthe (text|article|passage|excerpt|author)\b"
    r"|\blanguage model\b"
)
_DEICTIC = re.compile(
    r"\b(σημερα|χθεσ|χτεσ|εχθεσ|αυριο|προχθεσ|προχτεσ|μεθαυριο|φετοσ|εφετοσ|περσι|περυσι|αποψε"
    r"|φετιν\w*|εφετιν\w*|περσιν\w*|περυσιν\w*|σημεριν\w*|χθεσιν\w*|χτεσιν\w*|αυριαν\w*|τωρα"
    r"|προσφατα|αποψιν\w*)\b"
    r"|\b(αυτη|αυτην|εκεινη|περασμενη|επομενη|προηγουμενη|ερχομενη) "
    r"(τη |την )?(μερα|ημερα|εβδομαδα|χρονια|κυριακη|δευτερα|τριτη|τεταρτη|πεμπτη|παρασκευη|φορα)\b"
    r"|\b(περασμενο|επομενο|προηγουμενο|ερχομενο|αυτον τον|αυτο το) "
    r"(μηνα|χρονο|σαββατο|σαββατοκυριακο|καλοκαιρι|χειμωνα|φθινοπωρο|διαστημα)\b"
    r"|\bπριν (απο )?(λιγεσ|μερικεσ|δυο|τρεισ|λιγα|μερικα) (μερεσ|ημερεσ|εβδομαδεσ|μηνεσ|χρονια)\b"
    r"|\b(τισ|των|τουσ|τα) τελευται\w+ (μερεσ|ημερεσ|εβδομαδεσ|μηνεσ|μηνων|ημερων|χρονια|ωρεσ)\b"
    r"|\b(today|yesterday|tomorrow|tonight|(last|next|this) (week|month|year|night))\b"
    # Ours, as the paper's own people say it.
    r"|\b(μασ|εμασ|εμεισ|our)\b|\b(τοπο|χωρα|πολη|εφημεριδα|κομμα|κινημα) μου\b"
)
_WEEKDAY = re.compile(
    r"\b(την|τη|το|προχθεσ|απο|μεχρι|ωσ|στισ|on) "
    r"(κυριακη|δευτερα|τριτη|τεταρτη|πεμπτη|παρασκευη|σαββατο|sunday|monday|tuesday|wednesday"
    r"|thursday|friday|saturday)\b(?! \d)"  # «το Σάββατο 22 Ιούνη» says which one
)
_BARE_SUBJECTS = word_set(
    """
    αυτοσ αυτη αυτο αυτοι αυτεσ αυτα εκεινοσ εκεινη εκεινο του τησ τουσ ο ιδιοσ η ιδια he she it
    they
    """
)
_CARRIED = re.compile(
    r"\b(αυτοσ|αυτη|αυτοι|εκεινοσ|εκεινη|εκεινοι|ο ιδιοσ|η ιδια|οι ιδιοι|ο εν λογω|η εν λογω"
    r"|το εν λογω|ο τελευταιοσ|ο συγκεκριμενοσ|η συγκεκριμενη|το συγκεκριμενο)\b"
)


def meta_reference(claim: TokenizedPair, context: CheckContext) -> str:
    """It speaks of "the text" or "the article", which nobody will have before them."""
    found = _META.search(claim.question.line) or _META.search(claim.answer.line)
    return "meta-reference" if found else ""


def deictic(claim: TokenizedPair, context: CheckContext) -> str:
    """Today, yesterday, our town: relative to a day and a writer that the pair does not hold.

    What stands in quotation marks is somebody's own words and may say so.
    """
    dated = claim.question.dates or claim.answer.dates
    for line in (claim.question.said, claim.answer.said):
        if _DEICTIC.search(line) or (not dated and _WEEKDAY.search(line)):
            return "deictic"
    return ""


def pronoun_only(claim: TokenizedPair, context: CheckContext) -> str:
    """The answer is a bare pronoun, or the question is about somebody it does not name."""
    if claim.answer.words and all(word.folded in _BARE_SUBJECTS for word in claim.answer.words):
        return "pronoun-only"
    if claim.question.names:
        return ""
    return "pronoun-only" if _CARRIED.search(claim.question.said) else ""


def unanchored(claim: TokenizedPair, context: CheckContext) -> str:
    """No name, no number, no date, no title: the question could be asked of any story."""
    asked = claim.question
    if asked.names or asked.numbers or "«" in asked.text:
        return ""
    return "unanchored"
