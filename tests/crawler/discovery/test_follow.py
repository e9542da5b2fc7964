"""`crawl --follow`: new issues are found on a schedule, and nothing is asked for needlessly."""

from __future__ import annotations

import asyncio
import datetime as dt
import hashlib
import os
import signal
import time
from pathlib import Path

import pytest
from aiohttp import web

from crawler import profiles
from crawler.daemon import run_daemon
from crawler.discovery.follow import FollowSchedule
from crawler.frontier.frontier import Frontier
from crawler.records import FetchOutcome
from crawler.scope import CrawlScope
from crawler.status.report import read_counters
from crawler.status.snapshots import CrawlSnapshot
from exchange.errors import Stopped
from tests.crawler.harness import PROFILE, crawl, make_project, settings, stories
from tests.crawler.loopback import Answer, Loopback, index, paper, story

DAY = dt.date(2026, 3, 10)
ISSUES = PROFILE.replace(
    'start = ["/"]',
    """
[[ranges]]
url = "/issue?date={yyyy}-{mm}-{dd}"
since = 2026-03-01
weekdays = ["mon", "tue", "wed", "thu", "fri"]

[kinds.issue]
role = "index"
path = '/issue'
key = ["date"]
date = "date"
""",
)


def rss(url: str, *numbers: int) -> Answer:
    items = "".join(f"<item><link>{url}/story/{n}</link></item>" for n in numbers)
    return Answer(f"<rss><channel>{items}</channel></rss>", kind="application/rss+xml")


def unchanged_after_first(request: web.Request, nth: int) -> Answer:
    """As a good server does: an ETag, and 304 to whoever holds that copy."""
    if request.headers.get("If-None-Match") == '"v1"':
        return Answer("", 304, headers={"ETag": '"v1"'})
    return Answer(index("/story/1").body, headers={"ETag": '"v1"'})


async def following(
    folder: Path, site: Loopback, until: str, then: object = None, **changes: object
) -> list[CrawlSnapshot]:
    """Follow a site until a story of that title is there, then Ctrl-C; what was shown."""
    seen: list[CrawlSnapshot] = []
    wanted = settings(folder, site.url, every=1.0, **changes)  # type: ignore[arg-type]
    task = asyncio.create_task(
        run_daemon(
            make_project(folder),
            "paper",
            wanted,
            generate=False,
            follow=True,
            on_snapshot=seen.append,
        )
    )
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and not task.done():
        await asyncio.sleep(0.1)
        if (folder / "paper" / "spool.sqlite").exists() and until in {
            found.title for found in stories(folder)
        }:
            break
    await asyncio.sleep(0.5)  # it goes on waiting, although all is done
    assert not task.done()
    os.kill(os.getpid(), signal.SIGINT)
    with pytest.raises(Stopped):
        await asyncio.wait_for(task, 20)
    return seen


def test_a_new_story_of_a_feed_is_taken_and_known_ones_are_not_asked_again(tmp_path: Path) -> None:
    profile = PROFILE.replace('start = ["/"]', 'start = ["/"]\nfeeds = ["/rss"]')
    with Loopback(paper("/story/1")) as site:
        site.routes["/"] = unchanged_after_first
        site.routes["/rss"] = lambda request, nth: rss(site.url, *([1, 2] if nth > 1 else [1]))
        site.routes["/story/2"] = story(2)
        seen = asyncio.run(following(tmp_path, site, "Τίτλος 2", profile=profile))
        visits = site.visits()
    assert visits["/story/1"] == visits["/story/2"] == visits["/robots.txt"] == 1
    assert visits["/rss"] >= 2
    counters = read_counters(tmp_path / "paper")
    assert counters["not-modified"] == visits["/"] - 1 >= 1
    assert any(now.next_look > time.time() - 60 for now in seen)


def test_the_schedule_outlives_the_process(tmp_path: Path) -> None:
    with Loopback(paper("/story/1")) as site:
        asyncio.run(following(tmp_path, site, "Τίτλος 1"))
        frontier = Frontier.open(tmp_path / "paper")
        at = FollowSchedule(frontier, CrawlScope(profiles.parse(PROFILE, "t")), 3600).next_at
        frontier.close()
        assert time.time() + 3500 < at < time.time() + 3601
        asked = len(site.log)
        assert crawl(tmp_path, site.url)["pages.done"] == 2  # without --follow it simply ends
        assert len(site.log) == asked


def looked(folder: Path, day: dt.date, seconds: float = 36_000.0) -> FollowSchedule:
    at = dt.datetime.combine(day, dt.time()).timestamp() + seconds
    return FollowSchedule(
        Frontier.open(folder), CrawlScope(profiles.parse(ISSUES, "t")), 3600, clock=lambda: at
    )


def due(follow: FollowSchedule) -> set[str]:
    return {claim.key for claim in follow._frontier.claim(1000, follow._clock())}


def end(follow: FollowSchedule, key: str, outcome: str = "done", **values: object) -> None:
    row = follow._frontier.db.execute("SELECT id FROM pages WHERE key=?", (key,)).fetchone()
    follow._frontier.store([FetchOutcome(row["id"], outcome, **values)])  # type: ignore[arg-type]


def test_a_look_asks_for_the_days_since_the_last_and_for_issues_that_were_late(
    tmp_path: Path,
) -> None:
    follow = looked(tmp_path, DAY)
    assert follow.check() == 7  # the weekdays of March 1 to 10
    for key in due(follow):
        late = key in ("issue:2026-03-02", "issue:2026-03-06", "issue:2026-03-10")
        end(follow, key, "failed" if late else "done", reason="http-404" if late else "")
    follow = looked(tmp_path, DAY + dt.timedelta(days=1))
    follow.check()
    assert due(follow) == {
        "issue:2026-03-11",  # new
        "issue:2026-03-09",  # the current issue, as far as we know
        "issue:2026-03-06",
        "issue:2026-03-10",  # were not out; the 2nd never will be
    }


def test_the_current_issues_stories_are_asked_again_only_if_the_server_can_say_unchanged(
    tmp_path: Path,
) -> None:
    follow = looked(tmp_path, DAY)
    frontier, site = follow._frontier, follow._site
    links = [
        site.classify(f"/story/{n}", issue=issue)
        for n, issue in ((1, "2026-03-10"), (2, "2026-03-10"), (3, "2026-03-09"))
    ]
    frontier.seed(link for link in links if link)
    for key in due(follow):
        end(follow, key, etag="" if key == "story:2" else '"v"')
    follow.check()
    assert "story:1" not in due(follow)  # asked a moment ago
    frontier.release()
    frontier.db.execute("UPDATE pages SET leased_at=0")
    follow.check()
    asked = frontier.claim(1000)
    assert {claim.key for claim in asked if claim.kind == "story"} == {"story:1"}
    assert all(claim.etag == '"v"' for claim in asked if claim.kind == "story")


def test_a_page_that_has_not_changed_keeps_its_text_and_what_it_was_told(tmp_path: Path) -> None:
    frontier = Frontier.open(tmp_path)
    frontier.seed(CrawlScope(profiles.parse(PROFILE, "t")).seeds(DAY))
    claim = frontier.claim(1)[0]
    frontier.store([FetchOutcome(claim.id, "done", body=b"x", etag='"v"', has_story=True)])
    frontier.ask_again("1")
    assert frontier.claim(1)[0].etag == '"v"'
    frontier.store([FetchOutcome(claim.id, "done", status=304, requests=1)])
    row = frontier.db.execute("SELECT state, etag, body_hash, text FROM pages").fetchone()
    assert tuple(row) == ("done", '"v"', hashlib.sha256(b"x").hexdigest(), "waiting")
    assert frontier.counters()["not-modified"] == 1
