"""Sitemaps and feeds: the same scope, kinds and keys as links, and no trust at all."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from crawler import records
from crawler.discovery.sitemaps import (
    NotXmlError,
    SitemapEntry,
    iso_day,
    read_feed,
    read_sitemap,
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
        urls = "".join(entry.url for entry in read_sitemap(body))
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
    assert list(read_feed(body.encode())) == [expected]


def test_a_sitemap_may_be_plain_text_or_name_a_day_of_publication() -> None:
    plain = "\ufeffhttp://x/1\n\n http://x/2 \n".encode()
    assert [entry.url for entry in read_sitemap(plain)] == ["http://x/1", "http://x/2"]
    news = (
        "<news:news><news:publication_date>1998-05-03T01:00+03:00</news:publication_date>"
        "</news:news>"
    )
    body = urlset(f"<url><loc>http://x/1</loc>{news}</url>").encode()
    assert [entry.published for entry in read_sitemap(body)] == ["1998-05-03"]


def test_a_whole_day_counts_to_its_end() -> None:
    assert timestamp_of("1970-01-01") == 86_400
    assert timestamp_of("1970-01-01T00:00:10+00:00") == 10
    assert timestamp_of("soon") == 0
    assert (iso_day("2020-02-30"), iso_day("2020-02-29T10:00")) == ("", "2020-02-29")


def test_packed_lists_are_unpacked_to_a_limit() -> None:
    assert gunzip(gzip.compress(b"a" * 1000), 10) == (b"a" * 10, False)
    with pytest.raises(NotXmlError):
        list(read_sitemap(b""))


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
