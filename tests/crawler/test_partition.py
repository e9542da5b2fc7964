"""A network between us and the newspaper that swallows everything for a while."""

from __future__ import annotations

import threading
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
import pytest

from bench.faults.partition import PartitionProxy
from crawler.fetch import client
from tests.crawler.harness import crawl, stories
from tests.crawler.loopback import Answer, Loopback, paper, story

COUNT = 60


@pytest.mark.parametrize("reset", [False, True])
def test_a_newspaper_cut_off_for_a_while_loses_and_doubles_no_story(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reset: bool
) -> None:
    monkeypatch.setattr(client, "TIMES", aiohttp.ClientTimeout(total=2, sock_read=0.5))
    with Loopback(paper(*(f"/story/{n}" for n in range(COUNT)))) as site:
        port = urlsplit(site.url).port
        assert port is not None
        with PartitionProxy(lambda: ("127.0.0.1", port)) as network:

            def cuts(request: object, nth: int) -> Answer:
                if nth == 1:
                    network.cut()
                    threading.Timer(2.0, network.heal, kwargs={"reset": reset}).start()
                return story(20)

            site.routes["/story/20"] = cuts
            counters = crawl(tmp_path, f"http://127.0.0.1:{network.port}", concurrency=3, tries=5)
        asked = site.visits()
    assert sorted(one.title for one in stories(tmp_path)) == sorted(
        f"Τίτλος {n}" for n in range(COUNT)
    )
    assert counters["pages.done"] == COUNT + 1 and counters["retry.timeout"] > 0
    assert sum(count - 1 for count in asked.values()) <= 5 * 3  # tries of those under way
