"""What the operator asks of an archive: how much is here, what failed, and try that again."""

from __future__ import annotations

import asyncio
import datetime as dt
from pathlib import Path

import orjson
import pytest

from crawler import profiles
from crawler.scope import CrawlScope
from crawler.status import coverage, failed_pages
from crawler.status.report import read_counters
from exchange.errors import UserError
from exchange.lock import FileLock
from tests.conftest import run_cli
from tests.crawler.harness import PROFILE, crawl, run_crawl, settings, stories
from tests.crawler.loopback import Answer, Loopback, Route

ISSUES = (
    PROFILE.replace(
        'start = ["/"]',
        """
[[ranges]]
url = "/issue?date={yyyy}-{mm}-{dd}"
since = 2001-12-30
until = 2002-01-02

[kinds.issue]
role = "index"
path = '/issue'
key = ["date"]
date = "date"
words = '(\\d+) λέξεις'
""",
    )
    + "section = '//h2'\n"
)

WORDS = (
    "νερό",
    "δρόμος",
    "σχολείο",
    "λιμάνι",
    "γέφυρα",
    "πλατεία",
    "αγορά",
    "δάσος",
    "βουνό",
    "θάλασσα",
    "ποτάμι",
    "χωριό",
)


def told(section: str, words: int, number: int = 4) -> Answer:
    text = " ".join(f"{word}{'αβγδεζ'[number]}" for word in WORDS[:words])
    return Answer(f"<h1>Τ</h1><h2>{section}</h2><div class=text>{text}</div>")


def newspaper() -> dict[str, Route]:
    def issue(*rows: tuple[int, int]) -> Answer:
        lines = "".join(f"<li><a href=/story/{n}>x</a> {words} λέξεις" for n, words in rows)
        return Answer(f"<ul>{lines}</ul>")

    return {
        "/issue?date=2001-12-30": issue((1, 10), (2, 20)),
        "/issue?date=2001-12-31": issue((3, 10)),
        "/issue?date=2002-01-01": issue((4, 10), (5, 10)),
        "/story/1": told("Πόλη", 10, 1),
        "/story/2": told("Πόλη", 10, 2),
        "/story/3": told("Κόσμος", 12, 3),
        "/story/4": Answer("busy", 500),
        "/story/5": Answer("<h1>Χωρίς κείμενο</h1>"),
    }


def site() -> CrawlScope:
    return CrawlScope(profiles.parse(ISSUES, "t"))


def test_coverage_counts_by_year_and_section_and_against_the_sites_own_counts(
    tmp_path: Path,
) -> None:
    with Loopback(newspaper()) as server:
        crawl(tmp_path, server.url, ISSUES)
    found = coverage.measure_coverage(tmp_path / "paper", site(), dt.date(2030, 1, 1))
    old, new = found.years["2001"], found.years["2002"]
    assert (old.issues, old.issues_due, old.stories, old.short) == (2, 2, 3, 1)
    assert (old.words, old.words_expected) == (30, 40)  # 12 of 10 words make up for nothing
    assert old.complete == 0.75
    assert (new.issues, new.issues_due, new.stories, new.complete) == (0, 2, 0, None)
    assert new.pages == {"done": 2, "failed": 2}
    assert found.sections == {"Πόλη": 2, "Κόσμος": 1}
    assert found.total.stories == 3


def test_stories_that_a_gate_holds_back_count_and_the_gates_are_named(tmp_path: Path) -> None:
    twice = newspaper() | {"/story/2": told("Πόλη", 10, 1)}
    with Loopback(twice) as server:
        crawl(tmp_path, server.url, ISSUES)
    found = coverage.measure_coverage(tmp_path / "paper", site(), dt.date(2030, 1, 1))
    assert (found.total.stories, found.total.held) == (3, 1)
    assert found.marks["duplicate"] == 1


def test_what_failed_is_listed_by_reason_and_tried_again_when_asked(tmp_path: Path) -> None:
    with Loopback(newspaper()) as server:
        crawl(tmp_path, server.url, ISSUES)
        connection = failed_pages.pages.connect_readonly(tmp_path / "paper")
        groups = {(g.state, g.reason): g.count for g in failed_pages.count_failures(connection)}
        assert groups == {
            ("failed", "http-500"): 1,
            ("failed", "http-404"): 1,
            ("no story", "too-short"): 1,
        }
        (page,) = failed_pages.list_failures(connection, site(), "http-500", 9)
        assert page.url.endswith("/story/4") and page.tries == 3
        assert len(list(failed_pages.list_failures(connection, site(), None, 2))) == 2
        connection.close()

        assert failed_pages.retry_failed_pages(tmp_path / "paper", "http-500") == (1, 0)
        server.routes["/story/4"] = told("Πόλη", 10)
        asked = server.visits()
        crawl(tmp_path, server.url, ISSUES)
        assert set(server.visits() - asked) == {"/story/4"}
        assert len(stories(tmp_path)) == 4

        assert failed_pages.retry_failed_pages(tmp_path / "paper", None) == (1, 1)
        asked = server.visits()
        crawl(tmp_path, server.url, ISSUES)
        assert set(server.visits() - asked) == {"/issue?date=2002-01-02"}
    assert read_counters(tmp_path / "paper")["text.too-short"] == 1


def test_nothing_is_changed_under_a_running_daemon(tmp_path: Path) -> None:
    with Loopback(newspaper()) as server:
        crawl(tmp_path, server.url, ISSUES)
    with FileLock(tmp_path / "paper/daemon.lock"), pytest.raises(UserError, match="runs already"):
        failed_pages.retry_failed_pages(tmp_path / "paper", None)


def test_the_commands_print_tables_for_people_and_json_for_programs(tmp_path: Path) -> None:
    (tmp_path / "profile.toml").write_text(ISSUES, "utf-8")
    (tmp_path / "kkoracle.toml").write_text(
        'data = "data"\narchive = "paper"\n[crawl]\nprofile = "profile.toml"\n', "utf-8"
    )
    with Loopback(newspaper()) as server:
        wanted = settings(tmp_path, server.url, ISSUES)
        assert asyncio.run(run_crawl(tmp_path / "data", wanted)) == 0
    said = run_cli("archive", "coverage", cwd=tmp_path)
    assert said.returncode == 0
    row = said.stdout.splitlines()[1].split()
    assert row == ["2001", "2", "of", "2", "5", "3", "75.0%", "1"]
    assert "sections: Πόλη 2, Κόσμος 1" in said.stdout
    made = orjson.loads(run_cli("archive", "coverage", "--json", cwd=tmp_path).stdout)
    assert made["total"]["stories"] == 3
    said = run_cli("archive", "review", "--reason", "http-500", cwd=tmp_path)
    assert "failed    http-500         http" in said.stdout
    assert "`kkoracle archive retry paper --reason http-500`" in said.stdout
    said = run_cli("archive", "retry", cwd=tmp_path)
    assert "2 to ask for again, 1 to read again from disk" in said.stdout
    assert run_cli("archive", "review", "other", cwd=tmp_path).returncode == 1
