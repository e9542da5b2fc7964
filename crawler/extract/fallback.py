"""The one story that a page of no known shape seems to hold: trafilatura's text, mended.

Trafilatura leaves out standfirsts, headings between paragraphs and now and then a paragraph, and
takes in bylines and links to other stories. What stands on the page decides: an element between two
paragraphs of the story is of the story.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from crawler.extract.charset import clean
from crawler.extract.metadata import PageMetadata, guess, read_metadata
from crawler.extract.shapes import StoryParts
from exchange.text import dates
from exchange.text.fold import fold
from exchange.text.scripts import FULL_STOPS, QUESTION_MARKS

_COVERS = 0.8  # of the page's prose: trafilatura's fast mode found enough
_NO_PROSE = frozenset(
    "a aside footer form head header nav noscript option script select style".split()  # noqa: SIM905
)
# Trafilatura deletes these too, but first it walks through them several times.
_DELETED = ("aside", "footer", "iframe", "nav", "noscript", "script", "style", "svg")
_BLOCKS = ("p", "h2", "h3", "h4", "blockquote", "div")
_LINKS = 0.5  # of the letters: what leads elsewhere is no part of the story
_TEASER = 30  # characters: a shorter one is a slogan
_LABEL = 200  # characters: a longer paragraph is text, whatever it holds
_KICKER = 25  # characters that may stand beside a headline or a date
_DATE_LINE = 60
_BYLINE_WORDS = 4  # more than the author's name has
_REFRAIN = 4  # a paragraph that stands on a page so often was printed by a machine
_MOST = 0.6  # of the text, which is not cut down further
_LINE_TAGS = frozenset(["p", "li", "div", "h1", "h2", "h3", "h4", "h5", "blockquote"])
_HEADING_WORDS = 25
_ENDS = (*FULL_STOPS, *QUESTION_MARKS, *":»”\"'“’")


def read_fallback(
    text: str, root: Any, url: str, language: str, months: Mapping[str, int] | None = None
) -> StoryParts | None:
    """The one story that a page seems to hold; None when there is no text.

    Args:
        text: the page as `str` (trafilatura guesses the charset of bytes, often wrongly).
        root: the same page parsed; it is used up.
        url, language, months: see `read_metadata`.
    """
    from lxml import etree
    from trafilatura import extract

    told = read_metadata(root, url, language, months)
    if not (told.author and told.date):
        told = guess(told, root, text, url)
    options = {"include_comments": False, "include_formatting": False}
    enough = _COVERS * _prose(root)
    etree.strip_elements(root, *_DELETED, with_tail=False)
    found = extract(root, fast=True, **options)
    if len(found or "") < enough:
        found = extract(text, **options)
    lines = [line for raw in (found or "").split("\n") if (line := clean(raw))]
    if not lines:
        return None
    lines = _without_links(_filled(lines, root), root)
    paragraphs = _without_labels(_with_standfirst(lines, told, root), told, language)
    return StoryParts(told.title, told.section, told.author, told.date, tuple(paragraphs))


def _filled(lines: list[str], root: Any) -> list[str]:
    """The lines with what stands on the page between two of them."""
    places = {line: number for number, line in reversed([*enumerate(lines)])}
    families: dict[Any, list[tuple[Any, str]]] = {}
    for element in root.iter(*_BLOCKS):
        parent = element.getparent()
        if parent is not None:
            families.setdefault(parent, []).append((element, ""))
    before: dict[int, list[str]] = {}
    for family in families.values():
        if len(family) < 3:
            continue
        texts = [clean(element.text_content()) for element, _ in family]
        known = [number for number, text in enumerate(texts) if text in places]
        if len(known) < 2:
            continue
        following = len(lines)
        for number in range(known[-1], known[0], -1):
            text = texts[number]
            if text in places:
                following = places[text]
            elif text and _is_prose(family[number][0], text):
                before.setdefault(following, []).insert(0, text)
    if not before:
        return lines
    whole = fold(" ".join(lines))
    made: list[str] = []
    for number, line in enumerate(lines):
        made += [text for text in before.get(number, ()) if fold(text) not in whole]
        made.append(line)
    return made


def _is_prose(element: Any, text: str) -> bool:
    """A sentence or a heading, and not mostly links."""
    if element.tag == "div" and any(child.tag in _BLOCKS for child in element):
        return False
    if _longest_link(element) > _LINKS * len(text):
        return False
    if element.tag in ("h2", "h3", "h4"):
        return len(text.split()) <= _HEADING_WORDS
    return element.tag != "div" and text.endswith(_ENDS)


def _longest_link(block: Any) -> int:
    """Characters. Many short links in a text lead to topics; one long one is another's headline."""
    return max((len("".join(link.itertext()).strip()) for link in block.iter("a")), default=0)


def _with_standfirst(lines: list[str], told: PageMetadata, root: Any) -> list[str]:
    """The words that lead to the story, where the page prints them and the text lacks them."""
    teaser = told.teaser
    if len(teaser) < _TEASER or fold(teaser) in fold(" ".join(lines)):
        return lines
    opening, wanted = teaser[:20], fold(teaser)
    for element in root.iter("p", "div", "h2", "h3", "h4", "span", "li", "strong"):
        begun = (element.text or "").strip()
        if begun and (begun.startswith(opening) or opening.startswith(begun)):
            printed = clean("".join(element.itertext()))
            if fold(printed) == wanted:
                return [printed, *lines]
    return lines


def _without_links(lines: list[str], root: Any) -> list[str]:
    """Nothing that only leads to another story, unless links are what the page is made of."""
    leading: set[str] = set()
    seen: set[Any] = set()
    for link in root.iter("a"):
        if (link.get("href") or "#").startswith("#"):
            continue  # a table of contents repeats the headings
        block = next((e for e in link.iterancestors() if e.tag in _LINE_TAGS), None)
        if block is None or block in seen or block.tag[0] == "h":  # a live report's headings
            continue
        seen.add(block)
        text = clean("".join(block.itertext()))
        linked = _longest_link(block)
        if len(text) < _LABEL and linked > _LINKS * len(text):
            leading.add(text)
    kept = [line for line in lines if line.removeprefix("- ") not in leading]
    return kept if sum(map(len, kept)) > _MOST * sum(map(len, lines)) else lines


def _without_labels(lines: list[str], told: PageMetadata, language: str) -> list[str]:
    """No headline, byline or date alone in a paragraph, which are fields of their own, and nothing
    that stands on the page again and again.
    """
    counts = Counter(lines)
    kept = [
        line
        for line in lines
        if counts[line] < _REFRAIN and not (len(line) < _LABEL and _is_label(line, told, language))
    ]
    return kept or lines


def _is_label(line: str, told: PageMetadata, language: str) -> bool:
    title, bare = fold(told.title), fold(line)
    if bare == title or (len(bare) <= len(title) + _KICKER and bare.endswith(f" {title}")):
        return True
    if line[-1] in ".!?;:":
        return False
    words = len(bare.split())
    for name in told.author.split(", "):
        if name and fold(name) in bare and words <= len(name.split()) + _BYLINE_WORDS:
            return True
    if len(line) > _DATE_LINE or not told.date or told.date[:4] not in line:
        return False
    return (
        sum(map(str.isalpha, line)) < _KICKER
        and dates.parse_date(line, language=language) == told.date
    )


def _prose(root: Any) -> int:
    """Characters outside links and outside what is marked as boilerplate."""
    from lxml import etree

    count = 0
    walker = etree.iterwalk(root, events=("start",))
    for _, element in walker:
        if element.tag in _NO_PROSE:
            walker.skip_subtree()
        else:
            count += len((element.text or "").strip())
        count += len((element.tail or "").strip())
    return count
