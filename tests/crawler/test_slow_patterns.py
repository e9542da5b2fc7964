"""Patterns of a profile that take exponential time: bounded, told of, and never a crawl's end."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from crawler.patterns import MOST_TIMEOUTS, ProfilePattern
from crawler.profiles import parse
from crawler.scope import CrawlScope
from exchange.errors import UsageError
from tests.crawler.harness import PROFILE, crawl, stories
from tests.crawler.loopback import Answer, Loopback
from tests.fuzz import cpu_limit

HANGS = r"(.*?,){12}P"
TRAP = "1," * 60


def test_a_pattern_that_hangs_does_not_match_and_is_told(
    caplog: pytest.LogCaptureFixture,
) -> None:
    pattern = ProfilePattern(HANGS)
    with cpu_limit(5), caplog.at_level(logging.WARNING):
        assert pattern.search(TRAP) is None
    assert "takes too long" in caplog.text and HANGS in caplog.text
    assert pattern.fullmatch("1," * 12 + "P") and pattern.search("a" + "1," * 12 + "P")


def test_one_that_hangs_again_and_again_is_one_line() -> None:
    pattern = ProfilePattern(HANGS)
    with cpu_limit(20), pytest.raises(UsageError, match="no repeat stands in a repeat"):
        for _ in range(MOST_TIMEOUTS):
            pattern.search(TRAP)


def test_groups_and_flags_are_as_in_python() -> None:
    for text in (r"/story/(?P<id>\d+)", r"(?i)/(?P<kind>[a-z]+)/+(?P<id>\d+)"):
        pattern = ProfilePattern(text)
        found = pattern.search("/STORY//17" if "(?i)" in text else "/story/17")
        assert found is not None and found["id"] == "17" and found.groupdict("")["id"] == "17"
    with pytest.raises(ValueError, match="no regular expression"):
        ProfilePattern("(")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("path = '/story/(?P<id>\\d+)'", "path = '/story/(?P<id>\\d+)|/(.*?,){12}P'"),
        ("[[shapes]]", "[leave_out]\nurls = ['(.*?,){12}P']\n[[shapes]]"),
    ],
)
def test_an_address_meets_a_pattern_for_a_moment_only(old: str, new: str) -> None:
    assert old in PROFILE
    site = CrawlScope(parse(PROFILE.replace(old, new), "mine"))
    with cpu_limit(5):
        assert site.classify("/" + TRAP) is None
    assert site.classify("/story/7") is not None


def test_a_crawl_ends_with_its_stories(tmp_path: Path) -> None:
    profile = PROFILE.replace("[[shapes]]", "[leave_out]\nurls = ['(.*?,){12}P']\n[[shapes]]")
    page = "<h1>Η γέφυρα</h1><div class='text'><p>" + "Η γέφυρα άνοιξε το 2001. " * 9 + "</p></div>"
    links = f"<a href='/story/1'>1</a><a href='/{TRAP}'>2</a><a href='/story/2'>3</a>"
    routes = {"/": Answer(links), "/story/1": Answer(page), "/story/2": Answer(page)}
    with Loopback(routes) as site:
        crawl(tmp_path, site.url, profile)
    assert len(stories(tmp_path)) == 2
