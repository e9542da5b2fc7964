"""What the crawl's benches compute, and one of them run small, as a person runs it."""

from __future__ import annotations

import re
import subprocess
import sys
import urllib.request
from pathlib import Path

import orjson
import pytest

from bench import kill, politeness
from bench.crawl import growth, site, stored
from bench.crawl.serving import ServedRequest, read_requests, serve_site
from tests.conftest import ROOT, cli_environment


def test_a_window_counts_what_the_server_saw_in_it() -> None:
    times = [n * 0.2 for n in range(200)]
    even = politeness.judge(times, 10.0, 20.0)
    assert even.rate_used == pytest.approx(1.0, abs=0.011)
    assert even.max_in_one_second in (5, 6) and even.min_gap_share == pytest.approx(1.0)
    burst = politeness.judge(sorted([*times, 15.01, 15.02]), 10.0, 20.0)
    assert burst.max_in_one_second >= 7 and burst.min_gap_share < 0.1


def test_requests_that_were_under_way_when_the_refusal_came_are_not_too_early() -> None:
    refused = ServedRequest(100.0, 429, "/a")
    sent = 100.0 + politeness.LATENCY_S
    late = ServedRequest(sent + politeness.RETRY_AFTER_S + 1, 200, "/z")
    assert politeness.too_early([refused, ServedRequest(sent - 0.01, 200, "/b"), late]) == 0
    assert politeness.too_early([refused, ServedRequest(sent + 1, 200, "/b"), late]) == 1
    with pytest.raises(ValueError, match="ended before"):
        politeness.too_early([refused, ServedRequest(sent + 1, 200, "/b")])


def test_a_crawl_that_did_not_store_all_of_it_ends_the_bench() -> None:
    wanted = {"/story/1": b"a", "/story/2": b"b"}
    stored.check_bodies(dict(wanted), wanted, "ours")
    for found in ({"/story/1": b"a"}, {"/story/1": b"a", "/story/2": b"c"}):
        with pytest.raises(stored.StoredMismatch, match="ours"):
            stored.check_bodies(found, wanted, "ours")
    with pytest.raises(stored.StoredMismatch, match="not whole"):
        stored.check_texts({"/story/1": b"first"}, {"/story/1": ["first", "last"]}, "ours")


def test_what_is_there_twice_and_what_was_asked_again_are_counted() -> None:
    assert kill.count_duplicates(["a", "b", "a", "c", "a"]) == 1
    assert kill.count_repeats([1, 3, 1, 2]) == 3


def test_the_site_is_the_same_for_both_sides_and_its_server_writes_down_what_it_saw(
    tmp_path: Path,
) -> None:
    pages = site.pages(60, 7)
    assert pages == site.pages(60, 7) and len(pages) == 60 + 2 + 2
    links = set(re.findall(rb'href="(/story/\d+)"', pages["/list/0"] + pages["/list/1"]))
    assert links == {f"/story/{n}".encode() for n in range(60)}
    log = tmp_path / "log"
    with (
        serve_site(60, 7, "--log", str(log)) as url,
        urllib.request.urlopen(url + "/story/3") as got,
    ):
        assert got.read() == pages["/story/3"]
    assert [(one.status, one.path) for one in read_requests(log)] == [(200, "/story/3")]


@pytest.mark.storm
def test_a_quick_kill_bench_loses_nothing() -> None:
    said = subprocess.run(
        [sys.executable, "-m", "bench", "kill", "--quick", "--json"],
        cwd=ROOT,
        env=cli_environment(),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert said.returncode == 0, said.stderr
    found = orjson.loads(said.stdout.splitlines()[-1])
    assert found["lost"] == found["stored_twice"] == found["missed"] == 0
    assert found["refetched_per_kill"] <= found["refetch_limit"]
    assert found["requests_per_story"] <= 1.05


def test_an_extracting_process_keeps_its_size(tmp_path: Path) -> None:
    """Freed pieces of pages that the allocator kept at hand made it three times as large."""
    grown = growth.measure(tmp_path, 1000, 60, 7, lambda _: None)
    assert grown["extract_growth"] <= 1.3
