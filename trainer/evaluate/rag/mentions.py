"""Every story that mentions some words, by date: what a person looks up in an archive.

Words are met in any case, accent or capital (`trainer.evaluate.rag.index`). All that are asked for
stand in one passage; those in quotes one after another; a full date is met however it is written.
The documents of an archive's index are in the order of their dates, so a page of mentions, and a
span of dates, cost no sorting however common a word is.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

import orjson

from exchange.errors import UsageError
from exchange.store.paging import PAGE, Cursor, RowPage
from exchange.store.spool import Spool
from exchange.text import dates
from exchange.text.controls import one_line, printable
from exchange.text.fold import WORD, fold
from exchange.text.language import every
from trainer.evaluate.rag.index import SearchIndex, date_term, word_term

BEFORE, WIDTH = 70, 240  # characters of an excerpt before the first word that was met, and in all
MOST_WORDS = 40  # of a search; more is a text, for which `trace --answer` is there
LOOK = 2_000  # stories that a page asks about; some 100 ms of CPU
_PARTS = re.compile(r'-?"[^"]*"?|-?«[^»]*»?|-?“[^”]*”?|\S+')
_SMALL_WORDS = every().words("stop_words")
_LAST = 1 << 62  # no index has so many documents

Excerpt = tuple[tuple[str, bool], ...]  # parts of a text: was this one asked for?


@dataclass(frozen=True, slots=True)
class ArchiveQuery:
    """Words that are looked for: as FTS5 is asked, and the terms to be marked in what is found."""

    expression: str
    phrases: tuple[tuple[str, ...], ...] = ()  # terms, one after another; single words too
    loose: str = ""  # the same without the quotes; "" where there are none

    @classmethod
    def parse(cls, words: str) -> ArchiveQuery:
        """What somebody typed: words, "phrases", dates, and -words that must not be there.

        Raises:
            UsageError: there is no word in it, or too many.
        """
        wanted: list[tuple[str, ...]] = []
        unwanted: list[tuple[str, ...]] = []
        single: list[str] = []
        for part in _PARTS.findall(unicodedata.normalize("NFC", words)):
            bare = part.lstrip("-")
            terms = tuple(map(word_term, WORD.findall(bare)))
            if part.startswith("-"):
                unwanted += [terms] if terms else []
            elif bare[0] in '"«“':
                wanted += [terms] if terms else []
            else:
                single.append(part)
        found = sorted(map(date_term, dates.find_dates(" ".join(single))))
        said = [word for part in single for word in WORD.findall(part) if not _of_date(word, found)]
        telling = [word for word in said if fold(word) not in _SMALL_WORDS]
        wanted += [(word_term(word),) for word in telling or (() if wanted or found else said)]
        wanted += [(term,) for term in found]
        if not wanted:
            raise UsageError('give a word to search for, a name or a "phrase in quotes"')
        if sum(map(len, wanted + unwanted)) > MOST_WORDS:
            raise UsageError(f"more than {MOST_WORDS} words: give those that matter")
        without = "".join(f" NOT {_phrase(terms)}" for terms in dict.fromkeys(unwanted))
        together = " AND ".join(map(_phrase, dict.fromkeys(wanted)))
        apart = " AND ".join(_phrase((t,)) for t in dict.fromkeys(t for p in wanted for t in p))
        quoted = apart if any(len(terms) > 1 for terms in wanted) else ""
        return cls(
            f"({together}){without}",
            tuple(dict.fromkeys(wanted)),
            f"({quoted}){without}" if quoted else "",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Mention:
    """A story that meets a search; `passages` of its chunks do, the excerpt is of the first."""

    published: str
    story: str
    archive: str  # of the newspaper; "" where the story is not there any more
    title: str
    section: str
    author: str
    url: str
    passages: int
    excerpt: Excerpt


@dataclass(frozen=True, slots=True)
class MentionCounts:
    """All that a search meets: passages, and stories by month ("" for those without a date)."""

    passages: int = 0
    by_month: dict[str, int] = field(default_factory=dict)
    more: bool = False  # there are more, which were not counted

    @property
    def stories(self) -> int:
        return sum(self.by_month.values())


def find_mentions(
    index: SearchIndex,
    spools: Mapping[str, Spool],
    query: ArchiveQuery,
    *,
    since: str = "",
    until: str = "",
    cursor: str = "",
    size: int = PAGE,
    newest: bool = False,
    meets: Callable[[str], bool] | None = None,
) -> RowPage[Mention]:
    """A page of the stories that mention what is asked for, the oldest first.

    Args:
        spools: that hold the stories, by the archive.
        since: first day, month or year; `until` the last. Stories without a date come after all,
            where neither is given.
        newest: the newest first.
        meets: which stories are wanted, by their ids; so many are asked about for a page, and then
            it says how far that was.

    Raises:
        UsageError: the cursor is none of this list.
    """
    first, last = _span(index, since, until)
    start = Cursor.read(cursor)
    back = start is not None and start.back
    descending = newest != back
    if start is not None:
        try:
            (place,) = start.key
            first, last = (
                (first, min(last, int(place) - 1))
                if descending
                else (max(first, int(place) + 1), last)
            )
        except ValueError:
            raise UsageError("this place is one of another list: go to its start") from None
    stories: dict[int, list[int]] = {}
    further, seen, unwanted, asked = False, 0, 0, 0
    for number, story in index.matching(query.expression, first, last, descending=descending):
        if story not in stories and story != unwanted:
            if len(stories) == size or asked == LOOK:
                further = True
                break
            if meets is not None:
                asked += 1
                unwanted = 0 if meets(index.document(number).story) else story
        seen = number
        if story != unwanted:
            stories.setdefault(story, []).append(number)
    numbers = list(stories.values())
    rows = tuple(_mention(index, spools, query, sorted(found)) for found in numbers)
    there = str(Cursor((seen,), back)) if further else ""
    here = str(Cursor((numbers[0][0],), not back)) if start is not None and numbers else ""
    looked_to = (index.document(seen).published,) if further and len(rows) < size else ()
    if back:
        return RowPage(rows[::-1], before=there, after=here, looked_to=looked_to)
    return RowPage(rows, before=here, after=there, looked_to=looked_to)


def count_mentions(
    index: SearchIndex,
    query: ArchiveQuery,
    *,
    since: str = "",
    until: str = "",
    most: int = _LAST,
) -> MentionCounts:
    """How often, and when: one pass over everything that is met.

    Args:
        most: passages that are counted; half a microsecond each.
    """
    days = index.days()
    firsts = [first for _, first in days]
    passages, known, by_month = 0, 0, dict[str, int]()
    for _, story in index.matching(query.expression, *_span(index, since, until)):
        if passages == most:
            return MentionCounts(passages, by_month, more=True)
        passages += 1
        if story != known:
            known = story
            month = days[bisect_right(firsts, story) - 1][0][:7]
            by_month[month] = by_month.get(month, 0) + 1
    return MentionCounts(passages, by_month)


def make_excerpt(text: str, query: ArchiveQuery) -> Excerpt:
    """What stands around the first word that was asked for, in one line, with all of them told."""
    text = unicodedata.normalize("NFC", one_line(text))
    words = list(WORD.finditer(text))
    terms = [word_term(word[0]) for word in words]
    met = _met(terms, query.phrases)
    start, end = 0, len(text)
    if end > WIDTH:
        # Around the longest phrase: a name tells more than the words that stand with it.
        phrases = sorted(query.phrases, key=len, reverse=True)
        places = next((found for one in phrases if (found := _met(terms, [one]))), {0})
        at = words[min(places)].start() if words else 0
        start = max(0, min(at - BEFORE, end - WIDTH))
        start = next((word.start() for word in words if word.start() >= start), 0) if start else 0
        end = next((w.end() for w in reversed(words) if w.end() <= start + WIDTH), end)
    parts: list[tuple[str, bool]] = [("… ", False)] if start else []
    for place in sorted(met):
        word = words[place]
        if start <= word.start() and word.end() <= end:
            parts += [(text[start : word.start()], False), (word[0], True)]
            start = word.end()
    parts += [(text[start:end], False), (" …" if end < len(text) else "", False)]
    return tuple(part for part in parts if part[0])


def mark_words(text: str, query: ArchiveQuery) -> Excerpt:
    """A whole text, with its line ends, and the words of it that were asked for."""
    text = unicodedata.normalize("NFC", printable(text))
    words = list(WORD.finditer(text))
    parts: list[tuple[str, bool]] = []
    end = 0
    for place in sorted(_met([word_term(word[0]) for word in words], query.phrases)):
        word = words[place]
        parts += [(text[end : word.start()], False), (word[0], True)]
        end = word.end()
    return (*parts, (text[end:], False))


def _met(terms: list[str], phrases: Iterable[tuple[str, ...]]) -> set[int]:
    """Places of the words that belong to what was asked for."""
    return {
        place + step
        for phrase in phrases
        for place in range(len(terms) - len(phrase) + 1)
        if tuple(terms[place : place + len(phrase)]) == phrase
        for step in range(len(phrase))
    }


def _mention(
    index: SearchIndex, spools: Mapping[str, Spool], query: ArchiveQuery, numbers: list[int]
) -> Mention:
    documents = [index.document(number) for number in numbers]
    excerpts = [make_excerpt(one.text, query) for one in documents]
    told = (found for found in excerpts if any(met for _, met in found))
    # Of the story the spool is asked, which may know better by now than when the index was made.
    told_by = (
        (name, row["record"])
        for name, spool in spools.items()
        for row in spool.db.execute("SELECT record FROM stories WHERE id=?", (documents[0].story,))
    )
    archive, record = next(told_by, ("", None))
    known = orjson.loads(record) if record else {"title": documents[0].head}
    shown = {name: one_line(known.get(name, "")) for name in ("title", "section", "author")}
    return Mention(
        **shown,
        published=documents[0].published,
        story=documents[0].story,
        archive=archive,
        url=one_line(known.get("url", documents[0].url)),
        passages=len(numbers),
        excerpt=next(told, excerpts[0]),
    )


def _span(index: SearchIndex, since: str, until: str) -> tuple[int, int]:
    """First and last number of the documents within some dates."""
    if not since and not until:
        return 0, _LAST
    days = index.days()
    # "~" stands behind every digit and hyphen, so that the whole of a last month is there.
    first = next((first for day, first in days if day and day >= since), _LAST)
    after = next((first for day, first in days if not day or day > (until or "9") + "~"), _LAST)
    return first, after - 1


def _of_date(word: str, found: list[str]) -> bool:
    """Whether a word may be a part of the dates that were found, which stand for it."""
    return bool(found) and (word.isdigit() or dates.month_number(word) > 0)


def _phrase(terms: tuple[str, ...]) -> str:
    """Quoted, so that no term is read as an operator."""
    return '"' + " ".join(terms).replace('"', '""') + '"'
