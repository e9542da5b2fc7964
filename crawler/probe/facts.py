"""What one page shows of its kind: text, paywall, scripts. Pure functions of its element tree."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import orjson

from crawler.extract.charset import clean
from crawler.extract.html import paragraphs
from exchange.text.language import every

APP_ROOTS = frozenset({"root", "app", "__next", "__nuxt", "___gatsby", "main-app", "q-app"})
FEW_WORDS = 40  # a page of an app shows fewer before its scripts have run
SHORT_STORY = 150  # words; of a story behind a paywall there are rarely more
_NEEDS_SCRIPTS = re.compile(rf"(?:{every().pattern('enables')})\s+java\s?script", re.I)
_PAYWALL_TEXT = re.compile(every().pattern("paywall"), re.I)
_PAYWALL_CLASS = re.compile(
    r"(?:^|[\s_-])(?:paywall|pay-wall|subscriber-only|premium-wall|regwall|metered)", re.I
)


@dataclass(frozen=True, slots=True)
class PageFacts:
    """One page, judged without a profile."""

    words: int  # that a reader sees
    needs_scripts: bool  # empty until scripts run
    paywall: str  # what says that it is behind a paywall, "" when nothing does
    table_layout: bool  # laid out with tables, as pages were once


def page_facts(root: Any) -> PageFacts:
    """The facts of a page; None (nothing to parse) is an empty one."""
    if root is None:
        return PageFacts(0, False, "", False)
    seen = " ".join(paragraphs([root]))
    words = len(seen.split())
    return PageFacts(
        words, _needs_scripts(root, words), _paywall(root, seen, words), _table_layout(root, words)
    )


def _needs_scripts(root: Any, words: int) -> bool:
    """Little to read, and an empty place for an app, a word about JavaScript, or only scripts."""
    if words >= FEW_WORDS:
        return False
    text = " ".join(text for each in root.iter("noscript") for text in each.itertext())
    roots = any(
        element.get("id") in APP_ROOTS and len(" ".join(paragraphs([element])).split()) < FEW_WORDS
        for element in root.iter("div", "main")
    )
    return roots or bool(_NEEDS_SCRIPTS.search(text)) or len(list(root.iter("script"))) >= 3


def _paywall(root: Any, seen: str, words: int) -> str:
    for item in _linked_data(root):
        if str(item.get("isAccessibleForFree")).lower() == "false":
            return "its own data say that it is not free (isAccessibleForFree)"
    for meta in root.iter("meta"):
        if meta.get("property") == "article:content_tier" and meta.get("content") != "free":
            return f"its content tier is {clean(str(meta.get('content')))[:40]!r}"
    if words < 2 * SHORT_STORY:
        if match := _PAYWALL_TEXT.search(seen):
            return f"it says {clean(match[0])!r}"
        for element in root.iter("div", "section", "aside"):
            if _PAYWALL_CLASS.search(f"{element.get('class', '')} {element.get('id', '')}"):
                return "it holds a paywall element"
    return ""


def _linked_data(root: Any) -> Iterator[dict[str, Any]]:
    for script in root.iter("script"):
        if script.get("type") != "application/ld+json" or not script.text:
            continue
        try:
            found = orjson.loads(script.text)
        except orjson.JSONDecodeError:
            continue
        pending = [found]
        while pending:
            each = pending.pop()
            if isinstance(each, list):
                pending.extend(each)
            elif isinstance(each, dict):
                yield each
                pending.append(each.get("@graph"))


def _table_layout(root: Any, words: int) -> bool:
    """Most of the text stands in cells of tables within tables."""
    cells = root.xpath("//table//table//td[not(.//table)]")
    return words > 0 and len(" ".join(paragraphs(cells)).split()) > 0.6 * words


def headlines(root: Any) -> list[str]:
    """Addresses of links that read like headlines, the most likely first."""
    scored: dict[str, int] = {}
    for link in root.iter("a") if root is not None else ():
        href = link.get("href") or ""
        text = len(clean(link.text_content()).split())
        if href and text >= 3:
            long = len(re.findall(r"\d", href)) >= 4 or href.count("-") >= 3
            scored[href] = max(scored.get(href, 0), min(text, 14) + 6 * long)
    return sorted(scored, key=lambda href: -scored[href])
