"""Tell an answer that says it does not know from one that answers."""

from __future__ import annotations

import re

from exchange.text.fold import words

_NO = r"(?:δεν|δε)"
_DECLINES = re.compile(
    rf"\b{_NO} (?:το |τα |μου |μασ )?(?:γνωριζ|ξερ|θυμαμαι|βρισκ|βρηκ|βρεθηκ|ειναι γνωστ|προκυπτ)"
    rf"|\b{_NO} (?:υπαρχ|εχ|διαθετ|δινετ|δινοντ)\w* (?:\w+ ){{0,3}}(?:πληροφορι|στοιχει|αναφορ|γνωσ"
    r"|απαντησ|καταγραφ|δεδομεν)"
    rf"|\b{_NO} (?:μπορ\w+ να (?:το |σασ |σου )?(?:απαντησ|πω|βρω|ξερω|επιβεβαιωσ)"
    r"|αναφερετ|αναφεροντ)"
    r"|\bαγνωστ\w+ (?:ειναι|παραμενει)|\bμου ειναι αγνωστ"
    r"|\b(?:do not|don t|does not|doesn t|did not|cannot|can t|could not) "
    r"(?:know|find|have|answer|mention|say|provide)\b"
    r"|\bno (?:information|record|mention|answer)\b"
    r"|\bnot (?:mentioned|known|found|in the archive)\b"
    r"|\bunknown to me\b"
)


def declines(text: str) -> bool:
    """Whether the text says that it does not know, in Greek or English, any accents and case."""
    return bool(_DECLINES.search(" ".join(words(text))))
