"""Before and after on a few pages: what is found without a profile, and what with the new one."""

from __future__ import annotations

from collections.abc import Iterator

from crawler.extract import fallback
from crawler.extract.shapes import Parts, Shapes
from crawler.learn.coverage import spread_out
from crawler.learn.propose import Proposal

EACH = 2  # pages shown of a layout
WIDTH = 76


def lines(proposal: Proposal) -> Iterator[str]:
    """The comparison, line by line. Pages are cut up by this: nothing else may need them."""
    from lxml import html

    shapes = Shapes(proposal.profile)
    for name, pages in proposal.told.items():
        yield f"{name}: {len(pages)} pages"
        for page in spread_out(pages, EACH):
            text = html.tostring(page.root, encoding="unicode")
            before = fallback.read(text, page.root)
            after = shapes.read(html.document_fromstring(text), "")
            yield f"  {page.url}"
            yield from _told("before", [before] if before else [])
            yield from _told("after", after)
    if proposal.left:
        yield f"{proposal.left} other pages: indexes, or too few of one layout"


def _told(when: str, stories: list[Parts]) -> Iterator[str]:
    if not stories:
        yield f"    {when:6} no text"
    for parts in stories:
        words = sum(len(paragraph.split()) for paragraph in parts.paragraphs)
        facts = ", ".join(filter(None, (parts.date, parts.section, parts.author)))
        size = f"{words} words, {len(parts.paragraphs)} paragraphs"
        yield f"    {when:6} {size}; {facts or 'no date'}"
        yield f"           {_cut(parts.title) or '(no headline)'}"
        yield f"           {_cut(parts.paragraphs[0])}"
        if len(parts.paragraphs) > 1:
            yield f"           {_cut(parts.paragraphs[-1], end=True)}"


def _cut(text: str, *, end: bool = False) -> str:
    if len(text) <= WIDTH:
        return text
    return "..." + text[-WIDTH:] if end else text[:WIDTH] + "..."
