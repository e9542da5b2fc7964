"""Who wrote a story: whether the pages' tags tell it, else where a name stands."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from crawler.extract.charset import clean
from crawler.learn.coverage import SAMPLE_PAGES, XPathValues, spread_out, vary
from crawler.learn.units import ParsedPage
from exchange.text.fold import fold
from exchange.text.scripts import has_capitals

AUTHORS_SAME = 0.8  # of the signed pages may be one person's, where tags tell it
SHOWN = 0.8  # of the names that tags tell
LONGEST_LINE = 30  # words that may stand around a name
JOINING = 3  # letters of the words between names
_PREFIX = re.compile(r"^([^\W\d_]+(?: [^\W\d_]+)?\s*:)\s*\S")
_NAME_PARTS = re.compile(r"[\s,&-]+")
_NO_NAME = re.compile(r"[;:!?()«»]")
_SAYS_AUTHOR = re.compile(r"author|byline|writer|reporter|journalist", re.I)  # in a path
_NAME_LETTERS = range(2, 16)  # where names have no capitals, and often no blank


def find_author(
    pages: Sequence[ParsedPage], found: Sequence[XPathValues]
) -> tuple[XPathValues, str] | None:
    """The author's place, of short texts and tags, and a pattern around the name."""
    return _best_author([*found, *_author_tags(pages)])


def right_authors(pages: Sequence[ParsedPage], author: tuple[XPathValues, str] | None) -> bool:
    """Do the pages' tags tell the authors? Where names are printed too, they must tell those."""
    told = [page.told.author or page.told.signed for page in pages]
    if author is None or not vary(told, AUTHORS_SAME):
        return author is None
    return _are_shown(pages, told)


def _are_shown(pages: Sequence[ParsedPage], lines: Sequence[str]) -> bool:
    """Are nearly all of these names printed on their pages?"""
    shown = [
        any(names(line) <= names(unit.text) for unit in page.units if unit.words <= LONGEST_LINE)
        for line, page in zip(lines, pages, strict=True)
        if names(line)
    ]
    return bool(shown) and sum(shown) >= SHOWN * len(shown)


def names(line: str) -> frozenset[str]:
    """The words of an author's line but for the short ones that join names."""
    return frozenset(word for word in re.findall(r"\w+", fold(line)) if len(word) > JOINING)


def _author_tags(pages: Sequence[ParsedPage]) -> list[XPathValues]:
    """What meta tags beside those that are read first say; the page must print it too."""
    tags = {
        f'//meta[@{kind}="{meta.get(kind)}"]/@content'
        for page in spread_out(pages, SAMPLE_PAGES)
        for meta in page.root.iter("meta")
        for kind in ("property", "name")
        if "author" in (meta.get(kind) or "").lower() and '"' not in meta.get(kind)
    }
    made = []
    for path in tags:
        texts = [clean(str(next(iter(page.root.xpath(path)), ""))) for page in pages]
        if _are_shown(pages, texts):
            made.append(XPathValues(path, -1, tuple(texts), 1.0, 0.0))
    return made


def _best_author(found: Sequence[XPathValues]) -> tuple[XPathValues, str] | None:
    """The author's place, and a pattern that leaves out what stands before every name."""
    ranked: list[tuple[float, XPathValues, str]] = []
    for values in found:
        texts = [text for text in values.texts if text]
        before = Counter(m[1] for text in texts if (m := _PREFIX.match(text)))
        if not before and values.distinct > 2:  # "By A. Name", "By B. Name", "By C. Name"
            before = Counter(text.partition(" ")[0] for text in texts if " " in text)
        common, count = before.most_common(1)[0] if before else ("", 0)
        prefix = common if count >= 0.9 * len(texts) else ""
        bare = [text.removeprefix(prefix).strip() for text in texts]
        alike = sum(_is_name(name, values.path) for name in bare) / len(bare)
        if alike < 0.8 or values.distinct < 2 or values.matches > 1.2:
            continue
        if Counter(bare).most_common(1)[0][1] > 0.5 * len(bare):
            continue  # one name on most pages is the editor's
        match = rf"{re.escape(prefix)}\s*(.+)".replace(r"\ ", " ") if prefix else ""
        ranked.append(
            (round(alike * values.present - 0.002 * min(values.near, 50), 2), values, match)
        )
    best = min(ranked, key=lambda i: (-i[0], i[1].matches, i[1].rank, len(i[1].path)), default=None)
    return (best[1], best[2]) if best and best[1].distinct > 1 else None


def _is_name(text: str, path: str) -> bool:
    """Some words with capitals; in a script without any, a few letters whose place says it."""
    if not has_capitals(text):
        letters = sum(map(str.isalpha, text))
        bare = letters == len(re.sub(r"[\s・·]", "", text))
        return bare and letters in _NAME_LETTERS and _SAYS_AUTHOR.search(path) is not None
    words = [word for word in _NAME_PARTS.split(text) if word]
    return (
        2 <= len(words) <= 6
        and all(word[0].isalpha() and not word[0].islower() for word in words)
        and _NO_NAME.search(text) is None
    )
