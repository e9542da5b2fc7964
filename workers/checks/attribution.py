"""Attribution: what somebody demands or maintains is not told as if it were so."""

from __future__ import annotations

import re
from functools import lru_cache

from exchange.text.language import every
from exchange.text.tokens import TokenizedPair, TokenizedText
from workers.checks.context import CheckContext

# Verbs of wanting and maintaining. Plain telling («είπε», «ανακοίνωσε») is not among them: a
# newspaper has most of its facts from somebody.
_CLAIMS = re.compile(f"({every().pattern('claims')})")
_ATTRIBUTES = re.compile(f"({every().pattern('attributes')})")
_ACCORDING_TO = re.compile(every().pattern("according_to"))
_SHARE = 0.6  # of the answer's own stems that stand behind the verb


@lru_cache(maxsize=1 << 16)
def _is_claim(folded: str) -> bool:
    return _CLAIMS.match(folded) is not None


@lru_cache(maxsize=1 << 16)
def _is_attribution(folded: str) -> bool:
    return _ATTRIBUTES.match(folded) is not None


def attributed(claim: TokenizedPair, context: CheckContext) -> str:
    """What stands behind «ζητά», «ισχυρίζεται» is said with its speaker, or not at all."""
    if _names_speaker(claim.question) or _names_speaker(claim.answer):
        return ""
    said = claim.answer.stems - claim.question.stems or claim.answer.stems
    if not said:
        return ""
    home = max(
        context.sentences,
        key=lambda sentence: (
            len(said & sentence.stems),
            len(claim.question.stems & sentence.stems),
        ),
        default=None,
    )
    if home is None:
        return ""
    held = said & home.stems
    behind = _behind(home)
    if held and len(held & behind) / len(held) >= _SHARE:
        return "unattributed-claim"
    return ""


def _behind(sentence: TokenizedText) -> frozenset[str]:
    """The stems that follow the sentence's first verb of claiming; none without such a verb."""
    for index, word in enumerate(sentence.words):
        if not word.digits and _is_claim(word.folded):
            return frozenset(w.stem for w in sentence.words[index + 1 :] if w.stem)
    return frozenset()


def _names_speaker(reading: TokenizedText) -> bool:
    if any(_is_attribution(word.folded) for word in reading.words if not word.digits):
        return True
    return _ACCORDING_TO.search(reading.line) is not None
