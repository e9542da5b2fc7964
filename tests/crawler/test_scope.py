from __future__ import annotations

import datetime as dt

import pytest

from crawler import profiles
from crawler.discovery.links import extract_links
from crawler.scope import CrawlScope
from crawler.settings import CrawlSettings
from tests.crawler.harness import PROFILE

DEMO = CrawlScope(profiles.builtin()["demo"])


@pytest.mark.parametrize(
    "url",
    [
        "/story.do?id=7",
        "/story.do?id=007",
        "/story.do?id=7&publDate=2/1/2008",
        "/story.do?publDate=02%2F01%2F2008&id=7",
        "/columnStory.do?id=7&columnId=3",
        "http://127.0.0.1:8765/story.do?id=7#top",
        "//127.0.0.1:8765/story.do?id=7",
    ],
)
def test_every_spelling_of_a_story_has_one_key_and_one_address(url: str) -> None:
    link = DEMO.classify(url)
    assert link is not None
    assert (link.key, link.url) == ("story:7", "/story.do?id=7")


@pytest.mark.parametrize(
    "url",
    [
        "/adjacent.do?id=7",
        "/story.do",
        "/story.do?id=",
        "http://other.example/story.do?id=7",
        "mailto:a@b.c",
        "javascript:void(0)",
        "ftp://127.0.0.1:8765/story.do?id=7",
        "http://[bad/",
        "/page.do?publDate=2/1/2008&pageNo=1",
        "/page.do?publDate=31/2/2008&pageNo=2",
        "/story.do?id=7&x=" + "a" * 2001,
        "http://127.0.0.1:99999999/story.do?id=7",
    ],
)
def test_what_no_kind_matches_is_not_followed(url: str) -> None:
    assert DEMO.classify(url) is None


def test_dates_in_addresses_become_one_key_padded_or_not() -> None:
    found = [
        DEMO.classify(f"/page.do?publDate={date}&pageNo={page}")
        for date in ("2/1/2008", "02/01/2008", "2%2F1%2F2008")
        for page in ("3", "03")
    ]
    keys = {link.key for link in found if link}
    assert keys == {"page:2008-01-02:3"}


def test_two_editions_of_a_day_are_two_issues() -> None:
    first, second = (
        DEMO.classify(f"/issue.do?publDate=2/1/2008{late}") for late in ("", "&edition=2")
    )
    assert first and second
    assert first.key != second.key


def test_a_link_without_a_date_takes_its_issues() -> None:
    link = DEMO.classify("/story.do?id=7", issue="2008-01-02")
    assert link is not None
    assert link.issue == "2008-01-02"


def test_issues_outside_the_wanted_dates_are_not_followed() -> None:
    site = CrawlScope(
        profiles.builtin()["demo"], since=dt.date(2010, 1, 1), until=dt.date(2011, 1, 1)
    )
    assert site.classify("/issue.do?publDate=2/1/2008") is None
    assert site.classify("/issue.do?publDate=2/1/2010") is not None
    assert site.classify("/story.do?id=7", issue="2012-01-01") is None


def test_host_names_of_one_newspaper_are_one_site() -> None:
    site = CrawlScope(profiles.builtin()["rizospastis"])
    keys = {
        site.classify(f"{host}/story.do?id=5").key  # type: ignore[union-attr]
        for host in (
            "http://rizospastis.gr",
            "https://www.rizospastis.gr",
            "http://www2.rizospastis.gr:80",
            "HTTP://WWW.Rizospastis.GR",
        )
    }
    assert keys == {"story:5"}


def test_ranges_write_down_one_address_a_day_but_monday() -> None:
    site = CrawlScope(profiles.builtin()["rizospastis"], dt.date(2007, 1, 1), dt.date(2007, 1, 14))
    seeds = [link.key for link in site.seeds(dt.date(2026, 1, 1))]
    assert len(seeds) == 12
    assert "page:2007-01-08:1" not in seeds  # a Monday
    assert seeds[0] == "page:2007-01-02:1"


def test_a_path_that_repeats_itself_is_a_trap() -> None:
    site = CrawlScope(profiles.builtin()["generic"])
    assert site.classify("/a/b/a/b/c") is not None
    assert site.classify("/a/b/a/b/a/b/a/b") is None


def test_a_base_with_a_path_is_where_the_crawl_begins() -> None:
    profile = profiles.load(
        CrawlSettings(base_url="http://x.org/archive/", profile="generic"), "paper"
    )
    assert [link.url for link in CrawlScope(profile).starts()] == ["/archive/"]


def test_an_address_without_kind_keys_is_told_apart_by_its_sorted_query() -> None:
    site = CrawlScope(profiles.builtin()["generic"])
    one, two = site.classify("/p?b=2&a=1"), site.classify("/p?a=1&b=2")
    assert one and two
    assert one.key == two.key
    greek = site.classify("/Άρθρο?q=νέα")
    assert greek is not None
    assert greek.url.isascii()


def test_word_counts_beside_links_are_noted_and_belong_to_their_own_line() -> None:
    html = """<base href="/x/"><ul>
      <li><a href="/page.do?publDate=2/1/2008&amp;pageNo=2">Σελίδα 2</a></li>
      <li>χωρίς σύνδεσμο <span>99 λέξεις</span></li>
      <li><a href="/story.do?id=1">Ένα</a> <i>Έργα</i> <span>233 λέξεις, σελ.: 3</span></li>
      <li><a href="/story.do?id=2">Δύο</a> <a href="/story.do?id=3">Τρία</a> 12 λέξεις</li>
    </ul>"""
    found = {
        link.key: link.words
        for link in extract_links(
            html, "http://127.0.0.1:8765/issue.do", DEMO, "issue", "2008-01-02"
        )
    }
    assert found == {"page:2008-01-02:2": None, "story:1": 233, "story:2": None, "story:3": 12}


def test_relative_links_count_from_the_base_the_page_names() -> None:
    site = CrawlScope(profiles.parse(PROFILE, "test"))
    html = '<base href="http://127.0.0.1:1/story/"><a href="5">x</a>'
    assert [
        link.key for link in extract_links(html, "http://127.0.0.1:1/list/1", site, "list", "")
    ] == ["story:5"]
