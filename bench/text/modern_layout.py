"""A layout as today's newspapers have it, written by hand; no class name is known to any rule.

It has what the made layouts do not: a lead apart from the text, subheadings, quotations and lists
inside it, advertisements between its paragraphs, a box about the author whose lines repeat, tags,
shares, several dates, readers' comments longer than many a story, and what others read.
"""

from __future__ import annotations

import random
from html import escape

from kkoracle.demo.newspaper import DemoStory
from kkoracle.demo.newspaper.inflect import long_date

NAME = "Καθημερινά Νέα της Ακτής"
_BIO = "Γράφει στην εφημερίδα από το 2001 και αγαπά τα μακρινά ταξίδια με το τρένο."
_AD = "Διαφήμιση"
_COMMENT = (
    "Θυμάμαι πολύ καλά πώς ήταν τα πράγματα πριν από δέκα χρόνια και δεν έχει αλλάξει τίποτα.",
    "Όσα γράφει το άρθρο τα ζούμε κάθε μέρα στη γειτονιά, κι όμως κανείς δεν μας ρωτά.",
    "Καλό θα ήταν να μάθουμε και την άλλη πλευρά προτού βγάλουμε βιαστικά συμπεράσματα.",
)
_ASIDE_TITLES = ("Τα πρόσωπα", "Τι ακολουθεί", "Το παρασκήνιο")


def url(story: DemoStory) -> str:
    """The address of a story."""
    return f"/{_section(story)}/{story.id}/{story.date.isoformat()}-eidisi"


def paragraphs(story: DemoStory) -> tuple[str, ...]:
    """What is printed: the story's paragraphs, and on some pages a subheading between them."""
    first, *rest = story.paragraphs
    if len(rest) < 2 or story.id % 3:
        return story.paragraphs
    return (first, rest[0], _ASIDE_TITLES[story.id % 2], *rest[1:])


def site(stories: list[DemoStory]) -> dict[str, str]:
    """Path to HTML: a front page, pages of the archive with fifteen stories each, the stories."""
    made: dict[str, str] = {}
    newest = sorted(stories, key=lambda story: story.date, reverse=True)
    parts = [newest[i : i + 15] for i in range(0, len(newest), 15)]
    pager = "".join(
        f'<a class="page-numbers" href="/archive/page/{n + 1}">{n + 1}</a>'
        for n in range(len(parts))
    )
    for number, part in enumerate(parts):
        made[f"/archive/page/{number + 1}"] = _frame(
            "Αρχείο", _list(part) + f'<nav class="pagination">{pager}</nav>'
        )
    made["/"] = _frame("", _list(newest[:12]) + '<a href="/archive/page/1">Αρχείο</a>')
    for story in stories:
        dice = random.Random(f"aside {story.id}")
        others = [other for other in dice.sample(stories, 6) if other is not story]
        made[url(story)] = _frame(story.title, _story(story, others, dice))
    return made


def _section(story: DemoStory) -> str:
    return "nea" if story.id % 2 else "topika"


def _list(stories: list[DemoStory]) -> str:
    return "".join(
        f'<article class="post-{story.id} teaser-card"><h3 class="entry-title"><a '
        f'href="{url(story)}">{escape(story.title, quote=False)}</a></h3>'
        f'<p class="excerpt">{escape(story.facts[0].sentence, quote=False)}</p></article>'
        for story in stories
    )


def _frame(title: str, body: str) -> str:
    head = f"{escape(title, quote=False)} | {NAME}" if title else NAME
    menu = "".join(
        f'<li class="menu-item menu-item-{n}"><a href="/{link}">{text}</a></li>'
        for n, (link, text) in enumerate(
            (("nea", "Νέα"), ("topika", "Τοπικά"), ("contact", "Επικοινωνία"))
        )
    )
    return (
        f'<!doctype html><html lang="el"><head><meta charset="utf-8"><title>{head}</title>'
        "<script>window.dataLayer = window.dataLayer || [];</script><style>p{margin:0}</style>"
        f'</head><body class="wp-site"><div class="topbar">Κυριακή, 14 Ιουνίου 2026</div>'
        f'<ul class="menu">{menu}</ul><div class="container"><div class="row">{body}</div></div>'
        '<div class="cookie-bar">Χρησιμοποιούμε μόνο όσα μπισκότα χρειάζονται. Μάθετε περισσότερα '
        'για αυτά στη σελίδα μας.</div><footer class="site-footer"><p>Η αναδημοσίευση επιτρέπεται '
        "μόνο με αναφορά της πηγής και ενεργό σύνδεσμο.</p></footer></body></html>"
    )


def _story(story: DemoStory, others: list[DemoStory], dice: random.Random) -> str:
    crumbs = '<div class="crumbs"><a href="/">Αρχική</a> / <a href="/nea">Νέα</a></div>'
    day = f"{long_date(story.date)}, {dice.randrange(7, 22)}:{dice.randrange(10, 59)}"
    head = (
        f'<header class="entry-header"><span class="label-{story.id % 5} cat">{story.section}'
        f'</span><h1 class="headline">{escape(story.title, quote=False)}</h1>'
        f'<div class="byline">Συντάκτης: <strong>{story.author or "Σύνταξη"}</strong></div>'
        f'<div class="when"><i class="clock"></i> {day}</div></header>'
    )
    share = '<div class="share"><span>Μοιραστείτε το</span> <a href="#">Ταχυδρομείο</a></div>'
    return (
        f'<div class="col-8"><article class="post type-post" id="post-{story.id}">{crumbs}{head}'
        f'<figure class="hero"><img src="/img/{story.id}.webp"><figcaption>Φωτογραφία του '
        f"αρχείου μας, {story.date.year}</figcaption></figure>{share}{_text(story, others)}"
        f'<div class="bio"><img src="/a.png"><p>{story.author}. {_BIO}</p></div>'
        f'<div class="tags"><a href="/tag/{story.id % 7}">{story.section}</a> '
        f'<a href="/tag/x">Ειδήσεις</a></div></article>{_comments(dice)}</div>'
        f'<div class="col-4"><div class="widget"><h4>Διαβάζονται τώρα</h4>{_list(others[2:])}'
        "</div></div>"
    )


def _text(story: DemoStory, others: list[DemoStory]) -> str:
    printed = [escape(text, quote=False) for text in paragraphs(story)]
    lead, *rest = printed
    blocks = []
    for at, text in enumerate(rest):
        if text in _ASIDE_TITLES:
            blocks.append(f"<h2>{text}</h2>")
        elif (story.id + at) % 5 == 0:
            blocks.append(f"<blockquote>{text}</blockquote>")
        elif (story.id + at) % 7 == 0:
            blocks.append(f"<ul><li>{text}</li></ul>")
        else:
            blocks.append(f"<p>{text.replace('&', '&amp;') if '&' not in text else text}</p>")
        if at == 0:
            blocks.append(f'<div class="adslot" id="ad-{story.id}">{_AD}</div>')
    related = "".join(
        f'<li><a href="{url(other)}">{escape(other.title, quote=False)}</a></li>'
        for other in others[:2]
    )
    blocks.insert(
        min(1, len(blocks)),
        f'<div class="related-inline"><strong>Σχετικά:</strong><ul>{related}</ul></div>',
    )
    return f'<p class="standfirst">{lead}</p><div class="entry-content">{"".join(blocks)}</div>'


def _comments(dice: random.Random) -> str:
    said = "".join(
        f'<li class="comment" id="comment-{dice.randrange(10**6)}"><cite>Επισκέπτης '
        f"{dice.randrange(99)}</cite><p>{dice.choice(_COMMENT)} {dice.choice(_COMMENT)} "
        f"Το λέω για {dice.randrange(2, 900)}η φορά.</p></li>"
        for _ in range(dice.choice((0, 1, 2, 6)))
    )
    return f'<section id="comments"><h3>Σχόλια</h3><ol>{said}</ol></section>'
