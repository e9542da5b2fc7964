"""Stories on several pages: followed, joined in order, and never shortened in silence."""

from __future__ import annotations

import asyncio
from pathlib import Path
from urllib.parse import quote, unquote

import pytest
from aiohttp import web

from crawler.discovery.parts import next_part
from crawler.frontier import pages
from crawler.profile import Profile
from crawler.records import PageClaim
from crawler.scope import CrawlScope
from tests.crawler.harness import PROFILE, crawl, run_crawl, settings, stories
from tests.crawler.loopback import Answer, Loopback, Route, index

CHARSET = ("", "greek", "el")


def said(number: int, part: int, line: int) -> str:
    return f"Παράγραφος {line} του μέρους {part} της ιστορίας {number}, όπως τυπώθηκε."


def part(number: int, at: int, links: str = "", head: str = "") -> Answer:
    """Six paragraphs of a story's part; the headline and a lead stand on each."""
    lines = "".join(f"<p>{said(number, at, line)}</p>" for line in range(6))
    return Answer(
        f"<html><head>{head}</head><body><h1>Τίτλος {number}</h1><div class=text>"
        f"<p>Η εισαγωγή της ιστορίας {number}, που στέκει σε κάθε μέρος της.</p>{lines}</div>"
        f"<nav>{links}</nav></body></html>"
    )


def expected(number: int, parts: int) -> str:
    lead = f"Η εισαγωγή της ιστορίας {number}, που στέκει σε κάθε μέρος της."
    return "\n\n".join(
        [lead, *(said(number, p, line) for p in range(1, parts + 1) for line in range(6))]
    )


def numbers(url: str, upto: int) -> str:
    return "".join(f'<a href="{url.format(n=n)}">{n}</a>' for n in range(1, upto + 1))


def site(spelling: str, *, rel: bool) -> dict[str, Route]:
    """Story 1 in three parts, whose addresses are spelled so; story 2 in one."""
    urls = ["/story/1", *(spelling.format(n=n) for n in (2, 3))]
    routes: dict[str, Route] = {"/": index("/story/1", "/story/2"), "/story/2": part(2, 1)}
    for at, url in enumerate(urls, 1):
        follows = urls[at] if at < 3 else ""
        head = f'<link rel="next" href="{follows}">' if rel and follows else ""
        routes[url] = part(1, at, "" if rel else numbers(spelling, 3), head)
    return routes


def texts(folder: Path) -> dict[str, str]:
    return {story.title: story.text for story in stories(folder)}


@pytest.mark.parametrize(
    ("spelling", "rel"),
    [
        ("/story/1?page={n}", True),
        ("/story/1/the-rest-{n}", True),
        ("/story/1?page={n}", False),
        ("/story/1/{n}", False),
        ("/story/1/page/{n}/", False),
        ("/story/1-{n}", False),
        ("/story/1,seite-{n}", False),
    ],
)
def test_parts_are_joined_in_order_however_their_addresses_are_spelled(
    spelling: str, rel: bool, tmp_path: Path
) -> None:
    with Loopback(site(spelling, rel=rel)) as served:
        counters = crawl(tmp_path, served.url)
        assert max(served.visits().values()) == 1
    assert texts(tmp_path) == {"Τίτλος 1": expected(1, 3), "Τίτλος 2": expected(2, 1)}
    assert counters["pages.done"] == 5 and counters["text.done"] == 2


def test_a_part_that_cannot_be_had_is_a_mark_until_it_can(tmp_path: Path) -> None:
    routes = site("/story/1?page={n}", rel=True)
    whole = routes["/story/1?page=3"]
    routes["/story/1?page=3"] = Answer("gone", status=404)
    with Loopback(routes) as served:
        crawl(tmp_path, served.url)
        (cut,) = (story for story in stories(tmp_path) if story.title == "Τίτλος 1")
        assert cut.text == expected(1, 2) and "parts-missing" in cut.marks
        served.routes["/story/1?page=3"] = whole
        crawl(tmp_path, served.url, retry_failed=True)
    (story,) = (story for story in stories(tmp_path) if story.title == "Τίτλος 1")
    assert story.text == expected(1, 3) and "parts-missing" not in story.marks


def test_links_in_a_circle_and_parts_without_end_end(tmp_path: Path) -> None:
    def endless(request: web.Request, _visit: int) -> Answer:
        at = int(request.query.get("page", "1"))
        return part(7, at, head=f'<link rel=next href="/story/7?page={at + 1}">')

    routes: dict[str, Route] = {
        "/": index("/story/1", "/story/7"),
        "/story/1": part(1, 1, head='<link rel="next" href="/story/1?page=2">'),
        "/story/1?page=2": part(1, 2, head='<link rel="next" href="/story/1">'),
        "/story/7": endless,
        **{f"/story/7?page={n}": endless for n in range(2, 200)},
    }
    with Loopback(routes) as served:
        crawl(tmp_path, served.url)
        assert max(served.visits().values()) == 1
        assert sum(served.visits().values()) < 80
    found = {story.title: story for story in stories(tmp_path)}
    assert found["Τίτλος 1"].text == expected(1, 2) and not found["Τίτλος 1"].marks
    assert found["Τίτλος 7"].marks == ("parts-missing",)


def test_a_crawl_that_was_stopped_between_two_parts_joins_them_later(tmp_path: Path) -> None:
    routes = site("/story/1?page={n}", rel=True)
    hold = asyncio.Event()

    async def interrupted(url: str) -> None:
        task = asyncio.create_task(run_crawl(tmp_path, settings(tmp_path, url)))
        await asyncio.wait_for(hold.wait(), 30)
        task.cancel()  # what was fetched is in the frontier, what was not goes back to it
        await asyncio.gather(task, return_exceptions=True)

    with Loopback(routes) as served:
        second = routes["/story/1?page=2"]

        async def never(_request: web.Request, _visit: int) -> Answer:
            loop.call_soon_threadsafe(hold.set)
            await asyncio.sleep(0.5)
            assert isinstance(second, Answer)
            return second

        served.routes["/story/1?page=2"] = never
        with asyncio.Runner() as runner:
            loop = runner.get_loop()
            runner.run(interrupted(served.url))
        served.routes["/story/1?page=2"] = second
        crawl(tmp_path, served.url)
        again = crawl(tmp_path, served.url)  # and nothing is asked for twice
    assert texts(tmp_path)["Τίτλος 1"] == expected(1, 3)
    assert again["text.done"] == 2


def test_the_story_that_has_grown_shorter_loses_the_parts_that_are_none_now(
    tmp_path: Path,
) -> None:
    routes = site("/story/1?page={n}", rel=True)
    with Loopback(routes) as served:
        crawl(tmp_path, served.url)
        served.routes["/story/1"] = part(1, 1)
        connection = pages.connect(tmp_path / "paper")
        connection.execute("UPDATE pages SET state='waiting', etag='' WHERE key='story:1'")
        connection.close()
        crawl(tmp_path, served.url)
    (story,) = (story for story in stories(tmp_path) if story.title == "Τίτλος 1")
    assert story.text == expected(1, 1) and not story.marks


@pytest.mark.parametrize(
    ("markup", "found"),
    [
        ('<link rel="next" href="/story/8">', ""),  # another story: blogs name the next so
        ('<a rel="next" href="/about">', ""),
        ('<a href="/story/1/3">', ""),  # not the number that follows
        ('<a href="/story/12">', ""),
        ('<a href="/story/1/2?print=1">', ""),
        ('<a rel="nofollow next" href="?page=2">', "/story/1?page=2"),
        ('<base href="/story/1/"><a href="2">', "/story/1/2"),
        ('<base href="http://[1"><a href="?page=2">', "/story/1?page=2"),  # no address at all
        ('<a href="?page=2">', "/story/1?page=2"),
        ('<a href="1-2">', "/story/1-2"),
        ("<a href=1-2>", "/story/1-2"),
        ("<A HREF=/story/1/2>", "/story/1/2"),
        ("<A HREF=?page=2>", "/story/1?page=2"),
        ("<a href = '?page=2'>", "/story/1?page=2"),
        ("<A REL=NEXT HREF=/story/1/more>", "/story/1/more"),
        ('<p title="?page=2"><img src="/story/1-2"><a href="/next">next', ""),
    ],
)
def test_what_is_a_part_and_what_is_another_page(markup: str, found: str) -> None:
    import tomllib

    scope = CrawlScope(Profile.model_validate(tomllib.loads(PROFILE)))
    body = f"<html><body>{markup}x</a></body></html>".encode()
    claim = PageClaim(1, "story:1", "/story/1", "story", "", 0)
    link = next_part(claim, body, "http://127.0.0.1:1/story/1", scope, CHARSET)
    assert (link.url if link else "") == found


def test_a_name_in_another_script_is_found_as_pages_write_it() -> None:
    import tomllib

    path = "(?P<id>[^/]+)"
    scope = CrawlScope(Profile.model_validate(tomllib.loads(PROFILE.replace(r"(?P<id>\d+)", path))))
    address = "/story/" + quote("οι-νέοι-δρόμοι")
    claim = PageClaim(1, "story:x", address, "story", "", 0)
    for told in (f"{address}-2", f"{address.lower()}?page=2", "/story/οι-νέοι-δρόμοι/2"):
        body = f'<html><body><a href="{told}">2</a></body></html>'.encode()
        link = next_part(claim, body, f"http://127.0.0.1:1{address}", scope, CHARSET)
        assert link is not None, told
        assert unquote(link.url) == unquote(told)


def test_a_profile_may_say_how_parts_are_spelled(tmp_path: Path) -> None:
    profile = PROFILE.replace('key = ["id"]', "key = [\"id\"]\nparts = '/more/\\d+-(\\d+)'")
    routes = site("/more/1-{n}", rel=False)
    with Loopback(routes) as served:
        crawl(tmp_path, served.url, profile)
    assert texts(tmp_path)["Τίτλος 1"] == expected(1, 3)
