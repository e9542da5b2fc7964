"""Sitemaps and feeds: the same scope, kinds and keys as links, and no trust at all."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from crawler import records
from crawler.discovery.sitemaps import (
    ListReader,
    NotXmlError,
    SitemapEntry,
    iso_day,
    timestamp_of,
)
from crawler.inflate import gunzip
from tests.crawler.harness import PROFILE, crawl, stories
from tests.crawler.loopback import Answer, Loopback, Route, story

XML = "application/xml"
LISTS = PROFILE.replace('start = ["/"]', 'sitemaps = ["robots.txt", "/map.xml"]\nfeeds = ["/rss"]')


def urlset(*lines: str) -> str:
    return (
        '<?xml version="1.0"?><urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9" '
        'xmlns:news="http://www.google.com/schemas/sitemap-news/0.9">'
        + "".join(lines)
        + "</urlset>"
    )


def url(loc: str, **told: str) -> str:
    return f"<url><loc>{loc}</loc>{''.join(f'<{k}>{v}</{k}>' for k, v in told.items())}</url>"


def index_of(*maps: str) -> str:
    rows = "".join(f"<sitemap><loc>{loc}</loc></sitemap>" for loc in maps)
    return f"<sitemapindex>{rows}</sitemapindex>"


def lists(site: Loopback, **more: Route) -> dict[str, Route]:
    """A site that links nothing: only its lists lead anywhere."""
    packed = gzip.compress(urlset(url(f"{site.url}/story/4")).encode())
    return {
        "/robots.txt": Answer(
            f"User-agent: *\nAllow: /\nSitemap: {site.url}/named.xml\n"
            "Sitemap: http://elsewhere.example/map.xml\n",
            kind="text/plain",
        ),
        "/named.xml": Answer(
            index_of(f"{site.url}/packed.xml.gz", "http://other.example/m.xml"), kind=XML
        ),
        "/packed.xml.gz": Answer(packed, kind="application/gzip"),
        "/map.xml": Answer(
            urlset(
                url(f"{site.url}/story/1"),
                url("http://other.example/story/9"),
                url(f"{site.url}/private"),
            ),
            kind=XML,
        ),
        "/rss": Answer(
            f"<rss><channel><item><link>{site.url}/story/2</link><pubDate>Tue, 05 May 1998 "
            "23:30:00 +0300</pubDate></item><item><guid>http://other.example/story/8</guid></item>"
            "</channel></rss>",
            kind="application/rss+xml",
        ),
        **{f"/story/{n}": story(n) for n in (1, 2, 4)},
        **more,
    }


def test_lists_lead_to_stories_and_never_out_of_scope(tmp_path: Path) -> None:
    with Loopback({}) as site:
        site.routes.update(lists(site))
        counters = crawl(tmp_path, site.url, LISTS)
        visits = site.visits()
    assert {s.title for s in stories(tmp_path)} == {"Τίτλος 1", "Τίτλος 2", "Τίτλος 4"}
    assert next(s for s in stories(tmp_path) if s.title == "Τίτλος 2").published == "1998-05-05"
    assert max(visits.values()) == 1  # robots.txt too: its rules serve the sitemaps it names
    assert "/private" not in visits
    assert counters["requests"] == 7  # four lists and three stories; robots.txt is not a page


def bomb() -> bytes:
    entities = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10 if n else "ha"}">' for n in range(12))
    return f"<!DOCTYPE x [{entities}]><urlset>{url('http://x/&e11;')}</urlset>".encode()


def test_entities_are_never_resolved_and_files_never_read(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("geheim")
    reads = f'<!DOCTYPE x [<!ENTITY s SYSTEM "{secret.as_uri()}">]>'
    outside = f"{reads}<urlset>{url('http://x/&s;')}</urlset>"
    for body in (bomb(), outside.encode()):
        urls = "".join(entry.url for entry in ListReader(body))
        assert len(urls) < 20
        assert "geheim" not in urls and "ha" not in urls


HOSTILE: dict[str, tuple[Answer, str]] = {
    "a page that says not found": (Answer("<html><p>δεν υπάρχει</html>"), "pages.done"),
    "no XML": (Answer(b"\x00\x01\x02", kind=XML), "reason.not-a-list"),
    "empty": (Answer("", kind=XML), "reason.not-a-list"),
    "broken gzip": (Answer(b"\x1f\x8b\x08broken", kind=XML), "reason.not-a-list"),
    "gzip bomb": (Answer(gzip.compress(b" " * (60 << 20)), kind=XML), "reason.not-a-list"),
    "entity bomb": (Answer(bomb(), kind=XML), "pages.done"),
    "cut in the middle": (Answer(urlset(url("/story/1"))[:-20], kind=XML), "pages.done"),
    "missing": (Answer("no", 404), "reason.http-404"),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_a_hostile_list_is_counted_and_the_others_go_on(case: str, tmp_path: Path) -> None:
    answer, counter = HOSTILE[case]
    with Loopback({}) as site:
        site.routes.update(lists(site) | {"/map.xml": answer})
        counters = crawl(tmp_path, site.url, LISTS)
    assert counters[counter] >= 1
    assert {"Τίτλος 2", "Τίτλος 4"} <= {s.title for s in stories(tmp_path)}
    assert "reason.internal" not in counters


def test_an_endless_chain_of_sitemaps_ends(tmp_path: Path) -> None:
    def chain(n: int) -> Answer:
        return Answer(index_of(f"/map{n + 1}.xml", "/map.xml"), kind=XML)

    with Loopback({}) as site:
        site.routes.update(lists(site) | {"/map.xml": chain(0)})
        site.routes.update({f"/map{n}.xml": chain(n) for n in range(9)})
        crawl(tmp_path, site.url, LISTS)
        asked = sorted(path for path in site.visits() if path.startswith("/map"))
    assert asked == ["/map.xml", "/map1.xml", "/map2.xml"]


def test_a_list_longer_than_lists_may_be_is_cut_and_says_so(tmp_path: Path) -> None:
    many = urlset(*(url(f"/nowhere/{n}") for n in range(50_001)), url("/story/1"))
    with Loopback({}) as site:
        site.routes.update(lists(site) | {"/map.xml": Answer(many, kind=XML)})
        assert crawl(tmp_path, site.url, LISTS)["reason.list-cut"] == 1


def test_sitemaps_older_than_the_dates_wanted_are_not_asked_for(tmp_path: Path) -> None:
    rows = "".join(
        f"<sitemap><loc>/{year}.xml</loc><lastmod>{year}-03-01</lastmod></sitemap>"
        for year in (2001, 2005)
    )
    with Loopback({}) as site:
        site.routes.update(lists(site) | {"/map.xml": Answer(f"<x>{rows}</x>", kind=XML)})
        crawl(tmp_path, site.url, LISTS, since="2004-01-01")
        assert "/2005.xml" in site.visits()
        assert "/2001.xml" not in site.visits()


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (
            "<feed xmlns='http://www.w3.org/2005/Atom'><entry><link rel='self' href='/api/1'/>"
            "<link href=' /story/1 '/><updated>2020-01-02T03:04:05Z</updated></entry></feed>",
            SitemapEntry("/story/1", False, published="2020-01-02"),
        ),
        (
            "<rdf:RDF xmlns:rdf='http://www.w3.org/1999/02/22-rdf-syntax-ns#' xmlns:dc='u:dc'>"
            "<item><link>/story/1</link><dc:date>2020-01-02</dc:date></item></rdf:RDF>",
            SitemapEntry("/story/1", False, published="2020-01-02"),
        ),
        (
            "<rss><item><guid>http://x/story/1</guid><pubDate>garbage</pubDate></item></rss>",
            SitemapEntry("http://x/story/1", False),
        ),
        ("<rss><item><link>/story/1</link><title>cut in the mid", SitemapEntry("/story/1", False)),
    ],
)
def test_feeds_of_every_family_are_read(body: str, expected: SitemapEntry) -> None:
    assert list(ListReader(body.encode())) == [expected]


def addresses(body: bytes | str) -> list[str]:
    reader = ListReader(body.encode() if isinstance(body, str) else body)
    found = [entry.url for entry in reader]
    assert not reader.damaged
    return found


WHOLE = ["http://x/s?a=1&b=7", "http://x/2"]
TWO = urlset(url("http://x/s?a=1&amp;b=7"), url("http://x/2"))
DECLARED = '<?xml version="1.0" encoding="{}"?>'
FEED = "<rss><channel><image><url>http://x/i</url></image>{}</channel></rss>"
SPELLINGS: dict[str, bytes | str] = {
    "as it should be": TWO,
    "an address with a bare &": TWO.replace("&amp;", "&"),
    "an address in CDATA": urlset(url("<![CDATA[http://x/s?a=1&b=7]]>"), url("http://x/2")),
    "a title with a bare <": urlset(url("http://x/s?a=1&b=7", title="a < b"), url("http://x/2")),
    "a name of HTML's": urlset(url("http://x/s?a=1&b=7", t="a&nbsp;b"), url("http://x/2")),
    "blank lines before it": "\n\n  " + TWO,
    "a warning before it": "<br />\n<b>Warning</b>: x in <b>y</b><br />\n" + TWO,
    "a comment behind it": TWO + "<!-- 0.2 s -->\n",
    "two roots": urlset(url("http://x/s?a=1&b=7")) + urlset(url("http://x/2")),
    "UTF-16": TWO.replace('"1.0"', '"1.0" encoding="UTF-16"').encode("utf-16"),
    "UTF-16 without a mark": TWO.encode("utf-16-be"),
    "UTF-16 that is none": TWO.replace('"1.0"', '"1.0" encoding="utf-16"'),
    "a charset that it names": (
        DECLARED.format("windows-1253") + TWO.partition("?>")[2].replace("</loc>", "</loc><t>ά</t>")
    ).encode("cp1253"),
    "a control character": TWO.replace("</loc>", "</loc><t>a\x02b</t>"),
    "a prefix that it never names": TWO.replace("</loc>", "</loc><video:t>a</video:t>"),
    "a feed": FEED.format(
        "<item><enclosure><url>http://x/mp3</url></enclosure><link>http://x/s?a=1&b=7</link></item>"
        "<item><guid>http://x/2</guid></item>"
    ),
    "a feed whose links a service has replaced": FEED.format(
        "<item><link>http://feeds/1</link><feedburner:origLink>http://x/s?a=1&amp;b=7"
        "</feedburner:origLink></item><item><link>http://x/2</link></item>"
    ),
    "a feed with a base of its own": (
        "<feed xml:base='http://x/a/'><entry xml:base='../'><link href='s?a=1&amp;b=7'/></entry>"
        "<entry><link type='application/json' href='/no'/><link type='text/html' href='/2'/>"
        "</entry></feed>"
    ),
}


@pytest.mark.parametrize("name", SPELLINGS)
def test_a_list_is_read_however_it_is_written(name: str) -> None:
    assert addresses(SPELLINGS[name]) == WHOLE


@pytest.mark.parametrize(
    "body",
    [
        urlset(url("http://x/1"), "<url><loc>http://x/2</b></url>"),
        urlset(url("http://x/1"))[:-15],
        DECLARED.format("utf-8").encode() + b"<urlset><url><loc>http://x/\x81</loc></url></urlset>",
    ],
)
def test_what_is_damaged_in_a_list_is_never_silent(body: bytes | str) -> None:
    reader = ListReader(body.encode() if isinstance(body, str) else body)
    assert not [entry.url for entry in reader if "\ufffd" in entry.url]
    assert reader.damaged


@pytest.mark.parametrize("body", [b"", b"\0\1\2", b"<html><body><p>not here</body></html>"])
def test_what_is_no_list_is_none(body: bytes) -> None:
    with pytest.raises(NotXmlError):
        list(ListReader(body))


def test_lists_lead_to_stories_whatever_they_were_named(tmp_path: Path) -> None:
    members = gzip.compress(b"<urlset>") + gzip.compress(f"{url('/story/1')}</urlset>".encode())
    feed = "<rss><channel><item><link>/story/2</link></item></channel></rss>"
    routes: dict[str, Route] = {
        "/robots.txt": Answer("User-agent: *\nSitemap: maps/named.xml\n", kind="text/plain"),
        "/maps/named.xml": Answer(members + b"\n", kind=XML),
        "/map.xml": Answer(feed, kind=XML),
        "/rss": Answer(urlset(url("/story/3?a=1&b=2")), kind=XML),
        **{path: story(n) for n, path in enumerate(("/story/1", "/story/2", "/story/3?a=1&b=2"))},
    }
    with Loopback(routes) as site:
        crawl(tmp_path, site.url, LISTS)
        assert set(site.visits()) == set(routes)
    assert len(stories(tmp_path)) == 3


def test_a_list_with_a_damaged_part_is_counted(tmp_path: Path) -> None:
    damaged = urlset(url("/story/1"), "<url><loc>/story/9</b></url>")
    with Loopback({}) as site:
        site.routes.update(lists(site) | {"/map.xml": Answer(damaged, kind=XML)})
        counters = crawl(tmp_path, site.url, LISTS)
    assert counters["reason.list-damaged"] == 1
    assert "Τίτλος 1" in {found.title for found in stories(tmp_path)}


def test_a_sitemap_may_be_plain_text_or_name_a_day_of_publication() -> None:
    plain = "\ufeffhttp://x/1\n\n http://x/2 \n".encode()
    assert [entry.url for entry in ListReader(plain)] == ["http://x/1", "http://x/2"]
    news = (
        "<news:news><news:publication_date>1998-05-03T01:00+03:00</news:publication_date>"
        "</news:news>"
    )
    body = urlset(f"<url><loc>http://x/1</loc>{news}</url>").encode()
    assert [entry.published for entry in ListReader(body)] == ["1998-05-03"]


def test_a_whole_day_counts_to_its_end() -> None:
    assert timestamp_of("1970-01-01") == 86_400
    assert timestamp_of("1970-01-01T00:00:10+00:00") == 10
    assert timestamp_of("soon") == 0
    assert (iso_day("2020-02-30"), iso_day("2020-02-29T10:00")) == ("", "2020-02-29")


def test_packed_lists_are_unpacked_to_a_limit() -> None:
    assert gunzip(gzip.compress(b"a" * 1000), 10) == (b"a" * 10, False)
    with pytest.raises(NotXmlError):
        list(ListReader(b""))


def test_an_index_that_names_sitemaps_without_end_is_cut_and_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(records.BUDGETS, "@sitemap:2", 10)
    many = index_of(*(f"/m{n}.xml" for n in range(15)))
    with Loopback({}) as site:
        site.routes.update(lists(site) | {"/map.xml": Answer(many, kind=XML)})
        counters = crawl(tmp_path, site.url, LISTS)
        asked = sum(path.startswith("/m") for path in site.visits())
    assert 10 <= asked <= 11  # with map.xml, and without the packed one if that came first
    assert counters["over-budget.@sitemap:2"] == 6
