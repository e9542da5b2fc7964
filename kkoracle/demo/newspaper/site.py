"""Lays the stories out as a site: indexes, newspaper pages, aliases, and what to leave out."""

from __future__ import annotations

import datetime as dt
import random
import socket
from html import escape
from itertools import groupby
from urllib.parse import unquote

from aiohttp import web

from kkoracle.demo.newspaper import shapes
from kkoracle.demo.newspaper.calendar import FIRST_YEAR, LAST_YEAR, NewspaperIssue
from kkoracle.demo.newspaper.inflect import date_line, slash_date
from kkoracle.demo.newspaper.records import DemoStory, NewspaperPage, SampleNewspaper
from kkoracle.demo.newspaper.vocabulary import phrases

_HTML = "text/html; charset=utf-8"
ROBOTS = "User-agent: *\nCrawl-delay: 0.05\nDisallow: /private/\n"
TELEVISION = "Τηλεόραση"
_LISTING = "Το πρόγραμμα της τηλεόρασης"
_PROGRAMME = phrases(
    """
    07.00 Πρωινή ζώνη με μουσική| 09.30 Παιδικό πρόγραμμα| 11.00 Μαγειρική| 13.00 Ειδήσεις|
    14.00 Ελληνική ταινία| 16.00 Ντοκιμαντέρ για τα πουλιά| 18.00 Αθλητικό μαγκαζίνο| 19.30
    Τηλεπαιχνίδι| 21.00 Δελτίο ειδήσεων| 22.00 Ξένη σειρά| 23.30 Συναυλία| 01.00 Τέλος
    προγράμματος
    """
)


class NewspaperSite:
    """Collects the pages of the site; `newspaper` hands the finished record over."""

    def __init__(self, seed: int, plan: list[NewspaperIssue], stories: list[DemoStory]) -> None:
        self.rng = random.Random(f"kkoracle site {seed}")
        self.plan = plan
        self.stories = stories
        self.pages: dict[str, NewspaperPage] = {}
        self.aliases: dict[str, str] = {}
        self.leave_outs: list[str] = []
        self.addresses: dict[int, str] = {}
        self.charsets: dict[str, str] = {}

    def newspaper(self) -> SampleNewspaper:
        """Builds every page and returns the whole."""
        self.pages["/robots.txt"] = NewspaperPage(ROBOTS.encode(), "text/plain; charset=utf-8")
        self.charsets["/robots.txt"] = "utf-8"
        for name in ("login.do", "subscribers.do"):
            self._add(
                f"/private/{name}", "Μόνο για συνδρομητές", "<p>Χωρίς κωδικό δεν μπαίνετε.</p>"
            )
            self.leave_outs.append(f"/private/{name}")
        self._years()
        self._stories()
        taken = {story.id for story in self.stories}
        for issue in self.plan:
            printed = [story for story in self.stories if story.date == issue.day]
            number = self.rng.randrange(900_000, 999_999)
            while number in taken:
                number += 1
            taken.add(number)
            self._television(issue.day, number)
            for edition in sorted({story.edition for story in printed}):
                self._index(issue, [s for s in printed if s.edition == edition], number)
            self._teasers(issue, printed)
        return SampleNewspaper(
            shapes.NAME,
            tuple(self.stories),
            self.pages,
            self.aliases,
            tuple(self.leave_outs),
            self.addresses,
            self.charsets,
        )

    def _add(self, url: str, title: str, body: str) -> None:
        html = (
            f'<!DOCTYPE html>\n<html lang="el"><head><meta charset="utf-8"><title>{escape(title)}'
            f" - {shapes.NAME}</title></head>\n<body><nav>{shapes.menu()}</nav>\n"
            f"<h2>{escape(title)}"
            f"</h2>\n{body}\n<footer>{shapes.NAME}</footer></body></html>\n"
        )
        self._put(url, html, "utf-8", _HTML)

    def _put(self, url: str, html: str, charset: str, content_type: str) -> None:
        self.pages[url] = NewspaperPage(html.encode(charset), content_type)
        self.charsets[url] = charset

    def _years(self) -> None:
        links = []
        for year in range(FIRST_YEAR, LAST_YEAR + 1):
            links.append(f'<li><a href="/year.do?y={year}">{year}</a></li>')
            rows = []
            for issue in self.plan:
                if issue.day.year != year:
                    continue
                url = f"/issue.do?publDate={slash_date(issue.day)}"
                rows.append(f'<li><a href="{url}">{date_line(issue.day, issue.weekend)}</a></li>')
                if any(s.edition == 2 for s in self.stories if s.date == issue.day):
                    rows.append(
                        f'<li><a href="{url}&amp;edition=2">'
                        f"{date_line(issue.day, issue.weekend)} (δεύτερη έκδοση)</a></li>"
                    )
            self._add(f"/year.do?y={year}", f"Τα φύλλα του {year}", f"<ul>{''.join(rows)}</ul>")
        self._add("/", shapes.NAME, f"<ul>{''.join(links)}</ul>")

    def _stories(self) -> None:
        single = [story for story in self.stories if story.shape != "several"]
        for index, story in enumerate(single):
            neighbours = (single[index - 1].id, single[(index + 1) % len(single)].id)
            self._story(story, neighbours, index)
        together = [story for story in self.stories if story.shape == "several"]
        for (day, page_no), group in groupby(together, lambda s: (s.date, s.page_no)):
            stories = list(group)
            url = f"/page.do?publDate={slash_date(day)}&pageNo={page_no}"
            self._put(url, shapes.several(stories), "utf-8", _HTML)
            for story in stories:
                self.addresses[story.id] = f"{url}#s{story.id}"

    def _story(self, story: DemoStory, neighbours: tuple[int, int], index: int) -> None:
        url = f"/story.do?id={story.id}"
        charset, content_type = "utf-8", _HTML
        if story.shape == "modern":
            html = shapes.modern(story, neighbours)
        elif story.shape == "storybody":
            html = shapes.storybody(story, neighbours)
        else:
            charset = "iso-8859-7" if index % 5 == 4 else "windows-1253"
            # The old server said the truth, nothing, or something wrong.
            said = (charset, None, charset, "iso-8859-1", None)[index % 5]
            if index % 11 == 10:
                said = "utf-8"
            content_type = "text/html" + (f"; charset={said}" if said else "")
            html = shapes.tables(story, neighbours, said or charset)
        day = slash_date(story.date)
        self.addresses[story.id] = url
        self._put(url, html, charset, content_type)
        for alias in (
            f"/story.do?id={story.id}&publDate={day}",
            f"/story.do?publDate={day}&id={story.id}",
            f"/columnStory.do?id={story.id}",
            f"/adjacent.do?id={story.id}",
        ):
            self._put(alias, html, charset, content_type)
            self.aliases[alias] = url

    def _television(self, day: dt.date, number: int) -> None:
        """The TV listing of an issue: a story like any other to look at, but not to keep."""
        lines = self.rng.sample(_PROGRAMME, 8)
        listing = DemoStory(
            number,
            day,
            TELEVISION,
            _LISTING,
            "",
            (". ".join(sorted(lines)) + ".",),
            (),
            "modern",
            8,
            1,
        )
        url = f"/story.do?id={number}"
        self._put(url, shapes.modern(listing, (number, number)), "utf-8", _HTML)
        for alias in (
            f"/adjacent.do?id={number}",
            f"/columnStory.do?id={number}",
            f"/story.do?id={number}&publDate={slash_date(day)}",
            f"/story.do?publDate={slash_date(day)}&id={number}",
        ):
            self._put(alias, shapes.modern(listing, (number, number)), "utf-8", _HTML)
            self.leave_outs.append(alias)
        self.leave_outs.append(url)

    def _index(self, issue: NewspaperIssue, stories: list[DemoStory], television: int) -> None:
        day = slash_date(issue.day)
        rows = [f'<li><a href="/page.do?publDate={day}&amp;pageNo=1">Πρωτοσέλιδο</a></li>']
        for page_no, group in groupby(stories, lambda s: s.page_no):
            together = list(group)
            if together[0].shape == "several":
                url = f"/page.do?publDate={day}&amp;pageNo={page_no}"
                rows.append(f'<li class="page"><a href="{url}">Σελίδα {page_no}</a></li>')
            for story in together:
                title = escape(story.title, quote=False)
                if story.shape != "several":
                    title = f'<a href="/story.do?id={story.id}">{title}</a>'
                rows.append(
                    f'<li class="entry" data-id="{story.id}">{title} '
                    f'<span class="section">{story.section}</span> '
                    f'<span class="count">{story.words} λέξεις, σελ.: {story.page_no}</span></li>'
                )
        rows.append(
            f'<li class="entry"><a href="/story.do?id={television}">{_LISTING}</a> '
            f'<span class="section">{TELEVISION}</span></li>'
        )
        rows.append('<li><a href="/private/subscribers.do">Ολόκληρο το φύλλο σε εικόνα</a></li>')
        late = stories[0].edition == 2
        title = date_line(issue.day, issue.weekend) + (" (δεύτερη έκδοση)" if late else "")
        url = f"/issue.do?publDate={day}" + ("&edition=2" if late else "")
        self._add(url, title, f'<ul class="issue">{"".join(rows)}</ul>')

    def _teasers(self, issue: NewspaperIssue, stories: list[DemoStory]) -> None:
        """Page 1: a line or two of each story that stands inside, and where to find it."""
        boxes = []
        for story in stories:
            first = story.facts[0].sentence
            boxes.append(
                f'<div class="teaser"><div class="title3">{escape(story.title, quote=False)}</div>'
                f"<p>{escape(first, quote=False)}</p><span>ΣΕΛ. {story.page_no}-{story.page_no + 1}"
                "</span></div>"
            )
        url = f"/page.do?publDate={slash_date(issue.day)}&pageNo=1"
        self._add(url, f"Πρωτοσέλιδο, {date_line(issue.day, issue.weekend)}", "".join(boxes))
        self.leave_outs.append(url)


# Serves a newspaper over HTTP; the pages lie in memory and are sent byte for byte.


def _app(newspaper: SampleNewspaper) -> web.Application:
    # Clients may send "/" in a query as %2F; both mean the same page.
    pages: dict[str, NewspaperPage] = {unquote(url): page for url, page in newspaper.pages.items()}

    async def answer(request: web.Request) -> web.Response:
        page = pages.get(unquote(request.raw_path))
        if page is None:
            return web.Response(status=404, text="Η σελίδα δεν βρέθηκε.")
        return web.Response(body=page.body, headers={"Content-Type": page.content_type})

    app = web.Application()
    app.router.add_route("GET", "/{path:.*}", answer)
    return app


async def serve(newspaper: SampleNewspaper, listener: socket.socket) -> web.AppRunner:
    """Starts serving where somebody listens; `await runner.cleanup()` stops it."""
    runner = web.AppRunner(_app(newspaper), access_log=None)
    await runner.setup()
    await web.SockSite(runner, listener).start()
    return runner
