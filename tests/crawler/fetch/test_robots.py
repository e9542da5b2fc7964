from __future__ import annotations

import pytest

from crawler.fetch.robots import RobotsRules, interpret

RULES = """
User-agent: *
Crawl-delay: 0.05
Disallow: /private/
Allow: /private/open

User-agent: kkoracle
Request-rate: 1/5
Disallow: /no
"""


@pytest.mark.parametrize("status", [401, 403, 404, 410])
def test_a_missing_file_allows_everything(status: int) -> None:
    assert interpret(status, b"Disallow: /").rules == ""


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_failing_server_forbids_everything_for_now(status: int) -> None:
    answer = interpret(status, b"")
    assert answer.rules is None
    assert answer.reason == f"http-{status}"


@pytest.mark.parametrize(
    "body",
    [
        b"\n <!DOCTYPE html><p>Disallow: /",
        b"<html><head><title>Not found</title></head><body><p>No such page: robots.txt</p></html>",
    ],
)
def test_a_page_without_rules_is_none(body: bytes) -> None:
    assert interpret(200, body).rules == ""


RULE = b"User-agent: *\nDisallow: /a\n"


@pytest.mark.parametrize(
    "body",
    [
        b"<!-- served by the cache -->\n" + RULE,
        b"<br />\n<b>Warning</b>: include(x.php) in <b>/www/r.php</b> on line <b>3</b><br />"
        + RULE,
        b"Warning: include(x.php): failed to open stream in /www/r.php on line 3\n" + RULE,
        b"<html><body><pre>" + RULE + b"</pre></body></html>",
        b"<p>User-agent: *<br>Disallow: /a</p>",
        b"\n\n# ours\n" + RULE,
        b"<!--" * 100_000 + b"\n" + RULE,
        RULE.replace(b"\n", b"\r"),
        RULE.decode().encode("utf-16"),
    ],
)
def test_rules_are_obeyed_wherever_they_stand(body: bytes) -> None:
    rules = RobotsRules(interpret(200, body).rules or "")
    assert not rules.allows("http://x/a")
    assert rules.allows("http://x/b")


@pytest.mark.parametrize("name", ["kkoracle/0.1", "KKoracle", "kkoracle 0.1", "kkoracle/2.0 (x)"])
def test_a_group_names_us_with_or_without_a_version(name: str) -> None:
    rules = RobotsRules(f"User-agent: *\nDisallow:\n\nUser-agent: {name}\nDisallow: /no\n")
    assert not rules.allows("http://x/no")
    assert RobotsRules("User-agent: kkoracle-image\nDisallow: /no").allows("http://x/no")


@pytest.mark.parametrize(
    ("written", "seconds"),
    [("10s", 10), ("1,5", 1.5), ("10 sec # please", 10), ("2 min", 120), ("500ms", 0.5), ("7", 7)],
)
def test_a_delay_is_read_as_it_was_meant(written: str, seconds: float) -> None:
    assert RobotsRules(f"User-agent: *\nCrawl-delay: {written}").delay == seconds


def test_rules_are_read_with_or_without_a_byte_order_mark() -> None:
    for body in (b"User-agent: *\nDisallow: /a", b"\xef\xbb\xbfUser-agent: *\nDisallow: /a"):
        rules = RobotsRules(interpret(200, body).rules or "")
        assert not rules.allows("http://x/a")
        assert rules.allows("http://x/b")


def test_our_own_group_counts_before_the_group_for_all() -> None:
    rules = RobotsRules(RULES)
    assert not rules.allows("http://x/no")
    assert rules.allows("http://x/private/page")
    assert rules.delay == 5.0


def test_a_fractional_crawl_delay_counts() -> None:
    assert RobotsRules("User-agent: *\nCrawl-delay: 0.05").delay == 0.05
    assert RobotsRules("").delay == 0.0
    assert RobotsRules("User-agent: *\nCrawl-delay: soon").delay == 0.0


def test_rules_beyond_the_size_limit_are_cut_not_refused() -> None:
    body = b"User-agent: *\nDisallow: /a\n" + b"# filler\n" * 100_000
    assert not RobotsRules(interpret(200, body).rules or "").allows("http://x/a")


NOON, HOUR = 12 * 3600.0, 3600.0
DAY = 86_400 * 20_000  # a midnight, in seconds since the epoch


@pytest.mark.parametrize(
    ("visits", "at", "left", "share"),
    [
        ("0200-0630", NOON, 14 * HOUR, 4.5 / 24),
        ("0200-0630", 2 * HOUR, 0, 4.5 / 24),
        ("0200-0630", 6.5 * HOUR, 19.5 * HOUR, 4.5 / 24),
        ("2200-0400", 23 * HOUR, 0, 0.25),
        ("2200-0400", 3 * HOUR, 0, 0.25),
        ("2200-0400", 4 * HOUR, 18 * HOUR, 0.25),
        ("0800-0800", NOON, 0, 1),
        ("at night", NOON, 0, 1),
    ],
)
def test_visit_time_says_when_we_may_come(
    visits: str, at: float, left: float, share: float
) -> None:
    rules = RobotsRules(f"User-agent: *\nVisit-time: {visits}")
    assert rules.opens_in(DAY + at) == left
    assert rules.open_share == pytest.approx(share)
