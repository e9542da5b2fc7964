"""A server that misbehaves: every page ends in a counted outcome, and none stops the crawl."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import pytest
from aiohttp import web

from crawler.fetch import client, hosts, response
from crawler.frontier import pages
from tests.conftest import ROOT
from tests.crawler import misbehaving
from tests.crawler.harness import PROFILE, crawl, stories
from tests.crawler.loopback import Answer, Loopback, Route, index, paper, story


@dataclass(frozen=True)
class Crawled:
    """One crawl over every misbehaviour at once, next to stories that are well."""

    counters: dict[str, int]
    pages: dict[str, tuple[str, str, str]]  # key -> state, reason, what came of the text
    numbers: dict[str, int]
    titles: set[str]


@pytest.fixture(scope="module")
def crawled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Crawled]:
    folder = tmp_path_factory.mktemp("misbehaviour")
    site, numbers = misbehaving.serve()
    profile = PROFILE.replace("[kinds.list]", 'block_marks = ["αποδείξτε"]\n[kinds.list]', 1)
    with pytest.MonkeyPatch.context() as patch, site:
        patch.setattr(client, "TIMES", client.aiohttp.ClientTimeout(total=1.0))
        patch.setattr(hosts, "FIRST_PAUSE_S", 0.05)
        counters = crawl(folder, site.url, profile, tries=2)
    connection = pages.connect_readonly(folder / "paper")
    rows = connection.execute("SELECT key, state, reason, text FROM pages").fetchall()
    found = {row["key"]: (row["state"], row["reason"], row["text"]) for row in rows}
    yield Crawled(counters, found, numbers, {story.title for story in stories(folder)})
    connection.close()


@pytest.mark.parametrize("name", misbehaving.CASES)
def test_it_ends_in_a_counted_outcome(crawled: Crawled, name: str) -> None:
    state, reason, text = crawled.pages[f"story:{crawled.numbers[name]}"]
    wanted = misbehaving.CASES[name].outcome
    assert (("text", text) if wanted[0] == "text" else (state, reason)) == wanted
    counter = f"text.{wanted[1]}" if wanted[0] == "text" else f"reason.{wanted[1]}"
    assert crawled.counters[counter] >= 1


def test_none_stops_the_crawl_and_none_is_an_error_of_ours(crawled: Crawled) -> None:
    assert {f"Τίτλος {misbehaving.WELL + n}" for n in range(3)} <= crawled.titles
    assert not {"pages.waiting", "pages.leased", "reason.internal"} & set(crawled.counters)
    cases = len(misbehaving.CASES)
    assert sum(state != "waiting" for state, _, _ in crawled.pages.values()) == cases + 4


def test_a_page_that_fails_once_is_had_the_second_time(tmp_path: Path) -> None:
    def moody(request: web.Request, nth: int) -> Answer:
        return Answer("x", 502) if nth == 1 else story(1)

    with Loopback(paper("/story/1") | {"/story/1": moody}) as site:
        counters = crawl(tmp_path, site.url)
    assert counters["retry.http-502"] == 1
    assert [s.title for s in stories(tmp_path)] == ["Τίτλος 1"]


def test_a_redirect_that_stays_the_same_page_is_followed(tmp_path: Path) -> None:
    routes = paper("/story/1") | {
        "/story/1": misbehaving.to("/story/01?view=full"),
        "/story/01?view=full": story(1),
    }
    with Loopback(routes) as site:
        crawl(tmp_path, site.url)
    assert [s.title for s in stories(tmp_path)] == ["Τίτλος 1"]


def test_two_stories_that_lead_to_one_are_stored_once(tmp_path: Path) -> None:
    routes = paper("/story/1", "/story/2", "/story/3") | {
        "/story/2": misbehaving.to("/story/1"),
        "/story/3": misbehaving.to("/story/1", 301),
    }
    with Loopback(routes) as site:
        crawl(tmp_path, site.url)
        assert site.visits()["/story/1"] == 1
    assert len(stories(tmp_path)) == 1


def test_what_robots_forbids_is_never_asked_for(tmp_path: Path) -> None:
    rules = Answer("User-agent: kkoracle\nDisallow: /story/2", kind="text/plain")
    with Loopback(paper("/story/1", "/story/2") | {"/robots.txt": rules}) as site:
        counters = crawl(tmp_path, site.url)
        assert "/story/2" not in site.visits()
        assert site.log[0][1] == "/robots.txt"
    assert counters["reason.robots"] == 1


def test_a_name_that_leads_into_the_house_is_refused(tmp_path: Path) -> None:
    async def ask(url: str) -> str:
        async with client.HttpClient("x", allow_private=False, concurrency=1) as asker:
            try:
                await asker.get(url)
            except response.FetchError as refusal:
                return refusal.reason
        return ""

    for host in ("127.0.0.1", "localhost", "[::1]", "10.0.0.1", "169.254.169.254", "192.168.1.1"):
        assert asyncio.run(ask(f"http://{host}:9/")) == "private"


@pytest.mark.parametrize(
    ("address", "private"),
    [
        ("64:ff9b::7f00:1", True),  # NAT64 of 127.0.0.1
        ("64:ff9b::169.254.169.254", True),
        ("64:ff9b::8.8.8.8", False),
        ("64:ff9b:1::8.8.8.8", True),  # NAT64 of one network's own
        ("2002:c0a8:101::1", True),  # 6to4 of 192.168.1.1
        ("2002:808:808::1", False),
        ("::ffff:10.0.0.1", True),  # mapped
        ("::ffff:8.8.8.8", False),
        ("::ffff:0:10.0.0.1", True),  # translated
        ("::127.0.0.1", True),  # compatible
        ("2606:4700::5efe:10.0.0.1", True),  # ISATAP
        ("2606:4700::200:5efe:10.0.0.1", True),
        ("2606:4700::1111", False),
        ("2001:0:808:808::1", True),  # Teredo
        ("fe80::1%eth0", True),
        ("fd00::1", True),
        ("224.0.0.1", True),
        ("ff0e::1", True),
        ("100.64.0.1", True),
        ("8.8.8.8", False),
        ("paper.example", False),
    ],
)
def test_an_address_that_carries_a_private_one_is_private(address: str, private: bool) -> None:
    assert client.is_private_address(address) is private


def test_bombs_are_refused_in_little_memory(tmp_path: Path) -> None:
    """A gigabyte each, eight at once; the crawl's whole process stays as small as it is."""
    routes: dict[str, Route] = {"/": index(*(f"/story/{n}" for n in range(12)))}
    for kind, wbits in (("gzip", 31), ("deflate", 15)):
        sent = misbehaving.packed(misbehaving.bomb(1024, wbits=wbits), kind)
        routes |= {f"/story/{n}": sent for n in range(12) if (n % 2 == 0) == (kind == "gzip")}

    def biggest(site: Loopback, folder: Path) -> int:
        said = subprocess.run(
            [sys.executable, "-m", "tests.crawler.child", str(folder), site.url, "0", "8"],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
        return int(said.stdout)

    with Loopback(paper("/story/1")) as site:
        usual = biggest(site, tmp_path / "usual")
    with Loopback(routes) as site:
        bombed = biggest(site, tmp_path / "bombed")
    assert bombed < usual + 100  # megabytes: eight bodies of five, twice while they grow


def test_a_robots_file_that_leads_into_the_house_is_no_error_of_ours(tmp_path: Path) -> None:
    """It is refused and waited for, as one that cannot be had; the crawl goes on then."""

    def moody(request: web.Request, nth: int) -> Answer:
        if nth == 1:
            return misbehaving.to("file:///etc/passwd")
        return Answer("User-agent: *\nDisallow: /story/2", kind="text/plain")

    with Loopback(paper("/story/1", "/story/2") | {"/robots.txt": moody}) as site:
        crawl(tmp_path, site.url)
    assert len(stories(tmp_path)) == 1


def test_a_host_that_mostly_fails_is_left_alone_for_a_while(tmp_path: Path) -> None:
    failing = {f"/story/{n}": Answer("x", 500) for n in range(1, 31)}
    with Loopback(paper(*failing, "/story/99") | failing) as site:
        counters = crawl(tmp_path, site.url, tries=2, retry_s=0.02)
        asked = site.times()
    assert counters["breaks"] >= 2
    assert counters["reason.http-500"] == 30
    assert len(stories(tmp_path)) == 1
    assert max(late - soon for soon, late in pairwise(asked)) >= 0.08


def test_a_site_that_makes_up_addresses_stops_at_the_kinds_budget(tmp_path: Path) -> None:
    def more(request: web.Request, nth: int) -> Answer:
        number = int(request.path.rsplit("/", 1)[1])
        return index(f"/list/{2 * number}", f"/list/{2 * number + 1}")

    class Endless(dict[str, Route]):
        def get(self, path: str, default: Route | None = None) -> Route | None:
            return more if path.startswith("/list/") else super().get(path, default)

    profile = PROFILE.replace('role = "index"', 'role = "index"\nbudget = 40', 1)
    site = Loopback({})
    site.routes = Endless({"/": index("/list/1")})
    with site:
        counters = crawl(tmp_path, site.url, profile)
        assert sum(path.startswith("/list/") for path in site.visits()) == 40
        crawl(tmp_path, site.url, profile)
        assert sum(path.startswith("/list/") for path in site.visits()) == 40
    assert counters["over-budget.list"] == 41


def test_failed_pages_are_asked_for_again_when_told_to(tmp_path: Path) -> None:
    with Loopback(paper("/story/1") | {"/story/1": Answer("x", 404)}) as site:
        assert crawl(tmp_path, site.url)["reason.http-404"] == 1
        site.routes["/story/1"] = story(1)
        crawl(tmp_path, site.url)
        assert site.visits()["/story/1"] == 1
        counters = crawl(tmp_path, site.url, retry_failed=True)
    assert "reason.http-404" not in counters and "pages.failed" not in counters
    assert [s.title for s in stories(tmp_path)] == ["Τίτλος 1"]
