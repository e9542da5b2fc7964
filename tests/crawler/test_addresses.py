"""Addresses are asked for as they were written, and one page is one page whatever its address."""

from __future__ import annotations

import itertools
import sqlite3
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import pytest
from aiohttp import web

from crawler import profiles
from crawler.addresses import as_written, joined_parts, sendable, without_session
from crawler.frontier import pages
from crawler.frontier.frontier import Frontier
from crawler.records import FetchOutcome
from crawler.scope import CrawlScope
from tests.crawler.harness import PROFILE, crawl, stories
from tests.crawler.loopback import Answer, Loopback, Route, index, paper, story
from tests.crawler.misbehaving import to

GENERIC = profiles.builtin()["generic"].model_copy(update={"min_words": 5, "sitemaps": ()})
SITE = CrawlScope(GENERIC)
ANY = """
name = "Δοκιμή"
base = "http://127.0.0.1:1"
start = ["/"]
min_words = 8
[kinds.page]
role = "both"
path = '.*'
[[shapes]]
name = "plain"
text = '//div[@class="text"]'
title = '//h1'
"""


@pytest.mark.parametrize(
    ("href", "charset", "asked"),
    [
        ("/tag%2Fnews/1", "utf-8", "/tag%2Fnews/1"),
        ("/%E1%F1%E8%F1%EF?id=%E1", "utf-8", "/%E1%F1%E8%F1%EF?id=%E1"),
        ("/s?q=νέα", "cp1253", "/s?q=%ED%DD%E1"),
        ("/s?q=νέα", "utf-8", "/s?q=%CE%BD%CE%AD%CE%B1"),
        ("/s?q=日", "cp1253", "/s?q=%26%2326085%3B"),
        ("/Άρθρο", "cp1253", "/%CE%86%CF%81%CE%B8%CF%81%CE%BF"),
        ("\\back\\1", "utf-8", "/back/1"),
        ("/a b?c d", "utf-8", "/a%20b?c%20d"),
        ("/%7Euser/a%2Cb", "utf-8", "/%7Euser/a%2Cb"),
        ("/s?a=%2F&b=1%2F2", "utf-8", "/s?a=%2F&b=1%2F2"),
        ("/100%", "utf-8", "/100%"),
    ],
)
def test_an_address_is_asked_for_as_it_was_written(href: str, charset: str, asked: str) -> None:
    link = SITE.classify(href, charset=charset)
    assert link is not None
    assert link.url == asked


def test_a_redirect_goes_where_a_browser_would_go() -> None:
    assert sendable("http://x/ά b?c=%2F#d") == "http://x/%CE%AC%20b?c=%2F"
    assert as_written("/a", "b=1|2") == "/a?b=1%7C2"


def test_two_addresses_in_an_old_charset_are_two_pages() -> None:
    site = CrawlScope(profiles.parse(PROFILE.replace(r"(?P<id>\d+)", "(?P<id>[^/]+)"), "test"))
    one, two = site.classify("/story/%E1"), site.classify("/story/%E2")
    assert one and two
    assert (one.key, two.key) == ("story:α", "story:β")


@pytest.mark.parametrize(
    ("path", "query", "left"),
    [
        ("/s", "id=5&utm_source=rss&utm_medium=x", "/s?id=5"),
        ("/s", "fbclid=Iw&id=5&gclid=1", "/s?id=5"),
        ("/s", "PHPSESSID=a1b2", "/s?"),
        ("/s;jsessionid=A1B2.node", "id=5", "/s?id=5"),
        ("/s%3Bjsessionid=A1B2", "", "/s?"),
        ("/(S(lit3py55t21z5v55vlm25s55))/s.aspx", "id=5", "/s.aspx?id=5"),
        ("/s", "sid=9f86d081884c7d659a2feaa0c55ad015&id=5", "/s?id=5"),
        ("/s", "sid=12&id=5", "/s?sid=12&id=5"),
        ("/s", "s=νέα&id=", "/s?s=νέα&id="),
        ("/wiki/Foo_(film)", "ref=1&utm=2", "/wiki/Foo_(film)?ref=1&utm=2"),
    ],
)
def test_what_belongs_to_a_visit_is_no_part_of_an_address(path: str, query: str, left: str) -> None:
    assert "?".join(without_session(path, query)) == left


def test_a_parameter_that_a_profile_names_is_kept() -> None:
    profile = PROFILE.replace("path = '/story/(?P<id>\\d+)'\nkey = [\"id\"]", "").replace(
        'role = "story"', "role = 'story'\npath = '/s'\nkey = ['sessionid']"
    )
    link = CrawlScope(profiles.parse(profile, "test")).classify("/s?sessionid=5&utm_source=x")
    assert link is not None
    assert (link.key, link.url) == ("story:5", "/s?sessionid=5")


class SessionPaper(dict[str, Route]):
    """Every page that is asked for links all five stories by addresses never seen before."""

    def __init__(self, address: Callable[[int, int], str], head: str = "") -> None:
        super().__init__()
        self.numbers = itertools.count(10**7)
        self.address, self.head = address, head

    def get(self, path: str, default: object = None) -> Route | None:  # type: ignore[override]
        if path == "/robots.txt":
            return None
        links = "".join(f"<a href='{self.address(n, next(self.numbers))}'>x</a>" for n in range(5))
        found = [n for n in range(5) if f"/story/{n}" in path]
        body = str(story(found[0]).body).removesuffix("</body></html>") if found else ""
        head = self.head.format(f"/story/{found[0]}") if found else ""
        return Answer(f"<html><head>{head}</head>{body}{links}</html>")


@pytest.mark.parametrize(
    "address",
    [
        lambda n, visit: f"/story/{n}?PHPSESSID={visit}",
        lambda n, visit: f"/story/{n};jsessionid={visit:X}",
        lambda n, visit: f"/story/{n}?utm_source=a&utm_id={visit}",
        lambda n, visit: f"/(S({visit}abc))/story/{n}",
    ],
)
def test_five_stories_stay_five_however_many_addresses_they_have(
    address: Callable[[int, int], str], tmp_path: Path
) -> None:
    site = Loopback({})
    site.routes = SessionPaper(address)
    with site:
        crawl(tmp_path, site.url, ANY)
        assert len(site.log) <= 8  # robots.txt, the start page, the stories
    assert len(stories(tmp_path)) == 5


def variant(n: int, how: str, canonical: str) -> Answer:
    head = f"<head><title>{how}</title><link rel='canonical' href='{canonical}'></head>"
    return Answer(str(story(n).body).replace("<body>", f"{head}<body><p>{how}</p>"))


def test_a_canonical_address_is_obeyed_in_whatever_order_the_pages_come(tmp_path: Path) -> None:
    links = ["/story/1?from=front", "/story/1", "/story/1?print=1", "/story/2?from=x"]
    routes: dict[str, Route] = {
        link: variant(int(link[7]), link, f"/story/{link[7]}") for link in (*links, "/story/2")
    }
    with Loopback({"/": index(*links)} | routes) as site:
        counters = crawl(tmp_path, site.url, ANY)
        assert site.visits()["/story/2"] == 1
    assert sorted(found.url.partition("/story/")[2] for found in stories(tmp_path)) == ["1", "2"]
    assert counters["reason.canonical"] == 3
    connection = pages.connect_readonly(tmp_path / "paper")
    assert connection.execute("SELECT COUNT(*) FROM canonicals").fetchone()[0] == 0


@pytest.mark.parametrize("canonical", ["/", "/story.do", "/gone", "http://elsewhere.example/1"])
def test_a_canonical_address_that_is_wrong_costs_no_story(canonical: str, tmp_path: Path) -> None:
    links = [f"/story/{n}" for n in range(1, 5)]
    routes: dict[str, Route] = {link: variant(n, "x", canonical) for n, link in enumerate(links)}
    routes["/story.do"] = Answer(
        "<div class=text><p>Δεν βρέθηκε η ιστορία που ζητάτε εδώ.</p></div>"
    )
    with Loopback({"/": index(*links)} | routes) as site:
        crawl(tmp_path, site.url, ANY)
    found = {each.url.rpartition(":")[2].partition("/")[2] for each in stories(tmp_path)}
    assert found >= {link[1:] for link in links}


def cookie_wall(request: web.Request, nth: int) -> Answer:
    """Leads in a circle until it is told its own cookie."""
    if "seen=yes" in request.headers.get("Cookie", ""):
        return to("/a") if request.query_string else story(1)
    where = "/a" if request.query_string else "/a?cookieSet=1"
    return Answer("", 302, headers={"Location": where, "Set-Cookie": "seen=yes; Path=/"})


def test_a_story_behind_a_circle_of_redirects_is_had(tmp_path: Path) -> None:
    with Loopback({"/": index("/a"), "/a": cookie_wall, "/a?cookieSet=1": cookie_wall}) as site:
        crawl(tmp_path, site.url, ANY)
        assert not any("Cookie" in headers for _, path, headers in site.log if path == "/")
    assert [found.title for found in stories(tmp_path)] == ["Τίτλος 1"]


def test_a_circle_without_end_is_a_failure_and_no_move(tmp_path: Path) -> None:
    routes: dict[str, Route] = {"/a": to("/b"), "/b": to("/c"), "/c": to("/a")}
    with Loopback({"/": index("/a", "/ok"), "/ok": story(1)} | routes) as site:
        counters = crawl(tmp_path, site.url, ANY)
        assert len(site.log) < 16
    assert counters["reason.redirect-loop"] >= 1
    assert len(stories(tmp_path)) == 1


def test_pages_that_moved_for_good_are_no_circle(tmp_path: Path) -> None:
    routes: dict[str, Route] = {"/a": to("/d"), "/b": to("/a"), "/d": story(1)}
    with Loopback({"/": index("/a", "/b")} | routes) as site:
        counters = crawl(tmp_path, site.url, ANY)
        assert site.visits()["/d"] <= 2
    assert [found.url.rpartition("/")[2] for found in stories(tmp_path)] == ["d"]
    assert "reason.redirect-loop" not in counters


def test_a_stop_on_the_way_that_knows_the_way_is_passed(tmp_path: Path) -> None:
    def check(request: web.Request, nth: int) -> Answer:
        return Answer("", 302, headers={"Location": "/story/1", "Set-Cookie": "ok=1"})

    def guarded(request: web.Request, nth: int) -> Answer:
        return story(1) if "Cookie" in request.headers else to("/check?return=%2Fstory%2F1")

    routes = {"/story/1": guarded, "/check?return=%2Fstory%2F1": check}
    with Loopback(paper("/story/1") | routes) as site:
        crawl(tmp_path, site.url)
    assert [found.title for found in stories(tmp_path)] == ["Τίτλος 1"]


def test_a_page_that_only_leads_on_is_a_redirect(tmp_path: Path) -> None:
    refresh = "<meta http-equiv='Refresh' content='0; URL={}'>"
    routes: dict[str, Route] = {
        "/a": Answer(refresh.format("/story/1") + "<p>Η σελίδα άλλαξε.</p>"),
        "/b": Answer(
            "<noscript>" + refresh.format("/story/1") + "</noscript>" + str(story(2).body)
        ),
        "/c": Answer("<meta http-equiv=refresh content=300>" + str(story(3).body)),
        "/story/1": story(1),
    }
    with Loopback({"/": index("/a", "/b", "/c")} | routes) as site:
        counters = crawl(tmp_path, site.url, ANY)
    assert {found.title[-1] for found in stories(tmp_path)} == {"1", "2", "3"}
    assert counters["reason.moved"] == 1


def test_the_frames_of_a_page_are_followed(tmp_path: Path) -> None:
    frames = "<frameset cols='20%,*'><frame src='/menu'><FRAME SRC='/text/1'></frameset>"
    kind = "[kinds.text]\nrole = 'story'\npath = '/text/(?P<id>[0-9]+)'\nkey = ['id']\n"
    profile = PROFILE.replace("[[shapes]]", f"{kind}[[shapes]]")
    routes = {"/story/1": Answer(frames), "/text/1": story(1)}
    with Loopback(paper("/story/1") | routes) as site:
        crawl(tmp_path, site.url, profile)
    assert [found.title for found in stories(tmp_path)] == ["Τίτλος 1"]


def test_a_raw_query_goes_out_in_the_charset_of_its_page(tmp_path: Path) -> None:
    page = "<html><p>Νέα της ημέρας</p><a href='/s?q=νέα'>x</a></html>".encode("cp1253")
    routes = {"/": Answer(page, kind="text/html; charset=windows-1253"), "/s?q=%ED%DD%E1": story(1)}
    with Loopback(routes) as site:
        crawl(tmp_path, site.url, ANY)
    assert len(stories(tmp_path)) == 1


OLD = """
INSERT INTO pages(key, url, kind, priority, state, text, body_hash) VALUES
    ('page:/s?id=1&utm_source=rss', '/s?utm_source=rss&id=1', 'page', 0, 'done', 'done', 'x'),
    ('page:/s?id=2&utm_source=rss', '/s?id=2&utm_source=rss', 'page', 0, 'waiting', '', ''),
    ('page:/s?id=2&utm_source=web', '/s?id=2&utm_source=web', 'page', 0, 'waiting', '', ''),
    ('page:/s?id=1&utm_source=web', '/s?id=1&utm_source=web', 'page', 0, 'waiting', '', ''),
    ('page:/tag/news/1', '/tag/news/1', 'page', 0, 'done', 'done', 'x'),
    ('page:/%EF%BF%BD', '/%EF%BF%BD', 'page', 0, 'done', 'no-text', 'x'),
    ('story:7', '/story.do?id=7&utm_source=x', 'story', 0, 'done', 'done', 'x');
"""


def old_archive(folder: Path) -> None:
    """As the last version before this one left it."""
    connection = pages.connect(folder)
    connection.executescript(OLD)
    for table in ("aliases", "canonicals"):
        connection.execute(f"DROP TABLE {table}")
    connection.execute("PRAGMA user_version=4")
    connection.close()


def test_an_archive_of_before_is_asked_for_nothing_that_it_holds(tmp_path: Path) -> None:
    old_archive(tmp_path)
    frontier = Frontier.open(tmp_path)
    hrefs = ("/s?id=1", "/s?id=1&utm_source=new", "/s?id=2", "/tag%2Fnews/1", "/story.do?id=7")
    kinds = {"story": profiles.builtin()["demo"].kinds["story"]} | GENERIC.kinds
    site = CrawlScope(GENERIC.model_copy(update={"kinds": kinds}))
    assert frontier.seed(link for href in hrefs if (link := site.classify(href))) == 0
    assert [(claim.key, claim.url) for claim in frontier.claim(9)] == [("page:/s?id=2", "/s?id=2")]
    assert frontier.counters()["pages.left_out"] == 2
    key = frontier.db.execute("SELECT key FROM pages WHERE id=1").fetchone()[0]
    assert key == "page:/s?id=1&utm_source=rss"  # its stories are known by it


def test_what_earlier_versions_asked_for_wrongly_is_asked_for(tmp_path: Path) -> None:
    old_archive(tmp_path)
    frontier = Frontier.open(tmp_path)
    link = SITE.classify("/%E1")
    assert link is not None
    assert frontier.seed([link]) == 1


def test_in_a_new_archive_an_escaped_slash_is_another_page(tmp_path: Path) -> None:
    frontier = Frontier.open(tmp_path)
    links = [SITE.classify(href) for href in ("/tag/news/1", "/tag%2Fnews/1")]
    assert frontier.seed(filter(None, links)) == 2


def test_a_body_that_is_held_survives_a_restart_and_is_a_story_if_the_other_is_none(
    tmp_path: Path,
) -> None:
    frontier = Frontier.open(tmp_path)
    one, two = SITE.classify("/a"), SITE.classify("/b")
    assert one and two
    frontier.seed([one])
    (claim,) = frontier.claim(1)
    body = story(1).response().body
    assert isinstance(body, bytes)
    frontier.store(
        [FetchOutcome(claim.id, "done", status=200, body=body, has_story=True, canonical=two)]
    )
    frontier.close()
    frontier = Frontier.open(tmp_path)
    (claim,) = frontier.claim(9)
    assert claim.key == two.key
    frontier.store([FetchOutcome(claim.id, "failed", "http-404")])
    row = frontier.db.execute("SELECT state, reason, text FROM pages WHERE id=1").fetchone()
    assert tuple(row) == ("done", "", "waiting")
    assert "reason.canonical" not in frontier.counters()


def test_the_file_is_marked_as_the_newer_one(tmp_path: Path) -> None:
    old_archive(tmp_path)
    Frontier.open(tmp_path).close()
    connection = sqlite3.connect(tmp_path / pages.FILE)
    assert connection.execute("PRAGMA user_version").fetchone()[0] == pages.VERSION


def test_the_short_way_to_a_links_parts_leads_where_the_long_one_does() -> None:
    pieces = ("a", "/", "//", "/.", "/..", "?", "&b=1", ";", ":", "%2f", "#", "@", " ", "\\", "α")
    for base in ("http://a.gr/list/1?p=2", "https://u@a.gr:81/b;c", "http://[::1]:3"):
        for length in range(4):
            for made in itertools.product(pieces, repeat=length):
                link = "/" + "".join(made)
                assert joined_parts(base, link) == urlsplit(urljoin(base, link)), link
