"""What one page shows of its kind (text, paywall, scripts), and what the pages of a probe mean
together. Pure functions.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal
from urllib.parse import urljoin

import orjson

from crawler.extract.charset import clean
from crawler.extract.html import paragraphs
from exchange.text.language import every
from exchange.text.scripts import count_words

APP_ROOTS = frozenset({"root", "app", "__next", "__nuxt", "___gatsby", "main-app", "q-app"})
FEW_WORDS = 40  # a page of an app shows fewer before its scripts have run
SHORT_STORY = 150  # words; of a story behind a paywall there are rarely more
_NEEDS_SCRIPTS = re.compile(rf"(?:{every().pattern('enables')})\s+java\s?script", re.I)
_PAYWALL_TEXT = re.compile(every().pattern("paywall"), re.I)
_PAYWALL_CLASS = re.compile(
    r"(?:^|[\s_-])(?:paywall|pay-wall|subscriber-only|premium-wall|regwall|metered)", re.I
)


# Where nobody asks for it here; `run` puts in what was typed.
LEARN = "kkoracle archive learn ADDRESS --contact CONTACT"


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
    words = count_words(seen)
    return PageFacts(
        words, _needs_scripts(root, words), _paywall(root, seen, words), _table_layout(root, words)
    )


def _needs_scripts(root: Any, words: int) -> bool:
    """Little to read, and an empty place for an app, a word about JavaScript, or only scripts."""
    if words >= FEW_WORDS:
        return False
    text = " ".join(text for each in root.iter("noscript") for text in each.itertext())
    roots = any(
        element.get("id") in APP_ROOTS and count_words(" ".join(paragraphs([element]))) < FEW_WORDS
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
    return words > 0 and count_words(" ".join(paragraphs(cells))) > 0.6 * words


def headlines(root: Any) -> list[str]:
    """Addresses of links that read like headlines, the most likely first."""
    scored: dict[str, int] = {}
    for link in root.iter("a") if root is not None else ():
        href = link.get("href") or ""
        text = count_words(clean(link.text_content()))
        if href and text >= 3:
            long = len(re.findall(r"\d", href)) >= 4 or href.count("-") >= 3
            scored[href] = max(scored.get(href, 0), min(text, 14) + 6 * long)
    return sorted(scored, key=lambda href: -scored[href])


ProbeAnswer = Literal[
    "will work",
    "needs a profile",
    "paywalled",
    "JavaScript only",
    "refused by robots.txt",
    "cannot be had",
]
MIN_READ_SHARE = 0.25  # of the words on a story's page, the least that its story makes


@dataclass(frozen=True, slots=True)
class ProbedPage:
    """One page that was asked for."""

    url: str
    expects_story: bool  # expected to hold a story, by the profile or by how it was linked
    facts: PageFacts
    words: int = 0  # of the stories that were read from it
    stories: int = 0
    low_confidence: bool = False  # no selector found them
    title: bool = False
    date: bool = False


@dataclass(frozen=True, slots=True)
class ProbeVerdict:
    """What a person wants to know."""

    answer: ProbeAnswer
    why: tuple[str, ...]
    then: str = ""  # the next command, or what to do
    notes: tuple[str, ...] = field(default=())

    def typed(self, url: str, contact: str) -> ProbeVerdict:
        """With the site and the contact in the next command, as it is typed."""
        site = shlex.quote(urljoin(url, "/").rstrip("/"))
        then = self.then.replace("ADDRESS", site).replace("CONTACT", shlex.quote(contact))
        return replace(self, then=then)


def judge(seen: Sequence[ProbedPage], profile: str) -> ProbeVerdict:
    """Judge the pages that came.

    Args:
        profile: the name of the profile that read them, "" when the generic one did.
    """
    story_pages = [page for page in seen if page.expects_story] or ([] if profile else list(seen))
    scripted = [page for page in seen if page.facts.needs_scripts]
    if len(scripted) * 2 > len(seen):
        return ProbeVerdict(
            "JavaScript only",
            (f"{len(scripted)} of {len(seen)} pages are empty until scripts run",),
            "pages that a browser must build are out of scope: look for an export, a feed or an "
            "older address of the archive, or `kkoracle import` what you have",
        )
    if not story_pages or not any(
        page.expects_story or page.stories or page.facts.paywall for page in seen
    ):
        why = "no story was found from this address"
        return ProbeVerdict(
            "needs a profile", (why,), "name the address of a story, if there are any"
        )
    # Where selectors find stories, an invitation to subscribe is only that.
    locked = [
        page
        for page in story_pages
        if page.facts.paywall and not (profile and page.stories and not page.low_confidence)
    ]
    if len(locked) * 2 > len(story_pages) or (
        locked and all(p.words < SHORT_STORY for p in locked)
    ):
        return ProbeVerdict(
            "paywalled",
            tuple(dict.fromkeys(p.facts.paywall for p in locked)),
            "logins are out of scope: ask the newspaper for access to its text, and "
            "`kkoracle import` what it gives you",
        )
    return _by_text(story_pages, profile)


def _by_text(story_pages: Sequence[ProbedPage], profile: str) -> ProbeVerdict:
    read = [page for page in story_pages if page.stories]
    if profile:
        return _by_profile(story_pages, [page for page in read if not page.low_confidence], profile)
    summary = f"{len(read)} of {len(story_pages)} pages gave a story"
    if poor := _shortcomings(story_pages, read):
        then = f"`{LEARN}` proposes one; docs/archives.md says how to write it"
        return ProbeVerdict("needs a profile", (summary, *poor), then)
    why = f"{summary} without a profile, {_average(read)} words on average, of low confidence"
    then = f"a profile of its own yields cleaner text: `{LEARN}` proposes one"
    return ProbeVerdict("will work", (why,), then)


def _by_profile(
    story_pages: Sequence[ProbedPage], fits: Sequence[ProbedPage], profile: str
) -> ProbeVerdict:
    share = f"{len(fits)} of {len(story_pages)} pages"
    if len(fits) * 2 > len(story_pages):
        why = f"the profile {profile!r} fits: {share} gave stories, {_average(fits)} words each"
        return ProbeVerdict("will work", (why,))
    why = f"the profile {profile!r} does not fit: its selectors found a story on {share}"
    then = "see docs/archives.md: the layout may have changed, or be another in those years"
    return ProbeVerdict("needs a profile", (why,), then)


def _average(pages: Sequence[ProbedPage]) -> int:
    return sum(page.words for page in pages) // max(1, len(pages))


def _shortcomings(story_pages: Sequence[ProbedPage], read: Sequence[ProbedPage]) -> list[str]:
    """Why the generic profile is not enough."""
    poor = []
    if len(read) * 2 <= len(story_pages):
        poor.append("on the others no text was found by rule")
    thin = [page for page in read if page.words < MIN_READ_SHARE * page.facts.words]
    if thin and len(thin) * 2 > len(read):
        poor.append(f"of the words on a page only {_share(thin):.0%} were read as story")
    if sum(page.facts.table_layout for page in story_pages) * 2 > len(story_pages):
        poor.append("the pages are laid out with tables, where navigation is taken for text")
    if read and not any(page.title for page in read):
        poor.append("no title was found")
    return poor


def _share(pages: Sequence[ProbedPage]) -> float:
    return sum(p.words for p in pages) / max(1, sum(p.facts.words for p in pages))
