"""Clocks that lie: set while a crawl runs, or wrong when something was stored."""

from __future__ import annotations

import datetime as dt
import os
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from msgspec import structs

from bench.faults.clock import HOUR_S, SettableClock
from crawler import profiles
from crawler.discovery.follow import FollowSchedule
from crawler.fetch.hosts import HostState, HostTable, after_refusal
from crawler.frontier.clock import LONGEST_WAIT_S
from crawler.frontier.frontier import Frontier
from crawler.records import FetchOutcome, Link
from crawler.scope import CrawlScope
from exchange.store import history
from tests.conftest import ROOT, settable_clocks
from tests.crawler.harness import PROFILE, stories
from tests.crawler.loopback import Answer, Loopback, paper, story

COUNT = 40
ISSUES = """
[[ranges]]
url = "/issue?date={yyyy}-{mm}-{dd}"
since = 2026-03-01

[kinds.issue]
role = "index"
path = '/issue'
key = ["date"]
date = "date"
"""
PAUSE_S = 3
YEAR_S = 365 * 86_400.0


@settable_clocks
@pytest.mark.parametrize("hours", [9, -9])
def test_a_clock_that_jumps_during_a_crawl_loses_doubles_and_delays_nothing(
    tmp_path: Path, hours: int
) -> None:
    """Before, a pause of seconds lasted for hours after a jump back, and none after one ahead."""
    clock = SettableClock(tmp_path, "clock")
    routes = paper(*(f"/story/{number}" for number in range(COUNT)))

    def refuses_once(request: object, nth: int) -> Answer:
        if nth > 1:
            return story(7)
        threading.Timer(1.0, clock.set_ahead, [hours * HOUR_S]).start()
        return Answer("", 503, headers={"Retry-After": str(PAUSE_S)})

    with Loopback(routes | {"/story/7": refuses_once}) as site:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.crawler.child", str(tmp_path), site.url, "0.01", "1"],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT), **clock.environment()},
        )
        assert process.wait(40) == 0
        asked, times = site.visits(), [at for at, *_ in site.log]
    refused_at = next(at for at, path, _ in site.log if path == "/story/7")
    assert min(at for at in times if at > refused_at) - refused_at >= PAUSE_S - 0.2
    assert sorted(one.title for one in stories(tmp_path)) == sorted(
        f"Τίτλος {number}" for number in range(COUNT)
    )
    assert asked.pop("/story/7") == 2 and set(asked.values()) == {1}


def test_a_page_stored_as_due_in_years_is_due_now_and_one_due_today_waits(tmp_path: Path) -> None:
    frontier = Frontier.open(tmp_path)
    frontier.seed([Link(f"story:{n}", f"/story/{n}", "story") for n in (1, 2)])
    ends = {"story:1": time.time() + 3 * YEAR_S, "story:2": time.time() + 3600}
    frontier.store(
        [FetchOutcome(one.id, "waiting", "timeout", ends[one.key]) for one in frontier.claim(2)]
    )
    frontier.close()
    assert [one.key for one in Frontier.open(tmp_path).claim(2)] == ["story:1"]


def test_a_pause_is_never_longer_than_a_day_whoever_asks_and_restarts_do_not_renew_it(
    tmp_path: Path,
) -> None:
    now = time.time()
    host = after_refusal(HostState("http://x"), now, 5 * 86_400.0, started=now)
    assert host.paused_until == now + LONGEST_WAIT_S
    table = HostTable(Frontier.open(tmp_path).db)
    table.save(replace(host, paused_until=now + YEAR_S, refused_at=now + YEAR_S))
    first, second = table.load("http://x"), table.load("http://x")
    assert first == second
    assert first.paused_until <= time.time() + LONGEST_WAIT_S and first.refused_at <= time.time()


def test_rules_read_in_the_future_are_read_again(tmp_path: Path) -> None:
    table = HostTable(Frontier.open(tmp_path).db)
    table.save(HostState("http://x", robots="", robots_at=time.time() + YEAR_S))
    assert table.load("http://x").robots_at == 0


def test_a_look_for_new_issues_in_the_future_is_not_believed(tmp_path: Path) -> None:
    moment = dt.datetime(2026, 3, 2, 9).timestamp()
    scope = CrawlScope(profiles.parse(PROFILE, "t"))
    frontier = Frontier.open(tmp_path)
    FollowSchedule(frontier, scope, 3600, clock=lambda: moment + YEAR_S).check()
    late = FollowSchedule(frontier, scope, 3600, clock=lambda: moment)
    assert late.next_at == moment
    late.check()
    assert late.next_at == moment + 3600


def test_a_page_that_was_asked_for_in_the_future_is_asked_again_when_its_sitemap_says_changed(
    tmp_path: Path,
) -> None:
    frontier = Frontier.open(tmp_path)
    link = Link("story:1", "/story/1", "story")
    frontier.seed([link])
    (claim,) = frontier.claim(1, now=time.time() + YEAR_S)
    frontier.store([FetchOutcome(claim.id, "done")])
    frontier.seed([structs.replace(link, changed=time.time() - 60)])
    assert [one.key for one in frontier.claim(1)] == ["story:1"]


def test_samples_of_the_future_go_as_soon_as_the_clock_is_right(tmp_path: Path) -> None:
    db, now = Frontier.open(tmp_path).db, time.time()
    for at in (now - 120, now + YEAR_S, now):
        history.record_counters(db, at)
    assert [sample.at for sample in history.read_samples(db)] == [now - 120, now]


@pytest.mark.parametrize("day", [dt.date(2026, 3, 29), dt.date(2026, 10, 25)])
def test_a_day_of_23_or_25_hours_is_looked_at_every_hour_and_asked_for_once(
    tmp_path: Path, athens: ZoneInfo, day: dt.date
) -> None:
    begin = dt.datetime.combine(day, dt.time(), athens).timestamp()
    end = dt.datetime.combine(day + dt.timedelta(days=1), dt.time(), athens).timestamp()
    assert end - begin in (23 * 3600, 25 * 3600)
    frontier, moment, looked = Frontier.open(tmp_path), begin, []
    scope = CrawlScope(profiles.parse(PROFILE.replace('start = ["/"]', ISSUES), "t"))
    follow = FollowSchedule(frontier, scope, 3600, clock=lambda: moment)
    while moment < end:
        if moment >= follow.next_at:
            follow.check()
            looked.append(moment)
        moment += 600
    asked = {claim.key for claim in frontier.claim(1000, moment)}
    issues = {f"issue:{day - dt.timedelta(days=ago)}" for ago in range(4)}
    assert issues <= asked and f"issue:{day + dt.timedelta(days=1)}" not in asked
    assert looked == [begin + 3600 * n for n in range(int(end - begin) // 3600)]
