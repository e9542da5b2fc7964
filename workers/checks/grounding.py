"""Grounding: everything the pair claims stands in the chunk or its header.

Also attribution: what somebody demands or maintains is not told as if it were so.
"""

from __future__ import annotations

import re
from functools import lru_cache

from exchange.text.language import every
from exchange.text.tokens import TokenizedPair, TokenizedText
from workers.checks.context import CheckContext

OVERLAP = 0.40  # share of the answer's stems that the chunk must hold
CO_OCCURRENCE_OVERLAP = 0.5  # share of the question's stems that stand near the answer
ENOUGH_STEMS = 2  # stems of the question in a sentence that goes on about its subject
_HOME = every().list_of("home")  # where the story is set need not stand in it
_QUOTED = re.compile(r"[«“]([^»”]+)[»”]")
# Verbs of wanting and maintaining. Plain telling («είπε», «ανακοίνωσε») is not among them: a
# newspaper has most of its facts from somebody.
_CLAIMS = re.compile(f"({every().pattern('claims')})")
_ATTRIBUTES = re.compile(f"({every().pattern('attributes')})")
_ACCORDING_TO = re.compile(every().pattern("according_to"))
_SHARE = 0.6  # of the answer's own stems that stand behind the verb


def grounded_number(claim: TokenizedPair, context: CheckContext) -> str:
    """Every number of the pair is one of the chunk's."""
    if claim.answer.numbers <= context.numbers and claim.question.numbers <= context.numbers:
        return ""
    return "ungrounded-number"


def grounded_date(claim: TokenizedPair, context: CheckContext) -> str:
    """Every date stands whole: its parts may all be there, of two different dates."""
    if claim.question.dates <= context.dates and claim.answer.dates <= context.dates:
        return ""
    return "ungrounded-date"


def grounded_name(claim: TokenizedPair, context: CheckContext) -> str:
    """Every capitalised name, and every title in quotation marks, is one of the chunk's."""
    for reading in (claim.question, claim.answer):
        for word in reading.names:
            if word.month:
                if word.month not in context.months:
                    return "ungrounded-name"
            elif not context.names(word.folded) and not (
                reading is claim.question and word.folded.startswith(_HOME)
            ):
                return "ungrounded-name"
        quoted = "«" in reading.text or "“" in reading.text
        for title in _QUOTED.findall(reading.text) if quoted else ():
            if not all(context.names(w.folded) for w in TokenizedText(title).words if not w.digits):
                return "ungrounded-name"
    return ""


def grounded(claim: TokenizedPair, context: CheckContext) -> str:
    """Enough of the answer's words are the chunk's."""
    stems = claim.answer.stems
    return "ungrounded" if stems and len(stems & context.stems) / len(stems) < OVERLAP else ""


def co_occurs_in_sentence(claim: TokenizedPair, context: CheckContext) -> str:
    """Question and answer meet in one sentence, or in two neighbours.

    Grounding alone passes answers that mix facts of different sentences (48 such pairs, 5 right).
    A neighbour may name whom the sentence speaks of, but the sentence that holds the answer must
    itself hold a part of the question; else facts of two sentences were mixed.
    """
    if len(context.sentences) < 2:
        return ""
    answer_stems = (claim.answer.stems - claim.question.stems) & context.stems
    question_stems = (claim.question.stems & context.stems) - context.header.stems
    if not question_stems or not answer_stems:
        return ""
    dated = (claim.question.dates | claim.answer.dates) - context.header.dates
    for index, sentence in enumerate(context.sentences):
        if answer_stems.isdisjoint(sentence.stems) or question_stems.isdisjoint(sentence.stems):
            continue
        # A sentence that has a date of its own does not borrow its neighbour's.
        if sentence.dates and not dated <= sentence.dates:
            continue
        near = frozenset().union(
            *(s.stems for s in context.sentences[max(0, index - 1) : index + 2])
        )
        if (
            answer_stems <= near
            and len(question_stems & near) / len(question_stems) >= CO_OCCURRENCE_OVERLAP
        ):
            return ""
        if _goes_on(sentence, answer_stems, question_stems, claim):
            return ""
    return "facts-mixed"


def _goes_on(
    sentence: TokenizedText,
    answer_stems: frozenset[str],
    question_stems: frozenset[str],
    claim: TokenizedPair,
) -> bool:
    """The sentence goes on about what was named further up: it holds the whole answer, enough of
    the question, and names nobody whom the pair does not name."""
    enough = len(question_stems & sentence.stems) >= min(ENOUGH_STEMS, len(question_stems))
    names = {word.stem for word in sentence.names if word.stem and not word.month}
    named = names <= claim.question.stems | claim.answer.stems
    return enough and named and answer_stems <= sentence.stems


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
    stems = claim.answer.stems - claim.question.stems or claim.answer.stems
    if not stems:
        return ""
    source = max(
        context.sentences,
        key=lambda sentence: (
            len(stems & sentence.stems),
            len(claim.question.stems & sentence.stems),
        ),
        default=None,
    )
    if source is None:
        return ""
    found = stems & source.stems
    behind = _behind(source)
    if found and len(found & behind) / len(found) >= _SHARE:
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
