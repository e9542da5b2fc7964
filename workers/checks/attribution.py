"""Attribution: what somebody demands, maintains or guesses is not told as if it were so.

A newspaper has most of its facts from somebody, so that plain telling behind the verb («είπε»,
"announced") is no claim. A claim is what stands behind a verb of wanting or maintaining, beside
"according to" or "likely", in a quotation, or before a closing "..., said N. N."
"""

from __future__ import annotations

import re

from exchange.text.language import compile_phrases, every, word_test
from exchange.text.tokens import TokenizedPair, TokenizedText
from workers.checks.context import CheckContext
from workers.checks.rivals import leads

_is_claim = word_test(every().pattern("claims"))
_is_attribution = word_test(every().pattern("attributes"))
_is_telling = word_test(every().pattern("tells"))
_ACCORDING_TO = re.compile(every().pattern("according_to"))
_HEDGED = compile_phrases(rf"({every().pattern('hedges')}|{every().pattern('sources')})\b")
_HEDGE_END = re.compile(rf" ({every().pattern('hedges')})$")
_SOURCE_END = re.compile(rf" ({every().pattern('sources')})$")
_SHARE = 0.6  # of the answer's own stems that stand in what is claimed
NAME_WORDS = 5  # words of an answer that is a name, with a title
_CLAUSE = 6  # words of a quotation that says something
_TAIL = 12  # words of a closing "said N. N., spokesman of ..."


def attributed(claim: TokenizedPair, context: CheckContext) -> str:
    """What stands behind «ζητά», «ισχυρίζεται» is said with its speaker, or not at all."""
    if _names_speaker(claim.question) or _names_speaker(claim.answer):
        return ""
    stems = claim.answer.stems - claim.question.stems or claim.answer.stems
    source = context.best_sentence(claim)
    if not stems or source is None:
        return ""
    found = stems & source.stems
    if not found:
        return ""
    scopes = [_behind(source)]
    figure = claim.answer.quantities and leads(claim, claim.answer.quantities[0])
    named = len(claim.answer.words) <= NAME_WORDS and claim.answer.names
    if not figure and not named and not claim.answer.months:
        # A figure or a name is told as one; whose it is matters only where somebody wants it.
        scopes += [_hedged(source), _said_before(source), _quoted(source)]
    for claimed in scopes:
        if len(found & claimed) / len(found) >= _SHARE:
            return "unattributed-claim"
    return ""


def _behind(sentence: TokenizedText) -> frozenset[str]:
    """The stems that follow the sentence's first verb of claiming; none without such a verb."""
    if not any(map(_is_claim, sentence.folded)):
        return frozenset()
    for index, word in enumerate(sentence.words):
        if _is_claim(word.folded):
            return frozenset(w.stem for w in sentence.words[index + 1 :] if w.stem)
    return frozenset()


def _hedged(sentence: TokenizedText) -> frozenset[str]:
    """What is only likely, behind the word that says so; what is somebody's, around his name."""
    found: set[str] = set()
    if not _HEDGED.search(f" {sentence.line}"):
        return frozenset()
    line = ""
    for index, word in enumerate(sentence.words):
        line = f"{line} {word.folded}"
        if _HEDGE_END.search(line):
            found |= {w.stem for w in sentence.words[index + 1 :]}
        elif _SOURCE_END.search(line):
            behind = next((at for at in sorted(sentence.breaks) if at > index), len(sentence.words))
            found |= {w.stem for w in (*sentence.words[:index], *sentence.words[behind:])}
    return frozenset(filter(None, found))


def _said_before(sentence: TokenizedText) -> frozenset[str]:
    """What stands before a closing "said N. N."."""
    words = sentence.words
    for index in range(len(words) - 1, max(0, len(words) - _TAIL), -1):
        if index in sentence.breaks and _is_telling(words[index].folded):
            return frozenset(w.stem for w in words[:index] if w.stem)
    return frozenset()


def _quoted(sentence: TokenizedText) -> frozenset[str]:
    """What stands in quotation marks, if that is a clause and no title."""
    inside = [w for w in sentence.words if w.stem]
    outside = {w.stem for w in sentence.spoken}
    found = frozenset(w.stem for w in inside if w.stem not in outside)
    return found if len(sentence.words) - len(sentence.spoken) >= _CLAUSE else frozenset()


def _names_speaker(reading: TokenizedText) -> bool:
    if any(map(_is_attribution, reading.folded)):
        return True
    return _ACCORDING_TO.search(reading.line) is not None
