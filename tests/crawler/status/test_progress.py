from __future__ import annotations

import time
from dataclasses import replace

from crawler.status.console import progress_line
from crawler.status.snapshots import ProgressRate, snapshot

PAGES = {
    "pages.done": 5,
    "pages.failed": 1,
    "pages.left_out": 2,
    "pages.waiting": 3,
    "pages.leased": 1,
    "reason.http-404": 1,
}
SPOOL = {"stories": 3, "chunks.live": 9, "tasks.done": 2, "tasks.new": 3, "tasks.queued": 4}
NOW = replace(snapshot("paper", PAGES, SPOOL, fetching=True), rate=0.9, allowed=1.0)


def test_the_line_says_where_things_stand() -> None:
    now = replace(NOW, disk_mb=1234, free_mb=80, pages_left=(60.0, 7000.0))
    assert progress_line(now) == (
        "paper: pages 8/12 (3 waiting, 1 in hand, 1 failed, 2 left out); 0.90 of 1.00 requests/s; "
        "stories 3, chunks 9; tasks 2 done, 7 open; disk 1.23 GB, 80 MB free; "
        "time left: pages 60 s to 1.9 h, tasks unknown"
    )


def test_a_pause_a_full_disk_and_the_next_look_are_said() -> None:
    assert "pausing 5 min" in progress_line(replace(NOW, pause_s=300))
    assert "holding: 3 MB" in progress_line(replace(NOW, hold="3 MB"))
    assert "looks again at " in progress_line(replace(NOW, next_look=time.time() + 1800.5))
    assert "in 30 min" in progress_line(replace(NOW, next_look=time.time() + 1800.5))


def test_the_time_left_lies_between_the_paces_of_now_and_of_the_whole_run() -> None:
    pace = ProgressRate()
    assert pace.left(0, 100, now=0) is None
    assert pace.left(10, 90, now=10) == (90, 90)
    assert pace.left(10, 0, now=11) == (0, 0)
    slow = [pace.left(10 + n, 1000, now=10 + n * 10) for n in range(30)][-1]
    assert slow is not None
    least, most = slow
    assert most == 1000 / ((39 - 27) / 120)  # the last two minutes: one in ten seconds
    assert least == 1000 / (39 / 300)  # the whole run, with its quick beginning


def test_what_may_still_turn_up_counts_for_the_most_and_what_a_site_allows_for_the_least() -> None:
    pace = ProgressRate()
    pace.left(0, 100, now=0)
    assert pace.left(10, 100, unseen=300, now=10) == (100, 400)
    assert pace.left(20, 100, fastest=0.5, now=20) == (100, 100)  # it is faster than allowed
    assert pace.left(20, 0, unseen=5, now=20) == (0, 5)
