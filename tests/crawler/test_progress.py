from __future__ import annotations

from crawler.progress import Pace, duration, line, snapshot

PAGES = {"pages.done": 5, "pages.failed": 1, "pages.waiting": 4}
SPOOL = {"stories": 3, "chunks.live": 9, "tasks.done": 2, "tasks.new": 3, "tasks.queued": 4}


def test_the_line_says_where_things_stand() -> None:
    now = snapshot("paper", True, PAGES, SPOOL, rate=0.9, allowed=1.0, pause_s=0, hold="", eta_s=60)
    assert line(now) == (
        "paper: pages 6/10; 1 failed; 0.90 of 1.00 requests/s; stories 3, chunks 9; "
        "tasks 2 done, 7 open; time left 60 s"
    )


def test_a_pause_and_a_full_disk_are_said() -> None:
    told = {"rate": 0.0, "allowed": 1.0, "eta_s": None}
    assert "pausing 5 min" in line(snapshot("p", True, {}, {}, pause_s=300, hold="", **told))
    assert "holding: 3 MB" in line(snapshot("p", True, {}, {}, pause_s=0, hold="3 MB", **told))


def test_the_time_left_follows_the_pace_of_the_last_minutes() -> None:
    pace = Pace()
    assert pace.left(0, 100, now=0) is None
    assert pace.left(10, 90, now=10) == 90
    assert pace.left(10, 0, now=11) == 0
    assert [duration(s) for s in (None, 5, 600, 7200, 400_000)] == [
        "unknown", "5 s", "10 min", "2.0 h", "4.6 days"]  # fmt: skip
