"""Are repeated questions caught, and different ones that look alike kept?

Distinct questions are dated facts of the sample newspaper in its 64 frames, so that thousands
differ in a date, a name or a sum alone. Repeats are the same question in other accents, articles,
order of its parts or punctuation; never so far that a person would hesitate.
"""

from __future__ import annotations

import random
import re
import unicodedata
from collections.abc import Callable

from bench.registry import Figures
from exchange.text.fold import fold
from kkoracle.demo.newspaper import build_newspaper
from trainer.dataset import DatasetRow
from trainer.dataset.assign import without_repeated_questions
from trainer.dataset.source import DatasetSource

REPEATED = 0.2  # share of the set that are planted repeats
_DATED = re.compile(r"^(?P<head>.*?) (?P<date>στις \d+ \w+ \d{4})(?P<tail>.*);$")
_ARTICLE = re.compile(r" (?:ο|η|το|τον|την|του|της|τις|οι|τα|των) ")


def measure(count: int, seed: int) -> Figures:
    """`distinct_dropped` and `repeats_caught`, as shares, on a set of `count` questions."""
    draw = random.Random(seed)
    originals: dict[str, DatasetRow] = {}
    edition = seed * 2000
    while len(originals) < count * (1 - REPEATED):
        edition += 1
        for story in build_newspaper(seed=edition).stories:
            for fact in story.facts:
                name = f"{len(originals):06d}"
                originals.setdefault(
                    fold(fact.question),
                    DatasetRow(
                        name, fact.question, fact.answer, "fact", f"{edition}.{story.id}", name
                    ),
                )
    rows = list(originals.values())[: int(count * (1 - REPEATED))]
    repeats = []
    for number, row in enumerate(draw.sample(rows, count - len(rows))):
        said = _CHANGES[number % len(_CHANGES)](row.question, draw)
        repeats.append(
            DatasetRow(f"z{row.id}", said, row.answer, "fact", f"again.{row.id}", row.id)
        )
    source = DatasetSource(rows=rows + repeats)
    kept = {row.id for row in without_repeated_questions(source, {})}
    lost = sum(row.id not in kept for row in rows)
    missed = sum(row.id in kept for row in repeats)
    return {
        "questions": len(rows) + len(repeats),
        "distinct_dropped": round(lost / len(rows), 4),
        "repeats_caught": round(1 - missed / len(repeats), 4),
    }


def _bare(question: str, draw: random.Random) -> str:
    """Without accents."""
    parts = unicodedata.normalize("NFD", question)
    return "".join(c for c in parts if unicodedata.category(c) != "Mn")


def _article(question: str, draw: random.Random) -> str:
    """One article less."""
    found = list(_ARTICLE.finditer(question))
    if not found:
        return _bare(question, draw)
    chosen = draw.choice(found)
    return f"{question[: chosen.start()]} {question[chosen.end() :]}"


def _moved(question: str, draw: random.Random) -> str:
    """The date first."""
    match = _DATED.match(question)
    if not match:
        return _marks(question, draw)
    head = match["head"][0].lower() + match["head"][1:]
    return f"{match['date'][0].upper()}{match['date'][1:]}, {head}{match['tail']};"


def _marks(question: str, draw: random.Random) -> str:
    """Other quotation marks, other blanks, another question mark."""
    said = question.replace("«", '"').replace("»", '"').replace(" ", "  ", 1)
    return said.removesuffix(";") + draw.choice([" ;", "\u037e", "?", ""])


def _lower(question: str, draw: random.Random) -> str:
    """A small letter first, and a word of politeness."""
    return f"Πες μου, {question[0].lower()}{question[1:]}"


_CHANGES: tuple[Callable[[str, random.Random], str], ...] = (
    _bare,
    _article,
    _moved,
    _marks,
    _lower,
)
