"""The reason codes that the product may write, read out of its code; docs/reference.md has them."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from crawler.frontier import identity, story_parts
from crawler.status.failed_pages import REASON_TEXTS
from exchange import records
from exchange.store import dedup, requests, schema, stories, verdicts
from workers.batch import judge
from workers.verify import threshold

ROOT = Path(__file__).parent.parent
ROOMS = ("crawler", "workers", "exchange", "kkoracle", "trainer/dataset")
CODE = re.compile(r"[a-z]+(?:[-_][a-z0-9]+)*")
# Functions and classes that are handed a code, and keywords that carry one.
TAKERS = frozenset(
    {
        "BadLine",
        "BulkLoss",
        "ExtractionResult",
        "FetchError",
        "Problem",
        "UnreadableDocument",
        "_give_up",
        "failed",
        "failed_document",
        "left_out",
    }
)
KEYWORDS = frozenset({"left_out", "reason"})
NOT_CODES = frozenset({"done", "fact", "summary", "timeline", "replay", "stop"})
SQL = re.compile(r"reason='([a-z]+(?:-[a-z]+)*)'")
# Codes that constants hold, and those that are made of a number or a name.
HELD = frozenset(
    {
        *records.MARKS,
        *(one for one in REASON_TEXTS if not one.startswith("http-")),
        *records._FAILURES,
        records.TOO_ALIKE,
        dedup.DUPLICATE,
        identity.LOOP,
        identity.REASON,
        requests.DROPPED,
        schema.BAD_RECORD,
        stories.OTHER_LANGUAGE,
        story_parts.NO_PART,
        threshold.UNVERIFIED,
        verdicts.NOT_PARSED,
        *judge.CODES,
    }
)
MADE = frozenset(
    {
        "empty_NAME",
        "endpoint-CODE",
        "endpoint-NNN",
        "endpoint-bad-reply",
        "endpoint-error",
        "http-NNN",
        "length_NAME",
        "not_json",
        "share_KIND",
    }
)


def reason_codes() -> set[str]:
    """All codes; those with a number or a name in them with NNN, NAME or KIND in its place."""
    found = set(HELD | MADE)
    for room in ROOMS:
        for path in (ROOT / room).rglob("*.py"):
            text = path.read_text("utf-8")
            found |= {*SQL.findall(text)}
            found |= {*_written(ast.parse(text), returns=_says_codes(path))}
    return found - NOT_CODES


def _says_codes(path: Path) -> bool:
    """Whether what a file's functions return are codes."""
    return (
        path.parent.name == "checks"
        or path.match("extract/page.py")
        or path.match("dataset/source.py")
    )


def _written(tree: ast.AST, *, returns: bool) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Return) and returns and node.value is not None:
            yield from _codes(node.value)
        elif isinstance(node, ast.Subscript) and _name(node.value) == "left_out":
            yield from _codes(node.slice)
        elif isinstance(node, ast.Call):
            if _name(node.func) in TAKERS:
                for argument in node.args:
                    yield from _codes(argument)
            for keyword in node.keywords:
                if keyword.arg in KEYWORDS:
                    yield from _codes(keyword.value)


def _name(node: ast.AST) -> str:
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")


def _codes(node: ast.expr) -> Iterator[str]:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        if CODE.fullmatch(node.value):
            yield node.value
    elif isinstance(node, ast.IfExp):
        yield from _codes(node.body)
        yield from _codes(node.orelse)
