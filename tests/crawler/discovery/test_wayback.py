"""The Wayback Machine in a newspaper's place: what the site does not give, each page once."""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from aiohttp import web

from crawler.discovery import wayback
from crawler.frontier import pages
from crawler.importing.warc import write_warc
from crawler.optout.confirm import confirm_opt_outs
from crawler.profiles import parse
from crawler.records import Capture, original_address
from crawler.scope import CrawlScope
from exchange.errors import NotFound, Unreachable, UsageError
from tests.conftest import run_cli
from tests.crawler.harness import PROFILE, crawl, settings, stories
from tests.crawler.loopback import Answer, Loopback, Route, index, paper, story

GONE = "http://gone.invalid"
_REPLAY = re.compile(r"/web/(\d+)id_/(.+)", re.S)


class WaybackServer(Loopback):
    """Answers as the Wayback Machine does, of these captures: (timestamp, address, page)."""

    def __init__(self, captures: Iterable[tuple[str, str, Answer]], **routes: Route) -> None:
        super().__init__(routes)
        self.captures = list(captures)

    def asked(self, start: str = "/web/") -> list[str]:
        return [path for _, path, _ in self.log if path.startswith(start)]

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        path = request.raw_path
        replay = _REPLAY.fullmatch(path)
        if path not in self.routes and path.startswith("/cdx/search/cdx?"):
            self.routes[path] = Answer(
                self._list(parse_qsl(urlsplit(path).query)), kind="text/plain"
            )
        elif path not in self.routes and replay:
            same = [one for one in self.captures if one[1] == replay[2]]
            exact = [page for timestamp, _, page in same if timestamp == replay[1]]
            if exact:
                self.routes[path] = exact[0]
            elif same:  # as it leads to the nearest one
                near = {"Location": f"/web/{same[0][0]}id_/{same[0][1]}"}
                self.routes[path] = Answer(status=302, headers=near)
        return await super()._answer(request)

    def _list(self, asked: list[tuple[str, str]]) -> str:
        told = dict(asked)
        assert told["matchType"] == "host" and told["fl"] == "timestamp,original"
        assert ("filter", "statuscode:200") in asked and ("filter", "mimetype:.*html.*") in asked
        found: dict[str, str] = {}
        for timestamp, address, page in sorted(self.captures, key=lambda one: (one[1], one[0])):
            host = (urlsplit(address).netloc).removeprefix("www.")
            within = told.get("from", "0") <= timestamp and timestamp[:8] <= told.get("to", "9")
            if host == told["url"] and within and page.status == 200 and "html" in page.kind:
                key = re.sub(r"^https?://(www\.)?", "", address)
                found.setdefault(key, f"{timestamp} {address}")
        keys = [key for key in sorted(found) if key > told.get("resumeKey", "")]
        shown = keys[: int(told["limit"])]
        lines = [found[key] for key in shown]
        return "\n".join([*lines, *(["", shown[-1]] if len(keys) > len(shown) else [])]) + "\n"


def captured(*numbers: int, host: str = GONE, year: int = 2005) -> list[tuple[str, str, Answer]]:
    return [(f"{year}0102030405", f"{host}/story/{number}", story(number)) for number in numbers]


def fetch(folder: Path, archive: WaybackServer, url: str = GONE, **changes: Any) -> dict[str, int]:
    return crawl(folder, url, source="wayback", wayback_url=archive.url, **changes)


def test_a_site_that_is_no_more_comes_from_its_captures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wayback, "LIST_LENGTH", 2)
    monkeypatch.setitem(wayback._QUERY, "limit", "2")
    held = [
        *captured(1, 2, 3, 4, 5),
        *captured(5, year=2007),
        *captured(6, year=1999),  # before any issue that is wanted
        *captured(7, year=2015),  # when the address was somebody else's
        ("20050102030405", f"{GONE}/contact", index("/story/9")),
        ("20050102030405", f"{GONE}/story/8", Answer("sorry", status=404)),
    ]
    with WaybackServer(held) as archive:
        wanted = {"since": "2001-01-01", "captured_until": "2010-12-31"}
        fetch(tmp_path, archive, **wanted)
        found = stories(tmp_path)
        assert sorted(one.url for one in found) == [f"{GONE}/story/{n}" for n in range(1, 6)]
        assert sorted(archive.asked()) == [
            f"/web/20050102030405id_/{GONE}/story/{n}" for n in range(1, 6)
        ]
        assert all("tests@example.org" in headers["User-Agent"] for _, _, headers in archive.log)
        before = len(archive.log)
        fetch(tmp_path, archive, **wanted)  # nothing is left to ask for
        assert len(archive.log) == before and stories(tmp_path) == found
    connection = pages.connect_readonly(tmp_path / "paper")
    rows = connection.execute("SELECT url FROM pages WHERE kind='story'").fetchall()
    kept = {Capture.of(row["url"]) for row in rows}
    assert Capture(archive.url, "20050102030405", f"{GONE}/story/1") in kept


def test_it_gives_what_the_site_does_not_and_nothing_twice(tmp_path: Path) -> None:
    live = paper("/story/1", "/story/2", "/story/3", "/story/4", "/story/5", "/story/6")
    live["/story/2"] = Answer("gone", status=404)
    live["/story/3"] = Answer("pay", status=402)
    live["/story/4"] = Answer(status=302, headers={"Location": "https://login.example/"})
    live["/story/5"] = Answer("<h1>Subscribers</h1><div class='text'>Log in</div>")
    live["/robots.txt"] = Answer("User-agent: *\nDisallow: /story/6", kind="text/plain")
    with Loopback(live) as site, WaybackServer([]) as archive:
        archive.captures = captured(1, 2, 3, 4, 5, 6, 7, host=site.url)
        crawl(tmp_path, site.url)
        before = {one.id: one for one in stories(tmp_path)}
        assert len(before) == 1
        asked = len(site.log)
        counters = fetch(tmp_path, archive, site.url)
        assert len(site.log) == asked  # the newspaper is not asked
        wanted = [2, 3, 4, 5, 7]  # what robots.txt forbids stays forbidden
        assert sorted(archive.asked()) == [
            f"/web/20050102030405id_/{site.url}/story/{n}" for n in wanted
        ]
        after = {one.id: one for one in stories(tmp_path)}
        assert before.items() <= after.items()
        assert sorted(one.url for one in after.values()) == [
            f"{site.url}/story/{n}" for n in (1, *wanted)
        ]
        assert not any(name.startswith("reason.http") for name in counters)
        crawl(tmp_path, site.url)  # nor is the site asked again for what came from the archive
        assert {path for _, path, _ in site.log[asked:]} <= {"/robots.txt"}


def test_dates_of_a_captured_index_are_told_and_no_page_is_added(tmp_path: Path) -> None:
    profile = PROFILE.replace("[kinds.story]", "date = 'd'\n\n[kinds.story]").replace(
        "'/list/(?P<n>\\d+)'", "'/list/(?P<n>\\d+)/(?P<d>[\\d-]+)'"
    )
    held = [("2005", f"{GONE}/list/1/2004-05-03", index("/story/1", f"{GONE}/story/2"))]
    with WaybackServer([*held, *captured(1)]) as archive:
        fetch(tmp_path, archive, profile=profile)
        assert [one.published for one in stories(tmp_path)] == ["2004-05-03"]
        assert len(archive.asked()) == 2


def test_what_a_captured_page_says_of_its_address_loses_no_story(tmp_path: Path) -> None:
    def saying(number: int, address: str) -> Answer:
        page = str(story(number).body)
        return Answer(page.replace("<body>", f"<link rel='canonical' href='{address}'><body>"))

    held = [
        ("20050102030405", f"{GONE}/story/1", saying(1, f"{GONE}/story/9")),  # not captured
        ("20050102030405", f"{GONE}/story/2?s=1", saying(3, f"{GONE}/story/3")),  # and the same
        ("20050102030405", f"{GONE}/story/3", saying(3, "/story/3")),
        ("20050102030405", f"{GONE}/story/4", saying(4, f"{GONE}/")),
    ]
    with WaybackServer(held) as archive:
        fetch(tmp_path, archive)
        found = sorted(one.url.removeprefix(f"{GONE}/story/") for one in stories(tmp_path))
        assert found == ["1", "3", "4"]


def test_redirects_between_captures_are_followed_within_the_site(tmp_path: Path) -> None:
    def to(address: str) -> Answer:
        return Answer(status=302, headers={"Location": f"/web/20060101000000id_/{address}"})

    with WaybackServer(captured(1, 2, 3)) as archive:
        archive.captures += [("20060101000000", f"{GONE}/story/1", story(1))]
        archive.routes[f"/web/20050102030405id_/{GONE}/story/1"] = to(f"{GONE}/story/1")
        archive.routes[f"/web/20050102030405id_/{GONE}/story/2"] = to("http://login.invalid/")
        counters = fetch(tmp_path, archive)
        assert sorted(one.url for one in stories(tmp_path)) == [
            f"{GONE}/story/1",
            f"{GONE}/story/3",
        ]
        assert counters["reason.redirect-out"] == 1


def test_the_archive_is_asked_as_politely_as_a_newspaper(tmp_path: Path) -> None:
    def busy(request: web.Request, visit: int) -> Answer:
        return story(1) if visit > 1 else Answer(status=429, headers={"Retry-After": "1"})

    forbidden = f"/web/20050102030405id_/{GONE}/story/2"
    with WaybackServer(captured(1, 2, 3)) as archive:
        archive.routes["/robots.txt"] = Answer(
            f"User-agent: *\nDisallow: {forbidden}", kind="text/plain"
        )
        archive.routes[f"/web/20050102030405id_/{GONE}/story/1"] = busy
        fetch(tmp_path, archive, delay=0.2)
        assert len(stories(tmp_path)) == 2 and forbidden not in archive.visits()
        gaps = [after - before for before, after in pairwise(archive.times())]
        assert min(gaps) > 0.15 and max(gaps) > 0.9


def test_an_archive_that_has_nothing_is_a_failure(tmp_path: Path) -> None:
    with WaybackServer([]) as archive:
        with pytest.raises(NotFound, match=r"has no page of gone\.invalid"):
            fetch(tmp_path / "empty", archive)
        archive.routes = {path: Answer(status=403) for path in archive.routes}
        with pytest.raises(NotFound, match=r"cannot be had \(http-403\)"):
            fetch(tmp_path / "refused", archive)
    with WaybackServer(captured(1, 2)) as archive:
        archive.routes["/robots.txt"] = Answer("User-agent: *\nDisallow: /web/", kind="text/plain")
        with pytest.raises(NotFound, match=r"cannot be had \(robots\)"):
            fetch(tmp_path / "forbidden", archive)
        assert not archive.asked()


def test_a_site_that_cannot_be_reached_any_more_has_nothing_to_confirm(tmp_path: Path) -> None:
    away = "http://127.0.0.1:9"
    profile = parse(PROFILE.replace("http://127.0.0.1:1", away), "test")
    said: list[str] = []

    def confirm(source: str) -> None:
        wanted = settings(tmp_path, away, source=source)
        confirm_opt_outs(tmp_path, "paper", profile, wanted, accept=False, say=said.append)

    confirm("wayback")
    assert "cannot be reached any more" in said[0] and len(said) == 1
    with pytest.raises(Unreachable):
        confirm("site")


def test_old_issues_and_new_ones_are_not_asked_for_at_once(tmp_path: Path) -> None:
    said = run_cli("crawl", "demo", "--source", "wayback", "--follow", cwd=tmp_path)
    assert said.returncode == 2 and "choose one" in said.stderr


def test_an_archive_without_an_address_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"wayback_url 'web\.archive\.org' must be"):
        crawl(tmp_path, GONE, source="wayback", wayback_url="web.archive.org")


def test_a_capture_goes_out_as_the_page_that_it_was(tmp_path: Path) -> None:
    with WaybackServer(captured(1)) as archive:
        fetch(tmp_path, archive)
    connection = pages.connect_readonly(tmp_path / "paper")
    site = CrawlScope(parse(PROFILE, "test"))
    assert write_warc(connection, site, tmp_path / "a.warc", lambda done, total: None) == 1
    raw = (tmp_path / "a.warc").read_bytes()
    assert f"WARC-Target-URI: {GONE}/story/1".encode() in raw
    assert b"WARC-Date: 2005-01-02T03:04:05Z" in raw


def test_addresses_of_captures_are_told_from_others() -> None:
    address = "https://web.archive.org/web/20050102id_/http://a.example/web/1/?u=http://b.example/"
    found = Capture.of(address)
    assert found == Capture(
        "https://web.archive.org", "20050102", "http://a.example/web/1/?u=http://b.example/"
    )
    assert found.address == address and found.moment.isoformat() == "2005-01-02T00:00:00+00:00"
    assert original_address(address) == found.original
    for other in ("http://a.example/web/1/", "http://a.example/story?u=http://b.example/"):
        assert Capture.of(other) is None and original_address(other) == other
