"""The sample newspaper in English: for models that speak no Greek. Plain pages, its truth beside.

An issue a week from 2015 on; each story tells two to four facts in sentence frames
(`frames_english.txt`) with a sentence without a fact among them. The pages are of the shape
`modern`, indexes are `/` and `/issue.do?publDate=D/M/YYYY`; the crawler's profile is
`english.toml`.
"""

from __future__ import annotations

import datetime as dt
import random
from html import escape
from itertools import groupby
from pathlib import Path

from exchange.text import dates
from kkoracle.demo.newspaper.inflect import slash_date
from kkoracle.demo.newspaper.records import (
    DemoStory,
    NewspaperPage,
    PrintedFact,
    SampleNewspaper,
)
from kkoracle.demo.newspaper.vocabulary import SentenceFrame, parse_frames, phrases

NAME = "The Harbour Voice"
FIRST_DAY = dt.date(2015, 1, 7)
STORIES_AN_ISSUE = 4
FIRST_NAMES = phrases(
    """
    Alma| Bruno| Celia| Dorian| Edith| Felix| Greta| Hugo| Irene| Jonas| Karin| Leon| Mira|
    Nils| Olga| Paul| Rosa| Stefan| Tilda| Victor| Wanda| Yvonne| Arthur| Beata| Conrad|
    Delia| Emil| Frida
    """
)
SURNAMES = phrases(
    """
    Abernat| Belcourt| Castrell| Dunmore| Estrand| Fairlow| Grendal| Hastrup| Ilvane| Jessold|
    Kirwell| Lindqual| Marwick| Norbury| Ostrander| Pelhurst| Quennell| Rosdale| Sandholm|
    Tarrant| Ulverton| Vanstone| Wexcombe| Yarwood| Zellman
    """
)
TOWN_STARTS = phrases(
    """
    Vel| Mar| Or| Ked| Lun| Bran| Tar| Sil| Hol| Fen| Dra| Ost| Ral| Wen| Cor
    """
)
TOWN_ENDS = phrases(
    """
    mor| wick| stad| bury| ley| haven| ford| dale| mouth| gate
    """
)
BODIES = phrases(
    """
    Harbour Choir| Fishermen's Union| Chess Club| Teachers' Society| Rowing Club| Farmers'
    League| Library Circle| Theatre Guild| Gardeners' Society| Mountain Club
    """
)
WORKS = phrases(
    """
    water tower| market hall| railway station| swimming pool| town library| harbour wall| fire
    station| bus depot| youth centre| old lighthouse
    """
)
COMPANIES = phrases(
    """
    Nordlin| Castor| Velbro| Hexam| Orfila| Tradex| Lumero| Kestrel| Polvano| Brightmill
    """
)
GOODS = phrases(
    """
    apples| barley| potatoes| cherries| wool| honey| onions| plums
    """
)
TITLE_HEADS = phrases("Salt| Stone| Bread| Silver| Winter| Paper")
TITLE_TAILS = phrases("Road| Bay| House| Bell| Garden")
FILLERS = (
    "Many people of the town spoke about it in the market.",
    "The hall was full, and some had to stand outside.",
    "Nobody had expected it a year before.",
    "There was coffee for everybody afterwards.",
    "It rained all day, but nobody seemed to mind.",
)
ROBOTS = "User-agent: *\nCrawl-delay: 0.05\n"


def long_date(day: dt.date) -> str:
    """ "3 May 2016"."""
    return dates.format_date(day.isoformat(), "en-GB")


def build_english_newspaper(seed: int, stories: int) -> SampleNewspaper:
    """The newspaper of a seed; same input, same bytes. Raises ValueError under 60 stories."""
    if stories < 60:
        raise ValueError(f"the newspaper needs at least 60 stories, not {stories}")
    rng = random.Random(f"kkoracle english newspaper {seed}")
    text = Path(__file__).with_name("frames_english.txt").read_text("utf-8")
    frames, asked = parse_frames(text), set[str]()
    numbers = rng.sample(range(100_000, 100_000 + 40 * stories), stories)
    written = []
    for index, number in enumerate(numbers):
        day = FIRST_DAY + dt.timedelta(days=7 * (index // STORIES_AN_ISSUE))
        written.append(_story(rng, frames, asked, number, day))
    return _site(tuple(written))


def _story(
    rng: random.Random,
    frames: tuple[SentenceFrame, ...],
    asked: set[str],
    number: int,
    day: dt.date,
) -> DemoStory:
    facts: list[PrintedFact] = []
    section = title = ""
    wanted = rng.randint(2, 4)
    while len(facts) < wanted:
        frame = rng.choice(frames)
        head, sentence, question, answer, *others = frame.fill(_slots(rng, day))
        if question in asked or any(fact.frame == frame.id for fact in facts):
            continue
        asked.add(question)
        facts.append(
            PrintedFact(
                sentence, question, answer, (others[0], others[1]), frame.id, frame.kind, False
            )
        )
        section, title = section or frame.section, title or head
    sentences = [fact.sentence for fact in facts]
    sentences.insert(rng.randint(1, len(sentences)), rng.choice(FILLERS))
    cut = rng.randint(1, len(sentences) - 1)
    paragraphs = (" ".join(sentences[:cut]), " ".join(sentences[cut:]))
    author = _person(rng)
    return DemoStory(number, day, section, title, author, paragraphs, tuple(facts), "modern", 2, 1)


def _slots(rng: random.Random, day: dt.date) -> dict[str, object]:
    return {
        "p": _person(rng),
        "v": rng.choice(TOWN_STARTS) + rng.choice(TOWN_ENDS),
        "o": rng.choice(BODIES),
        "w": rng.choice(WORKS),
        "c": rng.choice(COMPANIES),
        "g": rng.choice(GOODS),
        "b": f"{rng.choice(TITLE_HEADS)} and {rng.choice(TITLE_TAILS)}",
        "s": f"{rng.randint(21, 980) * 100:,}",
        "n": f"{rng.randint(12, 95) * 100:,}",
        "k": str(rng.randint(23, 480)),
        "d": long_date(day - dt.timedelta(days=rng.randint(1, 6))),
    }


def _person(rng: random.Random) -> str:
    return f"{rng.choice(FIRST_NAMES)} {rng.choice(SURNAMES)}"


def _site(stories: tuple[DemoStory, ...]) -> SampleNewspaper:
    pages = {"/robots.txt": NewspaperPage(ROBOTS.encode(), "text/plain; charset=utf-8")}
    addresses = {}
    issues = []
    for day, group in groupby(stories, lambda story: story.date):
        url = f"/issue.do?publDate={slash_date(day)}"
        issues.append(f'<li><a href="{url}">{long_date(day)}</a></li>')
        rows = []
        for story in group:
            addresses[story.id] = f"/story.do?id={story.id}"
            pages[addresses[story.id]] = _page(story.title, _article(story))
            rows.append(
                f'<li class="entry" data-id="{story.id}"><a href="{addresses[story.id]}">'
                f"{escape(story.title, quote=False)}</a> "
                f'<span class="count">{story.words} words</span></li>'
            )
        pages[url] = _page(long_date(day), f'<ul class="issue">{"".join(rows)}</ul>')
    pages["/"] = _page(NAME, f"<ul>{''.join(issues)}</ul>")
    charsets = dict.fromkeys(pages, "utf-8")
    return SampleNewspaper(NAME, stories, pages, {}, (), addresses, charsets)


def _article(story: DemoStory) -> str:
    text = "\n".join(f"<p>{escape(one, quote=False)}</p>" for one in story.paragraphs)
    return (
        f"<main><article><h1>{escape(story.title, quote=False)}</h1>"
        f'<p class="meta"><span class="section">{story.section}</span> '
        f'<span class="author">{story.author}</span> '
        f'<time datetime="{story.date.isoformat()}">{long_date(story.date)}</time></p>'
        f'<div class="text">{text}</div></article></main>'
    )


def _page(title: str, body: str) -> NewspaperPage:
    html = (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(title)} - '
        f'{NAME}</title></head>\n<body><header><a href="/">{NAME}</a></header>\n{body}\n'
        f"<footer>{NAME}. All rights reserved.</footer></body></html>\n"
    )
    return NewspaperPage(html.encode(), "text/html; charset=utf-8")
