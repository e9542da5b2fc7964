"""Grounding: everything the pair claims stands in the chunk or its header."""

from __future__ import annotations

import re
from functools import cache

from exchange.text.date_spelling import load_locale
from exchange.text.fold import words
from exchange.text.language import every
from exchange.text.numbers import MULTIPLIERS, UNITS
from exchange.text.scripts import letter_pairs, writes_without_blanks
from exchange.text.sentences import split_sentences
from exchange.text.stems import STEM
from exchange.text.tokens import TokenizedPair, TokenizedText
from workers.checks.context import CAPITAL_NOUNS, CheckContext

OVERLAP = 0.40  # share of the answer's stems that the chunk must hold
TOLD, ASKED = 0.5, 0.34  # shares of the answer's and the question's weight that stand together
LONG = 25  # words from which the sentences of an answer are looked at one by one
_HOME = every().list_of("home")  # where the story is set need not stand in it
_QUOTED = re.compile(r"[«“]([^»”]+)[»”]")
_COUNTED = frozenset(MULTIPLIERS) | frozenset(UNITS)  # judged with their number
_SMALL = frozenset(map(str, range(1, 13)))
_ANY = frozenset([""])


def obeys(claim: TokenizedPair, context: CheckContext) -> str:
    """It says what a page tells its reader's model to say, or repeats that: "write that ..."."""
    if not context.commanded:
        return ""
    only_there = context.commanded_stems
    for reading in (claim.question, claim.answer):
        said = reading.stems or (reading.folded if reading is claim.answer else frozenset())
        if not only_there.isdisjoint(said):
            return "instruction"
    return ""


def grounded_number(claim: TokenizedPair, context: CheckContext) -> str:
    """Every number of the pair is one of the chunk's, by value and with its unit.

    A year is the calendar's affair. An answer may add two numbers that stand together; a question
    may count up to twelve in words ("at which two addresses").
    """
    for reading in (claim.question, claim.answer):
        wanted = reading.numbers - context.numbers
        if wanted:
            wanted -= context.calendar.years
        if reading is claim.answer:
            said = claim.question.numbers_held | reading.numbers_held
            wanted = frozenset(value for value in wanted if not context.derives(value, said))
        elif wanted:
            wanted -= {q.value for q in reading.quantities if q.worded and q.value in _SMALL}
        if wanted:
            return "ungrounded-number"
        for quantity in reading.quantities:
            if quantity.unit:
                held = context.units.get(quantity.value, _ANY)
                if "" not in held and quantity.unit not in held:
                    return "wrong-unit"
    return ""


def grounded_date(claim: TokenizedPair, context: CheckContext) -> str:
    """Every date is one of the chunk's as a whole: its parts may be there, of two dates."""
    for reading in (claim.question, claim.answer):
        for iso in reading.calendar:
            if not context.dates_hold(iso) and not (len(iso) == 4 and iso in context.numbers):
                return "ungrounded-date"
    return ""


def _is_place(folded: str, language: str) -> bool:
    """Where the story is set need not stand in it: a country, or the newspaper's home."""
    return folded.startswith(_HOME) or folded in _territory_words(language)


@cache
def _territory_words(language: str) -> frozenset[str]:
    """The words of the names of all countries, as Unicode's data has them."""
    locale = load_locale(language)
    names = locale.territories.values() if locale else ()
    return frozenset(word for name in names for word in words(name) if len(word) > STEM - 1)


def grounded_name(claim: TokenizedPair, context: CheckContext) -> str:
    """Every capitalised name, and every title in quotation marks, is one of the chunk's."""
    for reading in (claim.question, claim.answer):
        for word in () if reading.language in CAPITAL_NOUNS else reading.names:
            if word.month:
                if not context.speaks_of(word.month) and not reading.calendar:
                    return "ungrounded-name"
            elif not context.names(word.folded) and not (
                reading is claim.question and _is_place(word.folded, reading.language)
            ):
                return "ungrounded-name"
        quoted = "«" in reading.text or "“" in reading.text
        for title in _QUOTED.findall(reading.text) if quoted else ():
            if not all(
                context.names(w.folded)
                for w in TokenizedText(title, reading.language).words
                if not w.digits
            ):
                return "ungrounded-name"
    return ""


def grounded(claim: TokenizedPair, context: CheckContext) -> str:
    """Enough of the answer's words are the chunk's; its numbers were judged by value.

    Where words stand without blanks their letters are compared, two by two.
    """
    if writes_without_blanks(claim.answer.text):
        said = letter_pairs(claim.answer.text)
        known = letter_pairs(f"{context.task.header}\n{context.task.text}")
        return "ungrounded" if said and len(said & known) < OVERLAP * len(said) else ""
    stems = {
        word.stem
        for word in claim.answer.words
        if word.stem and not (word.digits or word.number or word.folded in _COUNTED)
    }
    if claim.answer.numbers and len(stems) <= 1:
        return ""  # "35 people": the noun is the question's affair
    return "ungrounded" if stems and len(stems & context.stems) / len(stems) < OVERLAP else ""


def co_occurs_in_sentence(claim: TokenizedPair, context: CheckContext) -> str:
    """Question and answer meet in one sentence, or in two neighbours.

    Grounding alone passes answers that mix facts of different sentences (48 such pairs, 5 right).
    A neighbour may name whom the sentence speaks of, but the sentence that holds the answer must
    itself hold a part of the question; else facts of two sentences were mixed.
    """
    if len(context.sentences) < 2:
        return ""
    parts = [claim.answer]
    if len(claim.answer.words) > LONG:
        language = claim.answer.language
        told = split_sentences(claim.answer.text, language)
        parts = [TokenizedText(sentence, language) for sentence in told]
    for part in parts:
        if not _meets(part, claim, context):
            return "facts-mixed"
    return ""


def _meets(part: TokenizedText, claim: TokenizedPair, context: CheckContext) -> bool:
    """Whether a sentence of the text, with its neighbours, holds enough of both.

    Stems weigh by how few sentences hold them: "said" and the story's own subject say little.
    """
    weights = context.evidence.weights
    asked = [stem for stem in claim.question.stems if stem in weights]
    # A day that is meant ("on Monday") stands nowhere in digits; it was judged as a date.
    days = {str(int(iso[-2:])) for iso in part.dates}
    told = [stem for stem in part.stems - claim.question.stems - days if stem in weights]
    if not asked or not told:
        return True
    # What the title says, all of the text is about; where the question says no more, it counts.
    own = [stem for stem in asked if stem not in context.header.stems]
    return _near_each_other(told, asked, claim, context) or (
        own != [] and _near_each_other(told, own, claim, context)
    )


def _near_each_other(
    told: list[str], asked: list[str], claim: TokenizedPair, context: CheckContext
) -> bool:
    evidence = context.evidence
    weights = evidence.weights
    all_told, all_asked = sum(map(weights.__getitem__, told)), sum(map(weights.__getitem__, asked))
    dated = (claim.question.dates | claim.answer.dates) - {context.printed}
    names = {word.stem for word in claim.question.names}
    for index in sorted(evidence.holding(told) & evidence.holding(asked)):
        sentence = context.sentences[index]
        # A sentence that has a date of its own does not borrow its neighbour's.
        if sentence.dates and not dated <= sentence.dates:
            continue
        near = evidence.near(index)
        if sum([weights[stem] for stem in told if stem in near]) < TOLD * all_told:
            continue
        about = sum([weights[stem] for stem in asked if stem in near])
        if about < ASKED * all_asked and names:
            # The story goes on about whom it named further up.
            named = names & evidence.before(index) - near
            about += sum([weights[stem] for stem in asked if stem in named])
        if about >= ASKED * all_asked:
            return True
    return False
