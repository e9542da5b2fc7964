"""The layout kept aside: a news portal of about 2009, written by hand and used for nothing else.

The text lies bare in one `div`, parted by double `<br />`, with the story's tools, a picture in a
table of its own, an advertisement, and links to more stories in the same `div`; date, author and
section stand in one line; beside it a poll, the weather and the most read.
"""

from __future__ import annotations

import random
from html import escape

from kkoracle.demo.newspaper import DemoStory
from kkoracle.demo.newspaper.inflect import slash_date

NAME = "Ημερήσια Πύλη"
_POLL = ("Πιστεύετε ότι θα φτιαχτεί φέτος η γέφυρα;", "Έχετε αρκετό νερό στο σπίτι σας;")


def url(story: DemoStory) -> str:
    """The address of a story."""
    return f"/default.asp?pid=2&catid={len(story.section)}&artid={story.id}"


def paragraphs(story: DemoStory) -> tuple[str, ...]:
    """What is printed."""
    return story.paragraphs


def site(stories: list[DemoStory]) -> dict[str, str]:
    """Path to HTML: a front page, a page per month, the stories."""
    made: dict[str, str] = {}
    months = sorted({(s.date.year, s.date.month) for s in stories}, reverse=True)
    listed = "".join(
        f'<a class="m" href="/default.asp?pid=9&amp;m={m}&amp;y={y}">{m}/{y}</a> '
        for y, m in months
    )
    made["/"] = _frame(NAME, f'<div id="months">{listed}</div>', [], random.Random(1))
    for year, month in months:
        rows = "".join(
            f'<tr><td class="c{n % 2}"><a href="{escape(url(s))}">'
            f"{escape(s.title, quote=False)}</a></td><td>{slash_date(s.date)}</td></tr>"
            for n, s in enumerate(
                s for s in stories if (s.date.year, s.date.month) == (year, month)
            )
        )
        made[f"/default.asp?pid=9&m={month}&y={year}"] = _frame(
            f"{NAME} - Αρχείο", f"<table>{rows}</table>", [], random.Random(month)
        )
    for story in stories:
        dice = random.Random(f"portal {story.id}")
        others = [o for o in dice.sample(stories, 7) if o is not story]
        title = f"{NAME} : {escape(story.title, quote=False)}"
        made[url(story)] = _frame(title, _story(story, others, dice), others[3:], dice)
    return made


def _story(story: DemoStory, others: list[DemoStory], dice: random.Random) -> str:
    texts = [escape(text, quote=False).replace("«", "&laquo;") for text in story.paragraphs]
    picture = ""
    if dice.random() < 0.5:
        picture = (
            f'<table class="pic" align="left"><tr><td><img src="/f/{story.id}.jpg"/></td></tr><tr>'
            f'<td class="lez">Η περιοχή όπως ήταν το {story.date.year}</td></tr></table>'
        )
    said = f" | {story.author}" if story.author else ""
    more = "".join(
        f'<br />&raquo; <a href="{escape(url(other))}">{escape(other.title, quote=False)}</a>'
        for other in others[: dice.choice((0, 2, 3))]
    )
    tools = (
        '<a href="javascript:print()">Εκτύπωση</a> | <a href="#">Αποστολή με ηλε-ταχυδρομείο</a>'
    )
    return (
        f'<div id="artTitle">{escape(story.title, quote=False)}</div>'
        f'<div id="artInfo">{slash_date(story.date)} {dice.randrange(8, 22)}:05{said} | '
        f'<span>{story.section}</span></div><div id="artBody">{picture}{texts[0]}<br /><br />'
        f'<div class="banner300"><iframe src="/ad"></iframe>- διαφήμιση -</div>'
        f'{"<br /><br />".join(texts[1:])}<br /><div class="tools2">{tools}</div>'
        f'<div class="see">{"Δείτε επίσης:" if more else ""}{more}</div></div>'
    )


def _frame(title: str, body: str, others: list[DemoStory], dice: random.Random) -> str:
    menu = "".join(
        f'<td class="menu"><a href="/default.asp?pid={n}">{text}</a></td>'
        for n, text in enumerate(("Πρώτη", "Ειδήσεις", "Καιρός"))
    )
    most = "".join(
        f'<div class="mr"><b>{n}.</b> <a href="{escape(url(other))}">'
        f"{escape(other.title, quote=False)}</a></div>"
        for n, other in enumerate(others, 1)
    )
    return (
        f"<html><head><title>{title}</title><meta http-equiv='Content-Type' content='text/html; "
        f"charset=utf-8'></head><body><table id='top'><tr>{menu}</tr></table>"
        "<table width='980'><tr><td id='left' width='160'><div class='weather'>Αθήνα "
        f"{dice.randrange(4, 38)}°C, λίγα σύννεφα το απόγευμα</div>"
        f"<div class='poll'>{dice.choice(_POLL)} Ναι Όχι</div></td>"
        f"<td id='center'>{body}</td><td id='right'>{most}</td></tr></table>"
        "<div id='bot'>Η Ημερήσια Πύλη δεν φέρει ευθύνη για το περιεχόμενο άλλων τόπων.</div>"
        "</body></html>"
    )
