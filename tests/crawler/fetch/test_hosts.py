from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from crawler.fetch.hosts import FIRST_PAUSE_S, HostState, HostTable, after_refusal
from crawler.frontier import pages
from crawler.frontier.clock import LONGEST_WAIT_S
from exchange.net import parse_retry_after

NOW = 1_000_000.0


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("120", 120),
        (" 0 ", 0),
        ("Mon, 12 Jan 1970 13:47:40 GMT", 60),
        ("Mon, 12 Jan 1970 13:00:00 GMT", 0),
        ("-5", None),
        ("soon", None),
        ("", None),
        (None, None),
        ("99999999999999999999", 7 * 86_400),
    ],
)
def test_retry_after_is_read_in_both_forms(header: str | None, seconds: float | None) -> None:
    assert parse_retry_after(header, NOW) == seconds


def test_refusals_without_retry_after_double_from_a_minute_to_a_day() -> None:
    host, now, pauses = HostState("http://x"), NOW, []
    for _ in range(14):
        host = after_refusal(host, now, None, started=now)
        pauses.append(host.paused_until - now)
        now = host.paused_until + 1
    assert pauses[:3] == [60, 120, 240]
    assert pauses[-1] == LONGEST_WAIT_S


def test_half_an_hour_without_refusal_is_forgiven() -> None:
    host = HostState("http://x", paused_until=NOW, backoff=960, refused_at=NOW - 960)
    assert after_refusal(host, NOW + 1700, None, NOW + 1700).backoff == 1920
    assert after_refusal(host, NOW + 1900, None, NOW + 1900).backoff == FIRST_PAUSE_S


def test_requests_refused_together_count_as_one_refusal() -> None:
    host = after_refusal(HostState("http://x"), NOW, None, started=NOW - 1)
    again = after_refusal(host, NOW + 0.2, None, started=NOW - 0.5)
    assert again.backoff == host.backoff


def test_a_shorter_retry_after_never_ends_a_longer_pause() -> None:
    host = after_refusal(HostState("http://x"), NOW, 300.0, started=NOW)
    assert after_refusal(host, NOW + 1, 5.0, started=NOW).paused_until == NOW + 300


def test_what_a_host_asked_for_survives_a_restart(tmp_path: Path) -> None:
    host = replace(HostState("http://x"), paused_until=NOW, backoff=60.0, robots="Disallow:")
    connection = pages.connect(tmp_path)
    HostTable(connection).save(host)
    connection.close()
    assert HostTable(pages.connect(tmp_path)).load("http://x") == host
    assert HostTable(pages.connect(tmp_path)).load("http://y") == HostState("http://y")
