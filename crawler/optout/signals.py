"""Where sites say that they want no training on their text. Pure functions over what was read."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import orjson

from exchange.text.controls import one_line
from exchange.text.language import every

# Product tokens of crawlers that fetch for training, as their operators publish them.
AGENTS = (
    "AI2Bot",
    "Ai2Bot-Dolma",
    "Amazonbot",
    "anthropic-ai",
    "Applebot-Extended",
    "Bytespider",
    "CCBot",
    "ChatGPT-User",
    "Claude-SearchBot",
    "Claude-User",
    "Claude-Web",
    "ClaudeBot",
    "cohere-ai",
    "cohere-training-data-crawler",
    "DeepSeekBot",
    "Diffbot",
    "FacebookBot",
    "Google-CloudVertexBot",
    "Google-Extended",
    "GPTBot",
    "ICC-Crawler",
    "ImagesiftBot",
    "img2dataset",
    "Kangaroo Bot",
    "Meta-ExternalAgent",
    "Meta-ExternalFetcher",
    "MistralAI-User",
    "OAI-SearchBot",
    "omgili",
    "omgilibot",
    "PanguBot",
    "Perplexity-User",
    "PerplexityBot",
    "PetalBot",
    "SemrushBot-OCOB",
    "Sidetrade indexer bot",
    "Timpibot",
    "VelenPublicWebCrawler",
    "Webzio-Extended",
    "YouBot",
)
_KNOWN = {agent.lower(): agent for agent in AGENTS}
_NO_TRAINING = re.compile(
    r"(?<!\w)(?:noai|noimageai|noml|ai-train\s*=\s*no|train-ai\s*=\s*n(?:o|\b))(?!\w)", re.I
)
_DIRECTIVE = re.compile(r"^\s*content-(?:signal|usage)\s*:\s*(.+)$", re.I)
_ABOUT = re.compile(
    rf"(?<!\w)(?:AI|ML|LLMs?|TDM)(?!\w)|2019/790|{every().pattern('machine_learning')}", re.I
)
MAX_QUOTED = 300  # characters of a site's own words that are shown


@dataclass(frozen=True, slots=True, order=True)
class OptOutSignal:
    """One wish of the site: where it stands, and what it says."""

    where: str
    says: str


def from_robots(text: str, urls: Iterable[str]) -> list[OptOutSignal]:
    """Groups of training crawlers that may not fetch all of `urls`, directives, comments."""
    from protego import Protego

    found = []
    named = [_KNOWN[name] for line in text.splitlines() if (name := _agent(line)) in _KNOWN]
    rules: Any = Protego.parse(text) if named else None
    refused = sorted(
        {agent for agent in named for url in urls if not rules.can_fetch(url, agent)}, key=str.lower
    )
    if refused:
        found.append(OptOutSignal("robots.txt", f"forbids {', '.join(refused)}"))
    for line in text.splitlines():
        rule, _, comment = line.partition("#")
        directive = _DIRECTIVE.match(rule)
        if directive and _NO_TRAINING.search(directive[1]):
            found.append(OptOutSignal("robots.txt", printable(rule)))
        if _ABOUT.search(comment):
            found.append(OptOutSignal("robots.txt, a comment", printable(comment)))
    return found


def from_headers(headers: Iterable[tuple[str, str]]) -> list[OptOutSignal]:
    """`X-Robots-Tag` with a word against training, and `TDM-Reservation`."""
    found = []
    fields = [(name.lower(), value) for name, value in headers]
    policy = next((value for name, value in fields if name == "tdm-policy"), "")
    for name, value in fields:
        if name == "x-robots-tag" and _NO_TRAINING.search(value):
            found.append(OptOutSignal("X-Robots-Tag header", printable(value)))
        if name == "tdm-reservation" and value.strip() == "1":
            found.append(_reserved("header", policy))
    return found


def from_page(root: Any) -> list[OptOutSignal]:
    """The same wishes as `<meta>` of a page.

    Args:
        root: the parsed page, None when there is none.
    """
    if root is None:
        return []
    metas: list[tuple[str, str]] = [
        (str(meta.get("name") or "").lower(), str(meta.get("content") or ""))
        for meta in root.iter("meta")
    ]
    policy = next((value for name, value in metas if name == "tdm-policy"), "")
    found = []
    for name, value in metas:
        if (name == "robots" or name in _KNOWN) and _NO_TRAINING.search(value):
            found.append(OptOutSignal(f"<meta name={name}>", printable(value)))
        if name == "tdm-reservation" and value.strip() == "1":
            found.append(_reserved("<meta>", policy))
    return found


def from_tdmrep(body: bytes, url: str) -> list[OptOutSignal]:
    """The rules of `/.well-known/tdmrep.json` (TDMRep, W3C) that reserve `url`.

    Broken or hostile JSON reserves nothing; the first rule that matches decides, as it says.
    """
    try:
        rules = orjson.loads(body)
    except orjson.JSONDecodeError:
        return []
    path = urlsplit(url).path or "/"
    for rule in rules if isinstance(rules, list) else []:
        if isinstance(rule, Mapping) and _matches(str(rule.get("location", "")), path):
            if str(rule.get("tdm-reservation")) in ("1", "True"):
                return [_reserved("/.well-known/tdmrep.json", str(rule.get("tdm-policy") or ""))]
            return []
    return []


def printable(text: str) -> str:
    """A site's own words, safe on a terminal: one line, no control characters, not too long."""
    line = one_line(text)
    return line if len(line) <= MAX_QUOTED else line[:MAX_QUOTED] + " ..."


def _reserved(where: str, policy: str) -> OptOutSignal:
    text = "reserves text and data mining" + (f", policy {printable(policy)}" if policy else "")
    return OptOutSignal(f"tdm-reservation, {where}", text)


def _agent(line: str) -> str:
    field, _, value = line.partition("#")[0].partition(":")
    return value.strip().lower() if field.strip().lower() == "user-agent" else ""


def _matches(pattern: str, path: str) -> bool:
    """As in robots.txt: a prefix, `*` for anything, `$` for the end. No regular expression of
    the site's making is run: each star is searched for once."""
    ends = pattern.endswith("$")
    pieces = pattern.removesuffix("$").split("*")
    if not pattern or not path.startswith(pieces[0]):
        return False
    at = len(pieces[0])
    for piece in pieces[1:]:
        at = path.find(piece, at)
        if at < 0:
            return False
        at += len(piece)
    return not ends or at == len(path) or (len(pieces) > 1 and path.endswith(pieces[-1]))
