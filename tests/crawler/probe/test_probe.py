"""`archive probe`: a handful of polite requests, and the right word for what they show."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import orjson
import pytest

from crawler import profiles
from crawler.probe.run import ArchiveProbe, probe
from crawler.scope import CrawlScope
from crawler.settings import CrawlSettings
from exchange.errors import UsageError
from tests.conftest import run_cli
from tests.crawler.harness import PROFILE
from tests.crawler.loopback import Answer, Loopback, Route

WORDS = "Η γέφυρα του Ξηροπόταμου κόστισε πολλά και χτίστηκε σε δεκατέσσερις μήνες. " * 20
NAV = "".join(f"<li><a href=/s{n}>Ενότητα</a>" for n in range(8))


def article(number: int, more: str = "", text: str = WORDS, head: str = "") -> Answer:
    return Answer(
        f"<html><head><title>Ο τίτλος {number}</title>{head}</head><body><nav>{NAV}</nav><article>"
        f"<h1>Ο τίτλος της ιστορίας {number}</h1><p>{text} {number}</p></article>{more}</body>"
    )


def front(*paths: str) -> Answer:
    rows = "".join(
        f"<li><a href='{path}'>Ένας τίτλος με πολλές λέξεις {n}</a></li>"
        for n, path in enumerate(paths)
    )
    return Answer(
        f"<html><head><link rel=alternate type='application/rss+xml' href='/rss'></head>"
        f"<ul>{NAV}{rows}</ul></html>"
    )


def site_of(story: Route) -> dict[str, Route]:
    paths = [f"/2021/news-{n}-of-the-day-{n}" for n in range(1000, 1006)]
    return {"/": front(*paths), **dict.fromkeys(paths, story)}


def look(
    routes: dict[str, Route], path: str = "/", **changes: object
) -> tuple[ArchiveProbe, Loopback]:
    with Loopback(routes) as site:
        wanted = CrawlSettings(contact="t@example.org", delay=0.0, retry_s=0.05, **changes)  # type: ignore[arg-type]
        return probe(site.url + path, wanted), site


APP = Answer("<html><body><div id=root></div><script src=/a.js></script></body></html>")
ASKS = Answer("<p>Φόρτωση</p><noscript>Please enable JavaScript to view this page</noscript>")
LOCKED = article(1, text="Η αρχή μόνο.", more="<div class='paywall-box'>Μόνο για συνδρομητές</div>")
NOT_FREE = article(
    1,
    head='<script type="application/ld+json">{"@graph": [{"@type": "NewsArticle",'
    '"isAccessibleForFree": "False"}]}</script>',
)
CELLS = "".join(f"<tr><td>{WORDS}<td><font>{WORDS}</font>" for _ in range(2))
TABLES = Answer(f"<table><tr><td><table>{CELLS}</table></table>")


@pytest.mark.parametrize(
    ("story", "answer", "why"),
    [
        (article(1), "will work", "without a profile"),
        (APP, "JavaScript only", "empty until scripts run"),
        (ASKS, "JavaScript only", "empty until scripts run"),
        (LOCKED, "paywalled", "Μόνο για συνδρομητ"),
        (NOT_FREE, "paywalled", "isAccessibleForFree"),
        (TABLES, "needs a profile", "tables"),
        (article(1, more="<aside>Γίνετε συνδρομητές!</aside>"), "will work", "without a profile"),
        (Answer("<p>λίγα λόγια μόνο</p>"), "needs a profile", "0 of 3 pages gave a story"),
    ],
)
def test_it_says_what_the_pages_show_and_asks_for_four_at_most(
    story: Answer, answer: str, why: str
) -> None:
    found, site = look(site_of(story))
    assert found.verdict.answer == answer
    assert why in "; ".join(found.verdict.why)
    assert len(site.log) == found.requests + 1 <= 5
    assert site.log[0][1] == "/robots.txt"
    assert max(site.visits().values()) == 1
    assert any("/rss" in note for note in found.verdict.notes)


def test_robots_is_obeyed_and_its_sitemaps_and_wishes_are_named() -> None:
    rules = "User-agent: *\nDisallow: /2021\nUser-agent: GPTBot\nDisallow: /\nSitemap: /map.xml"
    robots = {"/robots.txt": Answer(rules, kind="text/plain")}
    found, site = look(site_of(article(1)) | robots, "/2021/news-1000-of-the-day-1000")
    assert found.verdict.answer == "refused by robots.txt"
    assert len(site.log) == 1
    assert found.verdict.notes == ("robots.txt names sitemaps, such as /map.xml",)
    assert [signal.says for signal in found.signals] == ["forbids GPTBot"]


@pytest.mark.parametrize(
    ("first", "answer"),
    [
        (Answer("x", 402), "paywalled"),
        (Answer("x", 403), "cannot be had"),
        (Answer("x", 404), "cannot be had"),
        (Answer("%PDF", kind="application/pdf"), "cannot be had"),
        (Answer("", 302, headers={"Location": "/"}), "cannot be had"),
        (Answer("<title>Just a moment...</title><p>x</p>"), "cannot be had"),
    ],
)
def test_what_cannot_be_had_is_said_at_once(first: Answer, answer: str) -> None:
    found, site = look({"/": first})
    assert found.verdict.answer == answer
    assert len(site.log) <= 8


def test_a_page_that_leads_to_no_story_says_so() -> None:
    found, _ = look({"/": Answer(f"<ul>{NAV}</ul>")})
    assert found.verdict.why == ("no story was found from this address",)


def fitting(folder: Path, text: str = PROFILE) -> str:
    path = folder / "profile.toml"
    path.write_text(text, "utf-8")
    return str(path)


@pytest.mark.parametrize(("box", "answer"), [("text", "will work"), ("other", "needs a profile")])
def test_a_profile_that_knows_the_site_is_tried_on_it_through_its_indexes(
    tmp_path: Path, box: str, answer: str
) -> None:
    pages: dict[str, Route] = {"/": front("/list/1"), "/list/1": front("/story/1", "/story/2")}
    for number in (1, 2, 3):
        pages[f"/story/{number}"] = Answer(f"<h1>Τ</h1><div class={box}><p>{WORDS}</div>")
    with Loopback(pages) as site:
        profile = fitting(tmp_path, PROFILE.replace("http://127.0.0.1:1", site.url))
        wanted = CrawlSettings(contact="t@example.org", delay=0.0, profile=profile)
        found = probe(site.url, wanted)
        assert found.verdict.answer == answer
        lost = probe(f"{site.url}/story/9", wanted).verdict
        assert (lost.answer, lost.why) == ("cannot be had", ("it is not there (http-404)",))
        site.routes["/"] = front("/other")
        assert "no story was found" in probe(site.url, wanted).verdict.why[0]


ROUTES = """
name = "Δοκιμή"
base = "http://127.0.0.1:1"

[[ranges]]
url = "/page?date={yyyy}-{mm}-{dd}"
since = 2001-01-01
until = 2001-01-03

[kinds.page]
role = "index"
path = '/page'
key = ["date"]
date = "date"

[kinds.story]
role = "story"
path = '/story/(?P<id>\\d+)'
key = ["id"]

[routes.page]
page = "both"
story = "none"

[routes.story]

[[shapes]]
name = "plain"
story = '//div[@class="one"]'
text = './/p'
title = './/h1'
"""


def one(number: int, text: str) -> str:
    return f"<div class=one><h1><a href=/story/{number}>Τίτλος</a></h1><p>{text} {number}</p></div>"


@pytest.mark.parametrize(("shown", "route"), [(WORDS, "page"), (WORDS[:300], "story")])
def test_of_two_routes_the_shorter_is_chosen_where_pages_show_stories_whole(
    tmp_path: Path, shown: str, route: str
) -> None:
    page = Answer("".join(one(n, shown) for n in range(1, 6)))
    pages: dict[str, Route] = {"/page?date=2001-01-03": page, "/": front()}
    pages |= {f"/story/{n}": Answer(one(n, WORDS)) for n in range(1, 6)}
    with Loopback(pages) as site:
        profile = fitting(tmp_path, ROUTES.replace("http://127.0.0.1:1", site.url))
        wanted = CrawlSettings(contact="t@example.org", delay=0.0, profile=profile)
        for path in ("/page?date=2001-01-03", "/"):  # the second finds a page by itself
            said = next(n for n in probe(site.url + path, wanted).verdict.notes if "route" in n)
            assert said.startswith(f"route '{route}'") and f'[crawl] route = "{route}"' in said


def test_a_route_changes_what_is_asked_for_and_a_wrong_one_is_one_line(tmp_path: Path) -> None:
    path = fitting(tmp_path, ROUTES)
    short = CrawlScope(profiles.load(CrawlSettings(profile=path, route="page"), "paper"))
    long = CrawlScope(profiles.load(CrawlSettings(profile=path), "paper"))
    assert long.classify("/story/7") and not short.classify("/story/7")
    assert short.has_stories("page") and not long.has_stories("page")
    with pytest.raises(UsageError, match="routes are page, story"):
        profiles.load(CrawlSettings(profile=path, route="pages"), "paper")
    with pytest.raises(UsageError, match="unknown kind 'stories'"):
        profiles.parse(ROUTES.replace("[routes.story]", '[routes.story]\nstories = "none"'), "t")


def test_the_newspapers_own_profile_knows_both_routes() -> None:
    known = profiles.builtin()["rizospastis"]
    assert {"page", "story"} <= set(known.routes)
    page = "/page.do?publDate=3/1/1998&pageNo=7"
    for route, tells in (("page", True), ("story", False)):
        site = CrawlScope(profiles.by_route(known, route))
        link = site.classify(page)
        assert (
            link is not None and site.has_stories(link.kind) is tells and site.has_links(link.kind)
        )
        assert bool(site.classify("/story.do?id=5")) is not tells
        assert next(site.dated(dt.date(1996, 1, 2))).issue == "1996-01-02"


def test_the_command_prints_for_people_and_for_programs(tmp_path: Path) -> None:
    with Loopback(site_of(article(1)) | {"/locked": Answer("x", 402)}) as site:
        flags = ("--contact", "t@example.org")
        said = run_cli(
            "archive", "probe", f"{site.url}/", *flags, cwd=tmp_path, KKORACLE_CRAWL_DELAY="0"
        )
        assert said.returncode == 0 and said.stdout.startswith("will work: 3 of 3 pages")
        said = run_cli("archive", "probe", f"{site.url}/locked", *flags, "--json", cwd=tmp_path)
        assert said.returncode == 1
        assert orjson.loads(said.stdout)["verdict"]["answer"] == "paywalled"
    said = run_cli("archive", "probe", "x.org", *flags, cwd=tmp_path)
    assert said.returncode == 2 and "no web address" in said.stderr
    assert not list(tmp_path.iterdir())  # it leaves nothing behind


def test_frames_are_named_and_a_page_that_only_leads_on_is_followed() -> None:
    frames = Answer("<frameset><frame src='/menu.html'><frame src='/text.html'></frameset>")
    found, _ = look({"/": frames})
    assert any(note.endswith("/menu.html") for note in found.verdict.notes)
    odd = "<frame src='http://[1'><link type='application/rss+xml' href='http://[2'>"
    found, _ = look({"/": Answer(odd)})  # no addresses at all
    assert not any("http" in note for note in found.verdict.notes)
    leads = Answer("<meta http-equiv=refresh content='0; url=/new'>")
    found, site = look(site_of(article(1)) | {"/": leads, "/new": front("/2021/news-1000-of-x")})
    assert "/new" in site.visits()
