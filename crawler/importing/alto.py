"""ALTO: the text of one scanned page, block by block (https://www.loc.gov/standards/alto/)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from crawler.importing.json_files import MAX_JSON

_HYPHENS = "-\u00ad\u2010\u00ac"  # also the sign for "not", which old readers print for one
_ROOT = re.compile(rb"<(?:[\w.-]+:)?([A-Za-z][\w.-]*)[\s>/]")


def root_name(head: bytes) -> str:
    """The name of an XML file's first element, without its namespace; "" for no XML."""
    found = _ROOT.search(head)
    return found[1].decode("ascii").lower() if found else ""


def root_of(path: Path) -> str:
    """As `root_name`, of a file."""
    with path.open("rb") as stream:
        return root_name(stream.read(2048))


def read_page(path: Path) -> dict[str, str] | None:
    """The blocks of text of an ALTO page by their ids, in reading order; None when it is broken.

    What stands in the margins (running titles, page numbers) is left out.
    """
    root = parse_xml(path)
    if root is None or local_name(root) != "alto":
        return None
    spaces = [*find_all(root, "PrintSpace")] or [*find_all(root, "Page")]
    blocks = [block for space in spaces for block in find_all(space, "TextBlock")]
    order = {
        ref.get("REF"): place
        for reading in find_all(root, "ReadingOrder")
        for place, ref in enumerate(find_all(reading, "ElementRef"))
    }
    if order:
        blocks.sort(key=lambda block: order.get(block.get("ID"), len(order)))
    texts = {block.get("ID") or f"#{n}": _block_text(block) for n, block in enumerate(blocks)}
    return {name: text for name, text in texts.items() if text}


def _block_text(block: Any) -> str:
    """The words of a block; a word that a line's end parts is one again.

    Where the file tells the whole word (SUBS_CONTENT), that is taken where the word begins; else
    the halves are joined. A half whose other half stands in another block keeps its hyphen.
    """
    words: list[str] = []
    begun = ""  # a first half, with its hyphen, whose whole nobody tells
    told = False  # the whole of a word was taken where it began
    for line in find_all(block, "TextLine"):
        for token in line:
            if local_name(token) == "HYP":
                if words and not begun and not told:
                    begun = words.pop().rstrip(_HYPHENS) + "-"
                continue
            if local_name(token) != "String":
                continue
            part, whole = token.get("SUBS_TYPE", ""), token.get("SUBS_CONTENT", "")
            content = token.get("CONTENT", "")
            if part == "HypPart1":
                told = bool(whole)
                if whole:
                    words.append(whole)
                else:
                    begun = content.rstrip(_HYPHENS) + "-"
            elif part == "HypPart2" and (told or (whole and not begun)):
                told = False
            else:
                words += joined_words(begun, whole or content)
                begun, told = "", False
        if words and not begun and not told and len(words[-1]) > 1 and words[-1][-1] in _HYPHENS:
            begun = words.pop()
    return " ".join(filter(None, [*words, begun]))


def joined_words(begun: str, rest: str) -> list[str]:
    """A first half with its hyphen and what follows it: one word, or two where that is none.

    A capital begins a word of its own ("Austria-Hungary" keeps its hyphen).
    """
    if not begun:
        return [rest]
    if not rest[:1].isalpha():
        return [begun, rest]
    return [begun + rest if rest[0].isupper() else begun.rstrip(_HYPHENS) + rest]


def join_blocks(texts: Iterable[str]) -> list[str]:
    """The paragraphs of blocks; a word that a column's end parts is one again."""
    found: list[str] = []
    for text in texts:
        if found and len(found[-1]) > 1 and found[-1][-1] in _HYPHENS and text[:1].islower():
            before, _, half = found.pop().rpartition(" ")
            text = f"{before} {joined_words(half, text)[0]}".strip()
        found.append(text)
    return found


def parse_xml(path: Path) -> Any | None:
    """A file's root element. Nothing outside of it is read, and no entity resolved."""
    from lxml import etree

    if path.stat().st_size > MAX_JSON:
        return None
    parser = etree.XMLParser(resolve_entities=False, no_network=True, recover=True)
    try:
        return etree.parse(str(path), parser).getroot()
    except etree.XMLSyntaxError:
        return None


def local_name(element: Any) -> str:
    tag = element.tag
    return tag.rpartition("}")[2] if isinstance(tag, str) else ""


def find_all(element: Any, name: str) -> Iterator[Any]:
    return element.iter(f"{{*}}{name}")
