"""Events that come again: "the Summit" needs a date or a place, or nobody knows which one."""

from __future__ import annotations

import re
from functools import lru_cache

from exchange.text.fold import fold
from exchange.text.language import every
from exchange.text.tokens import TokenizedPair, TokenizedText, WordToken
from workers.checks.context import CheckContext

_EVENT = re.compile(f"({every().pattern('events')})")
_GENERIC = frozenset(fold(word)[:5] for word in every().words("event_names"))
_ABOUT = every().words("about")
_DEFINITE = every().words("definite_articles")
_WHEN = every().list_of("asks_when")
_WINDOW = 9  # words after the event in which what tells it from others would stand
_ORDINAL = re.compile(rf"\d+\s*(?:{every().pattern('ordinal_ends')})\b")


def undated_event(claim: TokenizedPair, context: CheckContext) -> str:
    """ "The Summit", "the strike": one of many, and neither its date nor its place is said."""
    asked = claim.question
    if any(len(number) == 4 for number in asked.numbers) or asked.dates:
        return ""
    # "When was ...?" says after the event what it was about, which is enough to know it by.
    when = asked.line.startswith(_WHEN)
    for index, word in enumerate(asked.words):
        if not _is_event(word.folded) or not _definite(asked, index):
            continue
        if _ORDINAL.search(asked.text):
            return ""
        if not _pinned(asked.words[index + 1 : index + 1 + _WINDOW], stop=not when):
            return "undated-event"
    return ""


@lru_cache(maxsize=1 << 16)
def _is_event(folded: str) -> bool:
    return _EVENT.match(folded) is not None


def _definite(asked: TokenizedText, index: int) -> bool:
    """Somebody's own event ("a meeting") is introduced; "the meeting" is taken for known."""
    return any(word.folded in _DEFINITE for word in asked.words[max(0, index - 3) : index])


def _pinned(after: tuple[WordToken, ...], *, stop: bool) -> bool:
    for word in after:
        if stop and word.folded in _ABOUT:
            return False
        if word.digits or word.month:
            return True
        # An abbreviation holds its strike or its congress every year.
        if word.capital == 1 and word.folded[:5] not in _GENERIC:
            return True
    return False
