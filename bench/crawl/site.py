"""A generated newspaper of any size, for both sides alike.

Lists hold `PER_LIST` stories each; only lists
are to be followed, though every story links to others, as real ones do. Same input, same bytes.
"""

from __future__ import annotations

import random
from collections.abc import Iterable

PER_LIST = 50
LISTS, STORIES = "/list/", "/story/"
_TEXT = """
ο δήμαρχος εργάτες απεργία λιμάνι συνέλευση σχολείο πλατεία ψήφισμα χρόνια μεροκάματο νερό γέφυρα
νοσοκομείο αγρότες πλημμύρα δρόμος εκλογές τοπική ομάδα θέατρο μουσείο και για με από στην πόλη του
της των είπαν έγινε σήμερα αύριο πολλοί όλοι μαζί χωρίς ακόμη πρώτα ύστερα
"""
_WORDS = _TEXT.split()


def paragraphs(number: int, seed: int) -> list[str]:
    """The text of one story."""
    rng = random.Random(f"{seed}:{number}")
    count = rng.randint(4, 9)
    return [
        " ".join(rng.choices(_WORDS, k=rng.randint(30, 70))).capitalize() + f" {number}.{place}."
        for place in range(count)
    ]


def story(number: int, total: int, seed: int) -> bytes:
    """One story's page: about 30 KB, a sixth of it text, as news sites are today."""
    text = "\n".join(f"<p>{line}</p>" for line in paragraphs(number, seed))
    rng = random.Random(f"{seed}:furniture:{number}")
    menu = "".join(
        f'<li class="item item-{n}"><a class="link" href="/section/{n}" title="Θέμα {n}">'
        f'<span class="icon icon-{n}"></span>Θέμα {n}</a></li>\n'
        for n in range(40)
    )
    more = "".join(_teaser((number * 7 + n) % total, rng) for n in range(24))
    script = "".join(f'window.slots.push({{"id": {n}, "at": "box-{n}"}});\n' for n in range(60))
    return f"""<!DOCTYPE html>
<html lang="el"><head><meta charset="utf-8"><title>Τίτλος {number} - Η Εφημερίδα</title>
<link rel="stylesheet" href="/style.css"><script>var page = {number};
{script}</script></head>
<body><header><nav><ul class="menu">{menu}</ul></nav></header>
<main><article><h1>Τίτλος {number}</h1><div class="sign">του ρεπόρτερ {number % 40}</div>
<div class="text">
{text}
</div></article><aside class="more"><h2>Περισσότερα</h2>{more}</aside></main>
<footer><ul class="links">{menu}</ul><p>Η Εφημερίδα, όλα τα δικαιώματα</p></footer>
<script>{script}</script></body></html>
""".encode()


def _teaser(number: int, rng: random.Random) -> str:
    line = " ".join(rng.choices(_WORDS, k=14))
    return (
        f'<div class="teaser" data-id="{number}"><a class="picture" href="{STORIES}{number}?m=1">'
        f'<img src="/image/{number}.jpg" width="120" height="80" alt="Τίτλος {number}"></a>'
        f'<h3><a href="{STORIES}{number}?m=2">Τίτλος {number}</a></h3>'
        f'<p class="lead">{line}</p></div>\n'
    )


def pages(total: int, seed: int) -> dict[str, bytes]:
    """Every page by its path."""
    lists = range((total + PER_LIST - 1) // PER_LIST)
    found = {
        "/": _index(f"{LISTS}{n}" for n in lists),
        "/robots.txt": b"User-agent: *\nDisallow: /private/\nDisallow: /section/\n",
    }
    for n in lists:
        numbers = range(n * PER_LIST, min(total, (n + 1) * PER_LIST))
        found[f"{LISTS}{n}"] = _index(f"{STORIES}{number}" for number in numbers)
    for number in range(total):
        found[f"{STORIES}{number}"] = story(number, total, seed)
    return found


def _index(links: Iterable[str]) -> bytes:
    rows = "".join(f'<li><a href="{link}">Γραμμή</a></li>\n' for link in links)
    return f"<html><head><title>Λίστα</title></head><body><ul>{rows}</ul></body></html>".encode()
