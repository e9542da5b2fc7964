"""A page's JSON-LD: what it says of its article, however it is nested, escaped or broken."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

import orjson

MAX_NODES = 2000  # of a page's JSON-LD: more is a catalogue
_ARTICLE = re.compile(r"(?:Article|Posting|Report|Review|CreativeWork|Column)$")
_JSON_COMMENT = re.compile(r"^\s*(?://\s*)?(?:<!\[CDATA\[|<!--)|(?://\s*)?(?:\]\]>|-->)\s*;?\s*$")
_LAST_COMMA = re.compile(r",\s*([}\]])")
_PICKED = re.compile(
    r'"(headline|datePublished|articleSection)"\s*:\s*"((?:[^"\\]|\\.){1,400})"', re.S
)
_PICKED_AUTHOR = re.compile(
    r'"author"\s*:[\s\[{]*(?:"[^"]*"\s*:\s*"[^"]*"\s*,\s*)*?"name"\s*:\s*"([^"]+)"'
)


class LinkedData:
    """A page's JSON-LD: its articles first, the page's own before those that it only names."""

    def __init__(self, root: Any, url: str) -> None:
        self._by_id: dict[str, Mapping[str, Any]] = {}
        nodes: list[Mapping[str, Any]] = []
        for script in root.iterfind(".//script"):
            if "ld+json" in (script.get("type") or "").lower() and script.text:
                nodes += islice(_nodes(_json(script.text)), MAX_NODES)
        for node in nodes:
            if isinstance(node.get("@id"), str) and len(node) > 1:
                self._by_id.setdefault(node["@id"], node)
        self._nodes = sorted(
            (node for node in nodes if _rank(node, url) < _OTHER), key=lambda n: _rank(n, url)
        )

    def values(self, *names: str) -> Iterator[Any]:
        """The values of a property, those of lists one by one."""
        for name in names:
            for node in self._nodes:
                yield from listed(node.get(name))

    def names(self, *properties: str) -> list[str]:
        """Whom a property names: of the first node that names anybody."""
        for name in properties:
            for node in self._nodes:
                if found := [n for each in listed(node.get(name)) for n in self._names(each)]:
                    return found
        return []

    def _names(self, value: Any, depth: int = 0) -> Iterator[str]:
        if isinstance(value, str):
            yield value
        elif isinstance(value, dict) and depth < 4:
            told = value.get("name") or value.get("alternateName")
            if not told:
                told = self._by_id.get(str(value.get("@id")))
            for each in listed(told):
                yield from self._names(each, depth + 1)


_OTHER = 4


def _rank(node: Mapping[str, Any], url: str) -> int:
    """The page's own article, another article, the page, anything else."""
    types = [str(each) for each in listed(node.get("@type"))]
    if any(map(_ARTICLE.search, types)):
        known = [node.get(name) for name in ("url", "mainEntityOfPage", "@id")]
        same = any(
            _path(str(each.get("@id") if isinstance(each, dict) else each)) == _path(url)
            for each in known
            if each
        )
        return 0 if same else 1
    if "headline" in node and "datePublished" in node:
        return 2
    return 3 if "WebPage" in types else _OTHER


def _path(url: str) -> str:
    return url.partition("//")[2].partition("/")[2].partition("?")[0].partition("#")[0].rstrip("/")


def _json(text: str) -> Any:
    """What a script holds: JSON, JSON with broken strings or commas, or what can be picked out."""
    bare = _JSON_COMMENT.sub("", text).strip().rstrip(";")
    try:
        return orjson.loads(bare)
    except orjson.JSONDecodeError:
        pass
    try:
        return json.loads(_LAST_COMMA.sub(r"\1", bare), strict=False)
    except (ValueError, RecursionError):
        picked = {match[1]: match[2] for match in _PICKED.finditer(bare)}
        author = _PICKED_AUTHOR.search(bare)
        return {"@type": "Article", **picked, **({"author": author[1]} if author else {})}


def _nodes(value: Any, depth: int = 0) -> Iterator[Mapping[str, Any]]:
    """All nodes that may be the page or its article; lists of other stories are none."""
    if depth > 6:
        return
    if isinstance(value, list):
        for each in value:
            yield from _nodes(each, depth + 1)
    elif isinstance(value, dict):
        yield value
        for name in ("@graph", "mainEntity", "mainEntityOfPage", "author", "publisher"):
            if isinstance(value.get(name), dict | list):
                yield from _nodes(value[name], depth + 1)


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value] if value else []
