"""Whether the answer is the value that was asked for, or another one of the same sort.

Both stand in the chunk, so that grounding passes either. The question's terms say which: see
`evidence`. Numbers are held against numbers of the same unit, years against years, names against
names; only an answer that is one value is judged, and only by a clear margin.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence

from exchange.text.language import every
from exchange.text.numbers import ONE, Quantity
from exchange.text.stems import is_same_word
from exchange.text.tokens import TokenizedPair, TokenizedText, lazy_attribute
from workers.checks.context import CAPITAL_NOUNS, CheckContext
from workers.checks.evidence import Evidence, PlacedValue, is_year, name_runs

MARGIN = 1.8  # a rival pulls this much more before it is believed
COUNTED_MARGIN = 1.1  # the same of a number that alone stands with the noun that is counted
LEAST = 0.45  # pull of a rival that means anything
SHORT = 8  # words of an answer that is one value
_SIGNED = frozenset({"percent", "points", "euro", "dollar", "pound", "yen"})
_COUNTED = re.compile(rf"(?:^|(?<= ))(?:{'|'.join(every().list_of('asks_count'))})")
_WHO = re.compile(rf"(?:^|(?<= ))(?:{'|'.join(every().list_of('asks_name'))})")
_AUXILIARIES = every().words("auxiliaries")
_ASKED = 2.0  # the noun that is counted weighs this much more
_SOMETHING_ELSE = 0.6  # of the pull is left where the number counts another noun
_FOREIGN_NAME = 0.5  # of the pull is left where another name than the question's is nearer
_FOREIGN_YEAR = 0.25  # the same of a year
_WORST = _SOMETHING_ELSE * _FOREIGN_NAME * _FOREIGN_YEAR


def other_value(claim: TokenizedPair, context: CheckContext) -> str:
    """Another number or name of the chunk stands clearly nearer to what was asked."""
    if len(claim.answer.words) > SHORT or claim.answer.months:
        return ""  # a day is no number, and was judged whole
    evidence = context.evidence
    found = ValueContest(claim, evidence)
    own, rivals = found.own, found.rivals
    if not own or not rivals or not found.terms:
        return ""
    margin = MARGIN
    if found.noun:
        counted = [value for value in rivals if evidence.stands_with(found.noun, value)]
        if any(evidence.stands_with(found.noun, value) for value in own):
            rivals = counted
        elif counted:
            rivals, margin = counted, COUNTED_MARGIN
    # A foreign name or year takes from the pull, never adds: most pairs are decided without one.
    near = evidence.holding(stem for stem, _ in found.terms)
    pulls = [(evidence.pull(v, found.terms), v) for v in rivals if v.sentence in near]
    strongest = max((pull for pull, _ in pulls), default=0.0)
    if strongest <= LEAST:
        return ""
    if strongest <= max(evidence.pull(value, found.terms) for value in own) * margin * _WORST:
        return ""
    least = max(max(found.strength(value) for value in own) * margin, LEAST)
    outdone = any(pull > least and found.strength(value) > least for pull, value in pulls)
    return "other-value" if outdone else ""


class NameIndex:
    """Folded words; one is in it in whatever case it stands."""

    def __init__(self, words: Iterable[str]) -> None:
        self._words: dict[str, list[str]] = {}
        self._known: dict[str, bool] = {}
        for word in words:
            self._words.setdefault(word[:3], []).append(word)

    def __bool__(self) -> bool:
        return bool(self._words)

    def __contains__(self, word: str) -> bool:
        found = self._known.get(word)
        if found is None:
            near = self._words.get(word[:3], ())
            found = self._known[word] = any(is_same_word(word, other) for other in near)
        return found


class ValueContest:
    """The answer's value where it stands in the text, and the others that it could have been."""

    def __init__(self, claim: TokenizedPair, evidence: Evidence) -> None:
        self._evidence = evidence
        self._claim = claim
        self._question = claim.question
        self.noun = ""
        self.own: list[PlacedValue] = []
        self.rivals: list[PlacedValue] = []
        quantities = claim.answer.quantities
        first = next((q for q in quantities if q.value != ONE or not q.worded), None)
        if first is not None and leads(claim, first):
            self.noun = noun_behind(claim.question, _COUNTED)
            self._hold_numbers(claim, first)
        elif claim.answer.names and _WHO.search(f"{claim.question.line} "):
            self.noun = noun_behind(claim.question, _WHO)
            self._hold_names(claim, name_runs(claim.answer))

    @lazy_attribute
    def terms(self) -> list[tuple[str, float]]:
        """The question's words that stand in the text, with their weights."""
        named = self._claim.answer.language not in CAPITAL_NOUNS
        values = {
            w.stem
            for w in self._claim.answer.words
            if w.digits or w.number or (named and w.capital)
        }
        weights = self._evidence.weights
        return [
            (stem, weights[stem] * (_ASKED if stem == self.noun else 1))
            for stem in self._question.stems - values
            if stem in weights
        ]

    @lazy_attribute
    def _names(self) -> NameIndex:
        return NameIndex(word.folded for word in self._question.words if word.capital)

    @lazy_attribute
    def _names_held(self) -> bool:
        """Whether the text holds a name that the question asks about."""
        return bool(self._names) and any(map(self._is_asked_name, self._evidence.names))

    @lazy_attribute
    def _years_held(self) -> bool:
        return bool(self._years) and any(map(self._is_asked_year, self._evidence.years))

    def _is_asked_name(self, name: PlacedValue) -> bool:
        return any(map(self._names.__contains__, name.words))

    def _is_asked_year(self, year: PlacedValue) -> bool:
        return year.key in self._years

    @lazy_attribute
    def _years(self) -> set[str]:
        return {q.value for q in self._question.quantities if is_year(q.value, q.unit)}

    def strength(self, value: PlacedValue) -> float:
        """The pull of the question's terms, less where another name or year is nearer."""
        pulled = self._evidence.pull(value, self.terms)
        if self._counts_something_else(value):
            pulled *= _SOMETHING_ELSE
        evidence, number = self._evidence, value.sentence
        years = [year for year in evidence.years if year.sentence == number]
        if self._years_held and _foreign(value, years, self._is_asked_year):
            pulled *= _FOREIGN_YEAR
        names = () if value.words or not self._names_held else evidence.names_in.get(number, ())
        if _foreign(value, names, self._is_asked_name):
            pulled *= _FOREIGN_NAME
        return pulled

    def _counts_something_else(self, value: PlacedValue) -> bool:
        """The noun directly behind the number is none of the question's."""
        quantity = value.quantity
        if quantity is None or quantity.unit:
            return False
        sentence = self._evidence.sentences[value.sentence]
        if quantity.end >= len(sentence.words) or quantity.end in sentence.breaks:
            return False
        stem = sentence.words[quantity.end].stem
        return bool(stem) and stem not in self._question.stems

    def _hold_numbers(self, claim: TokenizedPair, first: Quantity) -> None:
        said = claim.answer.numbers_held | claim.question.numbers_held
        self.own = [value for value in self._evidence.quantities if value.key == first.value]
        units = {unit for unit in (*(value.unit for value in self.own), first.unit) if unit}
        counts = "." not in first.value
        years = is_year(first.value, first.unit)
        self.rivals = [
            value
            for value in (self._evidence.years if years else self._evidence.counts)
            if value.key not in said
            and value.key != ONE
            and (value.unit in units if units else value.unit not in _SIGNED)
            and (units or not counts or "." not in value.key)
        ]

    def _hold_names(self, claim: TokenizedPair, runs: Sequence[tuple[int, int]]) -> None:
        answered = [w.folded for first, last in runs for w in claim.answer.words[first : last + 1]]
        own = NameIndex(answered)
        said = NameIndex([*answered, *(word.folded for word in self._question.words)])
        several = any(last > first for first, last in runs)  # "Sweden" is no rival of a person
        for value in self._evidence.names:
            if any(map(own.__contains__, value.words)):
                self.own.append(value)
            elif several and len(value.words) == 1:
                continue
            elif not any(map(said.__contains__, value.words)):
                self.rivals.append(value)


def leads(claim: TokenizedPair, quantity: Quantity) -> bool:
    """Whether the answer is this number, and not only tells it: "about 300", not "article 5"."""
    before = claim.answer.words[: quantity.start]
    told = [word.stem for word in before if word.stem]
    return (
        len(told) <= 1
        and not any(stem in claim.question.stems for stem in told)
        and not any(word.capital for word in before[1:])
    )


def noun_behind(question: TokenizedText, opening: re.Pattern[str]) -> str:
    """The first word with a meaning behind "how many" or "who", as its stem; "" without one.

    "To how many did the toll rise" counts no toll.
    """
    line = f"{question.line} "
    match = opening.search(line)
    if match is None:
        return ""
    skipped = line[: match.end()].count(" ")
    for word in question.words[skipped:]:
        if word.folded in _AUXILIARIES and opening is _COUNTED:
            return ""
        if word.stem:
            return word.stem
    return ""


def _foreign(
    value: PlacedValue, anchors: Sequence[PlacedValue], asked: Callable[[PlacedValue], bool]
) -> bool:
    """Whether the nearest name or year of the value's sentence is none of the question's."""
    near = [one for one in anchors if one is not value]
    if not near:
        return False
    nearest = min(
        near,
        key=lambda one: (
            max(one.start - value.end, value.start - one.end),
            one.start < value.start,
        ),
    )
    return not asked(nearest)
