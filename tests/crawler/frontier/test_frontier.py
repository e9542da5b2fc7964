from __future__ import annotations

import time
from pathlib import Path

from crawler.frontier.frontier import Frontier
from crawler.records import FetchOutcome, Link
from crawler.status.report import read_counters


def link(number: int, priority: int = 1, **values: object) -> Link:
    return Link(f"story:{number}", f"/story/{number}", "story", priority=priority, **values)  # type: ignore[arg-type]


def test_a_page_is_known_once_however_often_it_is_found(tmp_path: Path) -> None:
    frontier = Frontier.open(tmp_path)
    assert frontier.seed([link(1), link(2), link(1)]) == 2
    assert frontier.seed([link(1)]) == 0
    assert frontier.counters() == {"pages.waiting": 2}


def test_indexes_are_claimed_before_stories(tmp_path: Path) -> None:
    frontier = Frontier.open(tmp_path)
    frontier.seed([link(1), link(2, 0), link(3, -1)])
    assert [claim.key for claim in frontier.claim(9)] == ["story:3", "story:2", "story:1"]
    assert frontier.claim(9) == []


def test_leases_of_a_dead_daemon_are_taken_back(tmp_path: Path) -> None:
    frontier = Frontier.open(tmp_path)
    frontier.seed([link(1)])
    assert frontier.claim(1)
    frontier.close()
    assert [claim.tries for claim in Frontier.open(tmp_path).claim(1)] == [0]


def test_a_retry_waits_for_its_time(tmp_path: Path) -> None:
    frontier = Frontier.open(tmp_path)
    frontier.seed([link(1)])
    claim = frontier.claim(1)[0]
    due = time.time() + 100
    frontier.store([FetchOutcome(claim.id, "waiting", "timeout", due, requests=1)])
    assert frontier.claim(1) == []
    assert frontier.next_due() == due
    assert [again.tries for again in frontier.claim(1, now=due)] == [1]
    assert frontier.counters()["retry.timeout"] == 1


def test_outcome_links_and_body_are_written_together_or_not_at_all(tmp_path: Path) -> None:
    frontier = Frontier.open(tmp_path)
    frontier.seed([link(1)])
    claim = frontier.claim(1)[0]
    broken = FetchOutcome(claim.id, "nonsense", links=(link(2),), body=b"x")  # type: ignore[arg-type]
    try:
        frontier.store([FetchOutcome(claim.id, "done", links=(link(3),), body=b"y"), broken])
    except Exception as error:
        assert "CHECK" in str(error)
    assert frontier.counters() == {"pages.leased": 1}
    frontier.store(
        [
            FetchOutcome(
                claim.id,
                "done",
                links=(link(3),),
                body=b"y",
                received=1,
                requests=1,
                has_story=True,
            )
        ]
    )
    assert frontier.counters() == {
        "pages.done": 1,
        "pages.waiting": 1,
        "text.waiting": 1,
        "requests": 1,
        "bytes": 1,
    }


def test_a_date_that_becomes_known_later_makes_the_text_due_again(tmp_path: Path) -> None:
    frontier = Frontier.open(tmp_path)
    frontier.seed([link(1)])
    claim = frontier.claim(1)[0]
    frontier.store([FetchOutcome(claim.id, "done", body=b"y", has_story=True)])
    frontier.db.execute("UPDATE pages SET text='done'")
    frontier.seed([link(1)])
    assert "text.waiting" not in frontier.counters()
    frontier.seed([link(1, issue="1998-01-01", words=5)])
    assert frontier.counters()["text.waiting"] == 1
    row = frontier.db.execute("SELECT issue, words FROM pages").fetchone()
    assert tuple(row) == ("1998-01-01", 5)


def test_counters_can_be_read_by_others_and_are_empty_before_the_first_crawl(
    tmp_path: Path,
) -> None:
    assert read_counters(tmp_path) == {}
    frontier = Frontier.open(tmp_path)
    frontier.seed([link(1)])
    assert read_counters(tmp_path) == {"pages.waiting": 1}


def test_pages_that_wait_for_their_time_cost_a_claim_nothing(tmp_path: Path) -> None:
    frontier = Frontier.open(tmp_path)
    frontier.seed(link(number, 0) for number in range(50_000))
    due = time.time() + 100
    frontier.db.execute("UPDATE pages SET next_at=? + id", (due,))
    frontier.seed(link(number) for number in range(50_000, 50_100))
    steps = 0

    def step() -> None:
        nonlocal steps
        steps += 1

    frontier.db.set_progress_handler(step, 100)
    assert [claim.key for claim in frontier.claim(2)] == ["story:50000", "story:50001"]
    assert frontier.next_due() == 0
    assert steps < 50
    assert [claim.key for claim in frontier.claim(1, now=due + 1)] == ["story:0"]


def test_the_earliest_retry_is_known_when_nothing_is_due(tmp_path: Path) -> None:
    frontier = Frontier.open(tmp_path)
    assert frontier.next_due() is None
    frontier.seed([link(1), link(2)])
    for number, claim in enumerate(frontier.claim(2)):
        frontier.store([FetchOutcome(claim.id, "waiting", "timeout", 4e9 + number)])
    assert frontier.next_due() == 4e9


def test_years_take_turns_when_asked_to(tmp_path: Path) -> None:
    frontier = Frontier.open(tmp_path, by_year=True)
    dated = [
        link(n, issue=f"{year}-05-0{n % 9 + 1}")
        for n, year in enumerate([1998] * 4 + [2003] * 2 + [2010] * 3)
    ]
    frontier.seed([*dated, link(50), link(60, 0, issue="2011-01-01")])

    def years(limit: int) -> list[str]:
        return [claim.issue[:4] for claim in frontier.claim(limit)]

    assert years(5) == ["2011"]  # an index comes first, whatever its year
    assert years(3) == ["", "1998", "2003"]
    assert years(4) == ["2010", "1998", "2003", "2010"]
    assert years(9) == ["1998", "2010", "1998"]
    assert years(9) == []


def test_a_hundred_thousand_pages_are_claimed_quickly(tmp_path: Path) -> None:
    frontier = Frontier.open(tmp_path)
    frontier.seed(link(number) for number in range(100_000))
    began = time.process_time()
    for _ in range(50):
        frontier.claim(8)
    assert time.process_time() - began < 0.5
