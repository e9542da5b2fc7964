"""The sample newspaper: a made archive of an invented Greek town, with its truth beside it.

`build` writes 60 or more stories over 2008-2024 and lays them out as a site; the same input
gives the same bytes. `serve` puts the site on a port, `write_truth` writes what every later stage
can be measured against. Names, places, dates and sums are of one side of a hash split
(`vocabulary.side`); the tiny model's training text takes the other side.

What a crawler's profile needs to know (CSS; a story's address is `/story.do?id=N` unless said):

======== ===================== ============================== ===================== ==============
era      shape                 title / text                   section / author      date
======== ===================== ============================== ===================== ==============
2008-11  tables (windows-1253, `td > font[size="5"] > b` /    `font[size="1"] > i`  from the index:
         some iso-8859-7,      `td > font[face="Arial"]`,     / `font[size="2"]     the printed
         header may be wrong)  paragraphs parted by           [color="#333333"]`    line has spoken
                               `<br><br>`, drop cap in        after «Ρεπορτάζ: »    months and two
                               `font[size="6"]`                                     weekend days
2012-16  storybody (utf-8)     `div.title1` /                 `span.section` /      from the index
                               `div.story_body` (`p` or       `div.author`          (`span.date`)
                               `<br><br>`, `span.dropcap`)
2017-19  several (utf-8):      `div.title2` / `div.body p`,   `div.kicker` /        from `publDate`
         `/page.do?...`        once in each `div.story#sN`,   `div.sign`            of the address
         pageNo 2 and up       N the story's number
2020-24  modern (utf-8)        `article h1` /                 `span.section` /      `time[datetime]`
                               `article div.text p`           `span.author`
======== ===================== ============================== ===================== ==============

Indexes: `/` -> `/year.do?y=Y` -> `/issue.do?publDate=D/M/YYYY[&edition=2]`. In an index each story
is `li.entry` with `data-id`, its link (if it has an address of its own), `span.section` and
`span.count` «233 λέξεις, σελ.: 3». `/page.do?...&pageNo=1` holds only `div.teaser`. To leave out:
section «Τηλεόραση», page 1, `/private/` (also disallowed in robots.txt), `div.promo_box`.
Aliases of a story: `/story.do?id=N&publDate=D`, `/story.do?publDate=D&id=N`,
`/columnStory.do?id=N`, `/adjacent.do?id=N` (an endless chain: never follow).
"""

from __future__ import annotations

from typing import Literal

from kkoracle.demo.newspaper.english import build_english_newspaper
from kkoracle.demo.newspaper.records import (
    DemoStory,
    NewspaperPage,
    PrintedFact,
    SampleNewspaper,
    write_truth,
)
from kkoracle.demo.newspaper.site import NewspaperSite, serve
from kkoracle.demo.newspaper.writer import write_stories

Language = Literal["el", "en"]

__all__ = [
    "DemoStory",
    "Language",
    "NewspaperPage",
    "PrintedFact",
    "SampleNewspaper",
    "build_newspaper",
    "serve",
    "write_truth",
]


def build_newspaper(
    seed: int = 7, stories: int = 320, *, language: Language = "el"
) -> SampleNewspaper:
    """The newspaper of a seed; same input, same bytes.

    Fewer `stories` spread over the same years. Raises ValueError under 60.

    Args:
        language: "el", or "en" for a plainer one (`english`).
    """
    if language == "en":
        return build_english_newspaper(seed, stories)
    plan, written = write_stories(seed, stories)
    return NewspaperSite(seed, plan, written).newspaper()
