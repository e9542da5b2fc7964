from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from crawler.fetch.loop import BATCH
from exchange.store.spool import Spool
from tests.conftest import until
from tests.crawler.harness import crawl, stories
from tests.crawler.loopback import Loopback, Route, index, story

ROOT = Path(__file__).parents[2]
COUNT = 240
CONCURRENCY = 4


def newspaper() -> dict[str, Route]:
    """Lists of twenty stories, so that links are discovered while stories are fetched."""
    routes: dict[str, Route] = {"/": index(*(f"/list/{n}" for n in range(COUNT // 20)))}
    for number in range(COUNT):
        routes[f"/story/{number}"] = story(number)
    for n in range(COUNT // 20):
        routes[f"/list/{n}"] = index(*(f"/story/{n * 20 + i}" for i in range(20)))
    return routes


def child(folder: Path, url: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.crawler.child", str(folder), url, "0.006"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )


def wait_for(site: Loopback, requests: int, process: subprocess.Popen[bytes]) -> None:
    until(lambda: len(site.log) >= requests, 30, process, every=0.01)


def test_killed_at_any_moment_it_loses_none_and_stores_none_twice(tmp_path: Path) -> None:
    kills = 0
    with Loopback(newspaper()) as site:
        for more in (3, 35, 60, 70):
            process = child(tmp_path, site.url)
            wait_for(site, len(site.log) + more, process)
            kills += process.poll() is None
            process.kill()
            process.communicate()
        counters = crawl(tmp_path, site.url, delay=0.0)
        asked = site.visits()
    found = stories(tmp_path)
    assert kills == 4
    assert sorted(s.title for s in found) == sorted(f"Τίτλος {n}" for n in range(COUNT))
    assert counters["pages.done"] == COUNT + COUNT // 20 + 1
    again = sum(count - 1 for path, count in asked.items() if path != "/robots.txt")
    assert again <= kills * (BATCH + CONCURRENCY)


def test_the_first_signal_ends_in_order_and_loses_no_request(tmp_path: Path) -> None:
    with Loopback(newspaper()) as site:
        process = child(tmp_path, site.url)
        wait_for(site, 40, process)
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=20)
        assert process.returncode == 3, said.decode()
        crawl(tmp_path, site.url, delay=0.0)
        assert max(count for path, count in site.visits().items()) == 1
    assert len(stories(tmp_path)) == COUNT


def test_a_finished_crawl_asks_for_nothing_again(tmp_path: Path) -> None:
    with Loopback(newspaper()) as site:
        crawl(tmp_path, site.url, delay=0.0)
        asked = len(site.log)
        crawl(tmp_path, site.url, delay=0.0)
        assert len(site.log) == asked


def test_stories_that_a_lost_or_older_spool_lacks_are_made_again_from_disk(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    directory = tmp_path / "paper"
    with Loopback(newspaper()) as site:
        crawl(tmp_path, site.url, delay=0.0)
        asked, there = len(site.log), {s.id for s in stories(tmp_path)}
        for loss in (lose, empty, age):
            caplog.clear()
            loss(directory)
            counted = crawl(tmp_path, site.url, delay=0.0)
            assert {s.id for s in stories(tmp_path)} == there, loss
            assert counted["text.done"] == COUNT and "text.waiting" not in counted
            (said,) = [r.getMessage() for r in caplog.records if r.levelname == "WARNING"]
            assert "read again from disk" in said and said.startswith("paper: ")
        caplog.clear()
        crawl(tmp_path, site.url, delay=0.0)
        assert not caplog.records and len(site.log) == asked


def lose(directory: Path) -> None:
    for path in directory.glob("spool.sqlite*"):
        path.unlink()


def empty(directory: Path) -> None:
    lose(directory)
    (directory / "spool.sqlite").touch()


def age(directory: Path) -> None:
    """A copy from before the last pages were read."""
    spool = Spool.open(directory)
    with spool.transaction() as db:
        for table, column in (("chunks", "story_id"), ("marks", "story_id"), ("stories", "id")):
            db.execute(
                f"DELETE FROM {table} WHERE {column} IN "
                "(SELECT id FROM stories ORDER BY page DESC LIMIT 50)"
            )
    spool.close()
